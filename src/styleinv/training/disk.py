"""Writing that a full disk may skip: a training goes on and saves again later."""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


@contextmanager
def unless_full(what: str) -> Iterator[None]:
    """Turn "no space" and "over quota" while writing `what` into a warning; the file written before stays whole."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        log.warning("no space to write %s. The training goes on and tries again; free some.", what)
