"""FID and FVD of one run, from one pass over its videos."""


rule evaluate:
    input:
        scale=SCALE,
        frames="results/data/{dataset}/frames.zip",
        model="results/{dataset}/{run}/model.safetensors",
    output:
        "results/{dataset}/{run}/metrics.json",
    log:
        "results/logs/evaluate/{dataset}/{run}.log",
    threads: 8
    resources:
        gpu=1,
    shell:
        "styleinv evaluate {wildcards.dataset}/{wildcards.run} --config {input.scale} 2>&1 | tee -i {log}"
