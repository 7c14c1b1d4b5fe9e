"""The result table: measured scores beside the printed ones, as CSV for programs, as Markdown and as LaTeX."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from styleinv.errors import UserError
from styleinv.files import write_text
from styleinv.report.latex import marked, write_latex
from styleinv.report.published import by_run, read_published
from styleinv.report.verdicts import MEANINGS, joined, verdict
from styleinv.runs import Run

STAND_IN_NOTE = (
    "Scores were made with stand-in detectors: they are **not comparable with published numbers**, "
    "only with each other."
)

LEGEND = (
    "Mean ± standard deviation over evaluation seeds, which draw other real clips and frames of the same videos; "
    "[low, high]: 95 % bootstrap interval over real and generated videos. Lower is better."
)
# (row number, name of a column).
Cells = set[tuple[int, str]]
TIES = "with all whose intervals overlap theirs"
# The scores of a run that the paper prints and nobody has made.
NO_SCORES: Mapping[str, Any] = {"protocol": {"metrics": {}}, "protocol_ids": {}}


@dataclass(frozen=True)
class RunResult:
    """Scores of one run.

    Attributes:
        run: its name.
        dataset, method: the same for people.
        metrics: the content of its metrics.json.
        along: the table's `best_by` of the models along the training and of the last, by the same protocol; empty where
            none was kept.
        share: how much of the paper's data its data set holds, in words; empty where it is all.
    """

    run: Run
    dataset: str
    method: str
    metrics: dict[str, Any]
    along: Sequence[float] = ()
    share: str = ""


@dataclass(frozen=True)
class Column:
    """A number that every row may have.

    Attributes:
        name: its key in metrics.json.
        title: its name for people.
        score: True for scores, which are better when lower and may have a published number; False for diagnostics.
    """

    name: str
    title: str
    score: bool


@dataclass(frozen=True)
class Table:
    """A table: its columns, its rows, and which cells are best.

    Attributes:
        columns: in this order.
        rows: one dictionary per result, with the columns of the CSV, `titles` (data set, method), `ids` (metric -> id
            of its rules), `rules` (the name of the protocol) and `unlike_paper` (what differs from how the paper's
            numbers were made); None where there is no number.
        best_by: the metric whose best value along the training is shown; None where no model along it was kept.
        best, second: (row number, metric) of the best and second best scores.
        footnotes: what is particular about a printed number -> the letter that marks it.
        ranked: whether the paper marks the best of its numbers in this table.
        compared: whether rows are compared with others, `(-)` or `(+)`.
    """

    columns: list[Column]
    rows: list[dict[str, Any]]
    best_by: Column | None = None
    best: Cells = field(default_factory=set)
    second: Cells = field(default_factory=set)
    footnotes: dict[str, str] = field(default_factory=dict)
    ranked: bool = False
    compared: bool = False

    @property
    def scores(self) -> dict[str, str]:
        """The metrics that are scores, with their titles."""
        return {column.name: column.title for column in self.columns if column.score}

    @property
    def judged(self) -> bool:
        """Whether any cell has a printed number, and so a verdict."""
        return any(row[f"{name}_verdict"] for row in self.rows for name in self.scores)


def make_table(
    results: Sequence[RunResult],
    published_csv: str | Path,
    best_by: str,
    columns: Sequence[str] = (),
    file: object = None,
    printed_table: str = "",
    against: Mapping[str, str] | None = None,
    within: Sequence[float] = (5, 10, 20),
) -> Table:
    """Put results and printed numbers together.

    Args:
        results: in the order of the table.
        published_csv: the printed numbers.
        best_by: the metric that `RunResult.along` holds.
        columns: names of metrics and diagnostics; all metrics that any result has if none are named.
        file: where `columns` stands, for messages.
        printed_table: the printed table whose marks of the best are shown.
        against: run without its data set -> the one that it is compared with.
        within: see `verdicts.verdict`.

    Raises:
        UserError: a column that no result has.
    """
    known = _known_columns(results)
    for name in columns:
        if name not in known:
            cure = f"These scores have {', '.join(known) or 'none'}; more metrics: `evaluation.metrics` of the scale."
            raise UserError(f"{name!r} is in none of the scores", file=file, field="columns", cure=cure)
    chosen = [known[name] for name in columns] or [column for column in known.values() if column.score]
    numbers, footnotes = read_published(published_csv), dict[str, str]()
    printed, own = by_run(numbers), by_run([number for number in numbers if number.table == printed_table])
    kept = any(result.along for result in results)
    rows = []
    for result in results:
        run, metrics = result.run, result.metrics
        key = run.dataset, run.method, run.variant
        paper, ranks = printed.get(key, {}), own.get(key, {})
        row: dict[str, Any] = {"dataset": run.dataset, "method": run.folder, "trainings": metrics.get("trainings", 1)}
        row |= {column.name: _value(metrics, column.name) for column in chosen}
        for name in (column.name for column in chosen if column.score):
            row |= {f"{name}_{end}": metrics.get(f"{name}_{end}") for end in ("std", "low", "high")}
            number = paper.get(name)
            rank = ranks[name].rank if name in ranks else ""
            row |= {f"{name}_published": number and number.value, f"{name}_mark": "", f"{name}_rank_published": rank}
            if number and number.note:
                row[f"{name}_mark"] = footnotes.setdefault(number.note, chr(ord("a") + len(footnotes)))
        row["published_note"] = "; ".join(dict.fromkeys(number.note for number in paper.values() if number.note))
        row |= {f"{best_by}_best": min(result.along, default=None), f"{best_by}_best_of": len(result.along) or None}
        row |= {"protocol": metrics.get("protocol_id"), "stand_in": metrics.get("stand_in")}
        several = f" (n = {row['trainings']})" if row["trainings"] > 1 else ""
        row |= {"titles": (result.dataset, result.method + several), "ids": metrics.get("protocol_ids", {})}
        row |= {"unlike_paper": [*metrics.get("unlike_paper", []), *filter(None, [result.share])]}
        row |= {"rules": metrics["protocol"].get("rules", {}).get("protocol", "")}
        rows.append(row)
    for row in rows:
        for name in (column.name for column in chosen if column.score):
            row[f"{name}_verdict"] = verdict(row, name, within)
    _compare(rows, [column.name for column in chosen if column.score], against or {})
    best_of = known.get(best_by) if kept else None
    ranked = any(number.rank for row in own.values() for number in row.values())
    return Table(chosen, rows, best_of, *_ranked(chosen, rows), footnotes, ranked, bool(against))


def _compare(rows: Sequence[dict[str, Any]], names: Sequence[str], against: Mapping[str, str]) -> None:
    """Say of each score, the measured and the printed one, whether it is lower or higher than that of another row."""
    others = {(row["dataset"], row["method"]): row for row in rows}
    for row in rows:
        other = others.get((row["dataset"], against.get(row["method"], "")))
        for name in names:
            alike = other and row["ids"].get(name) == other["ids"].get(name)
            row[f"{name}_change"] = _change(row[name], other[name]) if other and alike else ""
            ends = (row[f"{name}_published"], other[f"{name}_published"]) if other else (None, None)
            row[f"{name}_change_published"] = _change(*ends)


def _change(value: float | None, other: float | None) -> str:
    """(-) for a smaller, better score, (+) for a larger one, as the paper's Table 2 has them."""
    if value is None or other is None or value == other:
        return ""
    return "(-)" if value < other else "(+)"


