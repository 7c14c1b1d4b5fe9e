"""The numbers that the paper and its supplement print, from `config/published.csv`."""

import csv
from dataclasses import dataclass
from pathlib import Path

from styleinv.errors import UserError

COLUMNS = ["table", "dataset", "method", "variant", "metric", "value", "source", "note", "rank"]


@dataclass(frozen=True)
class Published:
    """One printed number.

    Attributes:
        table: `1`, `2`, `3` of the paper, `S1`, `S2`, `S3` of the supplement.
        dataset: data set id, empty where the table is about no data set in particular.
        method, variant: ids; the variant is empty for the method itself.
        metric: such as `fid`, `fvd16`, `gpu_days`.
        value: the number.
        source: where it is printed.
        note: how it was not made like the others of its table, empty where it was.
        rank: `best` where it is printed bold, `second` where it is underlined, else empty.
    """

    table: str
    dataset: str
    method: str
    variant: str
    metric: str
    value: float
    source: str
    note: str
    rank: str = ""


def read_published(path: str | Path) -> list[Published]:
    """Read every printed number.

    Raises:
        UserError: the file is missing, has other columns, or a value is not a number.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != COLUMNS:
                raise UserError(
                    f"has columns {reader.fieldnames}, expected {COLUMNS}",
                    file=path,
                    cure="Restore config/published.csv.",
                )
            return [
                Published(*_texts(row), float(row["value"]), row["source"], row["note"], row["rank"]) for row in reader
            ]
    except FileNotFoundError:
        raise UserError("does not exist", file=path, cure="It is part of the repository: restore it.") from None
    except (ValueError, TypeError) as error:
        raise UserError(f"is damaged ({error})", file=path, cure="Restore it from the repository.") from None


def _texts(row: dict[str, str]) -> tuple[str, str, str, str, str]:
    return row["table"], row["dataset"], row["method"], row["variant"], row["metric"]


def published_scores(numbers: list[Published]) -> dict[tuple[str, str, str], dict[str, float]]:
    """Sort the printed scores by (data set, method, variant) and metric; costs of no data set are left out."""
    return {key: {metric: number.value for metric, number in row.items()} for key, row in by_run(numbers).items()}


def by_run(numbers: list[Published]) -> dict[tuple[str, str, str], dict[str, Published]]:
    """Sort printed numbers as `published_scores` does, with all that is known of each."""
    rows: dict[tuple[str, str, str], dict[str, Published]] = {}
    for number in numbers:
        if number.dataset:
            rows.setdefault((number.dataset, number.method, number.variant), {})[number.metric] = number
    return rows
