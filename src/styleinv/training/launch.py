"""One training as several processes of this machine, one for each GPU."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

# Snakemake tells all of these; torch takes MKL's word before OpenMP's.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# How long the others may take to notice that one has ended; their own heartbeat is faster.
GRACE = 120.0


def launch(words: list[str], processes: int) -> int:
    """Run `styleinv <words>` as several processes and wait for them.

    What the first writes is shown as it comes; what another wrote only if it was the first to fail. Signals are passed
    on, so that all save and stop.

    Returns:
        The exit code of the first that failed, or 0.
    """
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    shared = {"MASTER_ADDR": "localhost", "MASTER_PORT": port}
    shared |= {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
    # They share the threads: as many for each would wait for each other.
    threads = int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
    shared |= dict.fromkeys(THREADS, str(max(1, threads // processes)))
    command = [sys.executable, "-m", "styleinv.cli", *words]
    with ExitStack() as stack:
        logs = [None, *(stack.enter_context(tempfile.TemporaryFile()) for _ in range(processes - 1))]
        children = []
        for rank, log in enumerate(logs):
            own = os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            children.append(subprocess.Popen(command, env=own, stdout=log, stderr=log, preexec_fn=_end_with_parent))

        def pass_on(number: int, frame: FrameType | None) -> None:
            for child in children:
                child.send_signal(number)

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, pass_on)
        first = _wait(children)
        code = children[first].returncode
        # Of refused input and of a stop the first process says the same.
        if (log := logs[first]) is not None and (code == 1 or code != children[0].returncode):
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace"))
        return code


def _wait(children: list[subprocess.Popen[bytes]]) -> int:
    """Wait until all have ended; returns which was the first that failed, or 0."""
    first, failed_at = None, 0.0
    while any(child.poll() is None for child in children):
        failed = [rank for rank, child in enumerate(children) if child.poll()]
        if first is None and failed:
            first, failed_at = failed[0], time.monotonic()
        if first is not None and time.monotonic() - failed_at > GRACE:
            for child in children:
                child.kill()
        time.sleep(0.05)
    return first if first is not None else next((rank for rank, child in enumerate(children) if child.returncode), 0)


def _end_with_parent() -> None:
    """Ask Linux to send TERM to this process when its parent dies, even by kill -9: it saves, and frees the run."""
    if Path("/proc").exists():
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