def _known_columns(results: Sequence[RunResult]) -> dict[str, Column]:
    known: dict[str, Column] = {}
    for result in results:
        for name, made in result.metrics["protocol"]["metrics"].items():
            known.setdefault(name, Column(name, made["title"], True))
    for result in results:
        for name in result.metrics.get("diagnostics", {}):
            known.setdefault(name, Column(name, name.replace("_", " "), False))
    return known


def _value(metrics: dict[str, Any], name: str) -> float | None:
    return metrics.get(name, metrics.get("diagnostics", {}).get(name))


def _ranked(columns: Sequence[Column], rows: Sequence[dict[str, Any]]) -> tuple[Cells, Cells]:
    """(row number, metric) of the best and of the second best scores, each with all that it does not beat.

    Compared are two or more rows of one data set that may be compared in the metric.
    """
    ranks: tuple[Cells, Cells] = (set(), set())
    for name in (column.name for column in columns if column.score):
        groups: dict[tuple[str, str], list[int]] = {}
        for number, row in enumerate(rows):
            if row[name] is not None and name in row["ids"]:
                groups.setdefault((row["dataset"], row["ids"][name]), []).append(number)
        for members in groups.values():
            left = sorted(members, key=lambda number: rows[number][name]) if len(members) > 1 else []
            for rank in ranks:
                alike = [number for number in left if not _beats(rows[left[0]], rows[number], name)]
                rank.update((number, name) for number in alike)
                left = [number for number in left if number not in alike]
    return ranks


def _beats(better: dict[str, Any], worse: dict[str, Any], name: str) -> bool:
    """Whether the intervals of two scores are apart; where one has none, whether the scores differ."""
    high, low = better[f"{name}_high"], worse[f"{name}_low"]
    return bool(better[name] < worse[name] if high is None or low is None else high < low)


