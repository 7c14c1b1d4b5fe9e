"""The lock that keeps a second process out of a run folder."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from styleinv.errors import UserError


@contextmanager
def run_lock(state: Path) -> Iterator[None]:
    """Hold `state/lock`, which the kernel frees even when the process is killed.

    Raises:
        UserError: if another process holds it, or the file system has no locks.
    """
    state.mkdir(parents=True, exist_ok=True)
    with open(state / "lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "another process"
            raise UserError(
                f"is being trained by {owner}", file=state.parent, cure="Wait for it or stop it first."
            ) from None
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK):
                raise
            raise UserError(
                "its file system has no locks, so two trainings in one folder would spoil each other",
                file=state,
                cure="Mount it with them (Lustre: -o flock), or keep results elsewhere.",
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {os.uname().nodename}")
        file.flush()
        yield
