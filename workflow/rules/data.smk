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
        "styleinv fetch {wildcards.dataset} --config {input.scale} 2>&1 | tee -i {log}"


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
        "styleinv crop {wildcards.dataset} --config {input.scale} 2>&1 | tee -i {log}"


rule lowres:
    input:
        scale=SCALE,
        frames="results/data/{dataset}/frames.zip",
    output:
        "results/data/{dataset}/lowres.zip",
    log:
        "results/logs/lowres/{dataset}.log",
    shell:
        "styleinv lowres {wildcards.dataset} --config {input.scale} 2>&1 | tee -i {log}"
