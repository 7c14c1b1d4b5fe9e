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
        "logged {log} styleinv fetch {wildcards.dataset} --config {input.scale}"


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
    threads: lambda wildcards: 8 if finds_faces(wildcards.dataset) else 1
    resources:
        gpu=lambda wildcards: int(finds_faces(wildcards.dataset)),
    shell:
        "logged {log} styleinv crop {wildcards.dataset} --config {input.scale}"
