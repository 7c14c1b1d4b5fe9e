"""The Fréchet distance as a ratio to torch-fidelity's function, at full rank and with fewer samples than features.

    python benchmarks/bench_frechet.py

Medians of interleaved pairs, CPU time, one thread.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # read when NumPy loads its BLAS

import statistics
import time

import numpy as np
from torch_fidelity.metric_fid import fid_statistics_to_metric

from styleinv.evaluation.frechet import frechet_of_moments

# Length of a feature (I3D's, Inception's) -> numbers of samples, and pairs.
CASES = {400: ((256, 390, 2048), 7), 2048: ((256, 2000, 4096), 1)}


def moments(samples: int, dim: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of features whose deviations differ by a factor of twenty."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(samples, dim)) * np.geomspace(0.1, 2, dim)
    return rows.mean(axis=0), np.cov(rows, rowvar=False, bias=True)


def theirs(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    """Distance by torch-fidelity."""
    sides = ({"mu": mean, "sigma": covariance} for mean, covariance in (a, b))
    return fid_statistics_to_metric(*sides, False)["frechet_inception_distance"]


def main() -> None:
    """Print one line per case: ratio and relative difference."""
    for dim, (counts, pairs) in CASES.items():
        for samples in counts:
            a, b = moments(samples, dim, 1), moments(samples, dim, 2)
            ratios = []
            for _ in range(pairs):
                start = time.process_time()
                want = theirs(a, b)
                middle = time.process_time()
                got = frechet_of_moments(*a, *b).distance
                ratios.append((middle - start) / (time.process_time() - middle))
            ratio, difference = statistics.median(ratios), abs(got / want - 1)
            print(f"Fréchet, {samples:4} samples of {dim:4}: {ratio:5.1f}x, relative difference {difference:.0e}")


if __name__ == "__main__":
    main()
