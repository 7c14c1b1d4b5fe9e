"""Errors a user can cause and cure: one line each, and the process exit code that goes with them."""


class UserError(Exception):
    """Bad input or usage (exit code 2).

    Args:
        what: what is wrong, in a few words.
        file: the file or folder it is about.
        field: the key, column or member inside that file.
        cure: what to do about it.
    """

    exit_code = 2

    def __init__(self, what: str, *, file: object = None, field: str | None = None, cure: str | None = None):
        place = ": ".join(str(part) for part in (file, field) if part is not None)
        line = f"{place}: {what}" if place else what
        super().__init__(" ".join((f"{line}. {cure}" if cure else line).split()))


class AccessError(UserError):
    """Licence-gated or private data that the user must obtain first (exit code 3)."""

    exit_code = 3


class Stopped(UserError):
    """Stopped by a signal after saving; the same command resumes (exit code 75)."""

    exit_code = 75


class OutOfMemory(UserError):
    """A training did not fit its device (exit code 1, so that a scheduler may not take it for bad input)."""

    exit_code = 1


class SourceDown(UserError):
    """A source of data does not answer or is not here (exit code 1: nothing is wrong with the configuration)."""

    exit_code = 1
