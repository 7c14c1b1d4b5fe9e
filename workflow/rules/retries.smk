"""Jobs that bad input has ended are not run again: no attempt would end otherwise."""

import re
from pathlib import Path

from snakemake.jobs import Job

# Exit codes of bad input and missing access; 1 and 75 may pass at another attempt.
HOPELESS = ("2", "3")


def hopeless(log):
    """Whether the job of a log has said that no other attempt can help."""
    codes = re.findall(r"^--- exit (\d+)$", Path(log).read_text(), re.MULTILINE)
    return bool(codes) and codes[-1] in HOPELESS


# Snakemake knows retries of rules, not of exit codes (its issue 2441), and asks each job that has failed.
RESTARTS = Job.restart_times.fget
Job.restart_times = property(
    lambda job: (
        0
        if any(Path(log).exists() and hopeless(log) for log in job.log)
        else RESTARTS(job)
    )
)