def notes(table: Table) -> list[str]:
    """List what a reader must know before comparing numbers, most important first (Markdown)."""
    lines = []
    if any(row["stand_in"] for row in table.rows):
        lines.append(STAND_IN_NOTE)
    # Rows by another named protocol say so; what nobody asked for are rows of one name that differ.
    for dataset, rules in dict.fromkeys((row["dataset"], row["rules"]) for row in table.rows):
        rows = [row for row in table.rows if (row["dataset"], row["rules"]) == (dataset, rules)]
        unlike = [
            c.title for c in table.columns if len({row["ids"][c.name] for row in rows if c.name in row["ids"]}) > 1
        ]
        if unlike:
            lines.append(
                f"{rows[0]['titles'][0]}: rows made by different rules are **not comparable** in {', '.join(unlike)}; "
                "`styleinv compare A B` says what differs."
            )
    printed = [row for row in table.rows if row["unlike_paper"] and published_names(table, row)]
    if reasons := dict.fromkeys(reason for row in printed for reason in row["unlike_paper"]):
        lines.append(f"published numbers in brackets were made by other rules: {'; '.join(reasons)}.")
    return lines


def published_names(table: Table, row: dict[str, Any]) -> list[str]:
    """List the scores of a row that the paper prints."""
    return [c.name for c in table.columns if c.score and row[f"{c.name}_published"] is not None]


def published_text(row: dict[str, Any], column: Column) -> str:
    """Write the printed number, in brackets where it was made by other rules than the row's; empty without one."""
    printed = row[f"{column.name}_published"]
    if printed is None:
        return ""
    return f"({printed:.2f})" if row["unlike_paper"] else f"{printed:.2f}"


def change_text(row: dict[str, Any], column: Column) -> str:
    """Write (-) or (+), the measured one and the printed one: `(-), paper (+)`; empty where rows are not compared."""
    own, printed = row[f"{column.name}_change"], row[f"{column.name}_change_published"]
    return ", ".join(filter(None, [own, printed and f"paper {printed}"]))


def write_table(
    table: Table, out_csv: str | Path, out_md: str | Path, title: str = "", shares: Sequence[str] = ()
) -> None:
    """Write a table as CSV for programs and as Markdown for people; a LaTeX document beside it has its name.

    Args:
        out_csv: columns `dataset, method`, those of the table, `_std`, `_low`, `_high`, `_published` and `_verdict` of
            its scores, where the paper has them `_rank_published`, `_change` and `_change_published`, `published_note`,
            `<best_by>_best` and `<best_by>_best_of` (the lowest of so many models along the training), `trainings`
            (their number), `protocol`, `stand_in`, `unlike_paper`; empty where there is nothing.
        out_md: the same for people: mean ± std [low, high] beside the printed number, of comparable scores the best
            bold and the second best underlined, warnings first.
        title: heading of the second.
        shares: how much of the paper's data each data set holds, in words.
    """
    write_text(out_csv, _csv(table))
    heading = f"# {title}\n\n" if title else ""
    write_text(out_md, heading + _markdown(table, shares))
    heads, rows = _cells(table, marked, "")
    lines = [line for line in _below(table, shares) if line]
    write_latex(
        Path(out_csv).with_suffix(".tex"), title or "Scores", heads, _ruled(table, rows), [*notes(table), *lines]
    )


