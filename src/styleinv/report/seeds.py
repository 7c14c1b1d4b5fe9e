"""Runs that differ in the seed of their training alone, as one row of a table."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from styleinv.report.tables import RunResult


def over_seeds(results: Sequence[RunResult]) -> list[RunResult]:
    """Put the results of each run over its training seeds together, in the order of the first of each.

    Scores become the mean over trainings, `_std` their standard deviation (n - 1), `_low` and `_high` what encloses the
    interval of every training; `trainings` counts them. Of the models along the training the means count. What was
    scored by other rules stays apart.
    """
    groups: dict[tuple[str, str, Any], list[RunResult]] = {}
    for result in results:
        same = str(result.run.seeded(None)), result.method, str(result.metrics.get("protocol_ids"))
        groups.setdefault(same, []).append(result)
    return [members[0] if len(members) == 1 else _joined(members) for members in groups.values()]


def _joined(members: Sequence[RunResult]) -> RunResult:
    first = members[0]
    every = [member.metrics for member in members]
    metrics = dict(every[0])
    for name in metrics["protocol"]["metrics"]:
        values = _numbers(every, name)
        metrics[name] = statistics.fmean(values) if values else None
        metrics[f"{name}_std"] = statistics.stdev(values) if len(values) > 1 else None
        metrics[f"{name}_low"] = min(_numbers(every, f"{name}_low"), default=None)
        metrics[f"{name}_high"] = max(_numbers(every, f"{name}_high"), default=None)
    for key in ("diagnostics", "diagnostics_real"):
        parts = [one.get(key, {}) for one in every]
        metrics[key] = {name: statistics.fmean(v) if (v := _numbers(parts, name)) else None for name in parts[0]}
    metrics["unlike_paper"] = list(dict.fromkeys(reason for one in every for reason in one.get("unlike_paper", [])))
    metrics["trainings"] = len(members)
    along = [statistics.fmean(scores) for scores in zip(*(member.along for member in members), strict=False)]
    return replace(first, run=first.run.seeded(None), metrics=metrics, along=along)


def _numbers(every: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [one[name] for one in every if one.get(name) is not None]
