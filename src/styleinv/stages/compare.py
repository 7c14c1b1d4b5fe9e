"""compare: two scores side by side, or why they cannot be compared."""

from pathlib import Path
from typing import Any

from styleinv.evaluation.evaluate import compare as compare_scores
from styleinv.files import read_json
from styleinv.runs import parse_run
from styleinv.stages.setting import Setting


def compare(a: str, b: str, setting: Setting) -> str:
    """A table of both scores and their difference.

    Raises:
        UserError: naming every field of the protocols that differs.
    """
    result = compare_scores(_scores(a, setting), _scores(b, setting), (a, b))
    lines = [f"{'':8} {a:>24} {b:>24} {'difference':>12}"]
    for metric, value in result.items():
        first, second, difference = list(value.values())[:3]
        lines.append(f"{metric:8} {first:24.3f} {second:24.3f} {difference:12.3f}")
    return "\n".join(lines)


def _scores(name: str, setting: Setting) -> dict[str, Any]:
    path = Path(name) if name.endswith(".json") else setting.paths.metrics(parse_run(name))
    return read_json(path)
