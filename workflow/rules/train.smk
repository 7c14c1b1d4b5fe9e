"""One rule per method; its inputs follow from `builds_on` in the method's YAML."""


rule pca:
    input:
        scale=SCALE,
        method="config/methods/mocogan_hd.yaml",
        model=lambda w: below(w.dataset, w.run),
    output:
        "results/{dataset}/{run}/pca.safetensors",
    log:
        "results/logs/pca/{dataset}/{run}.log",
    resources:
        gpu=1,
    shell:
        "logged {log} styleinv pca {wildcards.dataset}/{wildcards.run} --config {input.scale}"


for method in TRAINED:

    rule:
        name:
            f"train_{method}"
        input:
            scale=SCALE,
            dataset="config/datasets/{dataset}.yaml",
            method=f"config/methods/{method}.yaml",
            frames="results/data/{dataset}/frames.zip",
            upstream=lambda w: upstream(w.dataset, w.run),
        output:
            "results/{dataset}/{run}/model.safetensors",
            "results/{dataset}/{run}/curves.csv",
            "results/{dataset}/{run}/samples.png",
        log:
            "results/logs/train/{dataset}/{run}.log",
        wildcard_constraints:
            run=f"{method}(-[a-z0-9_]+)?",
        threads: 8
        resources:
            gpu=1,
        params:
            launch=lambda w, resources: resources.get("mpi", ""),
        shell:
            "logged {log} {params.launch} styleinv train {wildcards.dataset}/{wildcards.run} --config {input.scale}"
