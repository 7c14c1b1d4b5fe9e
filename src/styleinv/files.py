"""Writing files so that a half-written one is never seen: temporary name, then rename."""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from styleinv.errors import UserError, cannot_read, printable

log = logging.getLogger(__name__)

# How long a file must have been left alone for its times to tell it from later ones; file systems count in steps of up
# to two seconds.
_SETTLED_NS = 2_000_000_000


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder that becomes `path` on success and disappears on failure."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    except OSError as error:  # which names a file that nobody has heard of
        raise OSError(error.errno, error.strerror, str(path)) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON atomically, indented, with a final newline; what is not UTF-8 as JSON's own `\\udce9`."""
    write_text(path, printable(json.dumps(value, indent=2, ensure_ascii=False)) + "\n")


def read_json(path: str | Path, cure: str = "Delete it and run its stage again.") -> Any:
    """Read JSON; a missing or broken file is a `UserError` that names it, and the cure if it is broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("does not exist", file=path, cure="Run the stage that makes it first.") from None
    except OSError as error:
        raise cannot_read(path, error) from None
    except ValueError as error:  # a number of 5000 digits, too
        raise UserError(f"is not valid JSON ({error})", file=path, cure=cure) from None
    except RecursionError:
        raise UserError("is not valid JSON (it nests too deep)", file=path, cure=cure) from None


def read_object(path: str | Path) -> dict[str, Any]:
    """Read a JSON object, as stages write them.

    Raises:
        UserError: the file is missing or broken, or holds something else.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise UserError("must hold a JSON object", file=path, cure="Delete it and run its stage again.")
    return value


def read_outputs(record: Path) -> dict[str, str]:
    """Read what a provenance record says of its stage's outputs: their hashes.

    Raises:
        UserError: it is missing or broken.
    """
    outputs = read_object(record).get("outputs")
    if not isinstance(outputs, dict):
        raise UserError("names no files", file=record, field="outputs", cure="Run its stage again.")
    return outputs


# A dollar sign, or the name of a variable with or without braces.
_DOLLAR = re.compile(r"\$(?:\$|(\w+)|\{([^}]+)\})", re.ASCII)


def expand(path: str, field: str | None = None) -> Path:
    """Read a path as a user writes it: `~` and environment variables are filled in, and `$$` is a dollar sign.

    Args:
        path: as it is written.
        field: where, for the message.

    Raises:
        UserError: a variable is not set.
    """
    if name := unset_variable(path):
        cure = "Set it, or write $$ for a dollar sign."
        raise UserError(f"the environment variable {name} is not set", field=field, cure=cure)
    return Path(_DOLLAR.sub(lambda found: os.environ.get(_name(found)) or "$", os.path.expanduser(path)))


def unset_variable(path: str) -> str | None:
    """Name the first environment variable of a path that is not set, or set to nothing."""
    return next((name for found in _DOLLAR.finditer(path) if (name := _name(found)) and not os.environ.get(name)), None)


def _name(dollar: re.Match[str]) -> str:
    return dollar[1] or dollar[2] or ""


def unexpanded(path: Path) -> str:
    """Write an absolute path as `expand` reads it."""
    return str(path).replace("$", "$$")


def natural_order(name: str | Path) -> list[str | int]:
    """Make a sort key of a name that takes its numbers as numbers: `2.png` comes before `10.png`."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", str(name))]


def sha256(path: str | Path) -> str:
    """Hex SHA-256 of a file's bytes, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Hashes:
    """SHA-256 of large files, each read once and then kept in a folder until the file changes.

    A file is known by path, size and both of its times, in nanoseconds. (A program can set back the time of its last
    writing, not that of the last change of its inode.) What was written less than two seconds ago is not kept: one more
    writing could still leave the same times. Any number of processes may use one folder.

    Args:
        folder: where hashes lie, a small file each.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def of(self, path: str | Path) -> str:
        """Give the hex SHA-256 of a file. A damaged entry is reported and counts as absent."""
        whole = Path(path).absolute()
        entry = self.folder / f"{hashlib.sha256(os.fsencode(whole)).hexdigest()[:32]}.json"
        now, before = time.time_ns(), _state(whole)
        try:
            kept = read_object(entry) if entry.exists() else {}
        except UserError as error:
            log.warning("%s", error)
            kept = {}
        if kept.get("state") == before and isinstance(kept.get("sha256"), str):
            return kept["sha256"]
        digest = sha256(whole)
        if _state(whole) == before and now - max(before[1:]) > _SETTLED_NS:
            write_json(entry, {"path": str(whole), "state": before, "sha256": digest})
        return digest


def _state(path: Path) -> list[int]:
    """Size in bytes, and times of the last writing and of the last change of anything, in ns."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder, so that one process of this machine at a time works in it; it leaves no file behind."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def check_unchanged(path: Path) -> None:
    """Compare a file with its hash in the provenance beside it, where there is one that names it.

    Raises:
        UserError: it is not what its stage wrote.
    """
    for record in sorted(path.parent.glob("*provenance.json")):
        for name, expected in read_outputs(record).items():
            if Path(name).name == path.name and sha256(path) != expected:
                cure = "Bring it back (`dvc checkout --force`), or delete it and run its stage again."
                raise UserError(f"is not the file that {record.name} names: it has changed", file=path, cure=cure)


# What says how scores were made; the rest of them are numbers and ids.
RECORD = ("protocol", "unlike_paper")


def write_scores(path: Path, scores: dict[str, Any]) -> None:
    """Write scores as two files: their records to protocol.json, then numbers and ids to `path` beside it."""
    every = {"": scores, **scores.get("also", {})}
    records = {name: {key: one[key] for key in ("protocol_id", *RECORD)} for name, one in every.items()}
    numbers = {n: {key: v for key, v in one.items() if key not in (*RECORD, "also")} for n, one in every.items()}
    write_json(path.with_name("protocol.json"), records.pop("") | {"also": records})
    write_json(path, numbers.pop("") | {"also": numbers})


def read_scores(path: Path) -> dict[str, Any]:
    """Read scores with their records: from protocol.json beside them, or from the one file that `evaluate --out` wrote.

    Raises:
        UserError: a file is missing or broken, or the record is that of other scores.
    """
    scores = read_object(path)
    if "protocol" in scores:
        return scores
    beside = path.with_name("protocol.json")
    records = read_object(beside)
    theirs = records.get("also", {})
    also = {name: one | theirs.get(name, {}) for name, one in scores.get("also", {}).items()}
    if records.get("protocol_id") != scores.get("protocol_id") or theirs.keys() != also.keys():
        raise UserError(f"is not the record of {path}", file=beside, cure="Run the evaluation again.")
    return scores | records | {"also": also}
