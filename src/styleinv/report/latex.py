"""Tables as LaTeX documents that compile as they are; the `table` in them can be copied into a paper (booktabs)."""

import re
from collections.abc import Sequence
from pathlib import Path

from styleinv.files import write_text

_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_SPECIAL |= {char: f"\\{char}" for char in "&%$#_{}"} | {"±": r"$\pm$", "−": "$-$", "–": "--", "×": r"$\times$"}


def escape(text: str) -> str:
    """Write plain text so that LaTeX prints it as it is."""
    return "".join(_SPECIAL.get(char, char) for char in text)


def marked(text: str, rank: str) -> str:
    """Write a number bold where it is the best, underlined where it is the second best."""
    escaped = escape(text)
    if not escaped or not rank:
        return escaped
    return rf"\textbf{{{escaped}}}" if rank == "best" else rf"\underline{{{escaped}}}"


def write_latex(
    out: Path, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str], words: int = 2
) -> None:
    """Write a document with one table.

    Args:
        out: the .tex.
        title: its caption.
        heads: of the columns, plain text.
        rows: cells in LaTeX; an empty row becomes a rule.
        notes: under the table, plain text or Markdown's **bold** and `code`.
        words: so many columns on the left are words, as is the last one; the others are numbers.
    """
    columns = "l" * words + "r" * (len(heads) - words - 1) + "l"
    body = [r"\midrule" if not row else " & ".join(row) + r" \\" for row in rows]
    said = [rf"\par\smallskip {_markdown(note)}" for note in notes]
    lines = [
        r"\documentclass{article}",
        r"\usepackage[T1]{fontenc}",
        r"\usepackage[utf8]{inputenc}",
        r"\usepackage[landscape,margin=1.5cm]{geometry}",
        r"\usepackage{booktabs,graphicx}",
        r"\pagestyle{empty}",
        r"\begin{document}",
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{escape(title)}}}",
        r"\resizebox{\textwidth}{!}{%",
        rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"\toprule",
        " & ".join(map(escape, heads)) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}}",
        r"\par\raggedright\footnotesize",
        *said,
        r"\end{table}",
        r"\end{document}",
    ]
    write_text(out, "\n".join(lines) + "\n")


def _markdown(text: str) -> str:
    text = re.sub(r"<[^>]+>", "", text)
    pieces = re.split(r"(\*\*.*?\*\*|`.*?`)", text)
    return "".join(
        rf"\textbf{{{escape(piece[2:-2])}}}"
        if piece.startswith("**")
        else rf"\texttt{{{escape(piece[1:-1])}}}"
        if piece.startswith("`")
        else escape(piece)
        for piece in pieces
    )
