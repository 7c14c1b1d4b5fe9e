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
    lines = [f"{'':8} {a:>24} {b:>24} {'difference':>12}"]
    for title, first, second in result.scores.values():
        lines.append(f"{title:8} {first:24.3f} {second:24.3f} {second - first:12.3f}")
    return "\n".join([*lines, *(f"{metric}: not comparable: {why}" for metric, why in result.refused.items())])


def _scores(name: str, setting: Setting) -> dict[str, Any]:
    path = Path(name) if name.endswith(".json") else setting.paths.metrics(parse_run(name))
    return read_json(path)
