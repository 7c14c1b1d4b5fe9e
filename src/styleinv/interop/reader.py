"""Reading official persistence pickles without executing anything in them.

Every name in a file stands for one of the pure functions below or the file is refused. The source text that official
pickles embed for each module is dropped unread.
"""

import math
import mmap
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from styleinv.errors import UserError
from styleinv.interop.machine import Global, Refused, Stateful, run, set_of
from styleinv.interop.module_records import Record
from styleinv.interop.storage import Budget, load_storage, rebuild_parameter, rebuild_tensor

NUMPY_DTYPES = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}
# Names that only occur as values (types in OmegaConf's metadata): they cannot be called.
TYPES = {"dict", "list", "tuple", "set", "int", "float", "bool", "str", "bytes", "object"}
# Classes of official code and of optimisers that are pickled by reference.
PLAIN_CLASSES = {
    "training.layers TemporalDifferenceEncoder",
    "torch.optim.adam Adam",
    "torch_utils.training_stats Collector",
}
CLASS = re.compile(r"[A-Z]\w*", re.ASCII)
PERSISTENT_VERSION = 6


@dataclass
class Pickle:
    """An official pickle: its tree of dicts, lists, scalars, tensors and `Record`s."""

    tree: Any
    protocol: int
    globals: set[str]


def read_pickle(path: str | Path) -> Pickle:
    """Read a pickle written by the official persistence code.

    Raises:
        UserError: for a missing, cut or damaged file, and for one that names anything but the documented classes.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            size = path.stat().st_size
            if size == 0:
                raise ValueError("no bytes")
            # A memory map clamps reads to the file, so a claimed size never allocates.
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                # Protocol 2 spells storages as text, which is decoded once before it is parsed.
                names = _Names(Budget(2 * size))
                tree, protocol = run(data, names.find)  # type: ignore[arg-type]
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", file=path, cure="Check its permissions.") from None
    except Refused as error:
        cure = "It was not run; take the file from its official source."
        raise UserError(f"is refused: it {error}", file=path, cure=cure) from None
    except (ValueError, LookupError, TypeError, OverflowError, RuntimeError, MemoryError, struct.error) as error:
        reason = str(error).partition("\n")[0][:100]
        cure = "Download it again."
        raise UserError(f"is cut, damaged or no official checkpoint ({reason})", file=path, cure=cure) from None
    return Pickle(tree, protocol, names.seen)


class _Names:
    """The meaning of every global of one file."""

    def __init__(self, budget: Budget):
        self.budget = budget
        self.seen: set[str] = set()

        def encode(text: Any, encoding: Any) -> bytes:
            # How protocol 2 spells bytes.
            if type(text) is not str or encoding != "latin1":
                raise Refused("encodes something that is no byte string")
            budget.take(len(text))
            return text.encode("latin1")

        self.calls: dict[str, Callable[..., Any]] = {
            "_codecs encode": encode,
            "builtins set": _set,
            "collections OrderedDict": _empty_dict,
            "collections defaultdict": _default_dict,
            "numpy dtype": _Dtype,
            "numpy.core.multiarray _reconstruct": _Array,
            "numpy._core.multiarray _reconstruct": _Array,
            "numpy.core.multiarray scalar": _scalar,
            "numpy._core.multiarray scalar": _scalar,
            "re _compile": _pattern,
            "torch Size": _size,
            "torch._utils _rebuild_parameter": rebuild_parameter,
            "torch._utils _rebuild_tensor_v2": rebuild_tensor,
            "torch.storage _load_from_bytes": lambda blob: load_storage(blob, budget),
            "torch_utils.persistence _reconstruct_persistent_obj": _persistent,
        }

    def find(self, module: str, name: str) -> Global:
        """Look up the meaning of `module.name`.

        Raises:
            Refused: for any other name.
        """
        full = f"{module} {name}"
        # StyleGAN-V keeps its packages under `src`.
        module = module.removeprefix("src.")
        # Protocol 2 writes Python 2's name of the module.
        key = f"builtins {name}" if module == "__builtin__" else f"{module} {name}"
        if key in self.calls:
            found = Global(full, call=self.calls[key])
        elif key == "dnnlib.util EasyDict":
            found = Global(full, new=dict)
        elif key == "numpy ndarray":
            found = Global(full)
        elif key.startswith("builtins ") and name in TYPES:
            found = Global(full, call=_empty_bytes if name == "bytes" else None)
        elif module.startswith(("torch.nn.modules.", "torch.distributions.")) and CLASS.fullmatch(name):
            found = Global(full, new=lambda: Record(module, name))
        elif key in PLAIN_CLASSES or module.startswith("omegaconf.") and CLASS.fullmatch(name):
            found = Global(full, new=lambda: Record(module, name))
        elif module == "typing" and CLASS.fullmatch(name):
            found = Global(full)
        else:
            raise Refused(f"names the global {ascii(f'{module}.{name}')[:120]}, which no official checkpoint needs")
        self.seen.add(full)
        return found


class _Dtype(Stateful):
    """numpy's plain number types; object and structured types are refused."""

    def __init__(self, kind: Any, align: Any = False, copy: Any = True):
        if type(kind) is not str or kind not in NUMPY_DTYPES:
            raise Refused(f"uses the numpy type {ascii(kind)[:40] if type(kind) is str else type(kind).__name__}")
        self.dtype = np.dtype(kind)

    def build(self, state: Any) -> None:
        """Take the byte order of the type; fields, sub-arrays and names must be absent."""
        if type(state) is not tuple or len(state) < 5 or state[2:5] != (None, None, None):
            raise Refused("uses a structured numpy type")
        if state[1] == ">":
            self.dtype = self.dtype.newbyteorder(">")


