"""Run the demo, or pick it up where it was stopped, and say what to open.

A lock that dies with its last holder tells a running demo from a killed one, so that Snakemake's own lock may be
cleared safely.
"""

import fcntl
import subprocess
import sys
from pathlib import Path

OPEN = {
    "table": "results/tables/table1.md",
    "report": "results/report.html",
    "video": "results/talking_faces/styleinv/samples.mp4",
}


def main() -> int:
    """Returns Snakemake's exit code."""
    Path("results").mkdir(exist_ok=True)
    with open("results/.demo.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("results: a demo is running here already. Wait for it, or stop it first.", file=sys.stderr)
            return 2
        # Jobs inherit the lock: while one of a killed demo still runs, no second writer starts.
        snakemake = ["snakemake", "demo", "--profile", "profiles/demo"]
        subprocess.run([*snakemake, "--unlock"], capture_output=True, pass_fds=[lock.fileno()])
        code = subprocess.run([*snakemake, *sys.argv[1:]], pass_fds=[lock.fileno()]).returncode
    if code:
        print("\nThe demo stopped. The same command picks it up where it is.", file=sys.stderr)
        return code
    print("\n" + Path(OPEN["table"]).read_text())
    for what, path in OPEN.items():
        print(f"{what:7} {path}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
