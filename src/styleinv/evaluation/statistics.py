"""Mean and covariance of a stream of features, in constant memory."""

import hashlib
import zipfile
from pathlib import Path
from typing import Self

import numpy as np

from styleinv.errors import UserError
from styleinv.files import atomic


class Statistics:
    """Running sum and sum of outer products of features, in float64.

    Attributes:
        dim: length D of a feature.
        n: rows seen so far.
        total: float64 [D], sum of the rows.
        outer: float64 [D, D], sum of their outer products.
    """

    def __init__(self, dim: int):
        self.dim = dim
        self.n = 0
        self.total = np.zeros(dim)
        self.outer = np.zeros((dim, dim))

    def append(self, features: np.ndarray) -> None:
        """Add rows.

        Args:
            features: [N, D], any float type.

        Raises:
            UserError: wrong shape, or a value is not finite.
        """
        if features.ndim != 2 or features.shape[1] != self.dim:
            raise UserError(f"features have shape {list(features.shape)}, expected [N, {self.dim}]")
        if not np.isfinite(features).all():
            bad = int((~np.isfinite(features).all(axis=1)).sum())
            raise UserError(
                f"{bad} of {len(features)} feature vectors are not finite", cure="Look at the frames they come from."
            )
        rows = features.astype(np.float64)
        self.n += len(rows)
        self.total += rows.sum(axis=0)
        self.outer += rows.T @ rows

    def merge(self, other: "Statistics") -> None:
        """Add everything `other` has seen."""
        if other.dim != self.dim:
            raise UserError(f"statistics of {other.dim} features cannot be merged into statistics of {self.dim}")
        self.n += other.n
        self.total += other.total
        self.outer += other.outer

    @property
    def mean(self) -> np.ndarray:
        """float64 [D]."""
        self._require_rows()
        return self.total / self.n

    @property
    def covariance(self) -> np.ndarray:
        """float64 [D, D], biased as in the released metrics: E[x x^T] - mean mean^T."""
        mean = self.mean
        return self.outer / self.n - np.outer(mean, mean)

    def _require_rows(self) -> None:
        if self.n == 0:
            raise UserError("statistics of no features at all")

    def save(self, path: str | Path) -> None:
        """Write everything to an .npz file, atomically, with a digest that `load` verifies."""
        with atomic(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, n=np.int64(self.n), total=self.total, outer=self.outer, digest=np.array(self._digest()))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: the file is missing, broken, or not the one that was written.
        """
        cure = "Delete it; it will be computed again."
        try:
            with np.load(path, allow_pickle=False) as arrays:
                statistics = cls(len(arrays["total"]))
                statistics.n, digest = int(arrays["n"]), str(arrays["digest"])
                statistics.total, statistics.outer = arrays["total"], arrays["outer"]
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"cannot be read as feature statistics ({error})", file=path, cure=cure) from None
        if digest != statistics._digest():
            raise UserError("was changed after it was written", file=path, cure=cure)
        return statistics

    def _digest(self) -> str:
        return hashlib.sha256(b"%d" % self.n + self.total.tobytes() + self.outer.tobytes()).hexdigest()
