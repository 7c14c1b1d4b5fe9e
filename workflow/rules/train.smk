"""What methods need before they train, and one rule per method; inputs follow from the methods' YAML."""

from styleinv.stages.plan import limits, measured_costs
from styleinv.training.launch import THREADS as NUMBERS_OF_THREADS

FRAMES = "results/data/{dataset}/frames.zip"


def made_by(preparation):
    """What a preparation writes."""
    folder = preparation.folder(P, ANY)
    return [preparation.output(P, ANY), P.provenance(folder, preparation.name)]


def model_below(wildcards):
    """The model that a run builds on."""
    return below(wildcards.dataset, wildcards.run)


@functools.cache
def gpus_of(dataset, name):
    """GPUs of one node that a training takes."""
    return configuration.gpus_of(parse_run(f"{dataset}/{name}"), SCALE, STUDY.gpus)


def code_of(run):
    """The code that trains a run, where it is an input."""
    return {"code": code_hash(run.method)} if STUDY.code_is_input else {}


def longest_chain(method):
    """Trainings of the longest chain of the study that a method is part of: what others wait for goes first."""
    chains = [parts for parts in CHAINS.values() if method in {p.method for p in parts}]
    return max(map(len, chains), default=0)


@functools.cache
def threads_of(method):
    """Threads for each GPU of a training; on a CPU a part of the study's longest chain has two once cores are left over."""
    longest = max(CHAINS.values(), key=len, default=[])
    methods = [part.method for part in longest]
    if THREADS > 1 or len(longest) < 3 or method not in methods:
        return THREADS
    # Where a scheduler has the cores, each job gets its own.
    cores = workflow.resource_settings.cores or float("inf")
    # While a part of the chain trains, each other core does one training of the rest.
    rest = len(set(chain(*CHAINS.values())) - set(longest))
    rest -= methods.index(method) * (cores - 1)
    return 2 if rest + 2 <= cores else 1


def launcher(wildcards, resources, threads):
    """What starts a training: over several nodes srun, which must be told how many processes share the threads."""
    if "mpi" not in resources.keys():
        return "styleinv"
    each = max(1, threads // resources.tasks)
    told = " ".join(f"{name}={each}" for name in NUMBERS_OF_THREADS)
    return f"env {told} {resources.mpi} -n {resources.tasks} -c {each} styleinv"


COSTS = measured_costs(P.table("cost"), STUDY.scale)
# Only a scheduler's profile has limits.
MEASURED = COSTS and usual("runtime") and usual("mem_mb")


def asked(wildcards):
    """What a training should ask for by its measured cost; None where it was not measured."""
    gpus = gpus_of(wildcards.dataset, wildcards.run)
    return limits(run_of(wildcards), COSTS, gpus)


def minutes_of(wildcards):
    """Time limit of a training: what was measured, up to the profile's, after which it requeues itself."""
    longest, measured = int(usual("runtime")), asked(wildcards)
    return min(longest, measured.minutes) if measured else longest


def megabytes_of(wildcards, attempt):
    """Host memory of a training; an attempt after another has more."""
    measured = asked(wildcards)
    if measured is None or measured.megabytes is None:
        return int(usual("mem_mb"))
    return attempt * measured.megabytes


def warned(wildcards):
    """Slurm's options of a training: the profile's, and the warning before the time limit at which trainings save."""
    return " ".join([usual("slurm_extra") or "", "--signal=USR1@300"])


for preparation in PREPARATIONS.values():
    if preparation.per == "dataset":

        rule:
            """Make what a method needs before it trains."""
            name:
                preparation.name
            input:
                settings=lambda w, name=preparation.name: settings(
                    name,
                    w.dataset,
                    preparation_section(Run(dataset=w.dataset, method=""), SCALE),
                ),
                frames=FRAMES,
            output:
                made_by(preparation),
            log:
                f"results/logs/{preparation.name}/{{dataset}}.log",
            priority: FIRST
            params:
                scale=SCALE,
                stage=preparation.name,
            shell:
                "logged {log} styleinv {params.stage} {wildcards.dataset} --config {params.scale}"

    else:

        rule:
            """Make what a method needs before it trains."""
            name:
                preparation.name
            input:
                settings=lambda w, it=preparation: settings(
                    it.name,
                    run_of(w),
                    preparation_section(run_of(w), SCALE, it.settings),
                ),
                source=model_below if preparation.reads == "model" else FRAMES,
            output:
                made_by(preparation),
            log:
                f"results/logs/{preparation.name}/{{dataset}}/{{run}}.log",
            priority: FIRST
            resources:
                gpu=1,
            params:
                scale=SCALE,
                stage=preparation.name,
            shell:
                "logged {log} styleinv {params.stage} {wildcards.dataset}/{wildcards.run} --config {params.scale}"


for method in TRAINED:

    rule:
        """Train a run of a method, or go on where it was."""
        name:
            f"train_{method}"
        input:
            settings=lambda w: settings(
                "train",
                run_of(w),
                training_section(run_of(w), SCALE) | code_of(run_of(w)),
            ),
            frames=FRAMES,
            upstream=lambda w: upstream(w.dataset, w.run),
        output:
            P.trained(ANY, makes_videos(method, CONFIG)),
        log:
            "results/logs/train/{dataset}/{run}.log",
        wildcard_constraints:
            run=f"{method}(-[a-z0-9_]+){{0,2}}",
        priority: longest_chain(method)
        threads: lambda w, method=method: threads_of(method) * gpus_of(w.dataset, w.run)
        resources:
            **({"runtime": minutes_of, "mem_mb": megabytes_of} if MEASURED else {}),
            gpu=lambda w: gpus_of(w.dataset, w.run),
            slurm_extra=warned,
        params:
            scale=SCALE,
            launch=launcher,
            same_code="--same-code" if STUDY.code_is_input else "",
            processes=lambda w, resources: (
                1 if "mpi" in resources.keys() else resources.gpu
            ),
        shell:
            "logged {log} {params.launch} train {wildcards.dataset}/{wildcards.run} --config {params.scale}"
            " --processes {params.processes} {params.same_code}"
