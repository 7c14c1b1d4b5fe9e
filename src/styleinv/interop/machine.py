"""A stack machine for pickles that builds plain containers and calls nothing but the functions it is handed.

The standard unpickler looks up attributes of what a file names (`__setstate__`, `append`, `__dict__`), trusts claimed
sizes and knows opcodes that no checkpoint uses. Here an opcode that is not listed is refused, containers are exactly
`dict`, `list`, `tuple` and `set`, and only a `Global` from the caller's own table can be called.
"""

import pickletools
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

# The largest official checkpoint has about 150,000 opcodes; the bound keeps a file of empty containers small.
MAX_OPCODES = 1_000_000
# Hashing a deeply nested tuple recurses in C without a check, so keys are scalars.
KEYS = (str, int, float, bool, type(None))

CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
# LONG4, the text opcodes of protocol 0, byte arrays, frozen sets, extension codes and out-of-band buffers are refused.
LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}


class Refused(ValueError):
    """Raised for something in the file that no official checkpoint holds."""


@dataclass(frozen=True)
class Global:
    """The meaning that a name in a pickle has here.

    Args:
        name: `module name` as in the file.
        call: our function for REDUCE; None for names that are never called.
        new: our function for NEWOBJ.
    """

    name: str
    call: Callable[..., Any] | None = None
    new: Callable[[], Any] | None = None


class Stateful(ABC):
    """An object of ours that takes the state which follows it in the file (BUILD)."""

    @abstractmethod
    def build(self, state: Any) -> None:
        """Take the state."""


def run(
    stream: BinaryIO,
    find: Callable[[str, str], Global],
    persistent: Callable[[Any], Any] | None = None,
) -> tuple[Any, int]:
    """Read one pickle from `stream`, which is left behind its last byte; returns (value, protocol).

    Args:
        stream: must clamp reads to what is there (BytesIO or a memory map), as claimed sizes are not trusted.
        find: our meaning of a global; raises `Refused` for any other.
        persistent: our meaning of a persistent id; without it they are refused.

    Raises:
        Refused: for whatever is outside the documented format.
        ValueError, IndexError, KeyError, TypeError: for a cut or damaged file.
    """
    stack: list[Any] = []
    marks: list[list[Any]] = []
    memo: dict[int, Any] = {}
    protocol = 0
    arg: Any
    for count, (opcode, arg, _) in enumerate(pickletools.genops(stream)):
        name = opcode.name
        if count >= MAX_OPCODES:
            raise Refused(f"has more than {MAX_OPCODES} opcodes")
        if name in LITERALS:
            stack.append(arg)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[arg])
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[arg] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name == "MARK":
            marks.append(stack)
            stack = []
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "EMPTY_SET":
            stack.append(set())
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            size = int(name[-1])
            if len(stack) < size:
                raise IndexError("empty stack")
            stack[-size:] = [tuple(stack[-size:])]
        elif name == "TUPLE":
            items, stack = stack, marks.pop()
            stack.append(tuple(items))
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            _set_items(stack[-1], [key, value])
        elif name == "SETITEMS":
            items, stack = stack, marks.pop()
            _set_items(stack[-1], items)
        elif name == "APPEND":
            value = stack.pop()
            _extend(stack[-1], [value])
        elif name == "APPENDS":
            items, stack = stack, marks.pop()
            _extend(stack[-1], items)
        elif name == "ADDITEMS":
            items, stack = stack, marks.pop()
            if type(stack[-1]) is not set:
                raise Refused("adds items to something that is no set")
            stack[-1] |= set_of(items)
        elif name == "GLOBAL":
            module, _, attribute = arg.partition(" ")
            stack.append(find(module, attribute))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            if type(module) is not str or type(attribute) is not str:
                raise Refused("names a global by something that is no text")
            stack.append(find(module, attribute))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            if not isinstance(function, Global) or function.call is None or type(arguments) is not tuple:
                raise Refused(f"calls {_called(function)}")
            stack.append(function.call(*arguments))
        elif name == "NEWOBJ":
            arguments, cls = stack.pop(), stack.pop()
            if not isinstance(cls, Global) or cls.new is None or arguments != ():
                raise Refused(f"makes an object of {_called(cls)}")
            stack.append(cls.new())
        elif name == "BUILD":
            state = stack.pop()
            if not isinstance(stack[-1], Stateful):
                raise Refused("gives a state to something that takes none")
            stack[-1].build(state)
        elif name == "BINPERSID" and persistent is not None:
            stack.append(persistent(stack.pop()))
        elif name == "PROTO":
            if not 2 <= arg <= 5:
                raise Refused(f"is written in pickle protocol {arg}")
            protocol = arg
        elif name == "STOP":
            if len(stack) != 1 or marks:
                raise Refused("ends with an unbalanced stack")
            return stack[0], protocol
        elif name != "FRAME":
            raise Refused(f"uses the pickle opcode {name}")
    raise ValueError("no end")


def set_of(items: list[Any]) -> set[str]:
    """Build a set of texts, the only kind of set in a checkpoint."""
    if any(type(item) is not str for item in items):
        raise Refused("puts something that is no text into a set")
    return set(items)


def _set_items(target: Any, items: list[Any]) -> None:
    if type(target) is not dict or len(items) % 2:
        raise Refused("sets items of something that is no dictionary")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if type(key) not in KEYS:
            raise Refused(f"uses a {type(key).__name__} as a dictionary key")
        target[key] = value


def _extend(target: Any, items: list[Any]) -> None:
    if type(target) is not list:
        raise Refused("appends to something that is no list")
    target.extend(items)


def _called(value: Any) -> str:
    return f"{value.name!r} in a way that no official checkpoint does" if isinstance(value, Global) else "no global"
