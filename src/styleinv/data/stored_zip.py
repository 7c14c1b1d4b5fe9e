"""Uncompressed zip archives, written and indexed without Python's `zipfile`.

Two reasons: a data set has a million members (`zipfile` keeps half a kilobyte of objects for each, while writing and
while reading), and its bytes must depend on nothing but its content. Layout: PKWARE's APPNOTE 6.3, sections 4.3.7
(local header), 4.3.12 (central directory), 4.3.14-16 (ends).
"""

import io
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from styleinv.errors import UserError

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")
_END = struct.Struct("<4s4H2IH")
_MANY = 0xFFFF
_BIG = 0xFFFFFFFF
_UTF8_NAME = 0x800
_ON_UNIX = 3 << 8
_NOON_OF_NO_DAY = (0, (1 << 5) | 1)  # 1980-01-01 00:00, the first instant a zip can name


class StoredZipWriter:
    """Append members to a zip; only their directory records (some 80 bytes each) stay in memory.

    Args:
        file: a binary file, empty and seekable.
    """

    def __init__(self, file: io.BufferedIOBase):
        self._file = file
        self._position = 0
        self._central = bytearray()
        self._count = 0

    def add(self, name: str, data: bytes) -> None:
        """Append one member; a name that ends with "/" is a folder. Members are smaller than 4 GiB."""
        raw = name.encode("utf-8")
        flags = 0 if name.isascii() else _UTF8_NAME
        time, date = _NOON_OF_NO_DAY
        crc, size, offset = zlib.crc32(data), len(data), self._position
        mode, dos = (0o40755, 0x10) if name.endswith("/") else (0o100644, 0)
        self._file.write(_LOCAL.pack(b"PK\3\4", 20, flags, 0, time, date, crc, size, size, len(raw), 0) + raw)
        self._file.write(data)
        self._position += _LOCAL.size + len(raw) + size
        # An offset above 4 GiB goes into an extra field, and the reader must know version 4.5 of the format.
        extra = struct.pack("<2HQ", 1, 8, offset) if offset >= _BIG else b""
        version = 45 if extra else 20
        self._central += _CENTRAL.pack(
            *(b"PK\1\2", _ON_UNIX | version, version, flags, 0, time, date, crc, size, size),
            *(len(raw), len(extra), 0, 0, 0, mode << 16 | dos, min(offset, _BIG)),
        )
        self._central += raw + extra
        self._count += 1

    def mark(self) -> tuple[int, int, int]:
        """Return the present state, for `rollback`."""
        return self._position, len(self._central), self._count

    def rollback(self, mark: tuple[int, int, int]) -> None:
        """Forget every member added since `mark`."""
        self._position, central, self._count = mark
        del self._central[central:]
        self._file.seek(self._position)
        self._file.truncate()

    def finish(self) -> None:
        """Write the central directory; nothing may be added afterwards."""
        start, size, count = self._position, len(self._central), self._count
        self._file.write(self._central)
        if start >= _BIG or size >= _BIG or count >= _MANY:
            version = (_ON_UNIX | 45, 45)
            self._file.write(_END64.pack(b"PK\6\6", _END64.size - 12, *version, 0, 0, count, count, size, start))
            self._file.write(_LOCATOR64.pack(b"PK\6\7", 0, start + size, 1))
        count, size, start = min(count, _MANY), min(size, _BIG), min(start, _BIG)
        self._file.write(_END.pack(b"PK\5\6", 0, 0, count, count, size, start, 0))


@dataclass(frozen=True)
class Index:
    """The files of an archive in directory order (folders left out).

    `headers[i]` is where file i's local header starts, `sizes[i]` its bytes, `crcs[i]` the CRC-32 of its content.
    """

    names: list[str]
    headers: np.ndarray
    sizes: np.ndarray
    crcs: np.ndarray


