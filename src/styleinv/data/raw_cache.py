"""All frames of a store, decoded, in one file: a training then copies its frames and decodes none."""

import logging
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from styleinv.data.store import FrameStore
from styleinv.errors import SystemTrouble
from styleinv.files import alone, atomic

log = logging.getLogger(__name__)

# Frames decoded together, to be copied at once.
_PIECE = 64


def use_raw(store: FrameStore, folder: Path) -> None:
    """Let a store read its frames from a file of decoded ones, which is made where there is none yet.

    The file has the store's hash for a name, so it belongs to these frames whatever happens to the store. Processes
    that start together wait for the one that makes it.

    Args:
        store: all of its frames are in the file: resolution * resolution * 3 bytes each.
        folder: where such files lie.

    Raises:
        SystemTrouble: there is no room for it.
        UserError: a frame is damaged, or the file is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{store.sha256}.npy"
    with alone(folder):
        if not path.exists():
            _write(store, path)
    store.read_raw(path)


def _write(store: FrameStore, path: Path) -> None:
    shape = (store.num_frames, 3, store.resolution, store.resolution)
    size, free = int(np.prod(shape)), shutil.disk_usage(path.parent).free
    if size > free:
        raise SystemTrouble(
            f"{size / 1e9:.3g} GB of decoded frames do not fit the {free / 1e9:.3g} GB that are free",
            file=path.parent,
            cure="Free some, or set raw_cache: false in the training block.",
        )
    log.info("decoding %d frames into %s (%.3g GB)", store.num_frames, path, size / 1e9)
    pieces = [
        (video, range(start, min(start + _PIECE, length)))
        for video, length in enumerate(store.lengths.tolist())
        for start in range(0, length, _PIECE)
    ]
    ends = np.cumsum([len(numbers) for _, numbers in pieces])
    with atomic(path) as temporary:
        raw = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)

        def decode(piece: tuple[int, range], end: int) -> None:
            video, numbers = piece
            store.planes(video, numbers, False, raw[end - len(numbers) : end])

        # Decoding releases the interpreter's lock.
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for _ in pool.map(decode, pieces, ends.tolist()):
                pass
        raw.flush()
