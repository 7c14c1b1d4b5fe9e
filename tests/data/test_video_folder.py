"""Folders of videos and of frames, seen as a store."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from styleinv.data.video import read_frames, write_video
from styleinv.data.video_folder import VideoFolder
from styleinv.errors import UserError
from tests.data.conftest import pictures


def test_folders_of_frames(tmp_path: Path) -> None:
    frames = pictures(3, 16, 16)
    for folder in ("b", "b-1", "a/deep"):
        (tmp_path / folder).mkdir(parents=True)
        for number, frame in enumerate(frames):
            Image.fromarray(frame).save(tmp_path / folder / f"{number}.PNG")
    Image.fromarray(frames[0]).save(tmp_path / "b" / "10.jpg")
    (tmp_path / "notes.txt").touch()
    (tmp_path / "linked").symlink_to(tmp_path / "b-1", target_is_directory=True)
    videos = VideoFolder(tmp_path)
    assert videos.names in (["a/deep", "b-1", "b"], ["a/deep", "b", "linked"])  # a linked folder counts once
    assert videos.resolution == 16
    b = videos.names.index("b")
    assert videos.lengths[b] == 4
    assert np.array_equal(videos.frames(b, [0, 2, 0]), np.stack([frames[0], frames[2], frames[0]]))  # 0, 1, 2, 10
    with pytest.raises(IndexError):
        videos.frames(b, [4])
    before = videos.sha256
    Image.fromarray(frames[1]).save(tmp_path / "b" / "0.PNG")
    assert VideoFolder(tmp_path).sha256 != before
    Image.fromarray(pictures(1, 8, 8)[0]).save(tmp_path / "b" / "0.PNG")
    with pytest.raises(UserError, match="0.PNG: is 8 x 8, not 16 x 16"):
        VideoFolder(tmp_path).frames(b, [0])


def test_folders_of_video_files(tmp_path: Path) -> None:
    for name, count in (("2.mp4", 5), ("1 x.mp4", 3)):
        write_video(tmp_path / name, pictures(count, 32, 32), 25)
    videos = VideoFolder(tmp_path)
    assert videos.names == ["1 x.mp4", "2.mp4"] and videos.lengths.tolist() == [3, 5] and videos.resolution == 32
    want = list(read_frames(tmp_path / "2.mp4"))
    assert np.array_equal(videos.frames(1, np.array([4, 0])), np.stack([want[4], want[0]]))
    write_video(tmp_path / "3.mp4", pictures(2, 16, 16), 25)
    with pytest.raises(UserError, match="3.mp4: is 16 x 16, the first one 32 x 32"):
        VideoFolder(tmp_path).frames(2, [0])


def test_what_is_no_folder_of_videos(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a folder"):
        VideoFolder(tmp_path / "none")
    with pytest.raises(UserError, match="holds no videos"):
        VideoFolder(tmp_path)
    Image.fromarray(pictures(1, 8, 16)[0]).save(tmp_path / "0.png")
    with pytest.raises(UserError, match="must be square"):
        VideoFolder(tmp_path)
    write_video(tmp_path / "a.mp4", pictures(1, 8, 8), 25)
    with pytest.raises(UserError, match="both"):
        VideoFolder(tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()
    (tmp_path / "0.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="0.png: cannot be decoded"):
        VideoFolder(tmp_path)
