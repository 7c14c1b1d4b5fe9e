"""What a measured score says of the printed one: reproduced, outside, not comparable, or not run."""

from collections.abc import Mapping, Sequence
from typing import Any

NOT_RUN = "not run"
NOT_COMPARABLE = "not comparable"
# What is said of these where they occur.
MEANINGS = {
    NOT_COMPARABLE: f"{NOT_COMPARABLE}: made by other rules, which the note names and the CSV repeats for each score",
    NOT_RUN: f"{NOT_RUN}: printed, but no run of it is here",
}


def verdict(row: Mapping[str, Any], name: str, within: Sequence[float]) -> str:
    """Judge one cell; empty where nothing is printed.

    Args:
        row: of a `tables.Table`.
        name: the metric.
        within: per cent, ascending; a score is reproduced within the first that its distance does not exceed.
    """
    printed, measured = row[f"{name}_published"], row[name]
    if printed is None:
        return ""
    if measured is None:
        return NOT_RUN
    if row["unlike_paper"]:
        return f"{NOT_COMPARABLE}: {'; '.join(row['unlike_paper'])}"
    away = 100 * (measured / printed - 1)
    reached = next((limit for limit in within if abs(away) <= limit), None)
    return f"outside ({away:+.0f} %)" if reached is None else f"reproduced within {reached:g} %"


def joined(row: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    """Write the verdicts of a row in short, scores of one verdict together: `FID, FVD16: reproduced within 5 %`.

    Args:
        row: of a `tables.Table`.
        columns: metrics and their titles.
    """
    groups: dict[str, list[str]] = {}
    for name, title in columns.items():
        if said := row[f"{name}_verdict"]:
            groups.setdefault(said.partition(":")[0], []).append(title)
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{', '.join(titles)}: {said}" for said, titles in groups.items())
