"""Strict settings: YAML files in, validated blocks out, and one line that names the file which holds a fault."""

import copy
import functools
import hashlib
import json
import math
import re
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from styleinv.errors import UserError

Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """A block of settings: unknown keys and wrong types are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


@dataclass(frozen=True)
class Layer:
    """A mapping of settings and where it stands, so that a fault in it can be traced to its file.

    Attributes:
        file: the file that holds it, or what else a message should name.
        value: the mapping.
        above: the keys under which it stands in that file.
    """

    file: object
    value: dict[str, Any] = field(default_factory=dict)
    above: tuple[str, ...] = ()

    def at(self, *keys: str) -> Self:
        """The mapping under some keys of this one; empty where there is none.

        Raises:
            UserError: something other than a mapping stands there.
        """
        value: Any = self.value
        for key in keys:
            value = value.get(key) or {}
            if not isinstance(value, dict):
                name = ".".join((*self.above, *keys))
                raise UserError(
                    "must hold `key: value` lines", file=self.file, field=name, cure="Write them, or leave the key out."
                )
        return type(self)(self.file, value, self.above + keys)

    def without(self, *keys: str) -> Self:
        """The same mapping with some keys left out."""
        return type(self)(self.file, {k: v for k, v in self.value.items() if k not in keys}, self.above)

    def name(self, *keys: str | int) -> str:
        """How a message names a key of this mapping: its full path in the file."""
        return ".".join(map(str, (*self.above, *keys)))


def read_layer(path: Path) -> Layer:
    """Read a YAML file as the layer it is.

    Raises:
        UserError: it is missing or broken.
    """
    return Layer(path, read_yaml(path))


def parse(model: type[Model], *layers: Layer) -> Model:
    """Validate merged settings; the first fault becomes one line with the file that holds it, its field and a cure.

    Args:
        model: the schema.
        layers: later ones win, key by key; at least one.

    Raises:
        UserError: a value is missing, unknown or impossible. The last layer that holds the value is named, and the
            first where none does.
    """
    merged = merge(*(layer.value for layer in layers))
    try:
        return model.model_validate(merged)
    except ValidationError as error:
        fault = error.errors()[0]
        path = _path(merged, fault["loc"])
        owner = next((layer for layer in reversed(layers) if _holds(layer.value, path)), layers[0])
        place: dict[str, Any] = {"file": owner.file, "field": owner.name(*path) or None}
        if fault["type"] == "extra_forbidden":
            known = _fields_at(model, fault["loc"][:-1])
            raise UserError("unknown key", **place, cure=f"Known keys: {', '.join(known)}.") from None
        message = fault["msg"].removeprefix("Value error, ")
        # What a whole block holds says nothing about which of its values is wrong.
        got = "" if fault["type"] == "missing" or isinstance(fault["input"], dict) else f", got {fault['input']!r}"
        raise UserError(f"{message}{got}"[:300], **place, cure="Correct this value.") from None


def _path(value: Any, loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The keys that lead to a fault; pydantic also lists which member of a union was tried, which is no key."""
    path: list[int | str] = []
    for part in loc:
        if isinstance(value, dict) and part not in value and part in [v for v in value.values() if isinstance(v, str)]:
            continue
        path.append(part)
        inside = isinstance(value, dict) or (isinstance(value, list | tuple) and isinstance(part, int))
        try:
            value = value[part] if inside else None
        except (KeyError, IndexError):
            value = None
    return tuple(path)


def _holds(value: Any, path: tuple[int | str, ...]) -> bool:
    """Whether a layer says something about this path; of a list, the whole is one value."""
    for part in path:
        if isinstance(value, list | tuple):
            return True
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return bool(path)


def _fields_at(model: Any, loc: tuple[int | str, ...]) -> list[str]:
    """The keys that a schema knows at a place; a member of a union is named by its tag."""
    current = model
    for part in loc:
        fields = getattr(current, "model_fields", {})
        if part in fields:
            current = fields[part].annotation
        else:
            current = next((m for m in typing.get_args(current) if part in _tags(m)), current)
    return sorted(getattr(current, "model_fields", {}))


def _tags(member: Any) -> tuple[Any, ...]:
    fields = getattr(member, "model_fields", {})
    return typing.get_args(fields["type"].annotation) if "type" in fields else ()


# What no configuration needs; more of it would take memory and time without end, or crash the parser.
MAX_DEPTH = 50  # blocks in each other
MAX_VALUES = 100_000  # keys and values, those behind aliases counted wherever they occur

