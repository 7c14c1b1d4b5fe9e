"""The whole evaluation on tiny videos: what it returns, what may not matter, and what it refuses."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from styleinv.data.store import FrameStore, write_store
from styleinv.data.video import write_video
from styleinv.data.video_folder import VideoFolder
from styleinv.errors import UserError
from styleinv.evaluation.cache import SummaryCache
from styleinv.evaluation.comparison import compare_scores
from styleinv.evaluation.detectors import Detectors, load_detectors
from styleinv.evaluation.features import fake_summaries, real_summaries
from styleinv.evaluation.frechet import frechet
from styleinv.evaluation.protocol import ProtocolRecord
from styleinv.evaluation.score import score
from styleinv.evaluation.stores import GeneratedFakes, ResizedFakes
from styleinv.evaluation.summaries import Moments
from tests.evaluation.fakes import TinyGenerator, TinyStore, tiny_protocol, video

LENGTHS = [12, 15, 20, 12, 13, 5, 30, 12, 14, 16, 12, 12]


@pytest.fixture(scope="module")
def detectors() -> Detectors:
    return load_detectors("stand-in")


def without_time(scores: dict) -> dict:
    return {key: value for key, value in scores.items() if key != "seconds"}


def test_result_and_record(detectors: Detectors) -> None:
    scores = score(TinyStore(LENGTHS), TinyGenerator(), tiny_protocol(), detectors, dataset="tiny")
    assert json.loads(json.dumps(scores)) == scores
    for metric in ("fid", "fvd4", "fvd12"):
        runs = scores[f"{metric}_runs"]
        assert len(runs) == 2 and scores[metric] == pytest.approx(np.mean(runs))
        assert scores[f"{metric}_std"] == pytest.approx(np.std(runs, ddof=1)) and scores[f"{metric}_std"] > 0
    record = ProtocolRecord.model_validate(scores["protocol"])
    assert record.id == scores["protocol_id"] and record.stand_in and scores["stand_in"]
    counts = {name: (made.real, made.fake) for name, made in record.metrics.items()}
    assert counts == {"fid": (80, 80), "fvd4": (10, 12), "fvd12": (10, 12)}
    assert record.dataset == "tiny" and record.resolution == 16 and record.rules == tiny_protocol()
    assert record.detectors["image"].sha256 == detectors.image.sha256
    assert set(record.versions) >= {"python", "torch", "numpy", "scipy"}


def test_one_seed_has_no_deviation(detectors: Detectors) -> None:
    scores = score(TinyStore(LENGTHS), TinyGenerator(), tiny_protocol(repeats=1), detectors)
    assert scores["fid_std"] is None and len(scores["fid_runs"]) == 1


def test_batch_size_changes_nothing(detectors: Detectors) -> None:
    several = [
        without_time(score(TinyStore(LENGTHS), TinyGenerator(), tiny_protocol(), detectors, batch=batch))
        for batch in (1, 5, 12)
    ]
    assert several[0] == several[1] == several[2]


def test_features_are_those_of_the_stated_items(detectors: Detectors) -> None:
    """The streaming passes against the plain definition: gather, detect one by one, average."""
    store = TinyStore([12, 14, 13])
    protocol = tiny_protocol(repeats=1, fid_choice="all", clip_choice="first", n_fake=3)
    real = real_summaries(store, protocol, detectors, SummaryCache(None))

    def plain(detector, items) -> Moments:
        statistics = Moments(detector.dim)
        for item in items:
            statistics.append(detector(item[None]))
        return statistics

    tensors = [torch.from_numpy(v).permute(0, 3, 1, 2) for v in store.videos]
    images = plain(detectors.image, [frame for v in tensors for frame in v])
    clips = plain(detectors.video, [v[:4].transpose(0, 1) for v in tensors])
    assert images.n == real["fid"][0].n == 39 and clips.n == real["fvd4"][0].n == 3
    np.testing.assert_allclose(real["fid"][0].outer, images.outer, rtol=1e-5)
    np.testing.assert_allclose(real["fvd4"][0].outer, clips.outer, rtol=1e-5)

    lossless = protocol.changed(jpeg_quality=None)
    fakes = GeneratedFakes(TinyGenerator(), lossless, None, batch=2)
    fake = fake_summaries(fakes, lossless, detectors, SummaryCache(None))
    made = [torch.from_numpy(video(10_000 + seed, 12)).permute(0, 3, 1, 2) for seed in range(3)]
    want = plain(detectors.video, [v.transpose(0, 1) for v in made])
    np.testing.assert_allclose(fake["fvd12"][0].outer, want.outer, rtol=1e-5)
    assert fake["fid"][0].n == 36


def test_repeated_draws_count_as_often_as_drawn(detectors: Detectors) -> None:
    """Both seeds in one pass give what each gives alone."""
    store = TinyStore([4, 5, 12, 12])
    both = real_summaries(store, tiny_protocol(), detectors, SummaryCache(None))
    for seed in (0, 1):
        alone = real_summaries(store, tiny_protocol(repeats=1, seed=seed), detectors, SummaryCache(None))
        for metric in both:
            assert both[metric][seed].n == alone[metric][0].n
            np.testing.assert_allclose(both[metric][seed].outer, alone[metric][0].outer, rtol=1e-5)


def test_a_frame_is_decoded_once_for_all_metrics_and_seeds(detectors: Detectors) -> None:
    class Counting(TinyStore):
        def frames(self, video: int, indices: Sequence[int]) -> np.ndarray:
            seen.update((video, index) for index in indices)
            return super().frames(video, indices)

    seen: Counter[tuple[int, int]] = Counter()
    protocol = tiny_protocol(metrics=("fid", "fvd", "kvd"), fvd_lengths=(4, 5), stride=2, repeats=3)
    together = real_summaries(Counting(LENGTHS), protocol, detectors, SummaryCache(None))
    assert set(seen.values()) == {1} and len(seen) > 100
    for metrics, lengths in (("fid",), (4,)), (("fvd",), (4,)), (("kvd",), (5,)):
        seen.clear()
        changed = protocol.changed(metrics=metrics, fvd_lengths=lengths)
        for name, alone in real_summaries(Counting(LENGTHS), changed, detectors, SummaryCache(None)).items():
            # The same items in the same batches, so the same bits.
            for ours, theirs in zip(together[name], alone, strict=True):
                assert ours.n == theirs.n
                for array, same in zip(ours.arrays().values(), theirs.arrays().values(), strict=True):
                    np.testing.assert_array_equal(array, same)
        assert set(seen.values()) == {1}


def test_stride_and_first_frames(detectors: Detectors) -> None:
    store = TinyStore([12, 14, 13])
    protocol = tiny_protocol(repeats=1, clip_choice="first", stride=2, fvd_lengths=(6,))
    real = real_summaries(store, protocol, detectors, SummaryCache(None))
    clips = np.stack([v[0:11:2] for v in store.videos])
    features = detectors.video(torch.from_numpy(clips).permute(0, 4, 1, 2, 3))
    np.testing.assert_allclose(real["fvd6"][0].mean, features.mean(0), rtol=1e-5)


def test_better_videos_score_better(detectors: Detectors) -> None:
    store = TinyStore([14] * 40)
    protocol = tiny_protocol(n_fake=40, real_clips=40, fid_items=300)
    good, frozen, fast, wild = (
        score(store, TinyGenerator(speed), protocol, detectors, replicates=20) for speed in (1, 0, 4, 12)
    )
    assert good["fvd12"] < 0.5 * frozen["fvd12"] and good["fvd12"] < 0.5 * fast["fvd12"]
    pair = compare_scores(good, wild).scores["fvd12"]
    assert (pair.title, pair.difference) == ("FVD12", wild["fvd12"] - good["fvd12"]) and pair.told_apart
    # 40 videos are too few to be sure of a smaller difference, and one seed's deviation does not tell.
    assert compare_scores(good, frozen).scores["fvd12"].told_apart is False
    assert compare_scores(good, good).scores["fid"].told_apart is False


def test_folder_of_fakes(detectors: Detectors) -> None:
    fake = TinyStore([12, 12, 25, 6, 12], seed=7)
    scores = score(TinyStore(LENGTHS), fake, tiny_protocol(), detectors)
    record = ProtocolRecord.model_validate(scores["protocol"])
    assert (record.codec, record.rounding, record.generation_seed) == ("none", "as stored", None)
    assert (record.fake, record.fake_sha256) == ("", fake.sha256)
    # At most clip_length frames of each: 4 x 12 + 6; the video of 6 frames is in FVD4 only.
    assert [made.fake for made in record.metrics.values()] == [54, 5, 4]
    same = TinyStore(LENGTHS)
    itself = score(same, same, tiny_protocol(fid_choice="all", clip_choice="first", clip_length=30), detectors)
    assert itself["fid"] == pytest.approx(0, abs=1e-8)
    generated = score(TinyStore(LENGTHS), TinyGenerator(), tiny_protocol(), detectors)
    with pytest.raises(UserError, match="codec: none against jpeg"):
        compare_scores(scores, generated)


def test_cache_is_used_and_notices_changes(detectors: Detectors, tmp_path: Path) -> None:
    store, generator, protocol = TinyStore(LENGTHS), TinyGenerator(), tiny_protocol()
    first = score(store, generator, protocol, detectors, cache=tmp_path, fake_id="weights")
    assert generator.made == 12 and store.read > 0
    files = sorted(tmp_path.iterdir())
    # 2 seeds x (FID, FVD4, FVD12) of the real side, 2 x FID and one of each FVD of the other.
    assert len(files) == 10
    store.read = generator.made = 0
    again = score(store, generator, protocol, detectors, cache=tmp_path, fake_id="weights")
    assert without_time(again) == without_time(first) and (store.read, generator.made) == (0, 0)

    score(store, generator, protocol, detectors, cache=tmp_path, fake_id="other weights")
    assert (store.read, generator.made) == (0, 12)
    score(store, generator, protocol, detectors, cache=tmp_path)
    assert generator.made == 24

    store.videos[2] = 255 - store.videos[2]
    changed = score(store, generator, protocol, detectors, cache=tmp_path, fake_id="weights")
    assert store.read > 0 and changed["fid"] != first["fid"] and changed["protocol_id"] != first["protocol_id"]


def test_more_seeds_only_add(detectors: Detectors, tmp_path: Path) -> None:
    store = TinyStore(LENGTHS)
    one = score(store, TinyGenerator(), tiny_protocol(repeats=1), detectors, cache=tmp_path)
    two = score(store, TinyGenerator(), tiny_protocol(repeats=2), detectors, cache=tmp_path)
    assert two["fid_runs"][0] == pytest.approx(one["fid_runs"][0], rel=1e-6)
    assert two["fvd12_runs"][0] == pytest.approx(one["fvd12_runs"][0], rel=1e-6)


def test_damaged_cache_file_is_reported_and_replaced(
    detectors: Detectors, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = TinyStore(LENGTHS)
    first = score(store, TinyGenerator(), tiny_protocol(), detectors, cache=tmp_path, fake_id="w")
    damaged = sorted(tmp_path.iterdir())[0]
    damaged.write_bytes(b"short")
    again = score(store, TinyGenerator(), tiny_protocol(), detectors, cache=tmp_path, fake_id="w")
    assert again["fid_runs"] == pytest.approx(first["fid_runs"], rel=1e-6) and str(damaged) in caplog.text
    assert Moments.load(damaged).n > 0


def test_too_short_videos_are_refused_with_numbers(detectors: Detectors) -> None:
    with pytest.raises(UserError, match=r"real videos: 1 of 3 have the 12 frames that FVD12 needs.*longest has 12"):
        score(TinyStore([11, 12, 4]), TinyGenerator(), tiny_protocol(), detectors, dataset="sky")
    with pytest.raises(UserError, match="generated videos: 0 of 2"):
        score(TinyStore(LENGTHS), TinyStore([5, 5]), tiny_protocol(), detectors)


def test_other_refusals(detectors: Detectors, tmp_path: Path) -> None:
    wide = TinyGenerator()
    wide.resolution = 32
    with pytest.raises(UserError, match="16 pixels wide, the generated videos are 32"):
        score(TinyStore(LENGTHS), wide, tiny_protocol(), detectors)
    with pytest.raises(UserError, match="only generated videos can be kept"):
        score(TinyStore(LENGTHS), TinyStore(LENGTHS), tiny_protocol(), detectors, keep=tmp_path)


class LargeStore(TinyStore):
    """The same videos at twice the size."""

    def __init__(self) -> None:
        super().__init__(LENGTHS)
        self.videos = [clip.repeat(2, axis=1).repeat(2, axis=2) for clip in self.videos]
        self.resolution *= 2


def test_another_size_needs_a_declared_kernel(detectors: Detectors, tmp_path: Path) -> None:
    real, plain = LargeStore(), tiny_protocol(protocol="lossless")
    with pytest.raises(UserError, match="32 pixels wide, the generated videos are 16. .*--resize bilinear"):
        score(real, TinyGenerator(), plain, detectors)
    options = {"cache": tmp_path, "fake_id": "w"}
    resized = {
        kernel: score(real, TinyGenerator(), plain.changed(resize=kernel), detectors, **options)
        for kernel in ("bilinear", "bicubic")
    }
    one, other = resized.values()
    assert one["protocol"]["resize"] == "generated 16 to 32 pixels, bilinear" and one["fid"] != other["fid"]
    assert "resized: generated 16 to 32 pixels, bilinear" in one["unlike_paper"]
    with pytest.raises(UserError, match="resize: generated 16 to 32 pixels, bilinear against .*bicubic"):
        compare_scores(one, other)
    # It is what the official loaders do: torch's interpolation of the stored frames.
    fakes = ResizedFakes(GeneratedFakes(TinyGenerator(), plain, None, batch=4), 32, "bilinear")
    clip, small = next(fakes.clips()), torch.from_numpy(video(10_000, 12)).permute(0, 3, 1, 2)
    assert clip.shape == (12, 3, 32, 32) and clip.dtype == torch.uint8
    corners = small[:, :, 0, 0], small[:, :, :2, 0].float() @ torch.tensor([0.75, 0.25])
    assert torch.equal(clip[:, :, 0, 0], corners[0])
    assert (clip[:, :, 1, 0].float() - corners[1]).abs().max() <= 0.5
    # Where nothing has to be resized, a declared kernel changes nothing.
    stays = score(TinyStore(LENGTHS), TinyGenerator(), plain.changed(resize="bicubic"), detectors)
    assert stays["protocol_ids"] == score(TinyStore(LENGTHS), TinyGenerator(), plain, detectors)["protocol_ids"]


def test_generated_frames_can_be_kept(detectors: Detectors, tmp_path: Path) -> None:
    protocol = tiny_protocol(n_fake=3, fid_items=20)
    for _ in range(2):
        generator = TinyGenerator()
        score(
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
    stored = score(store, TinyGenerator(), protocol, detectors, keep=tmp_path / "kept")
    assert stored["fid_runs"] == score(tiny, TinyGenerator(), protocol, detectors)["fid_runs"]
    folder = score(store, VideoFolder(tmp_path / "kept"), protocol, detectors)
    assert folder["fvd12_runs"] == stored["fvd12_runs"] and folder["fid_runs"] == stored["fid_runs"]


def test_fvd_of_one_seed_equals_its_parts(detectors: Detectors) -> None:
    store, protocol = TinyStore(LENGTHS), tiny_protocol(repeats=1)
    scores = score(store, TinyGenerator(), protocol, detectors)
    real = real_summaries(store, protocol, detectors, SummaryCache(None))
    fake = fake_summaries(GeneratedFakes(TinyGenerator(), protocol, None, 4), protocol, detectors, SummaryCache(None))
    assert scores["fvd4"] == frechet(real["fvd4"][0], fake["fvd4"][0]).distance


def test_kernel_distance_is_that_of_torch_fidelity() -> None:
    from torch_fidelity.metric_kid import kernel_poly, mmd2

    from styleinv.evaluation.metrics import kernel_distance
    from styleinv.evaluation.summaries import Sample

    random = np.random.default_rng(0)
    sides = [random.normal(size=(n, 12)) + shift for n, shift in ((40, 0), (40, 0.3))]
    samples = []
    for features in sides:
        samples.append(Sample(12))
        for part in np.array_split(features, 5):
            samples[-1].append(part)
    x, y = (features.astype(np.float32).astype(np.float64) for features in sides)
    want = mmd2(kernel_poly(x, x), kernel_poly(x, y), kernel_poly(y, y))
    assert kernel_distance(*samples) == pytest.approx(want, rel=1e-9)
    # By hand: two points a side, one dimension; k(x, y) = (x y + 1)^3.
    one, other = Sample(1), Sample(1)
    one.append(np.array([[0.0], [1.0]]))
    other.append(np.array([[2.0], [2.0]]))
    assert kernel_distance(one, other) == 1 + 125 - 2 * (2 * 1 + 2 * 27) / 4


def test_a_further_metric_changes_no_other_score_and_shares_their_features(
    detectors: Detectors, tmp_path: Path
) -> None:
    store, generator = TinyStore(LENGTHS), TinyGenerator()
    without = score(store, generator, tiny_protocol(), detectors, cache=tmp_path, fake_id="w")
    looked: list[int] = []
    original = detectors.video._network

    def counted(pixels: torch.Tensor, *flags: bool) -> torch.Tensor:
        looked.append(len(pixels))
        return original(pixels, *flags)

    detectors.video._network = counted
    try:
        with_kvd = score(store, generator, tiny_protocol(metrics=("fid", "fvd", "kvd")), detectors)
    finally:
        detectors.video._network = original
    assert {"kvd4", "kvd12", "kvd4_std"} <= set(with_kvd) and with_kvd["protocol_id"] == without["protocol_id"]
    for metric in ("fid", "fvd4", "fvd12"):
        assert with_kvd[metric] == without[metric]
        assert with_kvd["protocol"]["metrics"][metric] == without["protocol"]["metrics"][metric]
    plain = []
    detectors.video._network = lambda pixels, *flags: plain.append(len(pixels)) or original(pixels, *flags)
    try:
        score(store, generator, tiny_protocol(), detectors)
    finally:
        detectors.video._network = original
    assert looked == plain


def test_features_that_are_not_finite_name_side_metric_and_video(detectors: Detectors) -> None:
    original = detectors.video._network

    def broken(pixels: torch.Tensor, *flags: bool) -> torch.Tensor:
        features = original(pixels, *flags)
        features[-1] = torch.nan
        return features

    detectors.video._network = broken
    try:
        with pytest.raises(UserError, match=r"real videos: FVD4: the features of video v\d+ are not finite"):
            score(TinyStore(LENGTHS), TinyGenerator(), tiny_protocol(fvd_lengths=(4,)), detectors)
    finally:
        detectors.video._network = original


def test_nothing_is_computed_when_the_other_side_does_not_fit(detectors: Detectors) -> None:
    real = TinyStore(LENGTHS)
    with pytest.raises(UserError, match="generated videos: 0 of 2.*--lengths"):
        score(real, TinyStore([5, 5]), tiny_protocol(), detectors)
    assert real.read == 0
    for lengths, cure in (([12], "Give more videos"), ([12, 1], "Use longer videos")):
        with pytest.raises(UserError, match=f"generated videos: 1 of {len(lengths)} have the . frames.*{cure}"):
            score(real, TinyStore(lengths), tiny_protocol(), detectors)
    with pytest.raises(UserError, match="generated videos: 1 of 1 have the 1 frames that FID needs.*Give more videos"):
        score(real, TinyStore([1]), tiny_protocol(metrics=("fid",)), detectors)
    assert real.read == 0


@pytest.mark.parametrize("damage", ["cut.png", "cut.jpg", "cut.mp4", "small.png", "small.mp4"])
def test_damaged_generated_videos_are_named_before_anything_is_computed(
    detectors: Detectors, tmp_path: Path, damage: str
) -> None:
    what, suffix = damage.split(".")
    for number in range(3):
        clip = np.kron(video(number, 12), np.ones((1, 2, 2, 1), np.uint8))
        if what == "small" and number == 1:
            clip = clip[:, ::2, ::2]
        if suffix == "mp4":
            file = tmp_path / f"{number}.mp4"
            write_video(file, clip, 25)
        else:
            for index, frame in enumerate(clip):
                file = tmp_path / str(number) / f"{index}.{suffix}"
                file.parent.mkdir(exist_ok=True)
                Image.fromarray(frame).save(file)
        if what == "cut" and number == 1:
            file.write_bytes(file.read_bytes()[:-200])
    real = TinyStore(LENGTHS)
    real.resolution = 32
    with pytest.raises(UserError, match=r"generated videos: \S+/1[./]\S*: (is cut|cannot be|is 16 x 16)"):
        score(real, VideoFolder(tmp_path), tiny_protocol(), detectors)
    assert real.read == 0


def test_stored_frames_tell_their_codec(tmp_path: Path, detectors: Detectors) -> None:
    """Frames that were kept compare with the run that made them; so do those of the official pipelines."""
    protocol = tiny_protocol(n_fake=3, fid_items=20)
    score(TinyStore(LENGTHS), TinyGenerator(), protocol, detectors, keep=tmp_path / "a")
    assert VideoFolder(tmp_path / "a").storage == protocol.codec == "jpeg quality 75 4:2:0"
    score(TinyStore(LENGTHS), TinyGenerator(), protocol.stored_as("lossless"), detectors, keep=tmp_path / "b")
    assert VideoFolder(tmp_path / "b").storage == "none"
    stored = score(TinyStore(LENGTHS), VideoFolder(tmp_path / "a"), protocol, detectors)
    made = score(TinyStore(LENGTHS), TinyGenerator(), protocol, detectors)
    assert compare_scores(stored, made).refused == {}


def test_frames_are_taken_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    import cv2

    folder = tmp_path / "videos/one"
    folder.mkdir(parents=True)
    for number in range(12):
        cv2.imwrite(str(folder / f"frame{number}.png"), np.full((8, 8, 3), number, np.uint8))
    assert VideoFolder(tmp_path / "videos").frames(0, range(12))[:, 0, 0, 0].tolist() == list(range(12))
