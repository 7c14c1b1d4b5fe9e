"""What a study consists of and how it ended, for whoever watches it (`styleinv watch`)."""

from styleinv.stages.study import begin_study, end_study

BEGUN = []


def limit_of(name):
    """What all jobs together may hold of a resource; None without a limit."""
    value = workflow.global_resources.get(name)
    return int(value) if isinstance(value, (int, float)) else None


def begin(log):
    """Write down all jobs with logs of their own, each after those that it needs."""
    dag = workflow.dag
    gpus = limit_of("gpu")
    slots = gpus or workflow.resource_settings.nodes or workflow.resource_settings.cores
    jobs = [job for level in dag.toposorted() for job in level if job.log]
    number = {job: i for i, job in enumerate(jobs)}

    def held(job):
        return int(job.resources.get("gpu") or 0) if gpus else job.threads

    BEGUN.append(True)
    begin_study(
        P,
        str(SCALE),
        slots,
        os.path.relpath(log[0]) if log else "",
        [
            {
                "rule": job.rule.name,
                "what": "/".join(
                    job.wildcards_dict[key]
                    for key in ("dataset", "run")
                    if key in job.wildcards_dict
                ),
                "log": os.path.relpath(job.log[0], P.root),
                "needs": sorted(
                    number[other] for other in dag.dependencies[job] if other in number
                ),
                "slots": 1 if on_slurm() and not gpus else held(job),
                "wanted": dag.needrun(job),
                "run": job.rule.name.startswith("train_"),
            }
            for job in jobs
        ],
    )


def end(how):
    """Write down how the study has ended, unless it was refused before it began."""
    if BEGUN:
        end_study(P, how)
