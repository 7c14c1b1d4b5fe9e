"""What a score would be by other rules: each rule of a protocol changed alone, all others kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from styleinv.evaluation.protocol import Kernel, Protocol
from styleinv.generator import Rounding

# Shares of the videos, distances of frames, qualities of the codec (None: no codec), first generated videos.
SHARES, STRIDES, QUALITIES, SEEDS = (4, 2), (2, 4), (None, 95, 50), (10_042, 20_042)


@dataclass(frozen=True)
class Change:
    """One other way to score.

    Attributes:
        rule: what is changed, in words; empty for the rules as they are.
        value: to what.
        rules: all of them.
    """

    rule: str
    value: str
    rules: Protocol


def changes(rules: Protocol, shortest: int, resized: bool) -> Iterator[Change]:
    """Yield the rules as they are, then with each of them changed to what others use.

    Args:
        rules: of the scale.
        shortest: frames of the shortest real video; strides that do not fit it are left out.
        resized: whether generated videos have another size than the data set, so that a kernel matters.
    """
    yield Change("", "as they are", rules)

    def other(rule: str, value: object, **to: Any) -> Change:
        return Change(rule, str(value), rules.changed(**to))

    for share in SHARES:
        if rules.n_fake // share >= 2:
            few = {"n_fake": rules.n_fake // share, "real_clips": max(2, rules.real_clips // share)}
            yield other("number of videos", few["n_fake"], **few)
    for choice in ("random", "first"):
        if choice != rules.clip_choice:
            yield other("clip choice", choice, clip_choice=choice)
    for stride in STRIDES:
        span = (max(rules.fvd_lengths, default=1) - 1) * stride + 1
        if stride != rules.stride and span <= shortest:
            yield other("stride", stride, stride=stride, clip_length=max(rules.clip_length, span))
    for quality in QUALITIES:
        if quality != rules.jpeg_quality:
            yield other("codec", "none" if quality is None else f"jpeg {quality}", jpeg_quality=quality)
    for kernel in get_args(Kernel):
        if resized and kernel != rules.resize:
            yield other("resize kernel", kernel, resize=kernel)
    for rounding in get_args(Rounding):
        if rounding != rules.rounding:
            yield other("rounding", rounding, rounding=rounding)
    for seed in SEEDS:
        if seed != rules.generation_seed:
            yield other("generation seed", seed, generation_seed=seed)
