"""What Slurm knows of jobs that have ended badly: said once more at the end, where it is looked for."""

import re
import time
from pathlib import Path

STARTED = time.time()
# As `sacct` calls them, and as `scontrol` does, which forgets a job some minutes after its end.
KNOWN = {
    "State": "JobState",
    "Reason": "Reason",
    "ExitCode": "ExitCode",
    "NodeList": "NodeList",
    "Elapsed": "RunTime",
    "Timelimit": "TimeLimit",
}


def of_sacct(number):
    """What the accounting data base says of a job; None where there is none."""
    said = slurm_says(
        *("sacct", "-j", number, "-X", "-P", "-n", f"--format={','.join(KNOWN)}")
    )
    return dict(zip(KNOWN, " ".join(said).split("|"))) if said else None


def of_scontrol(number):
    """What Slurm's controller still remembers of a job; None where it does not."""
    said = slurm_says("scontrol", "show", "job", "-o", number)
    words = dict(word.split("=", 1) for word in said or [] if "=" in word)
    return (
        {ours: words.get(theirs, "") for ours, theirs in KNOWN.items()}
        if words
        else None
    )


def last_jobs():
    """The log of each job that has run since Snakemake started, and its last number in Slurm."""
    for history in sorted(P.root.glob("logs/**/*.history.log")):
        if history.stat().st_mtime < STARTED:
            continue
        text = history.read_text(errors="replace")
        if numbers := re.findall(
            r"^--- \S+ \S+ job (\d+) attempt \d+$", text, re.MULTILINE
        ):
            yield history, numbers[-1]


def say_reasons():
    """Name each job that Slurm calls anything but completed, and why."""
    for history, number in last_jobs() if on_slurm() else ():
        known = of_sacct(number) or of_scontrol(number)
        if known and known["State"] not in ("COMPLETED", "RUNNING", "PENDING"):
            reason = known["Reason"] if known["Reason"] != "None" else ""
            words = [known["State"], reason, f"exit {known['ExitCode']}"]
            print(
                f"{history}: Slurm job {number}: {', '.join(filter(None, words))},"
                f" on {known['NodeList']}, {known['Elapsed']} of {known['Timelimit']}",
                file=sys.stderr,
            )
