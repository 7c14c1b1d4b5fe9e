"""When a number of tasks that build on each other ends, on so many slots."""

import heapq
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        seconds: how long it takes, or still takes.
        needs: those that must end first.
        slots: how many it holds while it runs.
        runs: whether it is running now, whatever else does.
    """

    seconds: float
    needs: Sequence[Hashable] = ()
    slots: int = 1
    runs: bool = False


def finish(tasks: Mapping[K, Task], slots: int) -> float:
    """Count the seconds until the last task ends, if the one with most behind it always goes first.

    Args:
        tasks: each after those that it needs; needs that are not among them have ended.
        slots: that tasks may hold together.
    """
    behind = dict.fromkeys(tasks, 0.0)
    for name, task in reversed(list(tasks.items())):
        for other in task.needs:
            if other in behind:
                behind[other] = max(behind[other], task.seconds + behind[name])  # type: ignore[index]
    waiting = sorted(tasks, key=lambda name: (-(tasks[name].seconds + behind[name]), str(name)))
    running: list[tuple[float, str, K]] = []
    held, now = 0, 0.0
    open_: set[Hashable] = set(tasks)
    while waiting or running:
        for name in list(waiting):
            task = tasks[name]
            # Wider than all slots: it gets them all, as a scheduler would give it.
            wide = min(task.slots, slots)
            if task.runs and now == 0 or not open_ & set(task.needs) and held + wide <= slots:
                waiting.remove(name)
                heapq.heappush(running, (now + task.seconds, str(name), name))
                held += wide
        now, _, done = heapq.heappop(running)
        held -= min(tasks[done].slots, slots)
        open_.discard(done)
    return now
