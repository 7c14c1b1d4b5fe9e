"""Figures for the report: training curves and film strips. The same input gives the same bytes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

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


def film_strip(
    videos: torch.Tensor | np.ndarray, out: str | Path, every: int = 16, least: int = 96, gap: int = 2
) -> None:
    """Write a grid of frames as PNG: one row per video, every k-th frame from the first.

    Args:
        videos: uint8 [N, T, 3, H, W].
        out: the PNG.
        every: distance between the frames shown.
        least: frames narrower than this are enlarged by a whole factor (nearest neighbour), so that pixels stay pixels.
        gap: pixels between frames.

    Raises:
        UserError: there is no frame.
    """
    frames = np.asarray(videos)[:, ::every]
    if frames.ndim != 5 or frames.shape[2] != 3 or frames.dtype != np.uint8:
        raise ValueError(f"videos must be uint8 [N, T, 3, H, W], got {frames.dtype} {list(frames.shape)}")
    if frames.size == 0:
        raise UserError("no frame to show", file=out)
    scale = max(1, -(-least // frames.shape[-1]))
    frames = frames.repeat(scale, axis=-2).repeat(scale, axis=-1).transpose(0, 1, 3, 4, 2)
    rows, columns, height, width, _ = frames.shape
    # Four channels: the gaps are transparent, so they look right on any page.
    canvas = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 4), np.uint8)
    for row, column in np.ndindex(rows, columns):
        top, left = row * (height + gap), column * (width + gap)
        canvas[top : top + height, left : left + width, :3] = frames[row, column]
        canvas[top : top + height, left : left + width, 3] = 255
    with atomic(out) as temporary:
        Image.fromarray(canvas).save(temporary, "PNG")
