"""Summaries of features on disk, found by the content of everything they depend on."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any, TypeVar

from styleinv.errors import UserError
from styleinv.evaluation.summaries import Summary

log = logging.getLogger(__name__)

# Part of every key. To be raised when the passes or the sampling change what they compute from the same key.
VERSION = 2

Kind = TypeVar("Kind", bound=Summary)


class SummaryCache:
    """Keep summaries of features in a folder, as `<hash of the key>.npz`.

    A key holds the content hash of the videos or weights, the detector's hash, the part of the protocol that matters
    and the seed, so a changed file simply has another key. (The released cache goes by folder name and does not
    notice.)

    Args:
        folder: where they lie; None caches nothing.
    """

    def __init__(self, folder: Path | None):
        self.folder = folder

    def get(self, kind: type[Kind], key: dict[str, Any]) -> Kind | None:
        """Look up the summary stored under `key`; None without one. A damaged file is reported and counts as absent."""
        path = self._path(kind, key)
        if path is None or not path.exists():
            return None
        try:
            return kind.load(path)
        except UserError as error:
            log.warning("%s", error)
            return None

    def put(self, key: dict[str, Any], summary: Summary) -> None:
        """Store a summary under `key`."""
        path = self._path(type(summary), key)
        if path is not None:
            summary.save(path)

    def _path(self, kind: type[Summary], key: dict[str, Any]) -> Path | None:
        if self.folder is None:
            return None
        whole = key | {"version": VERSION, "summary": kind.__name__}
        return self.folder / f"{hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]}.npz"
