"""Real files through real ffmpeg."""

import os
from pathlib import Path

import numpy as np
import pytest

from styleinv.data import video
from styleinv.data.video import VideoInfo, count_frames, list_videos, probe, read_frames, write_video
from styleinv.errors import UserError
from tests.data.conftest import pictures, run_ffmpeg


def test_round_trip_keeps_size_rate_and_colour(clip: Path) -> None:
    frames = np.stack(list(read_frames(clip)))
    assert frames.shape == (20, 48, 64, 3) and frames.dtype == np.uint8
    assert np.abs(frames.astype(int) - np.stack(pictures(20))).mean() < 2
    assert probe(clip) == VideoInfo(64, 48, 25.0)
    assert count_frames(clip) == 20


@pytest.mark.parametrize("size", [(48, 64), (47, 63)])
def test_writing_is_deterministic_for_even_and_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, pictures(5, *size), 30000 / 1001)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    assert next(read_frames(tmp_path / "a.mp4")).shape == (*size, 3)
    assert probe(tmp_path / "a.mp4").fps == 30000 / 1001


@pytest.mark.parametrize(("fps", "count"), [(12.5, 10), (25, 20), (50, 40)])
def test_resampling_in_time(clip: Path, fps: float, count: int) -> None:
    assert len(list(read_frames(clip, fps))) == count


def test_rotation_sound_and_unusual_names(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "a: ü 视频 %03d.mp4"
    turned = ("-display_rotation", 90, "-i", clip)
    run_ffmpeg(*turned, "-f", "lavfi", "-i", "sine=d=2", "-map", "0:v", "-map", "1:a", "-c:v", "copy", f"file:{path}")
    assert probe(path) == VideoInfo(48, 64, 25.0)
    frames = list(read_frames(path))
    assert len(frames) == 20 and frames[0].shape == (64, 48, 3)
    straight = next(read_frames(clip))
    assert np.abs(np.rot90(straight).astype(int) - frames[0]).mean() < 3


def test_a_file_cut_anywhere_never_gives_fewer_frames(clip: Path, tmp_path: Path) -> None:
    content = clip.read_bytes()
    cut = tmp_path / "cut.mp4"
    for size in range(40, len(content), len(content) // 30):
        cut.write_bytes(content[:size])
        try:
            assert count_frames(cut) == 20
        except UserError as error:
            assert str(cut) in str(error) and "\n" not in str(error)
    cut.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(UserError, match="cut.mp4"):
        list(read_frames(cut))


def test_a_file_cut_with_its_index_at_the_end_is_refused(clip: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    run_ffmpeg("-i", clip, "-c", "copy", whole)
    assert count_frames(whole) == 20
    cut.write_bytes(whole.read_bytes()[:-200])
    for read in (probe, count_frames, lambda path: list(read_frames(path))):
        with pytest.raises(UserError, match="cut.mp4"):
            read(cut)


def test_damage_in_the_middle_is_noticed(clip: Path, tmp_path: Path) -> None:
    content = bytearray(clip.read_bytes())
    middle = len(content) * 2 // 3
    content[middle : middle + 60] = bytes(byte ^ 0x5A for byte in content[middle : middle + 60])
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(UserError, match="bad.mp4"):
        list(read_frames(tmp_path / "bad.mp4"))


@pytest.mark.parametrize(("content", "says"), [(b"", "empty"), (b"this is no video", "cannot be decoded")])
def test_what_is_no_video(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    for read in (probe, count_frames, lambda path: list(read_frames(path))):
        with pytest.raises(UserError, match=f"x.mp4.*{says}"):
            read(path)


def test_sound_alone_and_a_missing_file(tmp_path: Path) -> None:
    run_ffmpeg("-f", "lavfi", "-i", "sine=d=1", tmp_path / "sound.mp4")
    with pytest.raises(UserError, match="sound.mp4"):
        list(read_frames(tmp_path / "sound.mp4"))
    with pytest.raises(UserError, match="does not exist"):
        probe(tmp_path / "none.mp4")


def test_stopping_early_leaves_no_process(clip: Path) -> None:
    frames = read_frames(clip)
    next(frames)
    frames.close()


def test_bad_frames_leave_no_file(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    for frames in ([], [np.zeros((4, 4, 3))], [*pictures(2), *pictures(1, 32, 32)]):
        with pytest.raises(UserError):
            write_video(path, frames, 25)
    with pytest.raises(UserError, match="rate"):
        write_video(path, pictures(1), 0)
    assert not list(tmp_path.iterdir())


def test_listing(tmp_path: Path) -> None:
    for name in ("b/2.MKV", "a/1 x.mp4", "a/.hidden.mp4", "a/notes.txt", ".git/3.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    assert [path.name for path in list_videos(tmp_path)] == ["1 x.mp4", "2.MKV"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no video files"):
        list_videos(tmp_path / "empty")
    with pytest.raises(UserError, match="not a folder"):
        list_videos(tmp_path / "nothing")


def test_an_old_system_ffmpeg_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "ffmpeg"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for banner, taken in (
        ("4.4.2-0ubuntu", False),
        ("5.1.7-0+deb12u1", False),
        ("n7.1", True),
        ("N-118000-gabc", True),
    ):
        fake.write_text(f"#!/bin/sh\necho 'ffmpeg version {banner} Copyright'\n")
        fake.chmod(0o755)
        video.executable.cache_clear()
        assert (video.executable() == str(fake)) is taken
    monkeypatch.undo()
    video.executable.cache_clear()
