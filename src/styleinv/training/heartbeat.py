"""Signs of life between the processes of a run, so that the death of one ends the others.

A collective operation cannot tell a dead process from one that is busy writing samples, and on GPUs it waits for both.
"""

import os
import sys
import threading

import torch.distributed as dist

# Seconds between two signs of life, and how many may be missed.
INTERVAL, MISSES = 4.0, 10
# Added to the count of a process that has nothing left to do with the others.
LEFT = 2**40


class Heartbeat:
    """A thread that counts up this process' key in the store and watches those of the others.

    When one of them stands still for INTERVAL * MISSES seconds, this process says so in one line and ends.

    Args:
        store: a connection of its own to the store that all processes share.
    """

    def __init__(self, rank: int, size: int, store: dist.Store):
        self._rank, self._size, self._store = rank, size, store
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="heartbeat", daemon=True)
        self._thread.start()

    def leave(self) -> None:
        """Stop, and let the others go on without this process."""
        self.stop()
        try:
            self._store.add(_key(self._rank), LEFT)
        except RuntimeError:
            pass  # the store has ended with the process that kept it

    def stop(self) -> None:
        """Stop; the others will take this process for dead unless it has left."""
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        others = [rank for rank in range(self._size) if rank != self._rank]
        seen, missed = dict.fromkeys(others, -1), dict.fromkeys(others, 0)
        while not self._stop.wait(INTERVAL):
            counts = self._exchange(others)
            for rank in others:
                # Without the store nothing is heard of anyone.
                count = counts.get(rank, seen[rank])
                missed[rank] = 0 if count != seen[rank] or count >= LEFT else missed[rank] + 1
                seen[rank] = count
                if missed[rank] >= MISSES and not self._stop.is_set():
                    line = f"rank {self._rank} of {self._size}: no sign of life from rank {rank}."
                    print(f"styleinv: {line} Look for its error; the same command continues.", file=sys.stderr)
                    sys.stderr.flush()
                    os._exit(1)  # the main thread may be inside a collective that never returns

    def _exchange(self, others: list[int]) -> dict[int, int]:
        try:
            self._store.add(_key(self._rank), 1)
            return {rank: self._store.add(_key(rank), 0) for rank in others}
        except RuntimeError:
            return {}


def _key(rank: int) -> str:
    # A restarted job may find the store of its former attempt.
    return f"styleinv/heartbeat/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}/{rank}"
