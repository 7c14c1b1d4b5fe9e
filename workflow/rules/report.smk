"""Tables, figures and the report."""


rule table1:
    input:
        scale=SCALE,
        published="config/published.csv",
        metrics=[str(P.metrics(run)) for run in RUNS],
    output:
        report(
            "results/tables/table1.csv",
            caption="../report/table1.rst",
            category="Tables",
        ),
        "results/tables/table1.md",
    log:
        "results/logs/table1.log",
    params:
        runs=[str(run) for run in RUNS],
    shell:
        "styleinv table1 {params.runs} --config {input.scale} 2>&1 | tee -i {log}"


rule figures:
    input:
        scale=SCALE,
        models=[str(P.model(run)) for run in RUNS],
        curves=chain_files(P.curves),
    output:
        report(FIGURES, caption="../report/figures.rst", category="Figures"),
    log:
        "results/logs/figures.log",
    params:
        runs=[str(run) for run in RUNS],
    shell:
        "styleinv figures {params.runs} --config {input.scale} 2>&1 | tee -i {log}"


rule report:
    input:
        scale=SCALE,
        published="config/published.csv",
        metrics=[str(P.metrics(run)) for run in RUNS],
        curves=chain_files(P.curves),
        samples=chain_files(P.samples),
        figures=FIGURES,
    output:
        report("results/report.html", caption="../report/report.rst", category="Report"),
    log:
        "results/logs/report.log",
    params:
        runs=[str(run) for run in RUNS],
    shell:
        "styleinv report {params.runs} --config {input.scale} 2>&1 | tee -i {log}"
