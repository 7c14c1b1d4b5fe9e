"""Forms of files: how a whole one begins and ends, by which a web page or half a file is told from it."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ZIP_BEGINS = b"PK\x03\x04"
# The number that torch.save wrote first before its files were zips, pickled.
OLD_TORCH_BEGINS = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_PICKLE_BEGINS = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
_PICKLE_ENDS = b"."


@dataclass(frozen=True)
class Form:
    """What a file must look like.

    Attributes:
        name: for messages, with its article.
        fits: whether a file looks like that, as far as its beginning and its end show.
    """

    name: str
    fits: Callable[[Path], bool]


def what_else(path: Path, form: Form | None) -> str | None:
    """Say what a file is instead of one of a form; None where it looks like one. An empty file is of no form."""
    begin = _begin(path, 512).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not begin:
        return "nothing but blanks" if path.stat().st_size else "an empty file"
    if form is None or form.fits(path):
        return None
    return "a web page" if begin.startswith(b"<") else "something else, or a part,"


def _begin(path: Path, size: int) -> bytes:
    with open(path, "rb") as file:
        return file.read(size)


def _is_zip(path: Path) -> bool:
    return _begin(path, 4) == ZIP_BEGINS and zipfile.is_zipfile(path)  # which looks for the directory at its end


def _is_pickle(path: Path) -> bool:
    with open(path, "rb") as file:
        begin = file.read(2)
        file.seek(-1, 2)
        return begin in _PICKLE_BEGINS and file.read() == _PICKLE_ENDS


def _is_torch(path: Path) -> bool:
    return _is_zip(path) or _begin(path, len(OLD_TORCH_BEGINS)) == OLD_TORCH_BEGINS


ZIP = Form("a zip file", _is_zip)
PICKLE = Form("a pickle file", _is_pickle)
TORCH = Form("a checkpoint of torch", _is_torch)