class _Array(Stateful):
    """A numpy array of plain numbers, as `array`; its bytes are used as they lie in the file."""

    def __init__(self, kind: Any, shape: Any, code: Any):
        if not isinstance(kind, Global) or kind.name != "numpy ndarray":
            raise Refused("makes an array of something that is no array type")
        self.array = np.empty(0)

    def build(self, state: Any) -> None:
        """Take shape, type, order and bytes of the array."""
        if type(state) is not tuple or len(state) != 5:
            raise Refused("holds a broken numpy array")
        _, shape, dtype, fortran, data = state
        if type(dtype) is not _Dtype or type(data) is not bytes or type(fortran) is not bool:
            raise Refused("holds a numpy array that is not of plain numbers")
        values = np.frombuffer(data, dtype=dtype.dtype)
        if values.size != math.prod(_size(shape)):
            raise Refused("holds a numpy array whose size and data disagree")
        self.array = values.reshape(shape, order="F" if fortran else "C")


def _scalar(dtype: Any, data: Any) -> Any:
    if type(dtype) is not _Dtype or type(data) is not bytes or len(data) != dtype.dtype.itemsize:
        raise Refused("holds a broken numpy number")
    return np.frombuffer(data, dtype=dtype.dtype)[0].item()


def _persistent(meta: Any) -> Record:
    if type(meta) is not dict or meta.get("type") != "class" or meta.get("version") != PERSISTENT_VERSION:
        raise Refused(f"holds a persistent object that is no class of version {PERSISTENT_VERSION}")
    name, state = meta.get("class_name"), meta.get("state")
    if type(name) is not str or type(state) is not dict or any(type(key) is not str for key in state):
        raise Refused("holds a persistent object without attributes")
    return Record("", name, state)


def _size(dims: Any) -> tuple[int, ...]:
    if type(dims) is not tuple or any(type(n) is not int for n in dims):
        raise Refused("holds a size that is no tuple of numbers")
    return dims


def _set(items: Any) -> set[str]:
    if type(items) is not list:
        raise Refused("makes a set of something that is no list")
    return set_of(items)


def _pattern(text: Any, flags: Any) -> str:
    # Long-Video-GAN's statistics hold a compiled expression; its text is enough.
    if type(text) is not str or type(flags) is not int:
        raise Refused("holds an expression that is no text")
    return text


def _empty_dict() -> dict[str, Any]:
    return {}


def _default_dict(factory: Any) -> dict[str, Any]:
    # The factory would be called for missing keys; nothing here asks for one.
    return {}


def _empty_bytes() -> bytes:
    return b""
