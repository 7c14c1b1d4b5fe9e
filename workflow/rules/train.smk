"""What methods need before they train, and one rule per method; inputs follow from the methods' YAML."""

FRAMES = "results/data/{dataset}/frames.zip"


def settings_of(wildcards):
    """The YAML of the method of a run."""
    return f"config/methods/{parse_run(f'{wildcards.dataset}/{wildcards.run}').method}.yaml"


def model_below(wildcards):
    """The model that a run builds on."""
    return below(wildcards.dataset, wildcards.run)


@functools.cache
def groups(dataset, name):
    """Groups of samples in a step of a run: as many processes can share it."""
    return groups_of(parse_run(f"{dataset}/{name}"), Path(SCALE))


def gpus_of(wildcards):
    """GPUs of one node that a training takes: as many as `gpus` allows and its groups can be shared by."""
    several = groups(wildcards.dataset, wildcards.run)
    return max(n for n in range(1, int(config["gpus"]) + 1) if several % n == 0)


def launcher(wildcards, resources, threads):
    """What starts a training: over several nodes srun, which must be told how many processes."""
    if "mpi" not in resources.keys():
        return "styleinv"
    return f"{resources.mpi} -n {resources.tasks} -c {max(1, threads // resources.tasks)} styleinv"


for preparation in PREPARATIONS.values():
    if preparation.per == "dataset":

        rule:
            name:
                preparation.name
            input:
                scale=SCALE,
                frames=FRAMES,
            output:
                f"results/data/{{dataset}}/{preparation.file}",
            log:
                f"results/logs/{preparation.name}/{{dataset}}.log",
            params:
                stage=preparation.name,
            shell:
                "logged {log} styleinv {params.stage} {wildcards.dataset} --config {input.scale}"

    else:

        rule:
            name:
                preparation.name
            input:
                scale=SCALE,
                method=settings_of,
                source=model_below if preparation.reads == "model" else FRAMES,
            output:
                f"results/{{dataset}}/{{run}}/{preparation.file}",
            log:
                f"results/logs/{preparation.name}/{{dataset}}/{{run}}.log",
            resources:
                gpu=1,
            params:
                stage=preparation.name,
            shell:
                "logged {log} styleinv {params.stage} {wildcards.dataset}/{wildcards.run} --config {input.scale}"


for method in TRAINED:

    rule:
        name:
            f"train_{method}"
        input:
            scale=SCALE,
            dataset="config/datasets/{dataset}.yaml",
            method=f"config/methods/{method}.yaml",
            frames=FRAMES,
            upstream=lambda w: upstream(w.dataset, w.run),
        output:
            "results/{dataset}/{run}/model.safetensors",
            "results/{dataset}/{run}/curves.csv",
            "results/{dataset}/{run}/samples.png",
        log:
            "results/logs/train/{dataset}/{run}.log",
        wildcard_constraints:
            run=f"{method}(-[a-z0-9_]+){{0,2}}",
        threads: lambda w: 8 * gpus_of(w)
        resources:
            gpu=lambda w: gpus_of(w),
        params:
            launch=launcher,
            processes=lambda w, resources: (
                1 if "mpi" in resources.keys() else resources.gpu
            ),
        shell:
            "logged {log} {params.launch} train {wildcards.dataset}/{wildcards.run} --config {input.scale}"
            " --processes {params.processes}"
