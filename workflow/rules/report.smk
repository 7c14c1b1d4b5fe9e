"""Tables, figures and the report."""

for experiment, rows in EXPERIMENTS.items():

    rule:
        """Write a table of config/experiments beside the published numbers."""
        name:
            experiment
        input:
            settings=lambda w, name=experiment, rows=rows: settings(
                name, "", summary_section(rows, SCALE, name)
            ),
            published="config/published.csv",
            metrics=scores(rows),
            progress=[str(P.progress(run)) for run in rows if SNAPSHOTS],
            censuses=censuses(rows),
        output:
            report(
                f"results/tables/{experiment}.csv",
                caption="../report/table.rst",
                category="Tables",
            ),
            f"results/tables/{experiment}.md",
        log:
            f"results/logs/{experiment}.log",
        localrule: True
        params:
            scale=SCALE,
            experiment=experiment,
            runs=[str(run) for run in rows],
        shell:
            "logged {log} styleinv table {params.experiment} {params.runs} --config {params.scale}"


rule figures:
    """Draw curves and film strips of all runs."""
    input:
        settings=lambda w: settings("figures", "", summary_section(RUNS, SCALE)),
        models=[str(P.model(run)) for run in RUNS],
        curves=chain_files(P.curves),
    output:
        report(FIGURES, caption="../report/figures.rst", category="Figures"),
    log:
        "results/logs/figures.log",
    params:
        scale=SCALE,
        runs=[str(run) for run in RUNS],
    shell:
        "logged {log} styleinv figures {params.runs} --config {params.scale}"


rule report:
    """Write the HTML report of the study."""
    input:
        settings=lambda w: settings("report", "", summary_section(RUNS, SCALE)),
        published="config/published.csv",
        metrics=scores(RUNS),
        progress=[str(P.progress(run)) for run in RUNS if SNAPSHOTS],
        censuses=censuses(RUNS),
        trained=sorted(
            {
                file
                for parts in CHAINS.values()
                for part in parts
                for file in trained(part)
            }
        ),
        figures=FIGURES,
    output:
        report("results/report.html", caption="../report/report.rst", category="Report"),
    log:
        "results/logs/report.log",
    params:
        scale=SCALE,
        runs=[str(run) for run in RUNS],
    shell:
        "logged {log} styleinv report {params.runs} --config {params.scale}"