def _csv(table: Table) -> str:
    scores = [column.name for column in table.columns if column.score]
    names = ["dataset", "method", *(column.name for column in table.columns)]
    names += [f"{name}_{end}" for end in ("std", "low", "high", "published") for name in scores]
    ends = ["verdict", *(["rank_published"] if table.ranked else [])]
    ends += ["change", "change_published"] if table.compared else []
    names += [f"{name}_{end}" for end in ends for name in scores] + ["published_note"]
    names += [name for name in (table.rows[0] if table.rows else {}) if name.endswith(("_best", "_best_of"))]
    names += ["trainings", "protocol", "stand_in", "unlike_paper"]
    file = io.StringIO()
    writer = csv.DictWriter(file, names, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in table.rows:
        writer.writerow({name: _csv_cell(value) for name, value in row.items()})
    return file.getvalue()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "; ".join(value)
    return f"{value:.6g}" if isinstance(value, float) else value


def _markdown(table: Table, shares: Sequence[str]) -> str:
    lines = [f"> **Note.** {note}\n" for note in notes(table)]
    heads, rows = _cells(table, _bold, "<sup>{}</sup>")
    numbers = len(heads) - 3 - table.judged
    lines.append(_line(heads))
    lines.append(_line(["---", "---", *["---:"] * numbers, *["---"] * (1 + table.judged)]))
    lines += map(_line, rows)
    return "\n".join([*lines, *(f"\n{line}" for line in _below(table, shares))]) + "\n"


def _bold(text: str, rank: str) -> str:
    if not text or not rank:
        return text
    return f"**{text}**" if rank == "best" else f"<u>{text}</u>"


def _cells(table: Table, mark: Callable[[str, str], str], footnote: str) -> tuple[list[str], list[list[str]]]:
    """Give the heads and the cells for people; `mark` writes what is best or second, `footnote` a letter."""
    heads = ["data set", "method"]
    for column in table.columns:
        changes = ["change"] if column.score and table.compared else []
        heads += [column.title, *changes, "paper"] if column.score else [column.title]
    heads += [f"{table.best_by.title}, best of k"] if table.best_by else []
    heads += ["verdict"] if table.judged else []
    rows = []
    for number, row in enumerate(table.rows):
        cells = [mark(title, "") for title in row["titles"]]
        for column in table.columns:
            place = number, column.name
            rank = "best" if place in table.best else "second" if place in table.second else ""
            cells.append(mark(cell_text(row, column), rank))
            if column.score:
                cells += [mark(change_text(row, column), "")] if table.compared else []
                letter = row[f"{column.name}_mark"]
                raised = (footnote or r"\textsuperscript{{{}}}").format(letter) if letter else ""
                cells.append(mark(published_text(row, column), row[f"{column.name}_rank_published"]) + raised)
        cells += [mark(best_text(row, table.best_by), "")] if table.best_by else []
        cells += [mark(joined(row, table.scores), "")] if table.judged else []
        name = row["protocol"] or ""
        rows.append([*cells, f"`{name}`" if name and footnote else mark(name, "")])
    return [*heads, "protocol"], rows


def _ruled(table: Table, rows: Sequence[list[str]]) -> list[list[str]]:
    """Put a rule between the data sets."""
    ruled: list[list[str]] = []
    for number, row in enumerate(rows):
        if number and table.rows[number]["dataset"] != table.rows[number - 1]["dataset"]:
            ruled.append([])
        ruled.append(row)
    return ruled


def _below(table: Table, shares: Sequence[str]) -> list[str]:
    """List what stands under the table."""
    lines = []
    if table.best_by:
        lines.append(
            f"Best of k: the lowest {table.best_by.title} of k models along the training, a choice that knows the "
            "test data. All other scores are the last model's."
        )
    lines.append(f"{legend(table)} Bold: best, underlined: second best of the comparable rows, {TIES}.")
    if table.ranked:
        lines[-1] += " Printed numbers are marked as the paper marks them."
    if table.compared:
        lines.append("Change: (-) lower, that is better, (+) higher than the method as it is, ours and the paper's.")
    said = {row[f"{name}_verdict"].partition(":")[0] for row in table.rows for name in table.scores}
    if meant := [text for word, text in MEANINGS.items() if word in said]:
        lines.append(f"Verdict: {'; '.join(meant)}.")
    lines += footnotes_text(table)
    return [*lines, shares_text(shares)] if shares else lines


def legend(table: Table) -> str:
    """Say what ± and the interval are over."""
    if all(row["trainings"] == 1 for row in table.rows):
        return LEGEND
    return f"{LEGEND} Rows of n trainings: mean ± standard deviation over the trainings; the interval encloses theirs."


def shares_text(shares: Sequence[str]) -> str:
    """Say how much of the data was there: `Data: TaiChi: 71 % of the paper's videos, 70 % of its frames; ...`."""
    return f"Data: {'; '.join(shares)}."


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def footnotes_text(table: Table) -> list[str]:
    """Write what is particular about printed numbers, a line for each letter."""
    return [f"{mark}: {note}." for note, mark in table.footnotes.items()]


def cell_text(row: dict[str, Any], column: Column) -> str:
    """Write a row's number of a column."""
    return score_text(row[column.name], *(row.get(f"{column.name}_{end}") for end in ("std", "low", "high")))


def score_text(mean: float | None, std: float | None, low: float | None = None, high: float | None = None) -> str:
    """Write `54.05 ± 0.31 [52.10, 56.20]`, without what there is not; empty where there is no score."""
    if mean is None:
        return ""
    digits = 2 if abs(mean) >= 1 else 4
    text = f"{mean:.{digits}f}" if std is None else f"{mean:.{digits}f} ± {std:.{digits}f}"
    return text if low is None or high is None else f"{text} [{low:.{digits}f}, {high:.{digits}f}]"


def best_text(row: dict[str, Any], best_by: Column) -> str:
    """Write `41.60 (of 5)`; empty where there is none."""
    best, of = row[f"{best_by.name}_best"], row[f"{best_by.name}_best_of"]
    return f"{score_text(best, None)} (of {of})" if of else ""
