"""Errors a user can cause and cure: one line each, and the process exit code that goes with them."""


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
    return Unreadable(f"cannot be read ({error.strerror or error})", file=path, cure="Check its permissions.")


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


class SourceDown(UserError):
    """A source of data does not answer or is not here (exit code 1: nothing is wrong with the configuration)."""

    exit_code = 1
