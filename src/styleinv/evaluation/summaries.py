"""What a metric keeps of a stream of features: their mean and covariance, or all of them."""

import hashlib
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from styleinv.errors import UserError
from styleinv.files import atomic


class Summary(ABC):
    """A summary of features that can be stored.

    Attributes:
        dim: length D of a feature.
        n: rows seen so far.
    """

    def __init__(self, dim: int):
        self.dim = dim
        self.n = 0

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
        self.n += len(features)
        self._add(features)

    @abstractmethod
    def _add(self, features: np.ndarray) -> None: ...

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """Everything that has to be stored, `n` excepted."""

    @classmethod
    @abstractmethod
    def of(cls, n: int, arrays: dict[str, np.ndarray]) -> Self:
        """Build a summary from what `arrays` gave; raises KeyError for arrays of another kind of summary."""

    @classmethod
    @abstractmethod
    def merged(cls, parts: Sequence[Self]) -> Self:
        """Build the summary of all rows of one or more summaries."""

    def save(self, path: str | Path) -> None:
        """Write everything to an .npz file, atomically, with a digest that `load` verifies."""
        with atomic(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, n=np.int64(self.n), digest=np.array(self._digest()), **self.arrays())  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: the file is missing, broken, or not the one that was written.
        """
        cure = "Delete it; it will be computed again."
        try:
            with np.load(path, allow_pickle=False) as file:
                stored = {name: file[name] for name in file.files}
            n, digest = int(stored.pop("n")), str(stored.pop("digest"))
            summary = cls.of(n, stored)
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"cannot be read as feature statistics ({error})", file=path, cure=cure) from None
        if digest != summary._digest():
            raise UserError("was changed after it was written", file=path, cure=cure)
        return summary

    def _digest(self) -> str:
        return hashlib.sha256(
            b"%d" % self.n + b"".join(array.tobytes() for array in self.arrays().values())
        ).hexdigest()


class Moments(Summary):
    """Running sum and sum of outer products of features, in float64 and constant memory.

    Attributes:
        total: float64 [D], sum of the rows.
        outer: float64 [D, D], sum of their outer products.
    """

    def __init__(self, dim: int):
        super().__init__(dim)
        self.total = np.zeros(dim)
        self.outer = np.zeros((dim, dim))

    def _add(self, features: np.ndarray) -> None:
        rows = features.astype(np.float64)
        self.total += rows.sum(axis=0)
        self.outer += rows.T @ rows

    def arrays(self) -> dict[str, np.ndarray]:
        """Sum and sum of outer products."""
        return {"total": self.total, "outer": self.outer}

    @classmethod
    def of(cls, n: int, arrays: dict[str, np.ndarray]) -> Self:
        """Build moments from `n`, `total` and `outer`."""
        moments = cls(len(arrays["total"]))
        moments.n, moments.total, moments.outer = n, arrays["total"], arrays["outer"]
        return moments

    @classmethod
    def merged(cls, parts: Sequence[Self]) -> Self:
        """Add up counts, sums and outer products."""
        arrays = {name: sum(part.arrays()[name] for part in parts) for name in ("total", "outer")}
        return cls.of(sum(part.n for part in parts), arrays)  # type: ignore[arg-type]

    @property
    def mean(self) -> np.ndarray:
        """float64 [D]."""
        if self.n == 0:
            raise UserError("statistics of no features at all")
        return self.total / self.n

    @property
    def covariance(self) -> np.ndarray:
        """float64 [D, D], biased as in the released metrics: E[x x^T] - mean mean^T."""
        mean = self.mean
        return self.outer / self.n - np.outer(mean, mean)


class Sample(Summary):
    """All features, for metrics that need more than two moments."""

    def __init__(self, dim: int):
        super().__init__(dim)
        self._parts: list[np.ndarray] = []

    def _add(self, features: np.ndarray) -> None:
        self._parts.append(features.astype(np.float32))

    @property
    def rows(self) -> np.ndarray:
        """float32 [n, D], in the order they were added."""
        if len(self._parts) != 1:
            self._parts = [np.concatenate([np.zeros((0, self.dim), np.float32), *self._parts])]
        return self._parts[0]

    def arrays(self) -> dict[str, np.ndarray]:
        """All rows."""
        return {"rows": self.rows}

    @classmethod
    def of(cls, n: int, arrays: dict[str, np.ndarray]) -> Self:
        """Build a sample from its `rows`."""
        sample = cls(arrays["rows"].shape[1])
        sample.n, sample._parts = n, [arrays["rows"]]
        return sample

    @classmethod
    def merged(cls, parts: Sequence[Self]) -> Self:
        """Put the rows one after the other."""
        return cls.of(sum(part.n for part in parts), {"rows": np.concatenate([part.rows for part in parts])})
