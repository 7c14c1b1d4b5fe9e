"""C15: what a score costs besides its network."""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.rows import at_most, row
from benchmarks.timing import median_seconds, seconds
from styleinv.evaluation.frechet import frechet
from styleinv.evaluation.summaries import Moments
from styleinv.files import write_json

# Of FVD: clips of each side, features of a clip, and what I3D computes for 16 frames of 224 x 224.
CLIPS, FEATURES, GFLOP, BATCH = 2048, 400, 55.6, 16


def _network_seconds() -> float:
    """Seconds that I3D takes for the clips of both sides if all of it runs at the rate of one large convolution."""
    x, w = torch.randn(8, 256, 64, 64), torch.randn(256, 256, 3, 3)
    gflop = 2 * 8 * 64 * 64 * 256 * 256 * 9 / 1e9
    return 2 * CLIPS * GFLOP / gflop * median_seconds(lambda: F.conv2d(x, w, padding=1), 5)


@row(
    "C15",
    "FVD of 2048 clips without its network: statistics, distance, file",
    at_most("share of the network's time at its fastest", 5, 2, "%"),
    at_most("time", None, None, "ms"),
)
def rest() -> list[float]:
    """Measure from features as the network gives them, in batches of 16 clips."""
    rows = np.random.default_rng(0).normal(size=(2, CLIPS, FEATURES)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scores.json"

        def score() -> None:
            sides = []
            for side in rows:
                moments = Moments(FEATURES)
                for start in range(0, CLIPS, BATCH):
                    moments.append(side[start : start + BATCH])
                sides.append(moments)
            write_json(file, {"fvd": frechet(*sides).distance})

        score()
        a, b = ((side.mean(0), np.cov(side.astype(np.float64), rowvar=False, bias=True)) for side in rows)
        own = seconds(score)
        assert abs(json.loads(file.read_text())["fvd"]) < np.trace(a[1] + b[1])
        own = median_seconds(score, 5)
    return [100 * own / _network_seconds(), 1000 * own]
