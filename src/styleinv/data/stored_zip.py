"""Uncompressed zip archives, written and indexed without Python's `zipfile`.

Two reasons: a data set has a million members (`zipfile` keeps half a kilobyte of objects for each, while writing and
while reading), and its bytes must depend on nothing but its content. Layout: PKWARE's APPNOTE 6.3, sections 4.3.7
(local header), 4.3.12 (central directory), 4.3.14-16 (ends).
"""

import io
import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from styleinv.errors import UserError

_SIGNATURE = b"PK\1\2"
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
# What of it is read, for whole directories at once: name -> its place and type.
_FIELDS = {
    **{"flags": (8, "<u2"), "method": (10, "<u2"), "crc": (16, "<u4"), "stored": (20, "<u4"), "size": (24, "<u4")},
    **{"name": (28, "<u2"), "extra": (30, "<u2"), "comment": (32, "<u2"), "header": (42, "<u4")},
}
_RECORD = np.dtype(
    {
        "names": list(_FIELDS),
        "offsets": [offset for offset, _ in _FIELDS.values()],
        "formats": [kind for _, kind in _FIELDS.values()],
        "itemsize": _CENTRAL.size,
    }
)
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")
_END = struct.Struct("<4s4H2IH")
_MANY = 0xFFFF
_BIG = 0xFFFFFFFF
_ENCRYPTED = 1
# Bytes of a directory looked at together: they stay in the processor's cache.
_PIECE = 1 << 20
_UTF8_NAME = 0x800
_ON_UNIX = 3 << 8
_DIGITS = 6  # of the numbers in the names of frames
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
        crc, size = zlib.crc32(data), len(data)
        local = _LOCAL.pack(b"PK\3\4", 20, _flags(raw), 0, *_NOON_OF_NO_DAY, crc, size, size, len(raw), 0) + raw
        self._file.write(local)
        self._file.write(data)
        self._central += _record(raw, crc, size, self._position)
        self._position += len(local) + size
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


def _flags(raw: bytes) -> int:
    return 0 if raw.isascii() else _UTF8_NAME


def _record(raw: bytes, crc: int, size: int, offset: int) -> bytes:
    """Make the directory's record of a member."""
    mode, dos = (0o40755, 0x10) if raw.endswith(b"/") else (0o100644, 0)
    # An offset above 4 GiB goes into an extra field, and the reader must know version 4.5 of the format.
    extra = struct.pack("<2HQ", 1, 8, offset) if offset >= _BIG else b""
    version = 45 if extra else 20
    fixed = _CENTRAL.pack(
        *(_SIGNATURE, _ON_UNIX | version, version, _flags(raw), 0, *_NOON_OF_NO_DAY, crc, size, size),
        *(len(raw), len(extra), 0, 0, 0, mode << 16 | dos, min(offset, _BIG)),
    )
    return fixed + raw + extra


class _Pattern:
    """How `StoredZipWriter` writes the directory's records of members whose names have one length.

    Args:
        raw: one of the names.
        far: whether the members lie beyond 4 GiB.

    Attributes:
        width: bytes of a record.
        wanted: uint8 [rows, width], the records that are looked for, zero where they may be anything.
        first: number that the first of them has in its name; -1 where none has been set.
    """

    ROWS = 1024

    def __init__(self, raw: bytes, far: bool):
        record = np.frombuffer(_record(raw, 0, 0, _BIG if far else 0), np.uint8)
        mask = np.full(len(record), 0xFF, np.uint8)
        for field in ("crc", "stored", "size") if far else ("crc", "stored", "size", "header"):
            place, kind = _FIELDS[field]
            mask[place : place + np.dtype(kind).itemsize] = 0
        if far:
            mask[-8:] = 0
        self.far, self.width, self.first = far, len(record), -1
        self.wanted = np.tile(record & mask, (self.ROWS, 1))
        self._mask, self._seen = np.tile(mask, (self.ROWS, 1)), np.empty_like(self.wanted)

    def matching(self, content: memoryview, at: int, rows: int) -> int:
        """Count the records from a place on that are as wanted, up to the first that is not."""
        found = np.ndarray((rows, self.width), np.uint8, content, at)
        same = np.bitwise_and(found, self._mask[:rows], out=self._seen[:rows]) == self.wanted[:rows]
        return rows if same.all() else int(same.all(axis=1).argmin())

    def places(self, content: memoryview, at: int, rows: int) -> np.ndarray:
        """Read where members lie: int64 [rows] or uint32 [rows]."""
        kind, offset = ("<i8", self.width - 8) if self.far else ("<u4", _FIELDS["header"][0])
        return np.ndarray(rows, kind, content, at + offset, (self.width,))


