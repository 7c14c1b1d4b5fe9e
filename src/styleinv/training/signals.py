"""Stopping politely: TERM and INT save and exit 75; USR1 (Slurm's warning before the time limit) also requeues."""

import logging
import os
import signal
import subprocess
from types import FrameType

# What a process asks for after a step; the greatest request of all processes is granted.
SAVE, STOP, REQUEUE = 1, 2, 3

log = logging.getLogger(__name__)


class StopFlag:
    """Remember the signals that arrive, so that the loop can act on them between steps."""

    def __init__(self) -> None:
        self.value = 0
        self._previous = {}
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            self._previous[number] = signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.value = max(self.value, REQUEUE if number == signal.SIGUSR1 else STOP)

    def close(self) -> None:
        """Restore the handlers that were there before."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)


def requeue() -> None:
    """Ask Slurm to run this job again under the same id."""
    job = os.environ.get("SLURM_JOB_ID")
    if job:
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True)
        if done.returncode:
            log.warning("scontrol requeue %s failed: %s", job, done.stderr.strip())
