"""FFHQ crops of a whole data set, with exact landmarks in the networks' place: names, census, shake."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from styleinv.crop.align import Aligner
from styleinv.crop.crop_dataset import crop_dataset
from styleinv.crop.settings import Alignment, CropSettings
from styleinv.data.census import CropCensus
from styleinv.data.manifest import Manifest
from styleinv.data.store import FrameStore
from styleinv.data.video import read_frames, write_video
from styleinv.errors import UserError
from styleinv.files import read_json
from styleinv.stages.crop import crop
from styleinv.stages.fetch import fetch
from styleinv.stages.setting import Setting
from tests.crop.faces import lose
from tests.data.fetching import changed, fetch_folder, fetch_synthetic
from tests.project import make_project


def settings(**keys) -> CropSettings:
    return CropSettings(**{"crop": {"type": "ffhq"}, "resolution": 32, "codec": "png", "min_frames": 5, **keys})


def aligner(**keys) -> Aligner:
    chosen = Alignment(**{"landmarks": "rendered", "jitters": 2, **keys})
    return Aligner(chosen, 32, Path("nowhere"), torch.device("cpu"))


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Manifest, Path]:
    out = tmp_path_factory.mktemp("raw")
    return fetch_synthetic(out, videos=2, frames=36, size=64, fps=25, seed=1), out


@pytest.fixture
def raw(fetched: tuple[Manifest, Path], tmp_path: Path) -> tuple[Manifest, Path]:
    """A private copy."""
    shutil.copytree(fetched[1], tmp_path / "raw")
    return fetched[0], tmp_path / "raw"


def landmarks(raw: tuple[Manifest, Path], video: int) -> Path:
    return raw[1] / raw[0].videos[video].landmarks


def adds_up(census: CropCensus, store: FrameStore) -> None:
    faces = census.faces
    assert census.frames == store.num_frames == sum(kept.frames for kept in census.kept)
    assert census.videos == len(store) == len(census.kept)
    assert faces.source_frames == census.frames + census.dropped_frames
    assert census.dropped_frames == sum(faces.dropped.values())
    for key in ("source_frames", "detected", "interpolated", "splits", "crowded"):
        assert getattr(faces, key) == sum(getattr(video, key) for video in faces.videos)


def test_gaps_of_two_and_of_ten(raw: tuple[Manifest, Path], tmp_path: Path) -> None:
    lose(landmarks(raw, 0), slice(6, 8), slice(12, 22), slice(35, 36))
    census = crop_dataset(*raw, tmp_path / "a.zip", settings(), aligner())
    store = FrameStore(tmp_path / "a.zip")
    assert store.names == ["face_0000_1", "face_0000_2", "face_0001"] and store.lengths.tolist() == [12, 13, 36]
    adds_up(census, store)
    first, second, _ = census.kept
    assert (first.runs, first.interpolated, first.video) == (((0, 12),), 2, "face_0000")
    assert (second.runs, second.interpolated) == (((22, 13),), 0)
    faces = census.faces
    assert (faces.detected, faces.interpolated, faces.splits) == (59, 2, 1)
    assert faces.dropped == {"no face": 11}
    assert faces.stand_in and faces.preset == "ours"
    # Too short a part is left out, and the other keeps the video's name.
    shorter = crop_dataset(*raw, tmp_path / "b.zip", settings(min_frames=13), aligner())
    store = FrameStore(tmp_path / "b.zip")
    assert store.names == ["face_0000", "face_0001"]
    adds_up(shorter, store)
    assert shorter.faces.dropped["short clip"] == 12
    closed = crop_dataset(*raw, tmp_path / "c.zip", settings(), aligner(max_gap=10))
    assert closed.faces.interpolated == 12 and FrameStore(tmp_path / "c.zip").lengths.tolist() == [35, 36]


def test_names_of_parts_do_not_collide(raw: tuple[Manifest, Path], tmp_path: Path) -> None:
    manifest = changed(raw[0], {"name": "a"}, {"name": "A_1"})
    lose(landmarks(raw, 0), slice(12, 22))
    crop_dataset(manifest, raw[1], tmp_path / "a.zip", settings(), aligner())
    assert FrameStore(tmp_path / "a.zip").names == ["A_1", "a__1", "a__2"]


def test_no_face_and_bad_videos(raw: tuple[Manifest, Path], tmp_path: Path) -> None:
    lose(landmarks(raw, 0), slice(None))
    with pytest.raises(UserError, match="face_0000.mp4: shows no face in any of 36 frames"):
        crop_dataset(*raw, tmp_path / "a.zip", settings(), aligner())
    skipping = settings(on_bad_video="skip")
    census = crop_dataset(*raw, tmp_path / "a.zip", skipping, aligner())
    assert census.plain()["skipped"] == ({"name": "face_0000", "reason": "shows no face in any of 36 frames"},)
    adds_up(census, FrameStore(tmp_path / "a.zip"))
    with pytest.raises(UserError, match="no video is usable; face_0000"):
        crop_dataset(*raw, tmp_path / "b.zip", settings(on_bad_video="skip", min_frames=37), aligner())
    with pytest.raises(UserError, match="at most 36 frames in a row, 37 are needed"):
        manifest = raw[0].model_copy(update={"videos": raw[0].videos[1:]})
        crop_dataset(manifest, raw[1], tmp_path / "b.zip", settings(min_frames=37), aligner())
    landmarks(raw, 1).unlink()
    with pytest.raises(UserError, match="is gone. Run the fetch stage again"):
        crop_dataset(*raw, tmp_path / "b.zip", skipping, aligner())
    assert not (tmp_path / "b.zip").exists()


def test_more_frames_than_landmarks(raw: tuple[Manifest, Path], tmp_path: Path) -> None:
    np.savez(landmarks(raw, 0), landmarks=np.load(landmarks(raw, 0))["landmarks"][:30])
    census = crop_dataset(*raw, tmp_path / "a.zip", settings(on_bad_video="skip"), aligner())
    assert census.plain()["skipped"] == ({"name": "face_0000", "reason": "has more frames than exact landmarks"},)


def test_a_fault_of_the_networks_is_no_bad_video(raw: tuple[Manifest, Path], tmp_path: Path) -> None:
    broken = aligner()

    def follow(*_):
        raise IndexError("index 68 is out of bounds")

    broken.follow = follow
    with pytest.raises(IndexError, match="68"):
        crop_dataset(*raw, tmp_path / "a.zip", settings(on_bad_video="skip"), broken)


def test_several_faces(raw: tuple[Manifest, Path], tmp_path: Path) -> None:
    """A second, larger face from the middle on does not take over where the first one was."""
    file = landmarks(raw, 0)
    first = np.load(file)["landmarks"]
    small = (first - 32) * 0.6 + [8, 12]
    small[:20] = np.nan
    both = np.stack([small, first], 1)
    np.savez(file, landmarks=both)
    census = crop_dataset(*raw, tmp_path / "a.zip", settings(), aligner())
    video = census.faces.videos[0]
    assert (video.detected, video.crowded, video.splits) == (36, 16, 0)
    assert census.kept[0].shake["jerkiness"]["size_px"] < 2  # a switch would be a jump of 100


def test_stored_frames_are_the_crops_and_bytes_repeat(raw: tuple[Manifest, Path], tmp_path: Path) -> None:
    lose(landmarks(raw, 1), slice(10, 20))
    made = [crop_dataset(*raw, tmp_path / name, settings(), aligner()) for name in ("a.zip", "b.zip")]
    assert made[0] == made[1] and (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    cutter, video = aligner(), raw[0].videos[1]
    frames = list(read_frames(raw[1] / video.file))
    followed = cutter.follow(lambda: frames, video.name, (64, 64), landmarks(raw, 1))
    clip = cutter.clips(followed)[1]
    assert clip.start == 20
    crops = list(cutter.crop(frames[20:], clip, (64, 64)))
    assert np.array_equal(FrameStore(tmp_path / "a.zip").frames(2, range(16)), np.stack(crops))
    other = crop_dataset(*raw, tmp_path / "c.zip", settings(), aligner(seed=5))
    assert other.kept[0].shake != made[0].kept[0].shake


def test_what_rendered_landmarks_cannot_do(raw: tuple[Manifest, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at its own rate. Set fps: null"):
        crop_dataset(*raw, tmp_path / "a.zip", settings(fps=10), aligner())
    write_video(tmp_path / "films/a.mp4", [np.zeros((32, 48, 3), np.uint8)] * 8, 25)
    manifest = fetch_folder(tmp_path / "films", tmp_path / "links")
    with pytest.raises(UserError, match="rendered is for the synthetic faces alone"):
        crop_dataset(manifest, tmp_path / "links", tmp_path / "a.zip", settings(), aligner())
    with pytest.raises(UserError, match="needs an aligner"):
        crop_dataset(*raw, tmp_path / "a.zip", settings())


def test_the_stage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from styleinv.paths import Paths

    folder = make_project(tmp_path)
    scale = folder / "config/tiny.yaml"
    keys = "{type: ffhq, landmarks: rendered, preset: gaussian, jitters: 2}"
    scale.write_text(scale.read_text().replace("resolution: 32", f"resolution: 32\n    crop: {keys}"))
    setting = Setting(scale, Paths(folder / "results"))
    fetch("talking_faces", setting)
    crop("talking_faces", setting)
    assert "stand in for RetinaFace and FAN" in caplog.text
    folder = setting.paths.data("talking_faces")
    report, census = read_json(folder / "shake.json"), read_json(folder / "census.json")
    assert report["stand_in"] and report["preset"] == "gaussian" and report["jitters"] == 2
    assert report["all"] == census["shake"] and set(report["clips"]) == {kept["name"] for kept in census["kept"]}
    for clip in report["clips"].values():
        assert clip["jerkiness"]["size_px"] > 0 and clip["itf_db"] > 10 and "residual" in clip
    record = read_json(folder / "crop.provenance.json")
    assert record["shake"] == census["shake"] and record["stand_in"] and record["weights"] == {}
    assert str(setting.paths.shake("talking_faces")) in record["outputs"]
    assert FrameStore(folder / "frames.zip").meta["crop"]["sigma_size"] == 3.0
    # Without the stand-in the networks' weights are asked for, and another crop takes the report away.
    text = scale.read_text()
    scale.write_text(text.replace("landmarks: rendered, ", ""))
    with pytest.raises(UserError, match="styleinv weights fetch retinaface_resnet50"):
        crop("talking_faces", setting)
    scale.write_text(text.replace(keys, "{type: centre}"))
    crop("talking_faces", setting)
    assert not (folder / "shake.json").exists()
