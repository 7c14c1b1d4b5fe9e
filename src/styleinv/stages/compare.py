"""compare: two scores side by side, or why they cannot be compared."""

from pathlib import Path
from typing import Any

from styleinv.evaluation.comparison import compare_scores
from styleinv.files import read_json
from styleinv.runs import parse_run
from styleinv.stages.setting import Setting


def compare(a: str, b: str, setting: Setting) -> str:
    """Write both scores and their difference, and what could not be compared.

    Raises:
        UserError: no metric can be compared, naming every field of the protocols that differs.
    """
    result = compare_scores(_scores(a, setting), _scores(b, setting), (a, b))
    width = max(24, len(a), len(b))
    lines = [f"{'':8} {a:>{width}} {b:>{width}} {'difference':>12}"]
    for pair in result.scores.values():
        numbers = (_number(pair.a, pair.a_std), _number(pair.b, pair.b_std))
        verdict = {None: "", True: "", False: "  within the deviations"}[pair.told_apart]
        lines.append(f"{pair.title:8} {numbers[0]:>{width}} {numbers[1]:>{width}} {pair.difference:>+12.3f}{verdict}")
    lines += [f"{metric}: not comparable: {why}" for metric, why in result.refused.items()]
    lines.append(
        "± is the standard deviation over evaluation seeds, which draw other real clips and frames; lower is better."
    )
    if result.stand_in:
        lines.append("Stand-in detectors: these scores compare with each other, with nothing published.")
    return "\n".join(lines)


def _number(mean: float, std: float | None) -> str:
    return f"{mean:.3f}" if std is None else f"{mean:.3f} ± {std:.3f}"


def _scores(name: str, setting: Setting) -> dict[str, Any]:
    path = Path(name) if name.endswith(".json") else setting.paths.metrics(parse_run(name))
    return read_json(path)
