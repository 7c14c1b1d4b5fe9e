"""Tables, figures and the report."""


rule table1:
    input:
        scale=SCALE,
        published="config/published.csv",
        metrics=[str(P.metrics(run)) for run in RUNS],
    output:
        report("results/tables/table1.csv", caption="../report/table1.rst", category="Tables"),
        "results/tables/table1.md",
    params:
        runs=[str(run) for run in RUNS],
    log:
        "results/logs/table1.log",
    shell:
        "styleinv table1 {params.runs} --config {input.scale} 2>&1 | tee -i {log}"


rule figures:
    input:
        scale=SCALE,
        models=[str(P.model(run)) for run in RUNS],
        curves=chain_files(P.curves),
    output:
        report(FIGURES, caption="../report/figures.rst", category="Figures"),
    params:
        runs=[str(run) for run in RUNS],
    log:
        "results/logs/figures.log",
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
    params:
        runs=[str(run) for run in RUNS],
    log:
        "results/logs/report.log",
    shell:
        "styleinv report {params.runs} --config {input.scale} 2>&1 | tee -i {log}"
