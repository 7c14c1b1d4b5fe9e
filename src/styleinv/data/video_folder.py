"""A folder of videos that is read as a frame store is: for scoring videos that somebody generated."""

import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from styleinv import files
from styleinv.data.image import image_size, storage_of
from styleinv.data.store import decode
from styleinv.data.tree import walk
from styleinv.data.video import is_video, list_videos, measure, probe, read_frames
from styleinv.errors import UserError

IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".ppm", ".bmp"))  # compared in lower case

# How a whole file ends, by how it begins: JPEG and PNG.
_END = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND"}


class VideoFolder:
    """Either video files, or folders of images, anywhere below one folder.

    Image folders: every folder (links followed) that holds images is a video; frames are sorted by path, numbers in it
    by their value, and videos by the path of their first frame. Video files: sorted by path; the one read last stays
    decoded in memory.

    Attributes:
        path: the folder.
        names: paths of the videos below it.
        resolution: height and width, which must be equal and the same in all frames.

    Raises:
        UserError: no such folder, nothing in it, both kinds in it, or frames that are not square.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_dir():
            raise UserError("is not a folder", file=self.path, cure="Name a folder of videos or of image folders.")
        groups, has_videos = image_folders(self.path)
        if groups and has_videos:
            raise UserError(
                "holds both video files and images", file=self.path, cure="Name a folder that holds one kind."
            )
        if not groups and not has_videos:
            raise UserError(
                "holds no videos and no images", file=self.path, cure="Name a folder of videos or of image folders."
            )
        self._images = list(groups.values())
        self._videos = list_videos(self.path) if has_videos else []
        relative = list(groups) if groups else [str(video.relative_to(self.path)) for video in self._videos]
        self.names = [self.path.name if name == "." else Path(name).as_posix() for name in relative]
        self._latest: tuple[int, np.ndarray] | None = None
        height, width = self._first_size()
        if height != width:
            least = min(height, width)
            raise UserError(
                f"frames must be square, not {width} x {height}",
                file=self.path / relative[0],
                cure=f"Crop them: ffmpeg -i IN -vf crop={least}:{least} OUT",
            )
        self.resolution = int(width)

    def __len__(self) -> int:
        """Number of videos."""
        return len(self.names)

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        """int64 [videos], frames of each.

        Video files are decoded once to count them, and of images header and end are looked at, so that what is cut
        or of another size is found before anything is computed. (Damage inside an image is found when it is read.)

        Raises:
            UserError: a damaged file or a frame of another size.
        """
        for image in (image for frames in self._images for image in frames):
            self._require_size(image, *_image_size(image))
        measured = [measure(video) for video in self._videos]
        for video, found in zip(self._videos, measured, strict=True):
            self._require_size(video, found.height, found.width)
        return np.array([len(frames) for frames in self._images] or [found.frames for found in measured], np.int64)

    @functools.cached_property
    def sha256(self) -> str:
        """Hex SHA-256 over the names and contents of all files in order."""
        total = hashlib.sha256()
        for file in [frame for frames in self._images for frame in frames] + self._videos:
            total.update(
                f"{file.relative_to(self.path).as_posix()}\0{files.sha256(file)}\n".encode("utf-8", "surrogateescape")
            )
        return total.hexdigest()

    @functools.cached_property
    def storage(self) -> str:
        """How the first frame is stored."""
        return storage_of(self._images[0][0].read_bytes()) if self._images else f"video file {self._videos[0].suffix}"

    def frames(self, video: int, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Read frames of one video.

        Args:
            video: 0 to len - 1.
            indices: frame numbers in any order, repeats allowed.

        Returns:
            uint8 RGB [T, R, R, 3].

        Raises:
            IndexError: no such video or frame.
            UserError: a damaged file or a frame of another size.
        """
        if not 0 <= video < len(self.names):
            raise IndexError(f"video {video} of {len(self.names)}")
        length = len(self._images[video]) if self._images else len(self._decoded(video))
        for index in indices:
            if not 0 <= index < length:
                raise IndexError(f"frame {index} of {length} in {self.names[video]}")
        if not self._images:
            return self._decoded(video)[np.asarray(indices, np.int64)]
        out = np.empty((len(indices), self.resolution, self.resolution, 3), np.uint8)
        for place, index in zip(out, indices, strict=True):
            _read_image(self._images[video][index], place)
        return out

    def _decoded(self, video: int) -> np.ndarray:
        if self._latest is None or self._latest[0] != video:
            frames = list(read_frames(self._videos[video]))
            self._require_size(self._videos[video], *frames[0].shape[:2])
            self._latest = (video, np.stack(frames))
        return self._latest[1]

    def _require_size(self, file: Path, height: int, width: int) -> None:
        if (height, width) != (self.resolution, self.resolution):
            side = self.resolution
            raise UserError(
                f"is {width} x {height}, the first one {side} x {side}",
                file=file,
                cure=f"Bring them to one size: ffmpeg -i IN -vf scale={side}:{side} OUT",
            )

    def _first_size(self) -> tuple[int, int]:
        if self._images:
            return _image_size(self._images[0][0])
        info = probe(self._videos[0])
        return info.height, info.width


def image_folders(root: Path, denied: list[OSError] | None = None) -> tuple[dict[str, list[Path]], bool]:
    """Find images by folder (relative to `root`, links followed), in order, and whether there is a video file.

    Args:
        root: where they are.
        denied: as for `data.tree.walk`.

    Raises:
        UserError: a folder cannot be read, and there is no list to note it in.
    """
    groups: dict[str, list[Path]] = {}
    has_videos = False
    for place, names in walk(root, denied):
        has_videos = has_videos or any(map(is_video, names))
        frames = [place / name for name in names if is_image(name)]
        if frames:
            groups[os.path.relpath(place, root)] = sorted(frames, key=files.natural_order)
    return dict(sorted(groups.items(), key=lambda group: str(group[1][0]))), has_videos


def is_image(name: str) -> bool:
    """Whether a file name looks like an image that is not hidden."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES and not os.path.basename(name).startswith(".")


def _image_size(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    try:
        width, height = image_size(data)
        if (end := _END.get(data[:2])) and end not in data[-4096:]:
            raise ValueError("is cut")
    except ValueError as error:
        raise UserError(str(error), file=path, cure="It is cut, corrupt or no image.") from None
    return height, width


def _read_image(path: Path, out: np.ndarray) -> None:
    try:
        decode(path.read_bytes(), out)
    except ValueError as error:
        raise UserError(str(error), file=path, cure="All frames must be whole and of one size.") from None
