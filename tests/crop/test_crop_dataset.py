"""From raw videos to the store, with a census that adds up."""

from pathlib import Path

import numpy as np
import pytest

from styleinv.crop.centre import centre_crop
from styleinv.crop.crop_dataset import crop_dataset
from styleinv.crop.mask import faithful_crop, tight_box
from styleinv.crop.settings import CropSettings
from styleinv.data.census import CropCensus
from styleinv.data.manifest import Manifest
from styleinv.data.store import FrameStore
from styleinv.data.video import read_frames, write_video
from styleinv.errors import UserError
from styleinv.files import read_json, write_json
from tests.data.fetching import changed, fetch_folder, fetch_synthetic

MASK = {"type": "mask"}
FIXED = {"type": "mask", "border": "fixed"}
CENTRE = {"type": "centre"}


def settings(crop: dict, **keys) -> CropSettings:
    return CropSettings(**{"crop": crop, "resolution": 32, "codec": "png", "min_frames": 4, **keys})


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> tuple[Manifest, Path]:
    out = tmp_path_factory.mktemp("raw")
    return fetch_synthetic(out, videos=3, frames=10, size=64, fps=25, seed=1), out


def block_masks(path: Path, boxes: list[tuple[int, int, int, int] | None]) -> None:
    """White masks with a black block (left, right, top, bottom) per frame."""
    masks = []
    for box in boxes:
        mask = np.full((64, 64, 3), 255, np.uint8)
        if box:
            mask[box[2] : box[3], box[0] : box[1]] = 0
        masks.append(mask)
    write_video(path, masks, 25, crf=1)


def test_stored_frames_are_the_crops(raw: tuple[Manifest, Path], tmp_path: Path) -> None:
    manifest, folder = raw
    census = crop_dataset(manifest, folder, tmp_path / "mask.zip", settings(MASK))
    store = FrameStore(tmp_path / "mask.zip")
    assert CropCensus.model_validate(store.meta["census"]) == census and store.fps == 25 and store.resolution == 32
    assert (census.videos, census.frames, census.dropped_frames) == (3, 30, 0)
    assert census.kept[1].runs == ((0, 10),) and census.skipped == ()
    assert [kept.sha256 for kept in census.kept] == [video.sha256 for video in manifest.videos]
    video = manifest.videos[2]
    frames, masks = (list(read_frames(folder / getattr(video, key))) for key in ("file", "mask"))
    assert np.array_equal(store.frames(2, [7])[0], faithful_crop(frames[7], tight_box(masks[7]), 32))
    crop_dataset(manifest, folder, tmp_path / "centre.zip", settings(CENTRE))
    assert np.array_equal(FrameStore(tmp_path / "centre.zip").frames(2, [7])[0], centre_crop(frames[7], 32))


def test_same_input_same_bytes_wherever_it_lies(raw: tuple[Manifest, Path], tmp_path: Path) -> None:
    manifest, folder = raw
    link = tmp_path / "elsewhere"
    link.symlink_to(folder)
    for name, place in (("a.zip", folder), ("b.zip", link)):
        crop_dataset(manifest, place, tmp_path / name, settings(FIXED, codec="jpeg75"))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_dropped_frames_are_counted_and_mapped(raw: tuple[Manifest, Path], tmp_path: Path) -> None:
    folder = raw[1]
    inside, outside = (16, 48, 16, 48), (0, 16, 8, 56)  # the second leaves on the left when squared
    block_masks(folder / "mask" / "moved.mp4", [inside, outside, inside, inside, outside, outside, *[inside] * 3])
    manifest = changed(raw[0], {"mask": "mask/moved.mp4"})
    census = crop_dataset(manifest, folder, tmp_path / "a.zip", settings(MASK))
    (kept,) = census.kept
    assert kept.runs == ((0, 1), (2, 2), (6, 3))
    assert (kept.source_frames, kept.frames, kept.dropped) == (10, 6, 4)  # the mask is one frame shorter
    assert FrameStore(tmp_path / "a.zip").lengths.tolist() == [6]
    fixed = crop_dataset(manifest, folder, tmp_path / "b.zip", settings(FIXED))
    assert fixed.kept[0].runs == ((0, 10),) and fixed.dropped_frames == 0


