"""What a finished table means, in two sentences that follow from its numbers."""

import csv

from styleinv.config import BEST_BY, dataset_title, method_title
from styleinv.errors import UserError
from styleinv.runs import parse_run
from styleinv.stages.compare import score_number
from styleinv.stages.setting import Setting

Row = dict[str, str]


def meaning(experiment: str, setting: Setting) -> list[str]:
    """Say who comes first in a table, how sure that is, and what its scores can be compared with.

    Raises:
        UserError: the table is missing, or broken.
    """
    file = setting.paths.table(experiment)
    try:
        with open(file, newline="", encoding="utf-8") as lines:
            rows = [row for row in csv.DictReader(lines) if row[BEST_BY]]
        datasets = dict.fromkeys(row["dataset"] for row in rows)
        said = [_first([row for row in rows if row["dataset"] == name], setting) for name in datasets]
        return [*said, _worth(rows)] if rows else []
    except FileNotFoundError:
        raise UserError("does not exist", file=file, cure=f"Run `snakemake {experiment}`.") from None
    except (KeyError, ValueError) as error:
        raise UserError(f"is no table of scores ({error})", file=file, cure=f"Run `snakemake {experiment}`.") from None


def _first(rows: list[Row], setting: Setting) -> str:
    """Compare the best row of a data set with the second."""
    folder, metric = setting.config.parent, BEST_BY.upper()
    ranked = sorted(rows, key=lambda row: float(row[BEST_BY]))
    where = dataset_title(rows[0]["dataset"], folder)
    runs = [parse_run(f"{row['dataset']}/{row['method']}") for row in ranked[:2]]
    named = [f"{method_title(run, folder)} ({_score(row)})" for run, row in zip(runs, ranked, strict=False)]
    if len(ranked) == 1:
        return f"On {where}, {named[0]} is the only row with a {metric}, so there is nothing to compare it with."
    best, second = ranked[:2]
    ends = best[f"{BEST_BY}_high"], second[f"{BEST_BY}_low"]
    sure = ""
    if all(ends):
        apart = float(ends[0]) < float(ends[1])
        sure = "; their 95 % intervals are apart" if apart else "; their 95 % intervals overlap, so it may be chance"
    return f"On {where}, the videos of {named[0]} are closest to real ones by {metric}, before {named[1]}{sure}."


def _score(row: Row) -> str:
    return score_number(float(row[BEST_BY]), row["stand_in"] == "true")


def _worth(rows: list[Row]) -> str:
    if any(row["stand_in"] == "true" for row in rows):
        return (
            "These are a stand-in's scores: small networks with random weights made them, not Inception and I3D, so"
            " they compare with each other and with nothing published."
        )
    if any(row["unlike_paper"] for row in rows):
        return "They were made by other rules than the printed numbers, which the table names."
    return "They were made by the paper's rules, so they compare with the printed numbers beside them."
