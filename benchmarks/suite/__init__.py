"""The rows of the CPU tier; importing this registers them all."""

from benchmarks.rows import ROWS
from benchmarks.suite import (
    allocator,
    augmentation,
    counts,
    detectors,
    encoder,
    fir,
    frechet,
    loader,
    networks,
    optimiser,
    scores,
    store,
)

for _name in sorted(ROWS, key=lambda name: (int(name.removeprefix("C").partition("-")[0]), name)):
    ROWS[_name] = ROWS.pop(_name)

__all__ = [
    "allocator",
    "augmentation",
    "counts",
    "detectors",
    "encoder",
    "fir",
    "frechet",
    "loader",
    "networks",
    "optimiser",
    "scores",
    "store",
]
