"""C11: the Fréchet distance against the matrix square root of scipy, and against torch-fidelity."""

import statistics

import numpy as np
import scipy.linalg
from torch_fidelity.metric_fid import fid_statistics_to_metric

from benchmarks.rows import at_least, at_most, row
from benchmarks.timing import seconds
from styleinv.evaluation.frechet import frechet_of_moments

Moments = tuple[np.ndarray, np.ndarray]


def moments(samples: int, dim: int, seed: int) -> Moments:
    """Mean and covariance of features whose deviations differ by a factor of twenty."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(samples, dim)) * np.geomspace(0.1, 2, dim)
    return rows.mean(axis=0), np.cov(rows, rowvar=False, bias=True)


def textbook(a: Moments, b: Moments) -> float:
    """Distance by the square root of the product of the covariances, as published."""
    root = scipy.linalg.sqrtm(a[1] @ b[1])
    return float(np.square(a[0] - b[0]).sum() + np.trace(a[1] + b[1] - 2 * root).real)


def torch_fidelity(a: Moments, b: Moments) -> float:
    """Distance by torch-fidelity."""
    sides = ({"mu": mean, "sigma": covariance} for mean, covariance in (a, b))
    return fid_statistics_to_metric(*sides, False)["frechet_inception_distance"]


@row(
    "C11",
    "Fréchet distance; sqrtm of scipy at full rank, torch-fidelity also with fewer samples than features",
    at_least("I3D's 400 features, against sqrtm", 3, 4),
    at_least("Inception's 2048 features, against sqrtm", 7, 10),
    at_most("largest relative difference to sqrtm", 1e-9, None),
    at_least("400 features of 2048 samples, against torch-fidelity", 1, None),
    at_least("400 features of 256 samples, against torch-fidelity", 1, None),
    at_least("2048 features of 4096 samples, against torch-fidelity", 1, None),
    at_least("2048 features of 256 samples, against torch-fidelity", 1, None),
)
def distances() -> list[float]:
    """Measure from means and covariances."""
    full = {dim: [moments(2 * dim, dim, seed) for seed in (1, 2)] for dim in (400, 2048)}
    ratios, differences = [], []
    for dim, pairs in ((400, 7), (2048, 1)):
        ratios.append(_ratio(textbook, *full[dim], pairs, differences))
    worst = max(differences)
    for dim, samples, pairs in ((400, 2048, 7), (400, 256, 7), (2048, 4096, 1), (2048, 256, 3)):
        a, b = (moments(samples, dim, seed) for seed in (1, 2))
        ratios.append(_ratio(torch_fidelity, a, b, pairs, differences))
    assert max(differences) < 1e-4, f"distances differ by {max(differences):.0e}"
    return [*ratios[:2], worst, *ratios[2:]]


def _ratio(peer, a: Moments, b: Moments, pairs: int, differences: list[float]) -> float:
    values, ratios = {}, []

    def call(name, function) -> None:
        values[name] = function()

    for _ in range(pairs):
        theirs = seconds(lambda: call("peer", lambda: peer(a, b)))
        ours = seconds(lambda: call("ours", lambda: frechet_of_moments(*a, *b).distance))
        ratios.append(theirs / ours)
    differences.append(abs(values["ours"] / values["peer"] - 1))
    return statistics.median(ratios)
