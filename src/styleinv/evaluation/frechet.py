"""The Fréchet distance between two Gaussians.

    d = |mu_a - mu_b|^2 + tr A + tr B - 2 tr (A B)^(1/2)

The last trace needs no matrix square root. With A = L L^T, A B and L^T B L have the same eigenvalues, and the second
is symmetric: one Cholesky factor and one symmetric eigenvalue problem, an order of magnitude faster than
`scipy.linalg.sqrtm` at 2048 features. When a covariance is singular (fewer samples than features, dead features) both
are factored by Cholesky with pivoting, which ends at their rank: A = F F^T, B = G G^T, and the trace is the sum of the
singular values of F^T G, which rounding errors do not blow up as they would the roots of zero eigenvalues.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg

from styleinv.errors import UserError
from styleinv.evaluation.summaries import Moments

# A Cholesky pivot this small relative to the largest one means that rounding errors would dominate the small
# eigenvalues.
SMALLEST_PIVOT = 1e-6


class Frechet(NamedTuple):
    """A Fréchet distance and its parts; `distance` = `mean` + `trace`."""

    distance: float
    mean: float
    trace: float
    sqrt_trace: float


def frechet(a: Moments, b: Moments) -> Frechet:
    """Compute the Fréchet distance between the Gaussians fitted to two sets of features (order does not matter).

    Raises:
        UserError: different feature lengths, or fewer than two samples on a side.
    """
    for side in (a, b):
        if side.n < 2:
            raise UserError(
                f"a Fréchet distance needs at least 2 samples on each side, got {a.n} and {b.n}",
                cure="Give more videos.",
            )
    if a.dim != b.dim:
        raise UserError(f"features have {a.dim} and {b.dim} dimensions", cure="Use one detector for both sides.")
    return frechet_of_moments(a.mean, a.covariance, b.mean, b.covariance)


def frechet_of_moments(mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray) -> Frechet:
    """Compute the Fréchet distance from means float64 [D] and covariances float64 [D, D].

    Raises:
        UserError: a value is not finite.
    """
    if not all(np.isfinite(array).all() for array in (mean_a, cov_a, mean_b, cov_b)):
        raise UserError("feature statistics are not finite", cure="Look at the frames they come from.")
    mean = float(np.square(mean_a - mean_b).sum())
    root = sqrt_trace(cov_a, cov_b)
    trace = float(np.trace(cov_a) + np.trace(cov_b) - 2 * root)
    return Frechet(mean + trace, mean, trace, root)


def sqrt_trace(a: np.ndarray, b: np.ndarray) -> float:
    """Compute tr (A B)^(1/2) of two symmetric positive semi-definite matrices, float64 [D, D]."""
    lower = _cholesky(a)
    if lower is None or _cholesky(b) is None:
        return float(scipy.linalg.svdvals(_factor(a).T @ _factor(b)).sum())
    eigenvalues = scipy.linalg.eigvalsh(lower.T @ b @ lower, overwrite_a=True, check_finite=False, driver="evr")
    return float(np.sqrt(eigenvalues.clip(min=0)).sum())


def _cholesky(matrix: np.ndarray) -> np.ndarray | None:
    """Lower Cholesky factor, or None when the matrix is singular to working precision."""
    try:
        factor = np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return None
    pivots = np.diag(factor)
    return factor if pivots.min() > SMALLEST_PIVOT * pivots.max() else None


def _factor(matrix: np.ndarray) -> np.ndarray:
    """F [D, rank] with F F^T = matrix, without the directions in which the matrix is zero up to rounding."""
    # Rounding errors go with the largest eigenvalue, which the Frobenius norm bounds.
    smallest = len(matrix) * np.finfo(np.float64).eps * np.linalg.norm(matrix)
    lower, order, rank, _ = scipy.linalg.lapack.dpstrf(matrix, tol=smallest, lower=1)
    factor = np.empty((len(matrix), rank))
    factor[order - 1] = np.tril(lower)[:, :rank]
    return factor