def read_index(content: memoryview, path: str | Path) -> Index:
    """Walk the central directory of a zip.

    Raises:
        UserError: not a zip, cut short, bytes missing in the middle, or compressed members.
    """
    start, count = _find_directory(content, path)
    names: list[str] = []
    headers = np.empty(count, np.int64)
    sizes = np.empty(count, np.int64)
    crcs = np.empty(count, np.uint32)
    files, position = 0, start
    for _ in range(count):
        try:
            record = _CENTRAL.unpack_from(content, position)
        except struct.error:
            raise _cut(path) from None
        signature, method, header = record[0], record[4], record[16]
        crc, stored, size, name_length, extra_length, comment_length = record[7:13]
        name_start = position + _CENTRAL.size
        position = name_start + name_length + extra_length + comment_length
        if signature != b"PK\1\2" or position > len(content):
            raise _cut(path)
        name = bytes(content[name_start : name_start + name_length]).decode("utf-8", "surrogateescape")
        if name.endswith("/"):
            continue
        if method != 0:
            raise UserError("is compressed", file=path, field=name, cure="Zip the frames without compression (zip -0).")
        if _BIG in (size, stored, header):
            extra = content[name_start + name_length : name_start + name_length + extra_length]
            size, header = _wide(extra, size, stored, header, path)
        if header + _LOCAL.size + size > start:
            raise _cut(path)
        names.append(name)
        headers[files], sizes[files], crcs[files] = header, size, crc
        files += 1
    return Index(names, headers[:files], sizes[:files], crcs[:files])


def member(content: memoryview, header: int, size: int, path: str | Path) -> memoryview:
    """Return the bytes of a stored file, without copying, given its place in the index."""
    # The local header may have an extra field of another length than the directory's, so it has to be asked.
    if content[header : header + 4] != b"PK\3\4":
        raise _cut(path)
    name_length, extra_length = struct.unpack_from("<2H", content, header + 26)
    start = header + _LOCAL.size + name_length + extra_length
    return content[start : start + size]


def _find_directory(content: memoryview, path: str | Path) -> tuple[int, int]:
    """Find the start of the central directory and its number of records, which must add up to the file's length."""
    tail = bytes(content[-(_END.size + 65535) :])
    end = tail.rfind(b"PK\5\6")
    if end < 0 or end + _END.size > len(tail):
        if content[:4] == b"PK\3\4":
            raise _cut(path)
        raise UserError("is not a zip file", file=path, cure="Name a frame store (.zip).")
    _, _, _, _, count, size, start, comment = _END.unpack_from(tail, end)
    end += len(content) - len(tail)
    if end + _END.size + comment != len(content):
        raise _cut(path)
    if count == _MANY or size == _BIG or start == _BIG:
        locator = end - _LOCATOR64.size
        if locator >= 0 and content[locator : locator + 4] == b"PK\6\7":
            _, _, end, _ = _LOCATOR64.unpack_from(content, locator)
            if end + _END64.size > locator or content[end : end + 4] != b"PK\6\6":
                raise _cut(path)
            *_, count, size, start = _END64.unpack_from(content, end)
    if start + size != end:
        raise _cut(path)
    return start, count


def _wide(extra: memoryview, size: int, stored: int, header: int, path: str | Path) -> tuple[int, int]:
    """Read size and header position from a Zip64 extra field, which holds, in this order, those that did not fit."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        if kind == 1:
            values = iter(struct.unpack_from(f"<{length // 8}Q", extra, position + 4))
            try:
                size = next(values) if size == _BIG else size
                stored = next(values) if stored == _BIG else stored
                header = next(values) if header == _BIG else header
            except StopIteration:
                break
            return size, header
        position += 4 + length
    raise _cut(path)


def _cut(path: str | Path) -> UserError:
    size = os.path.getsize(path)
    cure = "Copy it again, or delete it and run its stage again."
    return UserError(f"is cut or damaged ({size} bytes)", file=path, cure=cure)
