"""Plots: training curves, and points in the plane. The same input gives the same bytes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from styleinv.errors import UserError
from styleinv.files import atomic

# Readable on a white and on a dark page; the background is transparent.
INK = "#7d8590"
LINES = ["#3d8fe0", "#e07b39", "#2fa36b", "#c05bb5", "#b79a1f"]
STYLE: Any = {
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "font.size": 8,
    "axes.prop_cycle": cycler(color=LINES),
    "svg.hashsalt": "styleinv",
}
# Columns that say when, not what.
WHEN = ("step", "kimg", "seconds")


def read_curves(path: str | Path) -> pd.DataFrame:
    """Read the numeric columns of a curves.csv, rows in order; a cell that is not a number is NaN.

    Raises:
        UserError: the file is missing, is no CSV, or has nothing to plot.
    """
    try:
        table = pd.read_csv(path)
    except FileNotFoundError:
        raise UserError("does not exist", file=path, cure="Run its training first.") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(
            f"is not a table of curves ({error})", file=path, cure="Train the run again, or restore it by `dvc pull`."
        ) from None
    table = table.apply(pd.to_numeric, errors="coerce").dropna(axis="columns", how="all")
    if not curve_columns(table):
        raise UserError(
            "has no numeric column to plot", file=path, cure="Train the run again, or restore it by `dvc pull`."
        )
    return table


def curve_columns(table: pd.DataFrame) -> list[str]:
    """List the columns that are curves, in the order of the file."""
    return [str(column) for column in table.columns if column not in WHEN]


def curves_figure(curves: Mapping[str, str | Path], out: str | Path, columns: Sequence[str] = ()) -> None:
    """Draw curves of one or more runs, one small panel per column.

    Args:
        curves: label -> curves.csv with columns `step`, `kimg`, `seconds` (as far as there) and any numeric ones.
        out: .png or .svg.
        columns: the panels; all columns if none are named.

    Raises:
        UserError: a table cannot be read or has nothing to plot.
    """
    tables = {label: read_curves(path) for label, path in curves.items()}
    if not tables:
        raise UserError("no curves to draw", file=out, cure="Name runs that have been trained.")
    panels = list(dict.fromkeys(column for table in tables.values() for column in curve_columns(table)))
    panels = [panel for panel in panels if not columns or panel in columns]
    width = min(4, len(panels))
    height = -(-len(panels) // width)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.6 * width, 1.9 * height), layout="constrained")
        FigureCanvasAgg(figure)
        for panel, axes in zip(panels, figure.subplots(height, width, squeeze=False).flat, strict=False):
            for label, table in tables.items():
                if panel in table:
                    when = next((name for name in ("kimg", "step") if name in table), None)
                    points = table[panel].notna()
                    x = table[when] if when else table.index.to_series()
                    axes.plot(x[points], table[panel][points], linewidth=1, label=label)
                    axes.set_xlabel(when or "row")
            axes.set_title(panel, fontsize=8)
            axes.patch.set_alpha(0)
        for axes in list(figure.axes)[len(panels) :]:
            axes.remove()
        if len(tables) > 1:
            handles, labels = figure.axes[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=7)
        with atomic(out) as temporary:
            # Neither format may carry the time or the library's version.
            blank = {"Date": None, "Creator": None} if temporary.suffix == ".svg" else {"Software": None}
            figure.savefig(temporary, dpi=110, transparent=True, metadata=blank)


def intervals_figure(table: pd.DataFrame, out: str | Path) -> None:
    """Draw scores with their intervals under each other, a panel for each metric; the first row is a line through all.

    Args:
        table: columns `rule`, `value`, `title` (of the metric), `score`, `low` and `high`; the rows of each metric in
            the same order.
        out: .png.
    """
    titles = list(dict.fromkeys(table["title"]))
    count = len(table) // len(titles)
    with mpl.rc_context(STYLE):
        size = (1.6 + 2.6 * len(titles), 0.9 + 0.24 * count)
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(titles), squeeze=False, sharey=True)[0]
        for number, (title, axes) in enumerate(zip(titles, panels, strict=True)):
            rows = table[table["title"] == title].reset_index(drop=True)
            values, ends = rows["score"].astype(float), rows[["low", "high"]].astype(float)
            places = np.arange(len(rows))
            axes.axvline(values[0], color=INK, linewidth=0.7)
            axes.hlines(places, ends["low"], ends["high"], color=LINES[number % len(LINES)], linewidth=1.4)
            axes.plot(values, places, "o", markersize=3.5, color=LINES[number % len(LINES)])
            labels = (rows["rule"] + " " + rows["value"]).str.strip()
            axes.set_yticks(places, labels)
            axes.set_title(title)
        panels[0].invert_yaxis()
        with atomic(out) as temporary:
            figure.savefig(temporary, dpi=130, metadata={"Software": None})


def scatter_figure(panels: Mapping[str, tuple[np.ndarray, Sequence[str]]], out: str | Path) -> None:
    """Draw points in the plane, a colour and a letter of the legend for each group, one panel beside the other.

    Args:
        panels: title -> points [N, 2] and the group of each.
        out: .png.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.4 * len(panels), 4.6), layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        for (title, (points, groups)), axes in zip(
            panels.items(), figure.subplots(1, len(panels), squeeze=False)[0], strict=True
        ):
            names, labels = list(dict.fromkeys(groups)), np.array(groups)
            colours = mpl.colormaps["tab10" if len(names) <= 10 else "turbo"]
            for number, name in enumerate(names):
                colour = colours(number if len(names) <= 10 else number / max(1, len(names) - 1))
                chosen = points[labels == name]
                axes.scatter(chosen[:, 0], chosen[:, 1], s=9, color=colour, linewidths=0, label=name)
            axes.set_title(title)
            axes.set(xticks=[], yticks=[])
            if len(names) <= 20:
                axes.legend(title="person", fontsize=6, title_fontsize=7, markerscale=1.5, framealpha=0.8)
        with atomic(out) as temporary:
            figure.savefig(temporary, dpi=150, metadata={"Software": None})
