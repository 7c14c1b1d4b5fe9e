"""Two results of an evaluation side by side, as far as they were made by the same rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from styleinv.errors import UserError
from styleinv.evaluation.protocol import differences, read_record


@dataclass(frozen=True)
class Scored:
    """One score, its standard deviation over evaluation seeds and its interval over videos; None where not known."""

    mean: float
    std: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, scores: dict[str, Any], metric: str) -> "Scored":
        """Take it out of what `score` returned."""
        return cls(scores[metric], *(scores.get(f"{metric}_{end}") for end in ("std", "low", "high")))


@dataclass(frozen=True)
class Pair:
    """Two comparable scores of one metric."""

    title: str
    a: Scored
    b: Scored

    @property
    def difference(self) -> float:
        """How much B is above A."""
        return self.b.mean - self.a.mean

    @property
    def told_apart(self) -> bool | None:
        """Whether the two intervals are apart; None where one is not known."""
        low, high = sorted((self.a, self.b), key=lambda scored: scored.mean)
        return None if low.high is None or high.low is None else low.high < high.low


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
            scores[metric] = Pair(left.metrics[metric].title, Scored.of(a, metric), Scored.of(b, metric))
    if not scores:
        why = "; ".join(dict.fromkeys(reason for line in refused.values() for reason in line.split("; ")))
        raise UserError(
            f"{names[0]} and {names[1]} were made by different protocols and cannot be compared: {why}",
            cure="Evaluate both with one protocol.",
        )
    return Comparison(scores, refused, left.stand_in or right.stand_in)
