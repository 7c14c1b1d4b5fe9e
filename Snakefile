"""The whole study: videos in, benchmark table out. `snakemake demo`, `snakemake table1`, `snakemake figure6`, `snakemake all`."""

import os
import signal

from snakemake.utils import min_version

# Slurm warns jobs with USR1 before their time limit. Only the trainer may react to it.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
# CPU runs are dominated by page faults: huge pages and a heap that is kept make them 1.5 times faster.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", "4294967296")
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", "8589934592")
# Threads that wait by spinning for long stall each other on a shared machine; not spinning at all is slow.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

min_version("9.0")


configfile: "config/config.yaml"


# Used with `--sdm apptainer` alone; without it jobs run in Snakemake's own environment. Built from containers/styleinv.def.
container: "containers/styleinv.sif"


include: "workflow/rules/common.smk"
include: "workflow/rules/preflight.smk"
include: "workflow/rules/retries.smk"
include: "workflow/rules/reasons.smk"
include: "workflow/rules/study.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


# fetch needs a network, which compute nodes lack.
localrules:
    all,
    demo,
    fetch,
    figures,
    gallery,
    questions,
    report,
    what_if,


rule all:
    """Every table and figure, and the report."""
    default_target: True
    input:
        tables(*EXPERIMENTS, "table_s1"),
        drawn(*FIGURES),
        REPORT,


rule demo:
    """Table 1 and the report: what `make demo` runs."""
    input:
        tables("table1"),
        REPORT,


onstart:
    preflight()
    # A stage that DVC asks for is no study of its own.
    if "DVC_STAGE" not in os.environ:
        begin(log)


if "DVC_STAGE" not in os.environ:

    onsuccess:
        end("done")
        shell(AFTERWARDS)

    onerror:
        end("failed")
        say_reasons()
        shell(AFTERWARDS)
