"""The Fréchet distance against an independent formula, and where that has none."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from styleinv.errors import UserError
from styleinv.evaluation.frechet import frechet, frechet_of_moments, sqrt_trace
from styleinv.evaluation.summaries import Moments


def gaussian(rows: int, dim: int, seed: int, rank: int | None = None) -> np.ndarray:
    random = np.random.default_rng(seed)
    rank = rank or dim
    return (random.normal(size=(rows, rank)) @ random.normal(size=(rank, dim)) + random.normal(size=dim)).astype(
        np.float32
    )


def statistics(features: np.ndarray) -> Moments:
    result = Moments(features.shape[1])
    result.append(features)
    return result


def by_sqrtm(a: np.ndarray, b: np.ndarray) -> float:
    root = scipy.linalg.sqrtm(b @ a)
    return float(np.trace(root).real)


@pytest.mark.parametrize("dim", [3, 24, 96])
def test_equals_sqrtm_on_full_rank(dim: int) -> None:
    a, b = (statistics(gaussian(4 * dim, dim, seed)) for seed in (1, 2))
    got = frechet(a, b)
    want = (
        np.square(a.mean - b.mean).sum()
        + np.trace(a.covariance + b.covariance)
        - 2 * by_sqrtm(a.covariance, b.covariance)
    )
    assert got.distance == pytest.approx(want, rel=1e-9)
    assert got.distance == pytest.approx(got.mean + got.trace)


def test_equals_the_closed_form_of_diagonal_gaussians() -> None:
    mean_a, mean_b = np.array([1.0, -2.0, 0.5]), np.array([0.0, 1.0, 0.5])
    var_a, var_b = np.array([1.0, 4.0, 0.25]), np.array([9.0, 1.0, 0.25])
    want = np.square(mean_a - mean_b).sum() + np.square(np.sqrt(var_a) - np.sqrt(var_b)).sum()
    assert frechet_of_moments(mean_a, np.diag(var_a), mean_b, np.diag(var_b)).distance == pytest.approx(want, rel=1e-14)


@pytest.mark.parametrize(("rows", "dim"), [(600, 64), (2000, 192)])
def test_equals_torch_fidelity(rows: int, dim: int) -> None:
    """On the same features; torch-fidelity divides the covariance by n - 1, so it gets ours for that one difference."""
    sides = [gaussian(rows, dim, seed) for seed in (7, 8)]
    theirs = [fid_features_to_statistics(torch.from_numpy(x)) for x in sides]
    want = fid_statistics_to_metric(*theirs, False)["frechet_inception_distance"]
    ours = [statistics(x) for x in sides]
    unbiased = [s.covariance * (s.n / (s.n - 1)) for s in ours]
    got = frechet_of_moments(ours[0].mean, unbiased[0], ours[1].mean, unbiased[1]).distance
    assert got == pytest.approx(want, rel=1e-6)
    assert frechet(*ours).distance == pytest.approx(want, rel=2 / rows)


def test_samples_approach_the_analytic_distance() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(0, 1, (40_000, 4)), random.normal(0.5, 2, (40_000, 4))
    assert frechet(statistics(a), statistics(b)).distance == pytest.approx(4 * (0.25 + 1), rel=0.03)


@pytest.mark.parametrize(("rows", "dim", "rank"), [(12, 40, None), (200, 32, 5)], ids=["few samples", "low rank"])
def test_singular_covariances(rows: int, dim: int, rank: int | None) -> None:
    a, b = (statistics(gaussian(rows, dim, seed, rank)).covariance for seed in (1, 2))
    # From the centred samples themselves: the singular values of X^T Y, with no covariance in between.
    centred = [gaussian(rows, dim, seed, rank).astype(np.float64) for seed in (1, 2)]
    factors = [(x - x.mean(0)).T / np.sqrt(rows) for x in centred]
    want = np.linalg.svd(factors[0].T @ factors[1], compute_uv=False).sum()
    assert sqrt_trace(a, b) == pytest.approx(want, rel=1e-6)
    assert sqrt_trace(b, a) == pytest.approx(want, rel=1e-6)


def test_one_singular_covariance_and_means_far_from_zero() -> None:
    """E[x x^T] - mean mean^T then has rounding errors beyond those of its own size, which must not count as rank."""
    few, many = gaussian(20, 40, 1), gaussian(400, 40, 2)
    for shift in (0, 100):
        a, b = statistics(few + shift), statistics(many + shift)
        # From the samples of one side: the roots of the eigenvalues of X B X^T.
        rows = (few + np.float32(shift)).astype(np.float64)
        rows = (rows - rows.mean(0)) / np.sqrt(len(rows))
        want = np.sqrt(np.linalg.eigvalsh(rows @ b.covariance @ rows.T)[1:]).sum()
        assert sqrt_trace(a.covariance, b.covariance) == pytest.approx(want, rel=1e-6)
        assert sqrt_trace(b.covariance, a.covariance) == pytest.approx(want, rel=1e-6)


def test_dead_features_and_no_variance() -> None:
    features = gaussian(100, 8, 3)
    features[:, 5] = 0
    a, b = statistics(features), statistics(gaussian(100, 8, 4))
    alive = [i for i in range(8) if i != 5]
    rest = sqrt_trace(a.covariance[np.ix_(alive, alive)], b.covariance[np.ix_(alive, alive)])
    assert sqrt_trace(a.covariance, b.covariance) == pytest.approx(rest, rel=1e-7)
    still = statistics(np.ones((10, 8)))
    assert frechet(still, still).distance == 0
    assert frechet(still, b).distance == pytest.approx(np.square(1 - b.mean).sum() + np.trace(b.covariance))


def test_distance_to_itself_is_nothing() -> None:
    a = statistics(gaussian(300, 48, 5))
    assert abs(frechet(a, a).distance) < 1e-9 * np.trace(a.covariance)


def test_refusals() -> None:
    a = statistics(gaussian(10, 4, 1))
    with pytest.raises(UserError, match="at least 2 samples"):
        frechet(a, statistics(gaussian(1, 4, 1)))
    with pytest.raises(UserError, match="4 and 5 dimensions"):
        frechet(a, statistics(gaussian(10, 5, 1)))
    with pytest.raises(UserError, match="not finite"):
        frechet_of_moments(np.full(4, np.nan), a.covariance, a.mean, a.covariance)
