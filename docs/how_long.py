"""Write docs/how-long.md: hours, memory and disk of every method at every scale.

    python docs/how_long.py [SCALE results/tables/cost.csv ...]
    python docs/how_long.py count

What `styleinv cost` has measured at a scale is taken into docs/how-long.csv first, where tables are named. `count`
takes what of the scales for a GPU needs none: parameters, and the bytes that a sample keeps for the backward pass.
What is neither measured nor counted is reckoned from that, the paper's printed costs and the configuration.
`tests/test_docs.py` holds the page to these.
"""

import csv
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from styleinv.config import lineage, load_dataset, load_scale, merged_method, method_title
from styleinv.paths import Paths
from styleinv.report.published import read_published
from styleinv.runs import Run, parse_run
from styleinv.stages.cost import without_data
from styleinv.stages.plan import FROZEN_BYTES, MODEL_BYTES, STATE_BYTES
from styleinv.stages.setting import Setting

ROOT = Path(__file__).parent.parent
PAGE, RECORD, CONFIG = ROOT / "docs/how-long.md", ROOT / "docs/how-long.csv", ROOT / "config"
METHODS = ("styleinv", "stylegan_v", "digan", "mocogan_hd", "long_video_gan")
# Whose size counts at each scale; costs depend on nothing else of a data set.
DATASETS = {"demo": "talking_faces", "laptop": "talking_faces", "small": "talking_faces", "paper": "taichi"}
# Scales that are measured on a CPU and for one, and what they are for.
ON_CPU = {
    "demo": "Demo scale: a CPU, 32 x 32",
    "laptop": "Laptop scale: a CPU, 64 x 64, a recognisable face from one's own videos",
}
# Published networks that an inversion begins with or is judged by; nothing that is counted depends on them.
UNPUBLISHED = "extends: {scale}\nmethods:\n  inversion: {{init: random, lpips_lambda: 0, id_lambda: 0}}\n"
# In the place of a device.
COUNTED = "counted on tensors without data"
# Of a card, and what of it a training may have: the rest is the driver's and the allocator's.
CARD_GB, USABLE = 24, 0.9
# Of a frame of 256 x 256 as JPEG of quality 95: docs/scaling.md.
FRAME_BYTES = 25_000
COLUMNS = ("scale", "stage", "trained_parameters", "frozen_parameters", "memory_gb_per_video", "host_gb")
COLUMNS += ("seconds_per_kimg", "total_kimg", "device")

HEAD = """# How long, how much

*Written by `python docs/how_long.py`, which a test holds it to.* **M** is measured by `styleinv cost`, **P** printed by
the paper (supplement, Table 1: V100 GPUs), **C** counted: what the backward pass keeps, most of what a GPU takes; **R**
reckoned from these and the schedules. Measure your own machine, in
minutes and before anything runs: `styleinv cost`, then `styleinv plan`.
"""


@dataclass(frozen=True)
class Row:
    """One method at one scale; a mark after each number says where it is from."""

    title: str
    trainings: int
    group: int
    gigabytes: float | None
    gigabytes_mark: str
    fits: int | None
    hours: float | None
    hours_mark: str
    disk: float | None


def measured(scale: str) -> dict[str, dict[str, str]]:
    """Rows of the record of one scale, by training."""
    with open(RECORD, newline="") as file:
        return {row["stage"]: row for row in csv.DictReader(file) if row["scale"] == scale}


def printed() -> dict[tuple[str, str], float]:
    """The paper's costs: (method, metric) -> value."""
    found = read_published(CONFIG / "published.csv")
    return {(one.method, one.metric): one.value for one in found if one.table == "S1" and not one.variant}


def training(run: Run, scale: str) -> dict[str, float]:
    """The block `training` of a run's settings."""
    return merged_method(run, CONFIG / f"{scale}.yaml").get("training", {})


def resolution(scale: str) -> int:
    """Side of a frame."""
    return load_dataset(DATASETS[scale], CONFIG / f"{scale}.yaml").resolution


def group_of(run: Run, scale: str) -> int:
    """Samples that a training computes at once, unless they are cut into pieces."""
    settings = training(run, scale)
    return int(settings.get("group_size", settings["batch"]))


def _whole(run: Run, scale: str) -> float:
    """Gigabytes that a group of a training takes besides its networks."""
    return group_of(run, scale) * float(measured(scale)[str(run)]["memory_gb_per_video"])


