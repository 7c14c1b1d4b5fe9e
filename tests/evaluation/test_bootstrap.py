"""The interval of a score: as wide as the score really varies from data to data, and free for the score itself."""

import logging
from pathlib import Path

import numpy as np
import pytest

from styleinv.evaluation.bootstrap import GROUPS, group_of, interval
from styleinv.evaluation.detectors import Detectors, load_detectors
from styleinv.evaluation.metrics import Metric, metrics_of
from styleinv.evaluation.protocol import Protocol
from styleinv.evaluation.score import score
from styleinv.evaluation.summaries import Moments, Sample
from tests.evaluation.fakes import TinyGenerator, TinyStore, tiny_protocol

DIM, VIDEOS = 4, 160


@pytest.fixture(scope="module")
def detectors() -> Detectors:
    return load_detectors("stand-in")


def metric(name: str) -> Metric:
    return next(one for one in metrics_of(Protocol(metrics=("fid", "fvd", "kvd"))) if one.name == name)


def groups(of: Metric, seed: int, shift: float, count: int = VIDEOS) -> list:
    """Features of `count` videos, summed up by group."""
    features = np.random.default_rng(seed).normal(size=(count, DIM)) * [1, 2, 1, 0.5] + shift
    made = [of.summary(DIM) for _ in range(GROUPS)]
    for group, summary in enumerate(made):
        summary.append(features[group_of(np.arange(count), count) == group])
    return made


def distance(of: Metric, real: list, fake: list) -> float:
    return of.distance(of.summary.merged(real), of.summary.merged(fake))


@pytest.mark.parametrize("name", ["fvd16", "kvd16"])
def test_as_wide_as_the_score_varies(name: str) -> None:
    of = metric(name)
    scores, widths = [], []
    for seed in range(30):
        real, fake = groups(of, 2 * seed, 0.0), groups(of, 2 * seed + 1, 0.7)
        scores.append(distance(of, real, fake))
        found = interval(of, real, fake, scores[-1], 40)
        assert found and found[0] < scores[-1] < found[1]
        widths.append(found[1] - found[0])
    # 95 % of a normal distribution are 3.92 standard deviations wide.
    assert np.mean(widths) == pytest.approx(3.92 * np.std(scores), rel=0.3)


def test_depends_on_nothing_but_the_videos() -> None:
    of = metric("fvd16")
    real, fake = groups(of, 0, 0.0), groups(of, 1, 0.7)
    first = interval(of, real, fake, 5.0, 50)
    assert first and first == interval(of, real, fake, 5.0, 50)
    narrower = interval(of, groups(of, 0, 0.0, 4000), groups(of, 1, 0.7, 4000), 5.0, 50)
    assert narrower and 2 * (narrower[1] - narrower[0]) < first[1] - first[0]
    assert interval(of, real, fake, 5.0, 0) is None
    # One group says nothing about others.
    assert interval(of, real[:1], fake, 5.0, 50) is None


@pytest.mark.parametrize("kind", [Moments, Sample])
def test_merged_groups_are_the_whole(kind: type) -> None:
    rows = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    parts = [kind(3) for _ in range(3)]
    for part, some in zip(parts, (rows[:4], rows[4:4], rows[4:]), strict=True):
        part.append(some)
    whole = kind(3)
    whole.append(rows)
    merged = kind.merged(parts)
    assert merged.n == 9
    for name, array in whole.arrays().items():
        np.testing.assert_allclose(merged.arrays()[name], array)


def test_scores_stay_as_they_are(detectors: Detectors, tmp_path: Path) -> None:
    """With an interval and without, and from the cache; the ids do not know of it."""
    store, protocol = TinyStore([12, 15, 20, 12, 13, 5, 30, 12]), tiny_protocol(metrics=("fid", "fvd", "kvd"))

    def scored(**options) -> dict:
        generator = TinyGenerator()
        made = score(store, generator, protocol, detectors, **options)
        return made | {"made": generator.made, "seconds": 0}

    plain, drawn = scored(fake_id="w"), scored(replicates=30, cache=tmp_path, fake_id="w")
    ends = {name for name in drawn if name.endswith(("_low", "_high"))}
    assert len(ends) == 10 and all(plain[name] is None for name in ends)
    assert {name: value for name, value in plain.items() if name not in ends} == {
        name: value for name, value in drawn.items() if name not in ends
    }
    for name in ("fid", "fvd4", "fvd12", "kvd4", "kvd12"):
        assert drawn[f"{name}_low"] < drawn[name] < drawn[f"{name}_high"]
    again = scored(replicates=30, cache=tmp_path, fake_id="w")
    assert again == drawn | {"made": 0}


def test_few_samples_are_reported(detectors: Detectors, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        score(TinyStore([12] * 10), TinyGenerator(), tiny_protocol(fvd_lengths=(12,)), detectors, replicates=5)
    assert "FVD12: rank-deficient covariance, 10 real and 12 generated items of 32 features" in caplog.text
    assert caplog.text.count("rank-deficient") == 1
