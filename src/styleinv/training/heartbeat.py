"""Signs of life between the processes of a run, so that the death of one ends the others.

A collective operation cannot tell a dead process from one that is busy writing samples, and on GPUs it waits for both.
"""

import contextlib
import os
import sys
import threading

import torch.distributed as dist

# Seconds between two signs of life, and how many may be missed.
INTERVAL, MISSES = 4.0, 10
# Added to the count of a process that has nothing left to do with the others.
LEFT = 2**40


class Heartbeat:
    """Count up this process' key in the store, and watch those of the others.

    When one of them stands still for INTERVAL * MISSES seconds, this process says so in one line and ends. Ticks are
    counted, not seconds, so that a process which was itself suspended does not blame the others.

    Args:
        store: a connection of its own to the store that all processes share.
    """

    def __init__(self, rank: int, size: int, store: dist.Store):
        self._rank, self._size, self._store = rank, size, store
        self._missed = {other: 0 for other in range(size) if other != rank}
        self._stop = threading.Event()
        # Two threads, because an exchange with a store whose keeper hangs never returns.
        for work in (self._beat, self._watch):
            threading.Thread(target=work, name="heartbeat", daemon=True).start()

    def leave(self) -> None:
        """Stop, and let the others go on without this process."""
        # The store may have ended with the process that kept it.
        with contextlib.suppress(RuntimeError):
            self._store.add(_key(self._rank), LEFT)
        self.stop()

    def stop(self) -> None:
        """Stop counting. The others will take this process for dead unless it has left."""
        self._stop.set()

    def _beat(self) -> None:
        seen = dict.fromkeys(self._missed, -1)
        while not self._stop.wait(INTERVAL):
            # When the store does not answer, nothing is heard of anyone.
            with contextlib.suppress(RuntimeError):
                self._store.add(_key(self._rank), 1)
                for rank in seen:
                    count = self._store.add(_key(rank), 0)
                    if count != seen[rank] or count >= LEFT:
                        self._missed[rank], seen[rank] = 0, count

    def _watch(self) -> None:
        while not self._stop.wait(INTERVAL):
            for rank in self._missed:
                self._missed[rank] += 1
                if self._missed[rank] > MISSES and not self._stop.is_set():
                    line = f"rank {self._rank} of {self._size}: no sign of life from rank {rank}."
                    print(f"styleinv: {line} Look for its error; the same command continues.", file=sys.stderr)
                    sys.stderr.flush()
                    os._exit(1)  # the main thread may be inside a collective that never returns


def _key(rank: int) -> str:
    # A restarted job may find the store of its former attempt.
    return f"styleinv/heartbeat/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}/{rank}"
