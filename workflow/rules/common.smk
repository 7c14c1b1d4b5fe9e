"""Paths and run names, from the package's own catalogue."""

import functools
import os
import sys
from itertools import chain
from pathlib import Path

from styleinv import config as configuration
from styleinv import schema  # its `parse` would hide Snakemake's own
from styleinv.config import (
    Study,
    cost_section,
    figure_names,
    figure_section,
    gallery_section,
    load_dataset,
    load_figure,
    load_question,
    load_scale,
    preparation_section,
    question_names,
    question_section,
    summary_section,
)
from styleinv.code import code_hash
from styleinv.runs import Run, parse_run
from styleinv.errors import UserError
from styleinv.files import write_text
from styleinv.methods import preparation as preparation_of
from styleinv.methods import preparations
from styleinv.paths import Paths
from styleinv.report.published import read_published

# Every job asks; the files do not change in between.
lineage = functools.cache(configuration.lineage)
needs = functools.cache(configuration.needs)
makes_videos = functools.cache(configuration.makes_videos)
data_section = functools.cache(configuration.data_section)
training_section = functools.cache(configuration.training_section)
scoring_section = functools.cache(configuration.scoring_section)

CONFIG = Path("config")
PREPARATIONS = preparations()
P = Paths()
# Jobs find the commands of the environment that Snakemake itself runs in.
os.environ.update(
    PATH=os.pathsep.join([os.path.dirname(sys.executable), os.getenv("PATH", "")])
)

try:
    STUDY = schema.parse(Study, schema.Layer(CONFIG / "config.yaml", config))
    SCALE = CONFIG / f"{STUDY.scale}.yaml"
    EXPERIMENTS = STUDY.tables(SCALE)
    RUNS = EXPERIMENTS.pop("report")
    # The rows of the supplement's table of costs, on the first data set.
    COSTED = [
        Run(dataset=STUDY.datasets[0], method=method, variant=variant)
        for method, variant in dict.fromkeys(
            (number.method, number.variant)
            for number in read_published(CONFIG / "published.csv")
            if number.table == "S1"
        )
    ]
    for dataset in STUDY.datasets:
        load_dataset(dataset, SCALE)
    CHAINS = {str(run): lineage(run, CONFIG) for run in RUNS}
    # Priority of what trainings wait for: before all of them.
    FIRST = 1 + max(map(len, CHAINS.values()), default=0)
    # Models along the trainings, which the tables then show too.
    SNAPSHOTS = load_scale(SCALE).snapshots
    # On a CPU most jobs take one: two side by side do more than one after the other with two threads each.
    THREADS = 1 if load_scale(SCALE).device == "cpu" else 8
    FIGURES = {name: load_figure(name, CONFIG) for name in figure_names(CONFIG)}
    SHOWN = {
        name: STUDY.shown(figure, load_scale(SCALE), CONFIG)
        for name, figure in FIGURES.items()
    }
    ASKED = {
        name: STUDY.asked(load_question(name, CONFIG), load_scale(SCALE), CONFIG)
        for name in question_names(CONFIG)
    }
    for run in chain(
        *EXPERIMENTS.values(),
        *((*shown.runs, *shown.styles) for shown in (*SHOWN.values(), *ASKED.values())),
    ):
        lineage(run, CONFIG)
except UserError as error:
    sys.exit(str(error))

# Rules give their paths with wildcards in the places of names.
ANY = Run(dataset="{dataset}", method="{run}")
# Any run can be made by its name.
TRAINED = sorted(file.stem for file in (CONFIG / "methods").glob("*.yaml"))


def resource_text(resources, name):
    """A resource as profile or command line have written it (times in minutes); None where they have not."""
    return str(getattr(resources.get(name), "raw", None) or "").strip("'\"") or None


def usual(name):
    """What the profile gives for a resource of all rules."""
    return resource_text(workflow.resource_settings.default_resources or {}, name)


REPORT = [str(P.report)]
GALLERY = [str(file) for file in P.films(RUNS)]
# DVC records what is up to date and MLflow shows it, once, after all jobs; neither may spoil a finished run.
# Side by side, as most of either's time is its start.
AFTERWARDS = (
    f"(python workflow/scripts/dvc_sync.py record {STUDY.said(CONFIG / 'config.yaml')} || echo 'DVC: not recorded') &"
    " (styleinv track || echo 'MLflow: not updated'); wait"
)
# `logged FILE COMMAND`: what a command writes goes to the job's log, which Snakemake empties before every attempt, to
# FILE's history beside it, which keeps all attempts, and on. `exec` puts it in the shell's place, and `tee` is deaf to
# signals, so that a signal reaches the command alone, which may take its time to save. The command's last line is its exit
# code, which retries.smk reads.
shell.prefix(
    "set -euo pipefail;"
    ' logged() {{ local log=$1 all=${{1%.log}}.history.log; shift; local before=$(grep -c "^--- .* attempt " "$all" 2>/dev/null);'
    ' echo "--- $(date -Is) $(hostname) job ${{SLURM_JOB_ID:-$$}} attempt $((before + 1))" >>"$all";'
    " export STYLEINV_LOGGED=1;"
    ' exec > >(trap \'\' HUP INT TERM USR1; exec tee -a "$log" "$all") 2>&1; exec "$@"; }}; '
)