# libyaml's parser is ten times faster where PyYAML has it, and raises the same errors.
_Safe: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):  # type: ignore[valid-type, misc]
    """YAML whose numbers read as other tools read them (1e-3 is a number) and whose keys are unique."""


class _Dumper(yaml.SafeDumper):
    """What `_Loader` reads back: text that looks like one of its numbers, or has other line breaks, is quoted."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"'
    ),
)
for _kind in (_Loader, _Dumper):
    _kind.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(
            r"[-+]?(?:\d[\d_]*\.[\d_]*(?:[eE][-+]?\d+)?|\d[\d_]*[eE][-+]?\d+|\.\d+(?:[eE][-+]?\d+)?|\.inf|\.nan)\Z"
        ),
        list("-+0123456789."),
    )


def _unique_mapping(loader: _Loader, node: yaml.MappingNode, deep: bool = False) -> dict:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]  # type: ignore[no-untyped-call]
    mapping = yaml.SafeLoader.construct_mapping(loader, node, deep=True)
    seen: set[Any] = set()
    for key in keys:
        if key in seen:
            raise yaml.YAMLError(f"the key {key!r} occurs twice")
        seen.add(key)
    return mapping


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        UserError: the file is missing, broken, or holds something else.
    """
    try:
        value = copy.deepcopy(_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError("does not exist", file=path, cure=_nearest(path)) from None
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"is not valid YAML ({error})", file=path, cure="Correct the line it names.") from None
    if not isinstance(value, dict):
        raise UserError("must hold `key: value` lines", file=path, cure="Write them, such as `seed: 0`.")
    return value


@functools.lru_cache(maxsize=256)
def _load(text: str) -> Any:
    """Parse a text once: a study reads its few files for every rule, and parsing takes half of a plan's time."""
    _refuse_excess(text)
    return yaml.load(text, Loader=_Loader)


def _refuse_excess(text: str) -> None:
    """Refuse YAML that nests too deep or unfolds to too much, before anything is built of it.

    Raises:
        YAMLError: naming the line.
    """
    sizes: dict[str, int] = {}  # anchor -> values behind it
    blocks: list[tuple[str | None, int]] = []  # those that are open: anchor, values before it
    values = 0
    for event in yaml.parse(text, _Safe):
        line = f"line {event.start_mark.line + 1}" if event.start_mark else "somewhere"
        if isinstance(event, yaml.AliasEvent) and event.anchor:
            if event.anchor in [anchor for anchor, _ in blocks]:
                raise yaml.YAMLError(f"{line}: *{event.anchor} holds itself")
            values += sizes.get(event.anchor, 0)
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
            sizes |= {event.anchor: 1} if event.anchor else {}
        elif isinstance(event, yaml.CollectionStartEvent):
            blocks.append((event.anchor, values))
            values += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = blocks.pop()
            sizes |= {anchor: values - before} if anchor else {}
        if len(blocks) > MAX_DEPTH:
            raise yaml.YAMLError(f"{line}: nests deeper than {MAX_DEPTH}")
        if values > MAX_VALUES:
            raise yaml.YAMLError(f"{line}: more than {MAX_VALUES:,} values")


def _nearest(path: Path) -> str:
    known = sorted(p.stem for p in path.parent.glob("*.yaml"))
    return f"Known here: {', '.join(known)}." if known else "Check the path."


def merge(base: dict[str, Any], *overrides: dict[str, Any]) -> dict[str, Any]:
    """Merge mappings key by key; later ones win, lists are replaced, the arguments stay as they are.

    A block that changes the key `type` of an earlier one begins anew: each type has keys of its own.
    """
    out = dict(base)
    for override in overrides:
        for key, value in override.items():
            old: Any = out.get(key)
            nested = isinstance(value, dict) and isinstance(old, dict)
            anew = nested and "type" in value and value["type"] != old.get("type", value["type"])
            out[key] = merge(old, value) if nested and not anew else value
    return out


def fingerprint(value: BaseModel | dict[str, Any]) -> str:
    """Short hash of a configuration: 16 hexadecimal digits that depend on its values, not on their order."""
    data = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def dump_yaml(value: BaseModel | dict[str, Any]) -> str:
    """Write a configuration as YAML text."""
    data = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def is_text(word: str) -> bool:
    """Tell whether a word is read as itself where it stands in YAML without quotes: `on` and `12` are not."""
    return bool(yaml.load(word, Loader=_Loader) == word)


def quoted(text: str) -> str:
    """Write a text as a YAML value on one line, which reads back as it is, whatever is in it."""
    return yaml.dump(text, Dumper=_Dumper, default_style='"', allow_unicode=True, width=math.inf).rstrip("\n")