def test_bad_videos_stop_or_are_left_out(raw: tuple[Manifest, Path], tmp_path: Path) -> None:
    folder = raw[1]
    block_masks(folder / "mask" / "blank.mp4", [(16, 48, 16, 48), None, (16, 48, 16, 48)])
    (folder / "original" / "cut.mp4").write_bytes((folder / raw[0].videos[1].file).read_bytes()[:-400])
    manifest = changed(raw[0], {"mask": "mask/blank.mp4"}, {"file": "original/cut.mp4"}, {})
    with pytest.raises(UserError, match="face_0000.mp4: the mask marks nothing in frame 1"):
        crop_dataset(manifest, folder, tmp_path / "a.zip", settings(MASK))
    assert not (tmp_path / "a.zip").exists()
    census = crop_dataset(manifest, folder, tmp_path / "a.zip", settings(MASK, on_bad_video="skip"))
    assert census.videos == 1 and FrameStore(tmp_path / "a.zip").names == ["face_0002"]
    reasons = {skipped.name: skipped.reason for skipped in census.skipped}
    assert "marks nothing" in reasons["face_0000"] and "cannot be decoded" in reasons["face_0001"]
    assert str(folder) not in str(census)
    with pytest.raises(UserError, match="no video is usable; face_0000"):
        crop_dataset(manifest, folder, tmp_path / "b.zip", settings(MASK, on_bad_video="skip", min_frames=11))
    with pytest.raises(UserError, match="keeps 10 of 10 frames, 11 are needed"):
        crop_dataset(raw[0], folder, tmp_path / "b.zip", settings(CENTRE, min_frames=11))


def test_rates(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name, fps in (("a", 30), ("b", 15), ("c", 30)):
        frames = [np.full((32, 48, 3), 10 * number + ord(name) % 4, np.uint8) for number in range(12)]
        write_video(source / f"{name}.mp4", frames, fps)
    manifest = fetch_folder(source, tmp_path / "raw")
    kept = crop_dataset(manifest, tmp_path / "raw", tmp_path / "a.zip", settings(CENTRE))
    assert kept.fps == 30 and kept.other_rates == 1
    assert FrameStore(tmp_path / "a.zip").lengths.tolist() == [12, 12, 12]
    same = crop_dataset(manifest, tmp_path / "raw", tmp_path / "b.zip", settings(CENTRE, fps=15))
    assert same.fps == 15 and FrameStore(tmp_path / "b.zip").lengths.tolist() == [6, 12, 6]


def test_nonsense_is_refused(raw: tuple[Manifest, Path], tmp_path: Path) -> None:
    manifest, folder = raw
    with pytest.raises(UserError, match="has no masks"):
        crop_dataset(changed(manifest, {"mask": None}), folder, tmp_path / "a.zip", settings(MASK))
    with pytest.raises(UserError, match="no videos"):
        crop_dataset(changed(manifest), folder, tmp_path / "a.zip", settings(CENTRE))


def test_a_broken_manifest_is_one_line(raw: tuple[Manifest, Path], tmp_path: Path) -> None:
    file = tmp_path / "raw.json"
    write_json(file, raw[0].plain())
    assert Manifest.read(file) == raw[0] and Manifest.read(file).plain() == raw[0].plain()
    whole = read_json(file)
    for where, videos in (("videos.1.width", [{}, {"width": "wide"}]), ("videos.0.size", [{"size": 3}])):
        edited = [video | edit for video, edit in zip(whole["videos"], videos, strict=False)]
        write_json(file, whole | {"videos": edited})
        with pytest.raises(UserError, match=f"raw.json: {where}: .*Run the stage that makes it again") as caught:
            Manifest.read(file)
        assert "\n" not in str(caught.value)
    write_json(file, [1])
    with pytest.raises(UserError, match="raw.json: Input should be"):
        Manifest.read(file)