def row(method: str, scale: str) -> Row:
    """What is known of a method, its whole chain of trainings."""
    run, known, paper = parse_run(f"{DATASETS[scale]}/{method}"), measured(scale), printed()
    chain = lineage(run, CONFIG)
    there = [known[str(part)] for part in chain if str(part) in known]
    counted = str(run) in known and known[str(run)]["device"] == COUNTED

    # Memory: that of the last training, which is the one that is printed; what is counted says which takes most.
    area = (resolution(scale) / resolution("paper")) ** 2
    largest, per_video, mark = run, None, ""
    if (method, "memory_gb_per_video") in paper and scale not in ON_CPU:
        per_video, mark = paper[method, "memory_gb_per_video"] * area, "R"
    elif str(run) in known:
        largest = max((part for part in chain if str(part) in known), key=lambda part: _whole(part, scale))
        per_video, mark = float(known[str(largest)]["memory_gb_per_video"]), "C" if counted else "R"
    group = group_of(largest, scale)
    fixed = 0.0
    if str(largest) in known:
        fixed = (float(known[str(largest)]["trained_parameters"]) * (STATE_BYTES + FROZEN_BYTES)) / 1e9
    fits = None
    if per_video is not None:
        halves = [group // 2**n for n in range(8) if group % 2**n == 0]
        fits = next((part for part in halves if part * per_video + fixed <= CARD_GB * USABLE), None)
    gigabytes = None if per_video is None else group * per_video + fixed

    # Time: as measured where the device is the scale's own, else by the paper's days and the share of its schedule.
    hours, hours_mark = None, ""
    if scale in ON_CPU and len(there) == len(chain):
        hours = sum(float(one["seconds_per_kimg"]) * float(one["total_kimg"]) for one in there) / 3600
        hours_mark = "M"
    elif scale not in ON_CPU and (method, "gpu_days") in paper:
        shares = [training(part, scale)["total_kimg"] / training(part, "paper")["total_kimg"] for part in chain]
        if merged_method(run, CONFIG / f"{scale}.yaml").get("epochs") is None or scale == "paper":
            hours = paper[method, "gpu_days"] * 24 * max(shares) * area
            hours_mark = "P" if scale == "paper" else "R"

    models = load_scale(CONFIG / f"{scale}.yaml").snapshots + 1
    disk = None
    if len(there) == len(chain):
        disk = (
            sum(
                float(one["trained_parameters"]) * (models * MODEL_BYTES + STATE_BYTES)
                + float(one["frozen_parameters"]) * FROZEN_BYTES * (models + 1)
                for one in there
            )
            / 1e9
        )
    title = method_title(run, CONFIG)
    return Row(title, len(chain), group, gigabytes, mark, fits, hours, hours_mark, disk)


def _fit(one: Row) -> str:
    if one.gigabytes is None:
        return "not measured"
    if one.fits is None:
        return "no"
    return "yes" if one.fits == one.group else f"yes, with `batch_gpu: {one.fits}`"


def _number(value: float | None, mark: str = "") -> str:
    return "" if value is None else f"{value:.2g} {mark}".strip() if value < 100 else f"{value:.0f} {mark}".strip()


def table(scale: str) -> Iterator[str]:
    """The table of one scale; on a CPU of what was measured there."""
    cpu = scale in ON_CPU
    unit = "minutes, one core" if cpu else "V100 days"
    memory = "host memory, GB" if cpu else "GPU memory of a group, GB"
    fits = [] if cpu else [f"one {CARD_GB} GB card"]
    heads = ["method", "trainings", unit, memory, *fits, "models and states, GB"]
    yield f"| {' | '.join(heads)} |"
    yield f"|---|---:|---:|---:|{'---|' * len(fits)}---:|"
    for method in METHODS:
        one = row(method, scale)
        if cpu and one.hours is None:
            continue
        hours = None if one.hours is None else one.hours * 60 if cpu else one.hours / 24
        host = measured(scale).get(f"{DATASETS[scale]}/{method}", {}).get("host_gb")
        size = _number(float(host), "M") if cpu and host else _number(one.gigabytes, one.gigabytes_mark)
        cells = [one.title, str(one.trainings), _number(hours, one.hours_mark), size]
        cells += ([] if cpu else [_fit(one)]) + [_number(one.disk, "R" if one.disk else "")]
        yield f"| {' | '.join(cells)} |"


def answer() -> list[str]:
    """Whether one card does it, in sentences that follow from the rows."""
    lines = []
    for scale, what in (("small", "Small scale"), ("paper", "Paper scale")):
        rows = {method: row(method, scale) for method in METHODS}
        sized = [one for one in rows.values() if one.gigabytes is not None]
        whole = [one.title for one in sized if one.fits == one.group]
        parts = [f"{one.title} (`batch_gpu: {one.fits}`)" for one in sized if one.fits not in (None, one.group)]
        none = [one.title for one in sized if one.fits is None]
        kinds = [f"{', '.join(whole)} fit one {CARD_GB} GB card as they are"] if whole else []
        kinds += [f"{', '.join(parts)} in smaller pieces, slower and the same training"] if parts else []
        kinds += [f"{', '.join(none)} do not"] if none else []
        said = f"**{what}** ({resolution(scale)} x {resolution(scale)}): {'; '.join(kinds)}"
        own, both = rows["styleinv"], [rows[name].hours for name in METHODS]
        assert own.hours is not None
        days = f"{own.hours / 24:.2g} V100 days" if own.hours >= 48 else f"{own.hours:.2g} V100 hours"
        said += f". StyleInV with all that it builds on takes about {days} a data set"
        known = [hours for hours in both if hours is not None]
        all_ = sum(known)
        of = "all five methods" if len(known) == len(both) else f"the {len(known)} methods that can be reckoned"
        said += f", {of} {f'{all_ / 24:.0f} days' if all_ >= 48 else f'{all_:.0f} hours'}."
        lines.append(said)
    return lines


def frames() -> Iterator[str]:
    """Disk of the data sets, by the paper's counts."""
    yield "| data set | frames | frame store, GB |"
    yield "|---|---:|---:|"
    for file in sorted((CONFIG / "datasets").glob("*.yaml")):
        one = load_dataset(file.stem, CONFIG / "paper.yaml")
        if one.expected and one.expected.frames:
            size = one.expected.frames * FRAME_BYTES * (one.resolution / 256) ** 2 / 1e9
            yield f"| {one.title} | {one.expected.frames:,} | {_number(size, 'R')} |"


def page() -> str:
    """Write the page."""
    devices = dict.fromkeys(one["device"] for one in measured("demo").values())
    demo = [row(method, "demo").hours for method in ("styleinv", "stylegan_v")]
    text = [HEAD, "## Does one 24 GB card do this?", "", verdict(), ""]
    text += [f"- {line}" for line in answer()]
    text += ["", "No GPU at all: the demo and the laptop scale below.", ""]
    for scale, title in ON_CPU.items():
        text += [f"## {title}", "", *table(scale), ""]
    text += [
        f"Measured on a machine that others shared ({' and '.join(devices)}). `make demo` is the first two rows of"
        f" the demo scale, {sum(hours * 60 for hours in demo if hours):.0f} minutes of one core on it; two cores train"
        " them side by side. Making videos, scoring and figures come on top.",
        "",
    ]
    text += ["## Small scale: one GPU", "", *table("small"), ""]
    text += ["Days are the paper's, by the share of its schedule and of its pixels.", ""]
    text += ["## Paper scale: 256 x 256, the paper's schedule", "", *table("paper"), ""]
    text += [
        "The paper's days of a method are those of all its trainings. Memory is that of one group of samples, the part"
        " of a batch that is computed at once, with networks, averages and optimisers where their size was measured;"
        " `training.batch_gpu` computes it in smaller pieces ([docs/training.md](training.md)). Several GPUs share the"
        " groups: `gpus=8` divides the days, not the memory.",
        "",
        "## Data",
        "",
        *frames(),
        "",
        "Raw videos are besides; their sizes are the sources' ([docs/datasets.md](datasets.md)).",
        "",
    ]
    return "\n".join(text)


def verdict() -> str:
    """Whether the card does it, as far as memory is known."""
    rows = [row(method, scale) for method in METHODS for scale in ("small", "paper")]
    unknown = dict.fromkeys(one.title for one in rows if one.gigabytes is None)
    known = all(one.fits is not None for one in rows if one.gigabytes is not None)
    without = f" The memory of {', '.join(unknown)} is not known: measure it there first." if unknown else ""
    return f"{'Yes.' if known else 'Not all of it.'}{without}"


def count() -> None:
    """Take into the record what can be counted of the scales that are for a GPU."""
    for scale in (name for name in DATASETS if name not in ON_CPU):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(CONFIG, config := Path(folder) / "config")
            (config / "unpublished.yaml").write_text(UNPUBLISHED.format(scale=scale))
            setting = Setting(config / "unpublished.yaml", Paths(Path(folder) / "results"))
            for method in METHODS:
                for part, sizes in without_data(parse_run(f"{DATASETS[scale]}/{method}"), setting):
                    numbers = {"trained_parameters": sizes.trained, "frozen_parameters": sizes.frozen}
                    numbers |= {"memory_gb_per_video": f"{sizes.bytes_per_video / 1e9:.4g}"}
                    numbers |= {"total_kimg": sizes.total_kimg, "device": COUNTED}
                    keep([dict.fromkeys(COLUMNS, "") | numbers | {"scale": scale, "stage": str(part)}])


def take(scale: str, table: Path) -> None:
    """Take the rows of a table of `styleinv cost` into the record."""
    with open(table, newline="") as file:
        keep([{"scale": scale} | {name: one[name] for name in COLUMNS[1:]} for one in csv.DictReader(file)])


def keep(new: list[dict[str, Any]]) -> None:
    """Put rows into the record, in the place of those of the same training."""
    kept = []
    if RECORD.exists():
        with open(RECORD, newline="") as file:
            kept = list(csv.DictReader(file))
    rows = {(one["scale"], one["stage"]): one for one in [*kept, *new]}
    with open(RECORD, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[key] for key in sorted(rows))


if __name__ == "__main__":
    words = sys.argv[1:]
    if words == ["count"]:
        count()
    else:
        for scale_, table_ in zip(words[::2], words[1::2], strict=True):
            take(scale_, Path(table_))
    PAGE.write_text(page())
