"""Tables, figures, gallery and the report."""

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
            f"results/tables/{experiment}.tex",
        log:
            f"results/logs/{experiment}.log",
        localrule: True
        params:
            scale=SCALE,
            experiment=experiment,
            runs=[str(run) for run in rows],
        shell:
            "logged {log} styleinv table {params.experiment} {params.runs} --config {params.scale}"


rule table_s1:
    """Measure what the methods cost, on a device of the scale: supplement Table 1."""
    input:
        settings=lambda w: settings("table_s1", "", cost_section(COSTED, SCALE)),
        published="config/published.csv",
    output:
        report(
            "results/tables/table_s1.csv",
            caption="../report/cost.rst",
            category="Tables",
        ),
        "results/tables/table_s1.md",
        "results/tables/table_s1.tex",
    log:
        "results/logs/table_s1.log",
    threads: THREADS
    resources:
        gpu=1,
    params:
        scale=SCALE,
        runs=[str(run) for run in COSTED],
    shell:
        "logged {log} styleinv cost {params.runs} --table table_s1 --config {params.scale}"


rule what_if:
    """How far the scores of all runs move with the rules."""
    input:
        [str(P.what_if(run)) for run in RUNS],


CHOSEN = chosen("datasets", "methods", "seeds", "styles", "unseen")

for figure, shown in SHOWN.items():

    rule:
        """Draw a figure of config/figures from the runs it needs."""
        name:
            figure
        input:
            settings=lambda w, name=figure, shown=shown: settings(
                name, "", figure_section(shown, SCALE, name)
            ),
            made=drawn_from(figure),
        output:
            report(
                f"results/figures/{figure}.png",
                caption="../report/figure.rst",
                category="Figures",
            ),
            f"results/figures/{figure}.json",
        log:
            f"results/logs/{figure}.log",
        threads: THREADS
        resources:
            gpu=1,
        params:
            scale=SCALE,
            figure=figure,
            chosen=CHOSEN,
        shell:
            "logged {log} styleinv figures {params.figure} --config {params.scale} {params.chosen}"


rule figures:
    """Draw all figures that the runs at hand allow, and say what the others lack."""
    input:
        "config/config.yaml",
    log:
        "results/logs/figures.log",
    params:
        scale=SCALE,
        chosen=CHOSEN,
    shell:
        "logged {log} styleinv figures --config {params.scale} {params.chosen}"


for question, shown in ASKED.items():

    rule:
        """Answer a question of config/questions from the runs it needs."""
        name:
            question
        input:
            settings=lambda w, name=question, shown=shown: settings(
                name, "", question_section(shown, SCALE, name)
            ),
            made=asked_of(question),
        output:
            answers(question),
        log:
            f"results/logs/{question}.log",
        threads: THREADS
        resources:
            gpu=1,
        params:
            scale=SCALE,
            question=question,
            chosen=chosen("datasets", "seeds"),
        shell:
            "logged {log} styleinv question {params.question} --config {params.scale} {params.chosen}"


rule questions:
    """Answer all questions beyond the paper, and train what they need."""
    input:
        answers(*ASKED),


rule gallery:
    """Make the videos of the report: the same seeds of all runs, beside real ones."""
    input:
        settings=lambda w: settings("gallery", "", gallery_section(RUNS, SCALE)),
        models=[str(P.model(run)) for run in RUNS],
        frames=sorted({str(P.frames(run.dataset)) for run in RUNS}),
    output:
        GALLERY,
    log:
        "results/logs/gallery.log",
    params:
        scale=SCALE,
        runs=[str(run) for run in RUNS],
    shell:
        "logged {log} styleinv gallery {params.runs} --config {params.scale}"


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
        gallery=GALLERY,
    output:
        report("results/report.html", caption="../report/report.rst", category="Report"),
    log:
        "results/logs/report.log",
    params:
        scale=SCALE,
        runs=[str(run) for run in RUNS],
    shell:
        "logged {log} styleinv report {params.runs} --config {params.scale}"