# Positions, sizes and CRCs of files: int64, int64, uint32 [N].
Places = tuple[np.ndarray, np.ndarray, np.ndarray]


def last_member(content: memoryview, path: str | Path, name: str) -> tuple[int, int] | None:
    """Find position and size of a file that `StoredZipWriter` wrote last; None where another one is last.

    Raises:
        UserError: not a zip, or cut short.
    """
    start, size, _ = _find_directory(content, path)
    for far in (False, True):
        pattern = _Pattern(name.encode("utf-8"), far)
        at = start + size - pattern.width
        if at >= start and pattern.matching(content, at, 1):
            (length,) = struct.unpack_from("<I", content, at + _FIELDS["size"][0])
            return int(pattern.places(content, at, 1)[0]), length
    return None


def numbered_members(
    content: memoryview, path: str | Path, folders: Sequence[str], counts: np.ndarray, suffix: str
) -> Places | None:
    """Read where all but the last member of an archive lie, if they are just these, as `StoredZipWriter` writes them.

    Nothing is looked for: each record must be, byte for byte, what these names make of it, but for place, size and CRC.
    That takes a third of the time of `read_index`, which knows nothing beforehand.

    Args:
        folders: in the order of the archive.
        counts: int64 [folders], members of each: `000000<suffix>`, `000001<suffix>` and so on.
        suffix: of their names.

    Returns:
        None where it is any other archive.

    Raises:
        UserError: not a zip, or cut short.
    """
    start, size, count = _find_directory(content, path)
    longest = int(counts.max(initial=0))
    if count != counts.sum() + 1 or longest > 10**_DIGITS or counts.min(initial=0) < 0:
        return None
    columns = np.empty((3, count - 1), np.uint32)  # CRC, stored size, size
    headers = np.empty(count - 1, np.int64)
    letters = np.frombuffer(suffix.encode("utf-8"), np.uint8)
    numbers = np.arange(longest)[:, None] // 10 ** np.arange(_DIGITS)[::-1] % 10 + ord("0")
    tails = np.concatenate([numbers.astype(np.uint8), np.broadcast_to(letters, (longest, len(letters)))], axis=1)
    patterns: dict[tuple[int, bool, bool], _Pattern] = {}
    at, entry, far = start, 0, False
    for folder, total in zip(folders, counts.tolist(), strict=True):
        stem = folder.encode("utf-8", "surrogatepass") + b"/"
        first = 0
        while first < total:
            kind = (len(stem), stem.isascii(), far)
            if kind not in patterns:
                patterns[kind] = _Pattern(stem + tails[0].tobytes(), far)
            pattern = patterns[kind]
            rows = min(total - first, pattern.ROWS, (start + size - at) // pattern.width)
            end = _CENTRAL.size + len(stem)
            pattern.wanted[:rows, _CENTRAL.size : end] = np.frombuffer(stem, np.uint8)
            if pattern.first != first:
                numbered = tails[first : first + pattern.ROWS]
                pattern.wanted[: len(numbered), end : end + tails.shape[1]] = numbered
                pattern.first = first
            matching = pattern.matching(content, at, rows) if rows else 0
            if matching:
                some = slice(entry, entry + matching)
                columns[:, some] = np.ndarray((3, matching), "<u4", content, at + _FIELDS["crc"][0], (4, pattern.width))
                headers[some] = pattern.places(content, at, matching)
                at, entry, first = at + matching * pattern.width, entry + matching, first + matching
            # Once a member lies beyond 4 GiB, so do all that follow.
            if matching < rows or not rows:
                if far:
                    return None
                far = True
    crcs, stored, sizes = columns
    if not np.array_equal(stored, sizes) or (headers == _BIG).any() or (sizes == _BIG).any():
        return None
    long = sizes.astype(np.int64)
    if ((headers < 0) | (headers > start - _LOCAL.size - long)).any():
        return None
    return headers, long, crcs


@dataclass(frozen=True)
class Index:
    """The files of an archive in directory order (folders left out).

    `headers[i]` is where file i's local header starts, `sizes[i]` its bytes, `crcs[i]` the CRC-32 of its content,
    `starts[i]` where the directory has its name and `lengths[i]` the bytes of that.
    """

    content: memoryview
    headers: np.ndarray
    sizes: np.ndarray
    crcs: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        """Number of files."""
        return len(self.headers)

    def name(self, entry: int) -> str:
        """Decode the name of one file."""
        return _name(self.content, int(self.starts[entry]), int(self.lengths[entry]))

    def find(self, name: str) -> int | None:
        """Return the first file of this name, or None."""
        raw = np.frombuffer(name.encode("utf-8"), np.uint8)
        alike = np.flatnonzero(self.lengths == len(raw))
        letters = _gather(self.content, self.starts[alike], f"V{len(raw)}").view(np.uint8).reshape(-1, len(raw))
        found = alike[(letters == raw).all(axis=1)]
        return int(found[0]) if len(found) else None


def read_index(content: memoryview, path: str | Path) -> Index:
    """Read the central directory of a zip, some 80 ns a member.

    Raises:
        UserError: not a zip, cut short, bytes missing in the middle, or compressed or encrypted members.
    """
    start, size, count = _find_directory(content, path)
    records, positions = _records(content, start, start + size, path)
    if len(positions) != count:
        raise _cut(path)
    starts = positions + _CENTRAL.size
    lengths = records["name"].astype(np.int64)
    sizes, headers = records["size"].astype(np.uint64), records["header"].astype(np.uint64)
    wide = np.flatnonzero((records["size"] == _BIG) | (records["stored"] == _BIG) | (records["header"] == _BIG))
    if len(wide):
        extras = (starts + lengths)[wide]
        values = np.stack([sizes[wide], records["stored"][wide].astype(np.uint64), headers[wide]])
        sizes[wide], _, headers[wide] = _wide(content, values, extras, extras + records["extra"][wide], path)
    files = (lengths == 0) | (_gather(content, starts + lengths - 1, "u1") != ord("/"))
    for field, refused, what, cure in (
        ("method", 0xFFFF, "is compressed", "Zip the frames without compression (zip -0)."),
        ("flags", _ENCRYPTED, "is encrypted", "Zip the frames without a password."),
    ):
        if len(bad := np.flatnonzero(files & (records[field] & refused != 0))):
            name = _name(content, int(starts[bad[0]]), int(lengths[bad[0]]))
            raise UserError(what, file=path, field=name, cure=cure)
    # Each alone first: sums of what a damaged record says may wrap around.
    if (files & ((headers > start) | (sizes > start) | (headers + sizes + _LOCAL.size > start))).any():
        raise _cut(path)
    columns = headers.view(np.int64), sizes.view(np.int64), records["crc"], starts, lengths
    return Index(content, *(columns if files.all() else (column[files] for column in columns)))


def _records(content: memoryview, start: int, end: int, path: str | Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the fields of the directory's records, and where each starts, one after the other from `start` to `end`.

    Where a record ends is known from itself alone, and a walk from one to the next would take a second for a million.
    So all places with the signature are found first, and then it is checked that they are a chain.
    """
    whole = np.frombuffer(content, np.uint8)
    found = [np.empty(0, np.int64)]
    for low in range(start, end - _CENTRAL.size + 1, _PIECE):
        stop = min(low + _PIECE, end - _CENTRAL.size + 1)
        letters = np.flatnonzero(whole[low:stop] == _SIGNATURE[0]) + low
        found.append(letters[_gather(content, letters, "<u4") == int.from_bytes(_SIGNATURE, "little")])
    positions = np.concatenate(found)
    records = {field: np.empty(len(positions), kind) for field, (_, kind) in _FIELDS.items()}
    for first in range(0, len(positions), _PIECE // 64):
        some = slice(first, first + _PIECE // 64)
        piece = _gather(content, positions[some], f"V{_CENTRAL.size}").view(_RECORD)
        for field, column in records.items():
            column[some] = piece[field]
    ends = positions + _CENTRAL.size
    for field in ("name", "extra", "comment"):
        ends += records[field]
    # Names, CRCs and sizes may look like a signature by chance: what lies within a record is none.
    kept = np.ones(len(positions), bool)
    following = np.append(positions[1:], end)
    true = 0
    if (positions[0] if len(positions) else end) != start:
        raise _cut(path)
    for last in np.flatnonzero(ends != following):
        if last < true:
            continue
        true = int(np.searchsorted(positions, ends[last]))
        if ends[last] != (positions[true] if true < len(positions) else end):
            raise _cut(path)
        kept[last + 1 : true] = False
    if kept.all():
        return records, positions
    return {field: column[kept] for field, column in records.items()}, positions[kept]


def _gather(content: memoryview, positions: np.ndarray, kind: str) -> np.ndarray:
    """Read an item of a NumPy type at each of these positions, which need not be aligned."""
    dtype = np.dtype(kind)
    # One item for every byte where one may start; nothing of it is copied but what is asked for.
    return np.ndarray(max(len(content) - dtype.itemsize + 1, 0), dtype, content, strides=(1,))[positions]


def _name(content: memoryview, start: int, length: int) -> str:
    return bytes(content[start : start + length]).decode("utf-8", "surrogateescape")


def member(content: memoryview, header: int, size: int, path: str | Path) -> memoryview:
    """Return the bytes of a stored file, without copying, given its place in the index."""
    # The local header may have an extra field of another length than the directory's, so it has to be asked.
    if content[header : header + 4] != b"PK\3\4":
        raise _cut(path)
    name_length, extra_length = struct.unpack_from("<2H", content, header + 26)
    start = header + _LOCAL.size + name_length + extra_length
    return content[start : start + size]


def _find_directory(content: memoryview, path: str | Path) -> tuple[int, int, int]:
    """Find start, size and number of records of the central directory; they must add up to the file's length."""
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
    return start, size, count


def _wide(content: memoryview, values: np.ndarray, at: np.ndarray, end: np.ndarray, path: str | Path) -> np.ndarray:
    """Fill in values that did not fit from Zip64 extra fields, which hold those alone, in this order.

    Args:
        content: the archive.
        values: uint64 [3, N], size, stored size and header position of each record.
        at, end: int64 [N], where the extra fields of each record lie.
    """
    todo = np.arange(len(at))
    while len(todo):
        if (at[todo] + 4 > end[todo]).any():
            raise _cut(path)
        kind, length = _gather(content, at[todo], "<u2"), _gather(content, at[todo] + 2, "<u2").astype(np.int64)
        is_wide = kind == 1
        here = todo[is_wide]
        missing = values[:, here] == _BIG
        order = missing.cumsum(axis=0) - 1
        ends = np.minimum(end[here], at[here] + 4 + length[is_wide])
        if (at[here] + 4 + 8 * (order[-1] + 1) > ends).any():
            raise _cut(path)
        places = at[here] + 4 + 8 * order
        filled = values[:, here]
        filled[missing] = _gather(content, places[missing], "<u8")
        values[:, here] = filled
        at[todo] += 4 + length
        todo = todo[~is_wide]
    return values


def _cut(path: str | Path) -> UserError:
    size = os.path.getsize(path)
    cure = "Copy it again, or delete it and run its stage again."
    return UserError(f"is cut or damaged ({size} bytes)", file=path, cure=cure)
