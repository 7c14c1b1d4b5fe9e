"""Cases of what people bring, as rows of a table: what lies where, the command line, and the one line it ends with.

A test module lists its cases and runs each by `run_case`, the real command in this process, in a folder of its own that
holds the shipped configuration.
"""

import contextlib
import ctypes
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from styleinv.cli import main
from tests.project import ROOT

# Puts what a user brings into the folder that the command runs in; may return a mapping of words for the command line.
Make = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """One thing that somebody brings.

    Attributes:
        name: of the case, in a few words.
        make: how it is made. Where it returns {"place": 7}, `{place}` in the commands becomes 7.
        command: what stands after `styleinv`, as in a shell. Of several lines the last one is judged, and those before
            it must end with exit code 0.
        code: its exit code.
        line: a regular expression of its one line on stderr, after `styleinv: `; none where the exit code is 0.
        shows: regular expressions that one line of stdout each must match, from its beginning to its end.
        holds: looks at the folder afterwards and asserts what else must be true.
        leaves: a regular expression of the files that a command which fails may leave; none otherwise.
        environment: variables that are set for all commands; None removes one.
        powerless: the last command runs without root's power to read everything, where the tests run as root.
    """

    name: str
    make: Make
    command: str
    code: int = 0
    line: str = ""
    shows: tuple[str, ...] = ()
    holds: Callable[[Path], None] | None = None
    leaves: str = ""
    environment: Mapping[str, str | None] = field(default_factory=dict)
    powerless: bool = False


def run_case(case: Case, folder: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a case in an empty folder and assert what came of it: exit code, lines, no traceback, nothing half-written.

    A command that fails leaves every file as it was; one that succeeds leaves no temporary file.
    """
    shutil.copytree(ROOT / "config", folder / "config")
    monkeypatch.chdir(folder)
    for name, value in case.environment.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    made = case.make(folder)
    words = made if isinstance(made, Mapping) else {}
    *before, last = case.command.strip().splitlines()
    for command in before:
        assert _run(command, words) == 0, capsys.readouterr().err
    capsys.readouterr()
    files = _files(folder)
    with without_power() if case.powerless else contextlib.nullcontext():
        code = _run(last, words)
    out, err = capsys.readouterr()

    assert code == case.code, f"exit code {code}\n{out}{err}"
    assert "Traceback" not in out + err, err
    lines = [line.removeprefix("styleinv: ") for line in err.splitlines() if line.startswith("styleinv: ")]
    assert len(lines) == bool(case.line) == bool(case.code), err
    assert not case.line or re.fullmatch(case.line, lines[0]), lines[0]
    for pattern in case.shows:
        assert sum(bool(re.fullmatch(pattern, line)) for line in out.splitlines()) == 1, f"{pattern}\n{out}"
    left = {path: state for path, state in _files(folder).items() if not re.fullmatch(case.leaves, path.as_posix())}
    if case.code:
        assert left == files, {path: left.get(path) for path in left.keys() ^ files.keys()} or "a file has changed"
    assert not [path for path in left.keys() - files.keys() if path.name.startswith(".")]
    if case.holds:
        case.holds(folder)


@contextlib.contextmanager
def without_power() -> Iterator[None]:
    """Let this thread read and write only what permissions allow, though it be root's (Linux capabilities)."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this thread
    before = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, twice
    assert libc.capget(header, before) == 0
    less = (ctypes.c_uint32 * 6)(*before)
    less[0] &= ~(1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, less) == 0
    try:
        yield
    finally:
        libc.capset(header, before)


def _run(command: str, words: Mapping[str, object]) -> int:
    for name, value in words.items():
        command = command.replace(f"{{{name}}}", str(value))
    try:
        return main(shlex.split(command))
    except SystemExit as usage:  # argparse ends by itself
        return int(usage.code or 0)


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    """Every file below a folder, links not followed, with its size and the time of its last change."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}
