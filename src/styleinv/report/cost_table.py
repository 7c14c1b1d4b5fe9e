"""What the methods cost, beside the supplement's Table 1."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from styleinv.files import write_text
from styleinv.report.latex import escape, write_latex
from styleinv.report.published import read_published
from styleinv.report.verdicts import verdict
from styleinv.training.measure import Cost

# The scale that the printed costs are of.
PAPER = "paper"
NOTE = (
    "Measured on the {device}; one process. Memory is what one more video in the group takes{how}; so many fit at "
    "once: where a group is larger, that is the largest `training.batch_gpu` of a GPU; where several fit, the largest "
    "`training.groups_at_once` takes so many groups. "
    "Days are those of this device at the schedule of the scale; the paper's are those of V100 GPUs."
)


@dataclass(frozen=True)
class Stage:
    """One training of one method's chain."""

    run: str
    cost: Cost


def write_cost(
    chains: Mapping[str, Sequence[Stage]],
    titles: Mapping[str, str],
    scale: str,
    device: str,
    on_gpu: bool,
    published_csv: Path,
    out_csv: Path,
    out_md: Path,
) -> None:
    """Write costs as CSV (one row per training), and as Markdown and LaTeX (one row per method, its stages summed).

    Args:
        chains: run -> the trainings it needs, its own last.
        titles: run -> its method for people.
        scale: name of the scale that they are costs at.
        device: name of the device they were measured on.
        on_gpu: whether that is a GPU, whose memory compares with the paper's.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    columns = ("trained_parameters", "frozen_parameters", "frames_per_video", "memory_gb_per_video", "host_gb", "fits")
    rest = ("groups_at_once", "seconds_per_kimg", "total_kimg", "days", "device")
    writer.writerow(["scale", "method", "stage", *columns, *rest])
    for run, stages in chains.items():
        for stage in stages:
            cost = stage.cost
            host = "" if cost.host_bytes is None else f"{cost.host_bytes / 1e9:.4g}"
            sizes = (cost.trained, cost.frozen, cost.frames_per_video)
            memory = (f"{cost.bytes_per_video / 1e9:.4g}", host, cost.fits, cost.groups_at_once)
            times = (f"{cost.seconds_per_kimg:.4g}", cost.total_kimg, f"{cost.days:.4g}")
            writer.writerow([scale, run, stage.run, *sizes, *memory, *times, device])
    write_text(out_csv, file.getvalue())
    heads, rows = _cells(chains, titles, scale, on_gpu, published_csv)
    note = NOTE.format(device=device, how="" if on_gpu else ", counted as tensors kept for the backward pass")
    lines = [_line(heads), _line(["---", *["---:"] * (len(heads) - 2), "---"]), *map(_line, rows)]
    write_text(out_md, "\n".join(lines) + f"\n\n{note}\n")
    title = "Supplement Table 1: what the methods cost"
    write_latex(out_csv.with_suffix(".tex"), title, heads, [[*map(escape, row)] for row in rows], [note], words=1)


def _cells(
    chains: Mapping[str, Sequence[Stage]], titles: Mapping[str, str], scale: str, on_gpu: bool, published_csv: Path
) -> tuple[list[str], list[list[str]]]:
    printed: dict[tuple[str, str], float] = {}
    for number in read_published(published_csv):
        if number.table == "S1":
            printed[f"{number.method}-{number.variant}".rstrip("-"), number.metric] = number.value
    kind = "GPU" if on_gpu else "CPU"
    heads = [
        "method",
        "parameters (M)",
        "frames per video",
        "paper",
        "GB per video",
        "paper",
        "fit at once",
        "groups at once",
    ]
    heads += ["s per kimg", f"{kind} days", "paper (GPU days)", "verdict"]
    rows = []
    for run, stages in chains.items():
        name, own = run.partition("/")[2], stages[-1].cost
        paper = [printed.get((name, m)) for m in ("frames_per_video", "memory_gb_per_video", "gpu_days")]
        days = " + ".join(f"{stage.cost.days:.3g}" for stage in stages)
        cells = [titles[run], f"{own.trained / 1e6:.2f}", str(own.frames_per_video), _number(paper[0])]
        cells += [f"{own.bytes_per_video / 1e9:.3g}", _number(paper[1]), str(own.fits), str(own.groups_at_once)]
        cells += [f"{own.seconds_per_kimg:.3g}", days]
        rows.append([*cells, _number(paper[2]), _verdict(own, paper[0], paper[1], scale == PAPER and on_gpu)])
    return heads, rows


def _verdict(cost: Cost, frames: float | None, memory: float | None, alike: bool) -> str:
    """Judge frames and memory; days are of another device in any case."""
    if frames is None:
        return ""
    same = cost.frames_per_video == frames
    said = [f"frames per video: {'reproduced' if same else f'outside ({cost.frames_per_video} against {frames:g})'}"]
    if memory is not None:
        row = {"memory_published": memory, "memory": cost.bytes_per_video / 1e9}
        reasons = [] if alike else ["another scale, or no GPU"]
        said.append(f"GB: {verdict(row | {'unlike_paper': reasons}, 'memory', (5, 10, 20))}")
    return "; ".join([*said, "days: not comparable: another device"])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
