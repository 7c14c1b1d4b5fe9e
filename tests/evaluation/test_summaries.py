"""Streaming statistics against NumPy, and their files."""

from pathlib import Path

import numpy as np
import pytest

from styleinv.errors import UserError
from styleinv.evaluation.summaries import Moments


@pytest.fixture
def features() -> np.ndarray:
    return (np.random.default_rng(0).normal(size=(101, 6)) * 3 + 5).astype(np.float32)


def streamed(features: np.ndarray, chunk: int) -> Moments:
    statistics = Moments(features.shape[1])
    for start in range(0, len(features), chunk):
        statistics.append(features[start : start + chunk])
    return statistics


@pytest.mark.parametrize("chunk", [1, 7, 101])
def test_equals_numpy(features: np.ndarray, chunk: int) -> None:
    statistics = streamed(features, chunk)
    assert statistics.n == 101 and statistics.mean.dtype == np.float64
    np.testing.assert_allclose(statistics.mean, features.astype(np.float64).mean(0), rtol=1e-13)
    np.testing.assert_allclose(statistics.covariance, np.cov(features.T.astype(np.float64), bias=True), atol=1e-11)


def test_save_and_load(features: np.ndarray, tmp_path: Path) -> None:
    statistics = streamed(features, 10)
    statistics.save(tmp_path / "deep" / "s.npz")
    again = Moments.load(tmp_path / "deep" / "s.npz")
    assert again.n == statistics.n
    np.testing.assert_array_equal(again.total, statistics.total)
    np.testing.assert_array_equal(again.outer, statistics.outer)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["s.npz"]


def test_damaged_files(features: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    with pytest.raises(UserError, match="s.npz"):
        Moments.load(path)
    statistics = streamed(features, 10)
    statistics.save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match="cannot be read"):
        Moments.load(path)
    with open(path, "wb") as file:
        np.savez(file, n=101, total=statistics.total + 1, outer=statistics.outer, digest=np.array("no"))
    with pytest.raises(UserError, match="was changed"):
        Moments.load(path)


def test_refusals(features: np.ndarray) -> None:
    statistics = Moments(6)
    with pytest.raises(UserError, match="no features"):
        _ = statistics.mean
    with pytest.raises(UserError, match="shape"):
        statistics.append(features[:, :5])
    features[3, 2] = np.inf
    with pytest.raises(UserError, match="1 of 101 feature vectors are not finite"):
        statistics.append(features)
    assert statistics.n == 0
