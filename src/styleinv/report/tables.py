"""The result table: measured scores beside the printed ones, as CSV for programs and Markdown for people."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from styleinv.files import write_text
from styleinv.report.published import dataset_title, method_title, published_scores, read_published, run_name

METRICS = ("fid", "fvd16", "fvd128")

STAND_IN_NOTE = (
    "Scores were made with stand-in detectors: they are **not comparable with published numbers**, "
    "only with each other."
)


@dataclass(frozen=True)
class RunResult:
    """Scores of one run.

    Attributes:
        dataset, method, variant: ids; the variant is empty for the method itself.
        metrics: what `evaluation.evaluate` returned.
        along: FVD16 of the models along the training and of the last, by the same protocol; empty where none was kept.
    """

    dataset: str
    method: str
    variant: str
    metrics: dict[str, Any]
    along: Sequence[float] = ()


def table_rows(results: Sequence[RunResult], published_csv: str | Path) -> list[dict[str, Any]]:
    """One dictionary per result, in the given order, with the columns of the CSV; None where there is no number."""
    printed = published_scores(read_published(published_csv))
    metrics = metric_columns(results)
    rows = []
    for result in results:
        paper = printed.get((result.dataset, result.method, result.variant), {})
        row: dict[str, Any] = {"dataset": result.dataset, "method": run_name(result.method, result.variant)}
        row |= {metric: result.metrics.get(metric) for metric in metrics}
        row |= {f"{metric}_std": result.metrics.get(f"{metric}_std") for metric in metrics}
        row |= {f"{metric}_published": paper.get(metric) for metric in metrics}
        row |= {"fvd16_best": min(result.along, default=None), "fvd16_best_of": len(result.along) or None}
        row |= {"protocol": result.metrics.get("protocol_id"), "stand_in": result.metrics.get("stand_in")}
        rows.append(row)
    return rows


def metric_columns(results: Sequence[RunResult]) -> list[str]:
    """The table's metrics, then FVDs of other clip lengths where a protocol has them."""
    found = {key for result in results for key in result.metrics if key.startswith("fvd") and key[3:].isdigit()}
    return [*METRICS, *sorted(found - set(METRICS), key=lambda metric: int(metric[3:]))]


def best_cells(rows: Sequence[dict[str, Any]]) -> set[tuple[int, str]]:
    """(row number, metric) of the lowest score among two or more rows of one data set and one protocol."""
    groups: dict[tuple[str, str], list[int]] = {}
    for number, row in enumerate(rows):
        if row["protocol"] is not None:
            groups.setdefault((row["dataset"], row["protocol"]), []).append(number)
    best = set()
    for metric in (name for name in (rows[0] if rows else {}) if f"{name}_std" in rows[0]):
        for members in groups.values():
            scored = [number for number in members if rows[number][metric] is not None]
            if len(scored) > 1:
                lowest = min(rows[number][metric] for number in scored)
                best |= {(number, metric) for number in scored if rows[number][metric] == lowest}
    return best


def notes(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What a reader must know before comparing numbers, most important first (Markdown)."""
    lines = []
    if any(row["stand_in"] for row in rows):
        lines.append(STAND_IN_NOTE)
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        ids = dict.fromkeys(row["protocol"] or "none" for row in rows if row["dataset"] == dataset)
        if len(ids) > 1:
            lines.append(
                f"{dataset_title(dataset)}: rows have different protocols ({', '.join(ids)}) and are "
                "**not comparable** across them; `styleinv compare A B` names the fields."
            )
    return lines


def write_table(
    rows: Sequence[RunResult],
    published_csv: str | Path,
    out_csv: str | Path,
    out_md: str | Path,
    title: str = "",
    shares: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Write the table twice and return its rows.

    Args:
        rows: the results, in the order of the table.
        published_csv: the printed numbers.
        out_csv: columns `dataset, method`, the metrics, their `_std` and `_published`, `fvd16_best` and `fvd16_best_of`
            (the lowest FVD16 of so many models along the training), `protocol`, `stand_in`; empty where there is no
            number.
        out_md: the same for people: mean ± std beside the printed number, the best comparable score bold, warnings
            first.
        title: heading of the second.
        shares: how much of the paper's data each data set holds, in words.
    """
    table = table_rows(rows, published_csv)
    write_text(out_csv, _csv(table, metric_columns(rows)))
    heading = f"# {title}\n\n" if title else ""
    write_text(out_md, heading + _markdown(table, metric_columns(rows), shares))
    return table


def _csv(rows: list[dict[str, Any]], metrics: list[str]) -> str:
    columns = ["dataset", "method", *metrics, *(f"{metric}_std" for metric in metrics)]
    columns += [*(f"{metric}_published" for metric in metrics), "fvd16_best", "fvd16_best_of", "protocol", "stand_in"]
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _csv_cell(value) for name, value in row.items()})
    return file.getvalue()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else value


def _markdown(rows: list[dict[str, Any]], metrics: list[str], shares: Sequence[str]) -> str:
    lines = [f"> **Note.** {note}\n" for note in notes(rows)]
    titles = [cell for metric in metrics for cell in (metric_title(metric), "paper")]
    if some_best(rows):
        titles.append("FVD16, best of k")
    lines.append(_line(["data set", "method", *titles, "protocol"]))
    lines.append(_line(["---", "---", *["---:"] * len(titles), "---"]))
    best = best_cells(rows)
    for number, row in enumerate(rows):
        cells = [dataset_title(row["dataset"]), method_title(row["method"])]
        for metric in metrics:
            text = score_text(row[metric], row[f"{metric}_std"])
            printed = row[f"{metric}_published"]
            cells += [f"**{text}**" if (number, metric) in best else text, "" if printed is None else f"{printed:.2f}"]
        if some_best(rows):
            cells.append(best_text(row))
        lines.append(_line([*cells, f"`{row['protocol']}`" if row["protocol"] else ""]))
    if some_best(rows):
        lines.append(
            "\nBest of k: the lowest FVD16 of k models along the training, a choice that knows the test data. "
            "All other scores are the last model's."
        )
    lines.append(
        "\nMean ± standard deviation over evaluation seeds; lower is better; bold: best of the comparable rows."
    )
    if shares:
        lines.append(f"\n{shares_text(shares)}")
    return "\n".join(lines) + "\n"


def shares_text(shares: Sequence[str]) -> str:
    """`Data: TaiChi: 71 % of the paper's videos, 70 % of its frames; ...`."""
    return f"Data: {'; '.join(shares)}."


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def score_text(mean: float | None, std: float | None) -> str:
    """`54.05 ± 0.31`, without the deviation where there is none; empty where there is no score."""
    if mean is None:
        return ""
    digits = 2 if abs(mean) >= 1 else 4
    return f"{mean:.{digits}f}" if std is None else f"{mean:.{digits}f} ± {std:.{digits}f}"


def some_best(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether any row has scores along its training."""
    return any(row["fvd16_best_of"] for row in rows)


def best_text(row: dict[str, Any]) -> str:
    """`41.60 (of 5)`; empty where there is none."""
    return f"{score_text(row['fvd16_best'], None)} (of {row['fvd16_best_of']})" if row["fvd16_best_of"] else ""


def metric_title(metric: str) -> str:
    """`fvd16` -> `FVD16`."""
    return metric.upper()