def settings(stage, what, section):
    """The file that holds what a stage is told: an input, written when that changes, so that edits of anything else in
    the configuration leave it as old as it is. Jobs, which read the same configuration, leave it alone.
    """
    file, text = P.settings(stage, str(what)), schema.dump_yaml(section)
    if workflow.is_main_process and not (file.exists() and file.read_text() == text):
        try:
            write_text(file, text)
        except OSError:
            sys.exit(
                f"{P.root.resolve()}: cannot be written. Check its permissions and its file system."
            )
    return str(file)


def run_of(wildcards):
    """The run that a job is of."""
    return parse_run(f"{wildcards.dataset}/{wildcards.run}")


def tables(*names):
    """All files of each table."""
    return [
        str(P.table(name).with_suffix(kind))
        for name in names
        for kind in (".csv", ".md", ".tex")
    ]


wildcard_constraints:
    dataset="[a-z0-9_]+",
    run="[a-z0-9_]+(-[a-z0-9_]+){0,2}",


def drawn(*names):
    """Both files of each figure."""
    return [
        str(P.figure(name).with_suffix(kind))
        for name in names
        for kind in (".png", ".json")
    ]


def drawn_from(name):
    """The models and the data that a figure needs."""
    shown = SHOWN[name]
    runs = (*shown.runs, *shown.styles) if FIGURES[name].models else ()
    return made_from(runs, (*shown.datasets, *shown.unseen))


def asked_of(name):
    """The models and the data that a question needs."""
    shown = ASKED[name]
    runs = (*shown.runs, *shown.styles)
    return made_from(runs, (*shown.datasets, *shown.unseen))


def chosen(*keys):
    """What the study is of, as `styleinv figures` and `styleinv question` are told it."""
    return " ".join(
        f"--{key} {' '.join(map(str, values))}"
        for key in keys
        if (values := getattr(STUDY, key)) or key in ("styles", "unseen")
    )


def answers(*names):
    """All files of the answer to each question."""
    return [
        str(P.answer(name).with_suffix(kind))
        for name in names
        for kind in (".csv", ".md", ".json")
    ]


def made_from(runs, data):
    """The models of runs and of what they build on, and data sets with what is known of them."""
    models = {str(P.model(part)) for run in runs for part in lineage(run, CONFIG)}
    kinds = (P.raw, P.census, P.frames)
    return sorted(models) + [str(kind(one)) for one in data for kind in kinds]


def upstream(dataset, name):
    """Models that a run builds on, and what else it needs."""
    run = parse_run(f"{dataset}/{name}")
    more = [str(preparation_of(kind).output(P, run)) for kind in needs(run, CONFIG)]
    return below(dataset, name) + more


def below(dataset, name):
    """The model that a run builds on."""
    parts = lineage(parse_run(f"{dataset}/{name}"), CONFIG)
    return [str(P.model(parts[-2]))] if len(parts) > 1 else []


def scores(runs):
    """The scores of runs and their records."""
    return [str(file) for run in runs for file in (P.metrics(run), P.protocol(run))]


def censuses(runs):
    """How much of the paper's data is there, of each data set once."""
    return [
        str(P.census(dataset)) for dataset in dict.fromkeys(run.dataset for run in runs)
    ]


def chain_files(kind):
    """One file of every run of every chain."""
    return sorted({str(kind(part)) for parts in CHAINS.values() for part in parts})


def trained(run):
    """What a training writes."""
    return [str(path) for path in P.trained(run, makes_videos(run.method, CONFIG))]


def aligned(dataset):
    """Whether the faces of a data set are aligned, which is measured; other data sets than the study's may be broken."""
    try:
        return configuration.is_aligned(load_dataset(dataset, SCALE))
    except UserError:
        return False


def finds_faces(dataset):
    """Whether networks look for the faces of a data set, which takes a GPU."""
    return configuration.finds_faces(load_dataset(dataset, SCALE))
