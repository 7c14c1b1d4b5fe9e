"""Taking in folders of videos: names, masks, links, and videos that are no good."""

import shutil
from pathlib import Path

import pytest

from styleinv.data.check import Finding, examine, findings, raise_on
from styleinv.data.intake import safe_names
from styleinv.data.video import count_frames, write_video
from styleinv.errors import UserError
from tests.data.conftest import pictures
from tests.data.fetching import fetch_folder, fetch_synthetic


@pytest.fixture
def mixed(tmp_path: Path, clip: Path) -> Path:
    """A folder with everything that goes wrong."""
    source = tmp_path / "source"
    (source / "sub dir").mkdir(parents=True)
    shutil.copy(clip, source / "good ü.MP4")
    write_video(source / "sub dir" / "short.mp4", pictures(3), 30)
    write_video(source / "small.mp4", pictures(12, 32, 32), 25)
    shutil.copy(clip, source / "twin.mp4")
    (source / "cut.mp4").write_bytes(clip.read_bytes()[:1500])
    (source / "zero.mp4").touch()
    (source / "readme.txt").touch()
    return source


def check_videos(files: list[Path], min_frames: int) -> list[Finding]:
    return findings(examine(files), min_frames)


def test_names_are_plain_and_unique() -> None:
    paths = [Path(name) for name in ("a b/ç.mp4", "a_b/c.mov", "视频.mp4", "x.y.mp4", "X_Y.mp4", "fine-1.mp4")]
    names = safe_names(paths)
    assert len({name.lower() for name in names}) == 6
    assert names[5] == "fine-1" and names[2].startswith("video_") and names[0].startswith("a_b_c_")
    assert safe_names(paths[:1]) == ["a_b_c"]
    assert names == safe_names(paths)


def test_every_problem_is_found(mixed: Path) -> None:
    files = sorted(mixed.rglob("*.[mM][pP]4"))
    found = {(finding.file.name if finding.file else "", finding.problem) for finding in check_videos(files, 10)}
    assert found == {
        ("short.mp4", "too short"),
        ("twin.mp4", "duplicate"),
        ("cut.mp4", "corrupt"),
        ("zero.mp4", "empty"),
        ("", "mixed sizes"),
        ("", "mixed rates"),
    }
    assert [f.problem for f in check_videos([], 1)] == ["no videos"]
    assert [f.problem for f in check_videos([mixed / "none.mp4"], 1)] == ["missing"]
    with pytest.raises(UserError, match=r"cut.mp4: corrupt: .*; 3 more: 1 too short, 1 duplicate, 1 empty\. ") as error:
        raise_on(check_videos(files, 10))
    assert "\n" not in str(error.value)
    raise_on(check_videos([mixed / "good ü.MP4", mixed / "small.mp4"], 10))  # sizes may differ


def test_what_a_publisher_counts_twice_is_kept(clip: Path, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(clip, tmp_path / name)
    facts = examine([tmp_path / "a.mp4", tmp_path / "b.mp4"])
    assert [finding.problem for finding in findings(facts, 1)] == ["duplicate"]
    (twins,) = findings(facts, 1, as_published=True)
    assert twins.problem == "twins" and "b.mp4 has the same content" in twins.detail
    raise_on([twins])
    assert [f.problem for f in findings(facts[:1], 1, rate=30)] == ["wrong rate"]
    assert findings(facts[:1], 1, rate=25.03) == []


def test_bad_videos_stop_or_are_left_out(mixed: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cut.mp4"):
        fetch_folder(mixed, tmp_path / "raw", min_frames=10)
    manifest = fetch_folder(mixed, tmp_path / "raw", min_frames=10, on_bad_video="skip")
    assert [video.name for video in manifest.videos] == ["good_u", "small"]
    assert {skipped.file: skipped.problem for skipped in manifest.skipped} == {
        "cut.mp4": "corrupt",
        "sub dir/short.mp4": "too short",
        "twin.mp4": "duplicate",
        "zero.mp4": "empty",
    }
    assert str(tmp_path) not in str(manifest)
    good = manifest.videos[0].plain()
    assert good | {"sha256": ""} == {
        "name": "good_u",
        "file": "original/good_u.mp4",
        "mask": None,
        "sha256": "",
        "width": 64,
        "height": 48,
        "fps": 25.0,
        "frames": 20,
    }
    link = tmp_path / "raw" / good["file"]
    assert link.is_symlink() and count_frames(link) == 20
    (mixed / "good ü.MP4").rename(mixed / "renamed.mp4")
    again = fetch_folder(mixed, tmp_path / "raw", on_bad_video="skip")
    linked = {path.name for path in (tmp_path / "raw" / "original").iterdir()}
    assert linked == {Path(video.file).name for video in again.videos} and "good_u.mp4" not in linked


def test_masks_come_along(tmp_path: Path, clip: Path) -> None:
    for folder in ("original", "mask"):
        (tmp_path / "source" / "train" / folder).mkdir(parents=True)
        shutil.copy(clip, tmp_path / "source" / "train" / folder / "1 a.mp4")
    manifest = fetch_folder(tmp_path / "source", tmp_path / "raw")
    assert manifest.source == {"kind": "folder", "name": "source", "masks": True}
    assert manifest.videos[0].mask == "mask/1_a.mp4"
    assert (tmp_path / "raw" / "mask" / "1_a.mp4").exists()
    write_video(tmp_path / "source" / "train" / "original" / "2.mp4", pictures(4), 25)
    with pytest.raises(UserError, match="2.mp4: no mask"):
        fetch_folder(tmp_path / "source", tmp_path / "raw")


def test_hopeless_sources(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(UserError, match="not a folder"):
        fetch_folder(tmp_path / "none", tmp_path / "raw")
    source = tmp_path / "source"
    source.mkdir()
    with pytest.raises(UserError, match="no video files"):
        fetch_folder(source, tmp_path / "raw")
    (source / "zero.mp4").touch()
    with pytest.raises(UserError, match="zero.mp4"):
        fetch_folder(source, tmp_path / "raw", on_bad_video="skip")
    with pytest.raises(UserError, match="lies inside"):
        fetch_folder(source, source / "raw")
    shutil.copy(clip, source / "zero.mp4")
    (tmp_path / "raw" / "original").mkdir(parents=True)
    (tmp_path / "raw" / "original" / "zero.mp4").touch()
    with pytest.raises(UserError, match="in the way"):
        fetch_folder(source, tmp_path / "raw")


def test_synthetic_manifest_tells_the_truth(tmp_path: Path) -> None:
    manifest = fetch_synthetic(tmp_path, videos=2, frames=6, size=64, fps=25, seed=0)
    assert manifest.source["kind"] == "synthetic" and len(manifest.videos) == 2
    for video in manifest.videos:
        assert all((tmp_path / getattr(video, key)).exists() for key in ("file", "mask", "landmarks"))
        assert count_frames(tmp_path / video.file) == count_frames(tmp_path / video.mask) == video.frames == 6
    assert fetch_synthetic(tmp_path, videos=2, frames=6, size=64, fps=25, seed=0) == manifest
