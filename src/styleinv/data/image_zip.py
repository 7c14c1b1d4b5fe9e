"""Images inside a zip of unknown origin, read in place: since nothing is unpacked, no name can escape a folder."""

import functools
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from styleinv.data.video_folder import is_image
from styleinv.errors import UserError, cannot_read
from styleinv.files import natural_order

MAX_MEMBERS = 5_000_000
MAX_BYTES = 64 << 20  # of one image, unpacked
MAX_RATIO = 200  # of unpacked to packed bytes, for images above a megabyte


class ImageZip:
    """The images of a zip by folder.

    Attributes:
        path: the zip.
        folders: folder -> its images, sorted by name; "" is the top.
        refused: (member, why) of what is not to be trusted.
        holes: folder -> a refused image of it, and why; names that lead out of their folder belong to none.

    Raises:
        UserError: missing, no zip, cut, or with too many members.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError:
            raise UserError("does not exist", file=path, cure="Check the path.") from None
        except PermissionError as error:
            raise cannot_read(path, error) from None
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as error:
            raise UserError(f"is no whole zip file ({error})", file=path, cure="Fetch it again.") from None
        members = self._zip.infolist()
        if len(members) > MAX_MEMBERS:
            raise UserError(
                f"has {len(members):,} members, more than {MAX_MEMBERS:,}",
                file=path,
                cure="Unpack it and name the folder instead.",
            )
        self.folders: dict[str, list[zipfile.ZipInfo]] = {}
        self.refused: list[tuple[str, str]] = []
        self.holes: dict[str, str] = {}
        seen = set()
        for info in members:
            if info.is_dir() or not is_image(info.filename) or info.filename.startswith("__MACOSX/"):
                continue
            if _leads_out(info.filename):
                self.refused.append((info.filename, "has a name that leads out of its folder"))
                continue
            place = PurePosixPath(info.filename)
            folder = "" if place.parent == PurePosixPath() else place.parent.as_posix()
            why = "is there twice" if info.filename in seen else _fault(info)
            seen.add(info.filename)
            if why:
                self.refused.append((info.filename, why))
                self.holes.setdefault(folder, f"{place.name} {why}")
                continue
            self.folders.setdefault(folder, []).append(info)
        self.folders = dict(sorted(self.folders.items()))
        for images in self.folders.values():
            images.sort(key=lambda info: natural_order(info.filename))

    @property
    def archives(self) -> list[str]:
        """Names of the zips inside the zip."""
        return [name for name in self._zip.namelist() if name.lower().endswith(".zip")]

    def read(self, info: zipfile.ZipInfo) -> bytes:
        """Read one image and check it against its CRC-32.

        Raises:
            ValueError: damaged.
        """
        try:
            return self._zip.read(info)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise ValueError(f"cannot be unpacked ({error})") from None


def open_zip(path: Path) -> ImageZip:
    """Open a zip, or return the one that is open: reading a directory of a million members takes seconds."""
    stat = path.stat() if path.exists() else None
    return _open(path, stat and (stat.st_mtime_ns, stat.st_size, stat.st_ino))


@functools.lru_cache(maxsize=1)
def _open(path: Path, version: tuple[int, int, int] | None) -> ImageZip:
    return ImageZip(path)


def _leads_out(name: str) -> bool:
    return name.startswith("/") or "\\" in name or ":" in name.partition("/")[0] or ".." in PurePosixPath(name).parts


def _fault(info: zipfile.ZipInfo) -> str:
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a link"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.file_size > MAX_BYTES:
        return f"unpacks to {info.file_size:,} bytes"
    if info.file_size > 1 << 20 and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        return f"unpacks to {info.file_size // max(info.compress_size, 1)} times its size"
    return ""
