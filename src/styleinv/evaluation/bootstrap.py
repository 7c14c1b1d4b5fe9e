"""How far a score would move with other videos: a bootstrap over groups of videos (Efron 1979)."""

from collections.abc import Sequence

import numpy as np

from styleinv.evaluation.metrics import Metric
from styleinv.evaluation.summaries import Summary
from styleinv.rng import stream

# Groups of each side's videos. Of each the sums are kept, which are 33 MB for FID's 2,048 features.
GROUPS = 16
LEVEL = 0.95


def group_of(videos: np.ndarray, count: int) -> np.ndarray:
    """Say which group each of `count` videos is in: neighbours share one, as clips of one recording are neighbours."""
    return videos * GROUPS // count


def interval(
    metric: Metric, real: Sequence[Summary], fake: Sequence[Summary], score: float, replicates: int
) -> tuple[float, float] | None:
    """Compute the 95 % percentile interval of a score over its videos, real and generated; None with too few of them.

    Each replicate draws as many groups as there are, with replacement, on both sides, and computes the distance anew;
    the seed is fixed. Videos that are drawn twice raise a Fréchet distance, so the replicates are shifted to have the
    score as their mean.

    Limits: the first evaluation seed's items alone are resampled. With 16 groups the width itself is uncertain by about
    a fifth. A Fréchet distance is too large with few videos; its spread is shown, that bias is not corrected, and a low
    end below 0 only says that the score cannot be told from 0. One model was trained: what another training seed gives
    is not in it.

    Args:
        metric: gives the distance.
        real, fake: one summary of each group of videos.
        score: the middle.
        replicates: how many.
    """
    sides = [[group for group in groups if group.n] for groups in (real, fake)]
    if replicates == 0 or min(map(len, sides)) < 2:
        return None
    random = stream(0, f"bootstrap {metric.name}")
    values = np.empty(replicates)
    for number in range(replicates):
        drawn = [[groups[i] for i in random.integers(len(groups), size=len(groups))] for groups in sides]
        values[number] = metric.distance(*(metric.summary.merged(groups) for groups in drawn))
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values - values.mean(), [tail, 1 - tail]) + score
    return float(low), float(high)
