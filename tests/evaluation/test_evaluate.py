"""The whole evaluation on tiny videos: what it returns, what may not matter, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from styleinv.data.folder import VideoFolder
from styleinv.data.store import FrameStore, write_store
from styleinv.errors import UserError
from styleinv.evaluation.cache import StatisticsCache
from styleinv.evaluation.detectors import Detectors, load_detectors
from styleinv.evaluation.evaluate import compare, evaluate
from styleinv.evaluation.features import fake_statistics, real_statistics
from styleinv.evaluation.frechet import frechet
from styleinv.evaluation.protocol import ProtocolRecord
from styleinv.evaluation.statistics import Statistics
from styleinv.evaluation.stores import GeneratedFakes
from tests.evaluation.fakes import TinyGenerator, TinyStore, tiny_protocol, video

LENGTHS = [12, 15, 20, 12, 13, 5, 30, 12, 14, 16, 12, 12]


@pytest.fixture(scope="module")
def detectors() -> Detectors:
    return load_detectors("stand-in")


def without_time(scores: dict) -> dict:
    return {key: value for key, value in scores.items() if key != "seconds"}


def test_result_and_record(detectors: Detectors) -> None:
    scores = evaluate(TinyStore(LENGTHS), TinyGenerator(), tiny_protocol(), detectors, dataset="tiny")
    assert json.loads(json.dumps(scores)) == scores
    for metric in ("fid", "fvd4", "fvd12"):
        runs = scores[f"{metric}_runs"]
        assert len(runs) == 2 and scores[metric] == pytest.approx(np.mean(runs))
        assert scores[f"{metric}_std"] == pytest.approx(np.std(runs, ddof=1)) and scores[f"{metric}_std"] > 0
    record = ProtocolRecord.model_validate(scores["protocol"])
    assert record.id == scores["protocol_id"] and record.stand_in and scores["stand_in"]
    assert record.counts == {
        "fid_real": 80, "fvd4_real": 10, "fvd12_real": 10, "fid_fake": 80, "fvd4_fake": 12, "fvd12_fake": 12,
    }  # fmt: skip
    assert record.dataset == "tiny" and record.resolution == 16 and record.seeds == [0, 1]
    assert record.image_detector.sha256 == detectors.image.sha256
    assert set(record.versions) >= {"python", "torch", "numpy", "scipy"}


def test_one_seed_has_no_deviation(detectors: Detectors) -> None:
    scores = evaluate(TinyStore(LENGTHS), TinyGenerator(), tiny_protocol(repeats=1), detectors)
    assert scores["fid_std"] is None and len(scores["fid_runs"]) == 1


def test_batch_size_changes_nothing(detectors: Detectors) -> None:
    several = [
        without_time(evaluate(TinyStore(LENGTHS), TinyGenerator(), tiny_protocol(), detectors, batch=batch))
        for batch in (1, 5, 12)
    ]
    assert several[0] == several[1] == several[2]


def test_features_are_those_of_the_stated_items(detectors: Detectors) -> None:
    """The streaming passes against the plain definition: gather, detect one by one, average."""
    store = TinyStore([12, 14, 13])
    protocol = tiny_protocol(repeats=1, fid_choice="all", clip_choice="first", n_fake=3)
    real = real_statistics(store, protocol, detectors, StatisticsCache(None), "")

    def plain(detector, items) -> Statistics:
        statistics = Statistics(detector.dim)
        for item in items:
            statistics.append(detector(item[None]))
        return statistics

    tensors = [torch.from_numpy(v).permute(0, 3, 1, 2) for v in store.videos]
    images = plain(detectors.image, [frame for v in tensors for frame in v])
    clips = plain(detectors.video, [v[:4].transpose(0, 1) for v in tensors])
    assert images.n == real["fid"][0].n == 39 and clips.n == real["fvd4"][0].n == 3
    np.testing.assert_allclose(real["fid"][0].outer, images.outer, rtol=1e-5)
    np.testing.assert_allclose(real["fvd4"][0].outer, clips.outer, rtol=1e-5)

    clean = protocol.model_copy(update={"jpeg_quality": None})
    fakes = GeneratedFakes(TinyGenerator(), clean, None, batch=2)
    fake = fake_statistics(fakes, clean, detectors, StatisticsCache(None))
    made = [torch.from_numpy(video(10_000 + seed, 12)).permute(0, 3, 1, 2) for seed in range(3)]
    want = plain(detectors.video, [v.transpose(0, 1) for v in made])
    np.testing.assert_allclose(fake["fvd12"][0].outer, want.outer, rtol=1e-5)
    assert fake["fid"][0].n == 36


def test_repeated_draws_count_as_often_as_drawn(detectors: Detectors) -> None:
    """Both seeds in one pass give what each gives alone."""
    store = TinyStore([4, 5, 12, 12])
    both = real_statistics(store, tiny_protocol(), detectors, StatisticsCache(None), "")
    for seed in (0, 1):
        alone = real_statistics(store, tiny_protocol(repeats=1, seed=seed), detectors, StatisticsCache(None), "")
        for metric in both:
            assert both[metric][seed].n == alone[metric][0].n
            np.testing.assert_allclose(both[metric][seed].outer, alone[metric][0].outer, rtol=1e-5)


def test_stride_and_first_frames(detectors: Detectors) -> None:
    store = TinyStore([12, 14, 13])
    protocol = tiny_protocol(repeats=1, clip_choice="first", stride=2, fvd_lengths=(6,))
    real = real_statistics(store, protocol, detectors, StatisticsCache(None), "")
    clips = np.stack([v[0:11:2] for v in store.videos])
    features = detectors.video(torch.from_numpy(clips).permute(0, 4, 1, 2, 3))
    np.testing.assert_allclose(real["fvd6"][0].mean, features.mean(0), rtol=1e-5)


def test_better_videos_score_better(detectors: Detectors) -> None:
    store = TinyStore([14] * 40)
    protocol = tiny_protocol(n_fake=40, real_clips=40, fid_items=300)
    good = evaluate(store, TinyGenerator(), protocol, detectors)
    frozen = evaluate(store, TinyGenerator(speed=0), protocol, detectors)
    fast = evaluate(store, TinyGenerator(speed=4), protocol, detectors)
    assert good["fvd12"] < 0.5 * frozen["fvd12"] and good["fvd12"] < 0.5 * fast["fvd12"]
    difference = compare(good, frozen)["fvd12"]["difference"]
    assert difference == frozen["fvd12"] - good["fvd12"] > 0


def test_folder_of_fakes(detectors: Detectors) -> None:
    fake = TinyStore([12, 12, 25, 6, 12], seed=7)
    scores = evaluate(TinyStore(LENGTHS), fake, tiny_protocol(), detectors)
    record = ProtocolRecord.model_validate(scores["protocol"])
    assert (record.codec, record.rounding, record.generation_seed) == ("as stored", "as stored", None)
    # At most clip_length frames of each: 4 x 12 + 6; the video of 6 frames is in FVD4 only.
    assert record.counts["fid_fake"] == 54 and record.counts["fvd4_fake"] == 5 and record.counts["fvd12_fake"] == 4
    same = TinyStore(LENGTHS)
    itself = evaluate(same, same, tiny_protocol(fid_choice="all", clip_choice="first", clip_length=30), detectors)
    assert itself["fid"] == pytest.approx(0, abs=1e-8)
    generated = evaluate(TinyStore(LENGTHS), TinyGenerator(), tiny_protocol(), detectors)
    with pytest.raises(UserError, match="codec: as stored against jpeg"):
        compare(scores, generated)


def test_cache_is_used_and_notices_changes(detectors: Detectors, tmp_path: Path) -> None:
    store, generator, protocol = TinyStore(LENGTHS), TinyGenerator(), tiny_protocol()
    first = evaluate(store, generator, protocol, detectors, cache=tmp_path, fake_id="weights")
    assert generator.made == 12 and store.read > 0
    files = sorted(tmp_path.iterdir())
    # 2 seeds x (FID, FVD4, FVD12) of the real side, 2 x FID and one of each FVD of the other.
    assert len(files) == 10
    store.read = generator.made = 0
    again = evaluate(store, generator, protocol, detectors, cache=tmp_path, fake_id="weights")
    assert without_time(again) == without_time(first) and (store.read, generator.made) == (0, 0)

    evaluate(store, generator, protocol, detectors, cache=tmp_path, fake_id="other weights")
    assert (store.read, generator.made) == (0, 12)
    evaluate(store, generator, protocol, detectors, cache=tmp_path)
    assert generator.made == 24

    store.videos[2] = 255 - store.videos[2]
    changed = evaluate(store, generator, protocol, detectors, cache=tmp_path, fake_id="weights")
    assert store.read > 0 and changed["fid"] != first["fid"] and changed["protocol_id"] != first["protocol_id"]


def test_more_seeds_only_add(detectors: Detectors, tmp_path: Path) -> None:
    store = TinyStore(LENGTHS)
    one = evaluate(store, TinyGenerator(), tiny_protocol(repeats=1), detectors, cache=tmp_path)
    two = evaluate(store, TinyGenerator(), tiny_protocol(repeats=2), detectors, cache=tmp_path)
    assert two["fid_runs"][0] == pytest.approx(one["fid_runs"][0], rel=1e-6)
    assert two["fvd12_runs"][0] == pytest.approx(one["fvd12_runs"][0], rel=1e-6)


def test_damaged_cache_file_is_reported_and_replaced(
    detectors: Detectors, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = TinyStore(LENGTHS)
    first = evaluate(store, TinyGenerator(), tiny_protocol(), detectors, cache=tmp_path, fake_id="w")
    damaged = sorted(tmp_path.iterdir())[0]
    damaged.write_bytes(b"short")
    again = evaluate(store, TinyGenerator(), tiny_protocol(), detectors, cache=tmp_path, fake_id="w")
    assert again["fid_runs"] == pytest.approx(first["fid_runs"], rel=1e-6) and str(damaged) in caplog.text
    assert Statistics.load(damaged).n > 0


def test_too_short_videos_are_refused_with_numbers(detectors: Detectors) -> None:
    with pytest.raises(UserError, match=r"sky: 1 of 3 videos have the 12 frames that FVD12 needs.*longest has 12"):
        evaluate(TinyStore([11, 12, 4]), TinyGenerator(), tiny_protocol(), detectors, dataset="sky")
    with pytest.raises(UserError, match="the generated videos: 0 of 2"):
        evaluate(TinyStore(LENGTHS), TinyStore([5, 5]), tiny_protocol(), detectors)


def test_other_refusals(detectors: Detectors, tmp_path: Path) -> None:
    wide = TinyGenerator()
    wide.resolution = 32
    with pytest.raises(UserError, match="16 pixels wide, the generated videos are 32"):
        evaluate(TinyStore(LENGTHS), wide, tiny_protocol(), detectors)
    with pytest.raises(UserError, match="only generated videos can be kept"):
        evaluate(TinyStore(LENGTHS), TinyStore(LENGTHS), tiny_protocol(), detectors, keep=tmp_path)


def test_generated_frames_can_be_kept(detectors: Detectors, tmp_path: Path) -> None:
    protocol = tiny_protocol(n_fake=3, fid_items=20)
    for _ in range(2):
        generator = TinyGenerator()
        evaluate(
            TinyStore(LENGTHS), generator, protocol, detectors, keep=tmp_path / "k", cache=tmp_path / "c", fake_id="w"
        )
        # Also when every score is in the cache.
        assert generator.made == 3
    assert len(list((tmp_path / "k").rglob("*.jpg"))) == 36 and (tmp_path / "k" / "000002" / "000011.jpg").exists()


def test_stores_of_this_package(detectors: Detectors, tmp_path: Path) -> None:
    """A frame store, and a folder that holds the frames another evaluation kept."""
    tiny, protocol = TinyStore(LENGTHS), tiny_protocol()
    names = [f"v{i:02d}" for i in range(len(LENGTHS))]
    write_store(tmp_path / "frames.zip", zip(names, tiny.videos, strict=True), {"fps": 25}, "png")
    store = FrameStore(tmp_path / "frames.zip")
    stored = evaluate(store, TinyGenerator(), protocol, detectors, keep=tmp_path / "kept")
    assert stored["fid_runs"] == evaluate(tiny, TinyGenerator(), protocol, detectors)["fid_runs"]
    folder = evaluate(store, VideoFolder(tmp_path / "kept"), protocol, detectors)
    assert folder["fvd12_runs"] == stored["fvd12_runs"] and folder["fid_runs"] == stored["fid_runs"]


def test_fvd_of_one_seed_equals_its_parts(detectors: Detectors) -> None:
    store, protocol = TinyStore(LENGTHS), tiny_protocol(repeats=1)
    scores = evaluate(store, TinyGenerator(), protocol, detectors)
    real = real_statistics(store, protocol, detectors, StatisticsCache(None), "")
    fake = fake_statistics(
        GeneratedFakes(TinyGenerator(), protocol, None, 4), protocol, detectors, StatisticsCache(None)
    )
    assert scores["fvd4"] == frechet(real["fvd4"][0], fake["fvd4"][0]).distance
