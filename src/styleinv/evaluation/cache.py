"""Feature statistics on disk, found by the content of everything they depend on."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from styleinv.errors import UserError
from styleinv.evaluation.statistics import Statistics

log = logging.getLogger(__name__)

# Part of every key. To be raised when the passes or the sampling change what they compute from the same key.
VERSION = 1


class StatisticsCache:
    """A folder of `<hash of the key>.npz`.

    A key holds the content hash of the videos or weights, the detector's hash, the part of the protocol that matters
    and the seed, so a changed file simply has another key. (The released cache goes by folder name and does not
    notice.)

    Args:
        folder: where they lie; None caches nothing.
    """

    def __init__(self, folder: Path | None):
        self.folder = folder

    def get(self, key: dict[str, Any]) -> Statistics | None:
        """Statistics stored under `key`, or None. A damaged file is reported and counts as absent."""
        path = self._path(key)
        if path is None or not path.exists():
            return None
        try:
            return Statistics.load(path)
        except UserError as error:
            log.warning("%s", error)
            return None

    def put(self, key: dict[str, Any], statistics: Statistics) -> None:
        """Store statistics under `key`."""
        path = self._path(key)
        if path is not None:
            statistics.save(path)

    def _path(self, key: dict[str, Any]) -> Path | None:
        if self.folder is None:
            return None
        digest = hashlib.sha256(json.dumps(key | {"version": VERSION}, sort_keys=True).encode()).hexdigest()
        return self.folder / f"{digest[:32]}.npz"
