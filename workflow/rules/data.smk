"""From sources to frame stores."""


rule fetch:
    """Obtain the raw videos of a data set."""
    input:
        settings=lambda w: settings(
            "fetch", w.dataset, data_section(w.dataset, SCALE, False)
        ),
    output:
        P.fetched("{dataset}"),
    log:
        "results/logs/fetch/{dataset}.log",
    priority: FIRST
    params:
        scale=SCALE,
    shell:
        "logged {log} styleinv fetch {wildcards.dataset} --config {params.scale}"


rule crop:
    """Crop the raw videos of a data set into a frame store."""
    input:
        settings=lambda w: settings(
            "crop", w.dataset, data_section(w.dataset, SCALE, True)
        ),
        raw="results/data/{dataset}/raw.json",
    output:
        P.cropped("{dataset}", aligned=False),
    log:
        "results/logs/crop/{dataset}.log",
    priority: FIRST
    threads: lambda wildcards: THREADS if finds_faces(wildcards.dataset) else 1
    resources:
        gpu=lambda wildcards: int(finds_faces(wildcards.dataset)),
    params:
        scale=SCALE,
    shell:
        "logged {log} styleinv crop {wildcards.dataset} --config {params.scale}"


if ALIGNED := [
    file.stem for file in CONFIG.glob("datasets/*.yaml") if aligned(file.stem)
]:

    use rule crop as crop_aligned with:
        output:
            P.cropped("{dataset}", aligned=True),
        wildcard_constraints:
            dataset="|".join(ALIGNED),

    ruleorder: crop_aligned > crop
