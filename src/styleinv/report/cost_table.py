"""What the methods cost, beside the supplement's Table 1."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from styleinv.files import write_text
from styleinv.report.published import read_published
from styleinv.training.measure import Cost

NOTE = (
    "Measured on the {device}; one process. Memory is what one more video in the group takes{how}. "
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
    """Write costs as CSV (one row per training) and Markdown (one row per method, its stages summed).

    Args:
        chains: run -> the trainings it needs, its own last.
        titles: run -> its method for people.
        scale: name of the scale that they are costs at.
        device: name of the device they were measured on.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    columns = ("trained_parameters", "frozen_parameters", "frames_per_video", "memory_gb_per_video", "host_gb")
    writer.writerow(["scale", "method", "stage", *columns, "seconds_per_kimg", "total_kimg", "days", "device"])
    for run, stages in chains.items():
        for stage in stages:
            cost = stage.cost
            host = "" if cost.host_bytes is None else f"{cost.host_bytes / 1e9:.4g}"
            numbers = (cost.trained, cost.frozen, cost.frames_per_video, f"{cost.bytes_per_video / 1e9:.4g}", host)
            times = (f"{cost.seconds_per_kimg:.4g}", cost.total_kimg, f"{cost.days:.4g}")
            writer.writerow([scale, run, stage.run, *numbers, *times, device])
    write_text(out_csv, file.getvalue())
    write_text(out_md, _markdown(chains, titles, device, on_gpu, published_csv))


def _markdown(
    chains: Mapping[str, Sequence[Stage]], titles: Mapping[str, str], device: str, on_gpu: bool, published_csv: Path
) -> str:
    printed: dict[tuple[str, str], float] = {}
    for number in read_published(published_csv):
        if number.table == "S1":
            printed[f"{number.method}-{number.variant}".rstrip("-"), number.metric] = number.value
    kind = "GPU" if on_gpu else "CPU"
    head = ["method", "parameters (M)", "frames per video", "paper", "GB per video", "paper", "s per kimg"]
    head += [f"{kind} days", "paper (GPU days)"]
    lines = [_line(head), _line(["---", *["---:"] * (len(head) - 1)])]
    for run, stages in chains.items():
        name, own = run.partition("/")[2], stages[-1].cost
        paper = [_number(printed.get((name, m))) for m in ("frames_per_video", "memory_gb_per_video", "gpu_days")]
        days = " + ".join(f"{stage.cost.days:.3g}" for stage in stages)
        cells = [titles[run], f"{own.trained / 1e6:.2f}", str(own.frames_per_video), paper[0]]
        cells += [f"{own.bytes_per_video / 1e9:.3g}", paper[1], f"{own.seconds_per_kimg:.3g}", days, paper[2]]
        lines.append(_line(cells))
    how = "" if on_gpu else ", counted as tensors kept for the backward pass"
    return "\n".join(lines) + "\n\n" + NOTE.format(device=device, how=how) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
