"""Times that can be compared on a machine which others use too: CPU time of interleaved calls in one process."""

import statistics
import time
from collections.abc import Callable

from torch import Tensor


def seconds(call: Callable[[], object]) -> float:
    """Return the CPU seconds of one call, all threads together."""
    start = time.process_time()
    call()
    return time.process_time() - start


def ratio(peer: Callable[[], object], ours: Callable[[], object], pairs: int = 5) -> float:
    """Return the median over pairs of calls of the peer's time over ours, in alternating order; the first is lost."""
    ratios = []
    for i in range(pairs + 1):
        calls = {"peer": peer, "ours": ours} if i % 2 else {"ours": ours, "peer": peer}
        times = {name: seconds(call) for name, call in calls.items()}
        ratios.append(times["peer"] / times["ours"])
    return statistics.median(ratios[1:])


def median_seconds(call: Callable[[], object], repeats: int = 9) -> float:
    """Return the median CPU seconds of a call, after two that are not counted."""
    return statistics.median([seconds(call) for _ in range(repeats + 2)][2:])


def assert_equal(name: str, ours: Tensor, peer: Tensor, limit: float) -> None:
    """Hold two results to each other by the norm of their difference, relative to the peer's norm.

    Raises:
        AssertionError: a ratio of their times would mean nothing.
    """
    difference = float((ours.double() - peer.double()).norm() / peer.double().norm())
    assert difference <= limit, f"{name} differs from its peer by {difference:.1e}, allowed is {limit:.0e}"
