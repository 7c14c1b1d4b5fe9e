"""Two results of an evaluation side by side, as far as they were made by the same rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from styleinv.errors import UserError
from styleinv.evaluation.protocol import differences, read_record


@dataclass(frozen=True)
class Pair:
    """Two comparable scores of one metric, with their standard deviations over evaluation seeds (None for one seed)."""

    title: str
    a: float
    b: float
    a_std: float | None
    b_std: float | None

    @property
    def difference(self) -> float:
        """How much B is above A."""
        return self.b - self.a

    @property
    def told_apart(self) -> bool | None:
        """Whether the difference is larger than both deviations together; None where they are not known."""
        if self.a_std is None or self.b_std is None:
            return None
        return abs(self.difference) > self.a_std + self.b_std


@dataclass(frozen=True)
class Comparison:
    """The metrics of two results that can be compared, and why the others cannot.

    Attributes:
        scores: metric -> its scores in both.
        stand_in: whether they are those of stand-in detectors.
        refused: metric -> why its two scores say nothing about each other.
    """

    scores: dict[str, Pair]
    refused: dict[str, str]
    stand_in: bool


def compare_scores(a: dict[str, Any], b: dict[str, Any], names: Sequence[str] = ("A", "B")) -> Comparison:
    """Compare two results of `score`, metric by metric.

    Raises:
        UserError: no metric of both can be compared; the message names the fields of their records that differ.
    """
    left, right = read_record(a, names[0]), read_record(b, names[1])
    scores: dict[str, Pair] = {}
    refused: dict[str, str] = {}
    for metric in dict.fromkeys([*left.metrics, *right.metrics]):
        if absent := [name for name, record in zip(names, (left, right), strict=True) if metric not in record.metrics]:
            refused[metric] = f"{absent[0]} has none"
        elif reasons := differences(left, right, metric):
            refused[metric] = "; ".join(reasons)
        else:
            stds = a.get(f"{metric}_std"), b.get(f"{metric}_std")
            scores[metric] = Pair(left.metrics[metric].title, a[metric], b[metric], *stds)
    if not scores:
        why = "; ".join(dict.fromkeys(reason for line in refused.values() for reason in line.split("; ")))
        raise UserError(
            f"{names[0]} and {names[1]} were made by different protocols and cannot be compared: {why}",
            cure="Evaluate both with one protocol.",
        )
    return Comparison(scores, refused, left.stand_in or right.stand_in)
