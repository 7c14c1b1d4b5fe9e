"""Tensors of an official pickle: the embedded legacy `torch.save` streams and the views into them.

Such a stream is five concatenated pickles (magic number, protocol version, system, the storage's persistent id, the
list of keys), then the number of elements and the raw bytes. It is parsed here by hand: `torch.load` never sees it.
"""

import io
import math
import sys
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from styleinv.interop.machine import Global, Refused, run

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
MAX_DIMS = 8


@dataclass(eq=False)
class Storage:
    """One-dimensional contents of a stream, always on the CPU."""

    values: Tensor


@dataclass
class Budget:
    """Bytes that may still be parsed; a file that names the same bytes again and again runs out of it."""

    left: int

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise Refused("expands to more data than it holds")


def load_storage(blob: bytes, budget: Budget) -> Storage:
    """Parse an embedded stream.

    Raises:
        Refused: for anything but one little-endian storage of a known type that fills the stream exactly.
    """
    if type(blob) is not bytes:
        raise Refused("holds a tensor storage that is no bytes")
    budget.take(len(blob))
    stream = io.BytesIO(blob)
    for expected, what in ((MAGIC, "magic number"), (VERSION, "version")):
        found, _ = run(stream, _storage_type)
        if type(found) is not int or found != expected:
            raise Refused(f"holds a tensor storage with another {what}")
    system, _ = run(stream, _storage_type)
    if type(system) is not dict or system.get("little_endian") is not True:
        raise Refused("holds a tensor storage that is not little-endian")
    claim, _ = run(stream, _storage_type, _persistent)
    keys, _ = run(stream, _storage_type)
    if type(claim) is not _Claim or type(keys) is not list or len(keys) != 1:
        raise Refused("holds a tensor storage that is not exactly one storage")
    if type(keys[0]) is not str or keys[0] != claim.key:
        raise Refused("holds a tensor storage under another key")
    size = int.from_bytes(_exactly(stream, 8), "little", signed=True)
    left = len(blob) - stream.tell()
    if size != claim.numel or size * claim.dtype.itemsize != left:
        raise Refused(f"claims {claim.numel} elements for a tensor storage of {left} bytes")
    if size == 0:
        return Storage(torch.empty(0, dtype=claim.dtype))
    raw = bytearray(_exactly(stream, left))
    if claim.dtype == torch.bool:
        return Storage(torch.frombuffer(raw, dtype=torch.uint8) != 0)
    return Storage(torch.frombuffer(raw, dtype=claim.dtype))


def rebuild_tensor(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, metadata: Any = None
) -> Tensor:
    """Make a view of a storage; strides (such as channels-last) are kept.

    Raises:
        Refused: for a view that leaves its storage or has more elements than it.
    """
    if type(storage) is not Storage or hooks != {} or metadata:
        raise Refused("rebuilds a tensor from something that is no storage")
    if type(size) is not tuple or type(stride) is not tuple or len(size) != len(stride) or len(size) > MAX_DIMS:
        raise Refused("rebuilds a tensor of a broken shape")
    if any(type(n) is not int or not 0 <= n < 2**40 for n in (offset, *size, *stride)):
        raise Refused("rebuilds a tensor of a broken shape")
    numel = math.prod(size)
    if not numel:
        # StyleGAN-V's empty labels keep the offsets of the batch they were cut from.
        return torch.empty(size, dtype=storage.values.dtype)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    # Zero strides would let a byte stand for any number of elements.
    if numel > storage.values.numel() or last >= storage.values.numel():
        raise Refused("rebuilds a tensor that does not fit its storage")
    return storage.values.as_strided(size, stride, offset)


def rebuild_parameter(tensor: Any, requires_grad: Any, hooks: Any) -> Tensor:
    """Return a parameter's tensor; everything imported starts frozen."""
    if not isinstance(tensor, Tensor) or hooks != {}:
        raise Refused("rebuilds a parameter from something that is no tensor")
    return tensor


@dataclass(frozen=True)
class _Claim:
    dtype: torch.dtype
    key: str
    numel: int


def _storage_type(module: str, name: str) -> Global:
    if module not in ("torch", "torch.cuda") or name not in DTYPES:
        raise Refused(f"names the global {ascii(f'{module}.{name}')[:120]} in a tensor storage")
    return Global(name)


def _persistent(pid: Any) -> _Claim:
    if type(pid) is not tuple or len(pid) != 6 or pid[0] != "storage" or not isinstance(pid[1], Global):
        raise Refused("holds a persistent id that is no tensor storage")
    _, kind, key, location, numel, view = pid
    # A location such as "cuda:0" only says where the tensor lived.
    if type(key) is not str or type(location) is not str or type(numel) is not int or numel < 0 or view is not None:
        raise Refused("holds a persistent id that is no tensor storage")
    return _Claim(DTYPES[kind.name], key, numel)


def _exactly(stream: io.BytesIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise ValueError("a tensor storage is cut")
    return data


if sys.byteorder != "little":
    raise ImportError("official checkpoints are little-endian, this machine is not")
