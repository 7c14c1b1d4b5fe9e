"""FID and FVD of one run, from one pass over its videos, and of the models along its training."""


rule evaluate:
    """Score a run by FID, FVD and diagnostics."""
    input:
        settings=lambda w: settings("evaluate", run_of(w), scoring_section(SCALE)),
        frames="results/data/{dataset}/frames.zip",
        model="results/{dataset}/{run}/model.safetensors",
        curves="results/{dataset}/{run}/curves.csv",
    output:
        P.evaluated(ANY),
    log:
        "results/logs/evaluate/{dataset}/{run}.log",
    threads: THREADS
    resources:
        gpu=1,
    params:
        scale=SCALE,
    shell:
        "logged {log} styleinv evaluate {wildcards.dataset}/{wildcards.run} --config {params.scale}"


rule progress:
    """Score the models that a run has kept along its training."""
    input:
        settings=lambda w: settings("progress", run_of(w), scoring_section(SCALE)),
        frames="results/data/{dataset}/frames.zip",
        model="results/{dataset}/{run}/model.safetensors",
    output:
        P.progressed(ANY),
    log:
        "results/logs/progress/{dataset}/{run}.log",
    threads: THREADS
    resources:
        gpu=1,
    params:
        scale=SCALE,
    shell:
        "logged {log} styleinv progress {wildcards.dataset}/{wildcards.run} --config {params.scale}"


rule vary:
    """Score a run with each rule of its protocol changed alone."""
    input:
        settings=lambda w: settings("vary", run_of(w), scoring_section(SCALE)),
        frames="results/data/{dataset}/frames.zip",
        model="results/{dataset}/{run}/model.safetensors",
    output:
        P.varied(ANY),
    log:
        "results/logs/vary/{dataset}/{run}.log",
    threads: THREADS
    resources:
        gpu=1,
    params:
        scale=SCALE,
    shell:
        "logged {log} styleinv evaluate {wildcards.dataset}/{wildcards.run} --what-if --config {params.scale}"
