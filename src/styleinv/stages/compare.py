"""compare: two scores side by side, or why they cannot be compared."""

from pathlib import Path
from typing import Any

from styleinv.evaluation.comparison import Scored, compare_scores
from styleinv.files import read_scores
from styleinv.runs import parse_run
from styleinv.stages.setting import Setting

NOTES = (
    "Lower is better. ± is the standard deviation over evaluation seeds, which draw other real clips and frames;",
    "[low, high] is the 95 % bootstrap interval over the videos of both sides: where two overlap, the difference may",
    "be chance.",
)
STAND_IN = (
    "Scores of a stand-in, small networks with random weights: they compare with each other, with nothing published."
)


def compare(a: str, b: str, setting: Setting) -> str:
    """Write both scores and their difference, what could not be compared, and the failure signatures of both.

    Raises:
        UserError: no metric can be compared, naming every field of the protocols that differs.
    """
    sides = {name: _scores(name, setting) for name in (a, b)}
    result = compare_scores(sides[a], sides[b], (a, b))
    rows = [["", a, b, "difference", ""]]
    for pair in result.scores.values():
        scored = [scored_text(one, result.stand_in) for one in (pair.a, pair.b)]
        verdict = {None: "", True: "intervals apart", False: "intervals overlap"}[pair.told_apart]
        rows.append(
            [pair.title, *scored, f"{'+' * (pair.difference >= 0)}{score_number(pair.difference, result.stand_in)}"]
        )
        rows[-1].append(verdict)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:4], widths[1:4]), row[4]]).rstrip() for row in rows
    ]
    lines += [f"{metric}: not comparable: {why}" for metric, why in result.refused.items()]
    lines += [f"{name}: {line}" for name, scores in sides.items() for line in scores.get("signatures", [])]
    lines += NOTES
    # Before the numbers, as whoever reads those has read enough.
    return "\n".join([STAND_IN, *lines] if result.stand_in else lines)


def scored_text(scored: Scored, stand_in: bool) -> str:
    """Write a score with its deviation and its interval, as far as it has them."""
    text = score_number(scored.mean, stand_in)
    if scored.std is not None:
        text += f" ± {score_number(scored.std, stand_in)}"
    if scored.low is not None and scored.high is not None:
        text += f" [{score_number(scored.low, stand_in)}, {score_number(scored.high, stand_in)}]"
    return text


def score_number(value: float, stand_in: bool) -> str:
    """Write three decimals; of a stand-in's score, whose size means nothing, two digits."""
    return f"{float(f'{value:.2g}'):g}" if stand_in else f"{value:.3f}"


def _scores(name: str, setting: Setting) -> dict[str, Any]:
    path = Path(name) if name.endswith(".json") else setting.paths.metrics(parse_run(name))
    return read_scores(path)
