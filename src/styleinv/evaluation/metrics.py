"""The metrics: what each looks at, what it keeps of the features, and its distance.

A new metric is one function that gives `Metric` objects, and its row in `FAMILIES`. Passes, records, tables, comparison
and MLflow work on these objects and know none of them by name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from styleinv.errors import UserError
from styleinv.evaluation import sampling
from styleinv.evaluation.frechet import frechet
from styleinv.evaluation.protocol import Protocol
from styleinv.evaluation.summaries import Moments, Sample, Summary

Kind = Literal["image", "video"]
# (frames of every video, evaluation seed) -> int64 [M, 2] of (video, first frame).
Draw = Callable[[Sequence[int], int], np.ndarray]


@dataclass(frozen=True)
class Items:
    """Images or clips that a detector looks at.

    Attributes:
        detector: the kind of network.
        length: frames of an item; 1 for images.
        stride: distance in frames between them.
        real, fake: draw the items of each side.
        real_rule, fake_rule: what the draws depend on besides the videos and the seed; for records and caches.
        fake_varies: whether the generated items differ from seed to seed.
    """

    detector: Kind
    length: int
    stride: int
    real: Draw
    fake: Draw
    real_rule: dict[str, str | int]
    fake_rule: dict[str, str | int]
    fake_varies: bool

    @property
    def span(self) -> int:
        """Frames from the first to the last of an item, both included."""
        return (self.length - 1) * self.stride + 1

    @property
    def identity(self) -> tuple[Any, ...]:
        """Equal for items that are drawn alike and seen by the same kind of network."""
        return (self.detector, *self.real_rule.items(), *self.fake_rule.items())


@dataclass(frozen=True)
class Metric:
    """A score: what it looks at, what it keeps of the features, and its distance.

    Attributes:
        name: as in files, such as `fvd16`.
        title: for people.
        items: what the detector looks at.
        summary: what is kept of the features of each side.
        distance: (real, generated) -> the score; lower is better.
        method: the distance in words, for the record.
    """

    name: str
    title: str
    items: Items
    summary: type[Summary]
    distance: Callable[[Any, Any], float]
    method: str

    @property
    def rule(self) -> dict[str, str | int]:
        """All rules that only this metric has."""
        return {**self.items.real_rule, **self.items.fake_rule, "distance": self.method}


def images(protocol: Protocol) -> Items:
    """Describe single frames, as FID looks at them."""
    count, choice = protocol.fid_items, protocol.fid_choice
    rule: dict[str, str | int] = {"items": count, "choice": choice}
    return Items(
        "image",
        length=1,
        stride=1,
        real=lambda lengths, seed: sampling.real_frames(lengths, count, seed, choice),
        fake=lambda lengths, seed: sampling.fake_frames(lengths, count, seed, choice),
        real_rule=rule,
        fake_rule=rule,
        fake_varies=True,
    )


def clips(protocol: Protocol, length: int) -> Items:
    """Describe clips as FVD looks at them: one of every long enough real video, the beginning of each generated one."""
    span, limit, choice = protocol.span(length), protocol.real_clips, protocol.clip_choice
    rule: dict[str, str | int] = {"length": length, "stride": protocol.stride}
    return Items(
        "video",
        length,
        protocol.stride,
        real=lambda lengths, seed: sampling.real_clips(lengths, span, limit, seed, choice),
        fake=lambda lengths, seed: sampling.first_clips(lengths, span),
        real_rule={"clips": limit, "choice": choice, **rule},
        fake_rule=rule,
        fake_varies=False,
    )


def _frechet(real: Moments, fake: Moments) -> float:
    return frechet(real, fake).distance


FRECHET = "Frechet, biased covariance, float64"


def fid(protocol: Protocol) -> list[Metric]:
    """Build the Fréchet Inception distance (Heusel et al. 2017)."""
    return [Metric("fid", "FID", images(protocol), Moments, _frechet, FRECHET)]


def fvd(protocol: Protocol) -> list[Metric]:
    """Build the Fréchet video distance (Unterthiner et al. 2018), one for each clip length."""
    return [Metric(f"fvd{n}", f"FVD{n}", clips(protocol, n), Moments, _frechet, FRECHET) for n in protocol.fvd_lengths]


def kvd(protocol: Protocol) -> list[Metric]:
    """Build the kernel video distance (Unterthiner et al. 2018): polynomial-kernel MMD on the features of FVD."""
    method = "squared MMD, unbiased, kernel (x.y / D + 1)^3, float64"
    return [
        Metric(f"kvd{n}", f"KVD{n}", clips(protocol, n), Sample, kernel_distance, method) for n in protocol.fvd_lengths
    ]


def kernel_distance(real: Sample, fake: Sample) -> float:
    """Compute the unbiased squared MMD with the kernel (x.y / D + 1)^3 (Binkowski et al. 2018, section 4).

    It may be slightly negative for equal distributions.

    Raises:
        UserError: fewer than two samples on a side.
    """
    if min(real.n, fake.n) < 2:
        raise UserError(
            f"a kernel distance needs at least 2 samples on each side, got {real.n} and {fake.n}",
            cure="Give more videos.",
        )
    x, y = real.rows.astype(np.float64), fake.rows.astype(np.float64)

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / real.dim + 1) ** 3

    def within(a: np.ndarray) -> float:
        values = kernel(a, a)
        return float((values.sum() - np.trace(values)) / (len(a) * (len(a) - 1)))

    return within(x) + within(y) - 2 * float(kernel(x, y).mean())


FAMILIES: dict[str, Callable[[Protocol], list[Metric]]] = {"fid": fid, "fvd": fvd, "kvd": kvd}


def metrics_of(protocol: Protocol) -> list[Metric]:
    """List the metrics that a protocol asks for, in its order."""
    return [metric for family in protocol.metrics for metric in FAMILIES[family](protocol)]


def looking_alike(metrics: Sequence[Metric]) -> list[list[Metric]]:
    """Group metrics that look at the same items, so that features are computed once for each group."""
    groups: dict[tuple[Any, ...], list[Metric]] = {}
    for metric in metrics:
        groups.setdefault(metric.items.identity, []).append(metric)
    return list(groups.values())
