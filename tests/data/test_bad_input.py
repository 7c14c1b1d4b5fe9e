"""What people really have: odd videos that are good, damaged ones that must not spoil the rest, files that lie."""

import io
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from styleinv.crop.crop_dataset import crop_dataset
from styleinv.crop.settings import CropSettings
from styleinv.data import image_zip
from styleinv.data.census import Share, account, share_line
from styleinv.data.frame_reader import FrameReader
from styleinv.data.image import decode_image, image_size
from styleinv.data.image_zip import ImageZip
from styleinv.data.manifest import Entry
from styleinv.data.store import FrameStore
from styleinv.data.video import count_frames, read_frames, read_selected, write_video
from styleinv.errors import UserError
from tests.data.conftest import picture, pictures, run_ffmpeg
from tests.data.fetching import fetch_folder

CENTRE = CropSettings(crop={"type": "centre"}, resolution=32, codec="png", min_frames=4)
SKIPPING = CENTRE.model_copy(update={"on_bad_video": "skip"})


def jpeg(number: int, height: int = 48, width: int = 64) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture(number, height, width)).save(file, "JPEG")
    return file.getvalue()


def clip_entry(file: str, first: int, frames: int) -> Entry:
    span = {"first": first, "frames": frames}
    shape = {"width": 64, "height": 48, "fps": 25, "frames": frames}
    return Entry(name=f"{first}+{frames}", file=file, mask=None, sha256="", **shape, clip=span)


def test_odd_but_good_videos_come_out_whole(tmp_path: Path, clip: Path) -> None:
    source = tmp_path / "odd"
    source.mkdir()
    run_ffmpeg("-i", clip, "-c:v", "libx264", "-pix_fmt", "yuv420p10le", source / "ten bits.mp4")
    run_ffmpeg("-i", clip, "-vf", "format=rgba,colorchannelmixer=aa=0.5", "-c:v", "qtrle", source / "alpha.mov")
    run_ffmpeg("-display_rotation", 90, "-i", clip, "-c", "copy", source / "turned.mp4")
    run_ffmpeg("-i", clip, "-vf", "crop=63:47", "-c:v", "libx264", "-pix_fmt", "yuv444p", source / "odd size.mkv")
    late = "setpts='if(lt(N,10),N,N*3)/25/TB'"
    run_ffmpeg("-i", clip, "-vf", late, "-fps_mode", "vfr", "-c:v", "libx264", source / "変.mkv")
    manifest = fetch_folder(source, tmp_path / "raw")
    assert not manifest.skipped and {video.frames for video in manifest.videos} == {20}
    census = crop_dataset(manifest, tmp_path / "raw", tmp_path / "a.zip", CENTRE)
    assert (census.videos, census.frames) == (5, 100)
    store = FrameStore(tmp_path / "a.zip")
    plain = fetch_folder(clip.parent, tmp_path / "plain")
    crop_dataset(plain, tmp_path / "plain", tmp_path / "b.zip", CENTRE)
    want = FrameStore(tmp_path / "b.zip").frames(0, range(20)).astype(int)
    for name in ("ten_bits", "alpha"):  # alpha is ignored: what is stored below it counts
        got = store.frames(store.names.index(name), range(20)).astype(int)
        assert np.abs(got - want).mean() < 3, name
    turned = store.frames(store.names.index("turned"), range(20)).astype(int)
    assert np.abs(turned - np.rot90(want, axes=(1, 2))).mean() < 3


