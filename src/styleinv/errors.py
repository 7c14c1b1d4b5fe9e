"""Errors a user can cause and cure: one line each, and the process exit code that goes with them."""

import errno
import os
from pathlib import Path


class UserError(Exception):
    """Bad input or usage (exit code 2).

    Args:
        what: what is wrong, in a few words.
        file: the file or folder it is about.
        field: the key, column or member inside that file.
        cure: what to do about it.

    Attributes:
        said: the line without the file's name, for whoever has named it already.
    """

    exit_code = 2

    def __init__(self, what: str, *, file: object = None, field: str | None = None, cure: str | None = None):
        said = f"{what if what.endswith('.') else f'{what}.'} {cure}" if cure else what
        said = said if field is None else f"{field}: {said}"
        line = said if file is None else f"{file}: {said}"
        self.said, line = (printable(" ".join(text.split())) for text in (said, line))
        super().__init__(line)


def printable(text: object) -> str:
    """Write what is not UTF-8, such as bytes of a file's name, by its number, so that it can be printed and stored."""
    return str(text).encode("utf-8", "backslashreplace").decode()


class Unreadable(UserError):
    """Something that the system does not let us read."""


def cannot_read(path: object, error: OSError) -> Unreadable:
    """Say that the system does not let a file or folder be read, and why."""
    cure = (_WRONG | _TROUBLE).get(error.errno, ("", _PERMIT))[1]
    return Unreadable(f"cannot be read ({error.strerror or error})", file=path, cure=cure)


class AccessError(UserError):
    """Licence-gated or private data that the user must obtain first (exit code 3)."""

    exit_code = 3


class Stopped(UserError):
    """Stopped by a signal after saving; the same command resumes (exit code 75)."""

    exit_code = 75


class OutOfMemory(UserError):
    """A training did not fit its device (exit code 1, so that a scheduler may not take it for bad input)."""

    exit_code = 1


class Faulty(UserError):
    """Videos that were looked at have faults (exit code 1: looking itself has worked)."""

    exit_code = 1


class Failed(UserError):
    """A study that was watched has failed (exit code 1: watching it has worked)."""

    exit_code = 1


class SourceDown(UserError):
    """A source of data does not answer or is not here (exit code 1: nothing is wrong with the configuration)."""

    exit_code = 1


class SystemTrouble(UserError):
    """The machine is short of something, or fails (exit code 1: nothing is wrong with the input)."""

    exit_code = 1


def of_system(error: OSError, otherwise: object) -> UserError:
    """Say in one line what the operating system refused, where, and what to do about it.

    Args:
        error: what it raised.
        otherwise: the place to name where the error names none: a full disk does not say which file was written.
    """
    name = error.filename2 or error.filename  # of two names the second is the one that was to be made
    file = Path(os.fsdecode(name)) if isinstance(name, str | bytes) else None
    why = error.strerror or str(error) or type(error).__name__
    if error.errno in _TROUBLE:
        what, cure = _TROUBLE[error.errno]
        return SystemTrouble(what, file=file or otherwise, cure=cure)
    if file and error.errno in (errno.EACCES, errno.EPERM):
        return UserError(f"cannot be {_barred(file)} ({why})", file=file, cure=_PERMIT)
    if file is None or error.errno not in _WRONG:
        return SystemTrouble(why, file=file)
    what, cure = _WRONG[error.errno]
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        file = next((path for path in (*reversed(file.parents), file) if os.path.isfile(path)), file)
    return UserError(what, file=file, cure=cure)


def _barred(file: Path) -> str:
    """What permissions forbid."""
    if os.path.exists(file):
        return "written" if os.access(file, os.R_OK, effective_ids=True) else "read"
    return "written" if os.access(file.parent, os.X_OK, effective_ids=True) else "reached"


_PERMIT = "Check its permissions."
_ELSEWHERE = "Move it away, or name another place."
# What the machine lacks, and what is wrong with a name, each with what to do about it.
_TROUBLE: dict[int | None, tuple[str, str]] = {
    errno.ENOSPC: ("no space left on device", "Free some and run again."),
    errno.EDQUOT: ("no space left in the quota", "Free some and run again."),
    errno.EMFILE: ("too many open files", "Raise the limit: `ulimit -n 4096`."),
    errno.ENFILE: ("too many open files", "Run again when this machine does less."),
    errno.EIO: ("cannot be read or written, its disk fails", "Check the disk."),
}
_WRONG: dict[int | None, tuple[str, str]] = {
    errno.ENOENT: ("does not exist", "Check the path."),
    errno.ENOTDIR: ("is no folder, and in the place of one", _ELSEWHERE),
    errno.EEXIST: ("is no folder, and in the place of one", _ELSEWHERE),
    errno.EISDIR: ("is a folder, and in the place of a file", _ELSEWHERE),
    errno.ENAMETOOLONG: ("is too long for a file name", "Give a shorter name."),
    errno.ELOOP: ("is a link that leads to itself", "Remove it."),
    errno.EROFS: ("cannot be written, its file system is read-only", "Name another place."),
}
