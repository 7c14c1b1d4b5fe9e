"""Run the demo, or pick it up where it was stopped, show how it stands, and say what has come out of it.

A lock that dies with its last holder tells a running demo from a killed one, so that Snakemake's own lock may be
cleared safely.
"""

import fcntl
import os
import subprocess
import sys
import time
import webbrowser
from collections import deque
from pathlib import Path

from styleinv.commands import COMMANDS
from styleinv.config import Study
from styleinv.errors import UserError
from styleinv.paths import Paths
from styleinv.schema import parse, read_layer
from styleinv.stages.closing import meaning
from styleinv.stages.setting import Setting
from styleinv.stages.study import Watcher, read_study, without_cost
from styleinv.stages.watch import follow

P = Paths()
TABLE = "table1"
OPEN = {
    "table": P.table(TABLE).with_suffix(".md"),
    "gallery": P.report,
    "video": P.root / "talking_faces/styleinv/samples.mp4",
}
LOG, ESTIMATE = P.root / "logs/demo.log", P.root / "logs/estimate.log"
NEXT = ("generate", "compare", "dataset")
# Lines of the log that are shown where no job says why it has failed.
TAIL = 20


def main() -> int:
    """Returns Snakemake's exit code."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with open("results/.demo.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("results: a demo is running here already. Wait for it, or stop it first.", file=sys.stderr)
            return 2
        # Jobs inherit the lock: while one of a killed demo still runs, no second writer starts.
        snakemake = ["snakemake", "demo", "--profile", "profiles/demo"]
        subprocess.run([*snakemake, "--unlock"], capture_output=True, pass_fds=[lock.fileno()])
        print(f"The demo runs. What its jobs say goes to {LOG}; `styleinv watch` shows this elsewhere.", flush=True)
        before = started()
        with open(LOG, "w") as log:
            process = subprocess.Popen(
                [*snakemake, *sys.argv[1:]], stdout=log, stderr=subprocess.STDOUT, pass_fds=[lock.fileno()]
            )
        try:
            show(process, before)
            code = process.wait()
        except KeyboardInterrupt:
            # Snakemake has heard of it, too.
            print("\nStopping: jobs end, and what is done is recorded. The same command goes on.", file=sys.stderr)
            process.wait()
            raise
    if code:
        complain(before)
        return code
    close(fresh=started() != before)
    return 0


def started() -> str | None:
    """When the last study has started; None where there was none."""
    try:
        return read_study(P).started
    except UserError:
        return None


def show(process: subprocess.Popen, before: str | None) -> None:
    """Show how the demo stands, as soon as Snakemake has made its plan, until it ends."""
    while process.poll() is None and started() == before:
        time.sleep(0.2)
    if started() == before:
        return
    estimate = measure()
    try:
        view = follow(Watcher(P).view, lambda: process.poll() is not None)
    finally:
        if estimate:
            estimate.terminate()
    if view.ended == "done":
        print("Recording what has come out, for DVC and MLflow.", flush=True)


def measure() -> subprocess.Popen | None:
    """Measure beside the first jobs what the trainings will take here, unless that was measured."""
    study = read_study(P)
    if not (runs := without_cost(study, P)):
        return None
    scale = Path(study.scale)
    root = P.estimates(scale.stem).root
    words = ["styleinv", "cost", *runs, "--config", str(scale), "--results", str(root)]
    with open(ESTIMATE, "w") as log:
        return subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, env=os.environ | {"OMP_NUM_THREADS": "1"})


def complain(before: str | None) -> None:
    """Say in a line for each what has failed, and how to go on."""
    errors = Watcher(P).view().errors if started() != before else []
    print(file=sys.stderr)
    for job in errors:
        print(f"{job.name}: {job.error}\n  more: {job.log}", file=sys.stderr)
    if not errors:
        with open(LOG, errors="replace") as log:
            print("".join(deque(log, TAIL)).rstrip(), file=sys.stderr)
    print(f"The demo stopped. The same command picks it up where it is. The whole log: {LOG}", file=sys.stderr)


def close(fresh: bool) -> None:
    """Say what has come out, what it means, where it is, and what to try next."""
    file = Path("config/config.yaml")
    setting = Setting(file.with_name(f"{parse(Study, read_layer(file)).scale}.yaml"), P)
    print("\n" + OPEN["table"].read_text())
    print("What it means: " + " ".join(meaning(TABLE, setting)) + "\n")
    for what, path in OPEN.items():
        if path.exists():  # another choice of methods makes other videos
            print(f"{what:8} {path}")
    print("\nTry next (`source .venv/bin/activate` first):")
    for name in NEXT:
        print(f"  {COMMANDS[name].example:80} # {COMMANDS[name].help}")
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"
    if fresh and display and sys.stdout.isatty():
        webbrowser.open(OPEN["gallery"].resolve().as_uri())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except UserError as error:
        sys.exit(f"demo: {error}")
