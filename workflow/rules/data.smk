"""From sources to frame stores."""


rule fetch:
    input:
        scale=SCALE,
        dataset="config/datasets/{dataset}.yaml",
    output:
        "results/data/{dataset}/raw.json",
    log:
        "results/logs/fetch/{dataset}.log",
    shell:
        "exec styleinv fetch {wildcards.dataset} --config {input.scale} > >({TEE} {log}) 2>&1"


rule crop:
    input:
        scale=SCALE,
        dataset="config/datasets/{dataset}.yaml",
        raw="results/data/{dataset}/raw.json",
    output:
        "results/data/{dataset}/frames.zip",
        "results/data/{dataset}/census.json",
    log:
        "results/logs/crop/{dataset}.log",
    shell:
        "exec styleinv crop {wildcards.dataset} --config {input.scale} > >({TEE} {log}) 2>&1"


rule lowres:
    input:
        scale=SCALE,
        frames="results/data/{dataset}/frames.zip",
    output:
        "results/data/{dataset}/lowres.zip",
    log:
        "results/logs/lowres/{dataset}.log",
    shell:
        "exec styleinv lowres {wildcards.dataset} --config {input.scale} > >({TEE} {log}) 2>&1"