def test_damaged_videos_leave_the_rest_alone_and_are_counted(tmp_path: Path, clip: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(clip, source / "good.mp4")
    (source / "cut.mp4").write_bytes(clip.read_bytes()[:-300])
    (source / "zero.mp4").touch()
    shutil.copy(clip, source / "twin.mp4")
    write_video(source / "other.mp4", pictures(9), 25)
    manifest = fetch_folder(source, tmp_path / "raw", 4, "skip")
    spoilt = tmp_path / "raw" / "original" / "other.mp4"
    spoilt.unlink()  # it breaks between the two stages
    spoilt.write_bytes((source / "other.mp4").read_bytes()[:-200])
    census = crop_dataset(manifest, tmp_path / "raw", tmp_path / "a.zip", SKIPPING)
    full = account(census, manifest, None)
    reasons = {item.name: (item.stage, item.reason.partition(":")[0]) for item in full.missing}
    assert reasons.keys() == {"cut.mp4", "zero.mp4", "twin.mp4", "other"}
    assert reasons["zero.mp4"] == ("fetch", "empty") and reasons["twin.mp4"] == ("fetch", "duplicate")
    assert reasons["cut.mp4"] == ("fetch", "corrupt") and reasons["other"][0] == "crop"
    assert full.share is None and share_line("x", full.share) is None


def test_chosen_frames_are_numbered_by_time(tmp_path: Path, clip: Path) -> None:
    frames = list(read_frames(clip))
    chosen = list(read_selected(clip, 25, [(15, 3), (2, 2), (3, 3)]))
    assert [number for number, _ in chosen] == [2, 3, 4, 5, 15, 16, 17]
    assert all(np.array_equal(frame, frames[number]) for number, frame in chosen)
    assert [number for number, _ in read_selected(clip, 25, [(18, 9)])] == [18, 19]  # the video ends
    shifted = tmp_path / "late.mkv"  # its first frame is not at zero
    run_ffmpeg("-i", clip, "-vf", "setpts=PTS+0.7/TB", "-c:v", "libx264", "-qp", 0, shifted)
    want = list(read_frames(shifted))
    assert len(want) == count_frames(shifted) == 20
    assert all(np.array_equal(frame, want[number]) for number, frame in read_selected(shifted, 25, [(0, 2), (9, 2)]))


def test_clips_of_one_file_are_read_in_one_pass_and_may_overlap(clip: Path) -> None:
    frames = list(read_frames(clip))
    spans = [(2, 4), (4, 5), (4, 2), (12, 8), (18, 5)]
    entries = [clip_entry(clip.name, first, count) for first, count in spans]
    reader = FrameReader(clip.parent, entries)
    for entry, (first, count) in zip(entries[:4], spans, strict=False):
        assert np.array_equal(np.stack(list(reader.frames(entry))), np.stack(frames[first : first + count]))
    half = reader.frames(entries[3])
    next(half)  # left in the middle, as for a clip that is dropped
    with pytest.raises(UserError, match="ends after 2 of the clip's 5 frames"):
        list(reader.frames(entries[4]))
    assert len(list(reader.frames(entries[0]))) == 4


def test_a_damaged_file_loses_the_clips_behind_the_damage(tmp_path: Path, clip: Path) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(clip.read_bytes()[: clip.stat().st_size * 2 // 3])
    entries = [clip_entry("cut.mp4", first, 3) for first in (0, 14, 16)]
    reader = FrameReader(tmp_path, entries)
    assert len(list(reader.frames(entries[0]))) == 3
    for entry in entries[1:]:
        with pytest.raises(UserError, match="cut.mp4: cannot be decoded"):
            list(reader.frames(entry))


def test_images_as_viewers_show_them() -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.fromarray(picture(0, 48, 64)).save(file, "JPEG", exif=exif)
    assert decode_image(file.getvalue()).shape == (64, 48, 3) and image_size(file.getvalue()) == (64, 48)
    for data, says in ((b"", "empty"), (b"no image", "cannot be decoded"), (jpeg(0)[:700], "cannot be decoded")):
        with pytest.raises(ValueError, match=says):
            decode_image(data)


def test_zips_that_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("v/0.jpg", jpeg(0))
        archive.writestr("v/1.jpg", jpeg(1))
        for name in ("/etc/0.jpg", "v/../../x.jpg", "v\\..\\x.jpg", "C:/x.jpg"):
            archive.writestr(name, jpeg(2))
        link = zipfile.ZipInfo("v/link.jpg")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("v/zeros.png", bytes(4 << 20))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("v/0.jpg", jpeg(3))
    opened = ImageZip(path)
    assert {folder: [info.filename for info in infos] for folder, infos in opened.folders.items()} == {
        "v": ["v/0.jpg", "v/1.jpg"]
    }
    refused = dict(opened.refused)
    leading_out = {name for name, why in refused.items() if why == "has a name that leads out of its folder"}
    assert leading_out == {"/etc/0.jpg", "v/../../x.jpg", "v\\..\\x.jpg", "C:/x.jpg"}
    assert refused["v/link.jpg"] == "is a link" and refused["v/0.jpg"] == "is there twice"
    assert re.fullmatch(r"unpacks to \d+ times its size", refused["v/zeros.png"]) and len(refused) == 7
    monkeypatch.setattr(image_zip, "MAX_BYTES", 100)
    assert "v/1.jpg" in [name for name, why in ImageZip(path).refused if why.startswith("unpacks to")]
    monkeypatch.setattr(image_zip, "MAX_MEMBERS", 3)
    with pytest.raises(UserError, match="9 members, more than 3"):
        ImageZip(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="no whole zip"):
        ImageZip(path)
    with pytest.raises(UserError, match="does not exist"):
        ImageZip(tmp_path / "b.zip")


def test_shares_in_words() -> None:
    assert (
        share_line("TaiChi", Share(videos=0.71, frames=0.7)) == "TaiChi: 71 % of the paper's videos, 70 % of its frames"
    )
    assert share_line("CelebV-HQ", Share(videos=0.9999, frames=None)) == "CelebV-HQ: 99.99 % of the paper's videos"
    assert share_line("x", Share(videos=1.0, frames=0.0001)) == ("x: 100 % of the paper's videos, 0.01 % of its frames")
