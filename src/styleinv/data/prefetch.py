"""Prepare the next batches while the present one is worked on."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

Step = TypeVar("Step")
Batch = TypeVar("Batch")


def prefetch(fn: Callable[[Step], Batch], steps: Iterable[Step], depth: int = 2) -> Generator[Batch, None, None]:
    """Yield fn(step) for every step, in order, computed by one thread that is at most `depth` results ahead.

    One thread is enough: decoding and resizing release the interpreter lock. An exception of `fn` or of `steps` is
    raised where its result would have come. When the iterator is closed, dropped or has failed, the thread ends after
    the item it is at.

    Args:
        fn: makes a batch.
        steps: may be endless.
        depth: finished batches that may wait.
    """
    ready: queue.Queue[tuple[Batch | None, BaseException | None, bool]] = queue.Queue(maxsize=max(1, depth))
    closed = threading.Event()

    def put(item: tuple[Batch | None, BaseException | None, bool]) -> None:
        while not closed.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for step in steps:
                put((fn(step), None, False))
                if closed.is_set():
                    return
            put((None, None, True))
        except BaseException as error:
            put((None, error, False))

    def read() -> Generator[Batch, None, None]:
        thread = threading.Thread(target=work, name="prefetch", daemon=True)
        thread.start()
        try:
            while True:
                batch, error, done = ready.get()
                if error is not None:
                    raise error
                if done:
                    return
                yield batch  # type: ignore[misc]
        finally:
            closed.set()
            thread.join()

    return read()
