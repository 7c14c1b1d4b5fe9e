"""`report.html`: one file that opens without a server, everything inside it."""

import base64
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from styleinv.errors import UserError
from styleinv.files import write_text
from styleinv.report import figures, tables
from styleinv.report.verdicts import joined

MEDIA = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
}

MEMORY = ("peak_gpu_memory_mb", "peak_memory_mb")
# What the provenance line of a run shows, in this order: key, title.
PROVENANCE = {
    "commit": "commit",
    "config_hash": "configuration",
    "seconds": "wall time",
    "peak_memory_mb": "peak memory",
    "peak_gpu_memory_mb": "peak GPU memory",
    "host": "host",
    "device": "device",
    "job_id": "job",
}


@dataclass(frozen=True)
class StageView:
    """One training of a run's chain, as the page shows it.

    Attributes:
        run, method: its name, and its method for people.
        command: what makes it.
        curves_csv: its training curves.
        samples: a picture of what it makes, and the width at which it is shown.
        provenance: content of its provenance.json.
        log: its log, relative to the page; empty where none is there.
    """

    run: str
    method: str
    command: str
    curves_csv: Path
    samples: tuple[Path, int] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    log: str = ""


@dataclass(frozen=True)
class RunView:
    """One run, as the page shows it.

    Attributes:
        run: `<dataset>/<method>[-<variant>]`.
        dataset, method: the same for people.
        stages: the trainings that it comes of, its own last.
        hashes: what it is made of -> SHA-256: its checkpoint, its data.
        metrics: the content of its metrics.json.
        scoring: provenance of its scores.
        command: what scores it.
        files: title -> a file of it, relative to the page.
    """

    run: str
    dataset: str
    method: str
    stages: Sequence[StageView]
    hashes: Mapping[str, str]
    metrics: dict[str, Any]
    scoring: dict[str, Any]
    command: str
    files: Mapping[str, str]

    @property
    def anchor(self) -> str:
        """Where the page tells of it."""
        return self.run.replace("/", "-")


@dataclass(frozen=True)
class Film:
    """One video of the gallery: what it is, the .mp4, its width on the page, and the run that the page tells of."""

    label: str
    file: Path
    width: int
    run: str = ""


@dataclass(frozen=True)
class Shelf:
    """Videos of one seed beside each other."""

    dataset: str
    seed: int
    films: Sequence[Film]


def write_report(
    out_html: str | Path,
    title: str,
    story: Sequence[str],
    table: tables.Table,
    runs: Sequence[RunView],
    gallery: Sequence[Shelf] = (),
    enlarged: str = "",
    shares: Sequence[str] = (),
) -> None:
    """Write the page.

    Args:
        out_html: the file.
        title: its heading.
        story: what was run, in sentences.
        table: the scores.
        runs: in the order of the page.
        gallery: one seed after the other.
        enlarged: how small videos were enlarged, in words.
        shares: how much of the paper's data each data set holds, in words.

    Raises:
        UserError: a picture, video or curve is missing, or of a kind that a page cannot show.
    """
    stand_in = any(row["stand_in"] for row in table.rows) or any(view.metrics.get("stand_in") for view in runs)
    page = (
        _environment()
        .get_template("report.html")
        .render(
            title=title,
            story=story,
            table=table,
            anchors=[_anchor(row, runs) for row in table.rows],
            notes=[_bold(note) for note in tables.notes(table) if note != tables.STAND_IN_NOTE],
            stand_in=stand_in,
            shares=tables.shares_text(shares) if shares else "",
            legend=f"{tables.legend(table)} Green: best, underlined: second best of comparable rows, {tables.TIES}.",
            footnotes=tables.footnotes_text(table),
            records=_records(runs),
            shelves=gallery,
            enlarged=enlarged,
            runs=[_item(view) for view in runs],
            failures=[(view, line) for view in runs for line in view.metrics.get("signatures", [])],
        )
    )
    write_text(out_html, page)


def _anchor(row: Mapping[str, Any], runs: Sequence[RunView]) -> str:
    """Find the run that a row is of; of a row over several seeds the first."""
    name = f"{row['dataset']}/{row['method']}"
    return next((view.anchor for view in runs if view.run == name or view.run.startswith(f"{name}-seed")), "")


def data_uri(path: str | Path) -> str:
    """Encode a file as a `data:` address.

    Raises:
        UserError: missing, or not a picture or video that browsers show.
    """
    path = Path(path)
    kind = MEDIA.get(path.suffix.lower())
    if kind is None:
        raise UserError("is neither a picture nor an mp4", file=path, cure=f"Known: {', '.join(MEDIA)}.")
    if not path.is_file():
        raise UserError("does not exist", file=path, cure="Run the stage that makes it first.")
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("styleinv.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "data_uri": data_uri,
        "curves": _curves,
        "score": tables.cell_text,
        "best_text": tables.best_text,
        "published": tables.published_text,
        # An id is two hashes: it may be broken between them.
        "breakable": lambda text: Markup("-<wbr>").join(text.split("-")),
        "verdict": lambda row, table: joined(row, table.scores),
        "facts": provenance_facts,
        "pretty": lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    }
    return environment


def _item(view: RunView) -> dict[str, Any]:
    """A run with its facts, motion and costs in words."""
    metrics, stages = view.metrics, view.stages
    own = stages[-1].provenance
    facts = [
        (title, _fact(key, own[key])) for key, title in (("commit", "commit"), ("device", "device")) if own.get(key)
    ]
    motion = []
    real = metrics.get("diagnostics_real", {})
    for name, value in metrics.get("diagnostics", {}).items():
        of_real = "" if real.get(name) is None else f" (real {real[name]:.3g})"
        motion += [] if value is None else [(name.replace("_", " "), f"{value:.3g}{of_real}")]
    seconds = [
        float(stage.provenance.get("training_seconds") or stage.provenance.get("seconds") or 0) for stage in stages
    ]
    memory = [stage.provenance[key] for stage in stages for key in MEMORY if stage.provenance.get(key)]
    cost = {
        "parts": " + ".join(duration(part) for part in seconds),
        "whole": duration(sum(seconds)),
        "memory": _fact("peak_memory_mb", max(memory)) if memory else "–",
        "scoring": duration(float(view.scoring["seconds"])) if view.scoring.get("seconds") else "–",
        "device": own.get("device", "–"),
    }
    return {"view": view, "facts": facts, "motion": motion, "cost": cost, "signatures": metrics.get("signatures", [])}


def provenance_facts(provenance: dict[str, Any]) -> list[tuple[str, str]]:
    """List (title, text) of what provenance says about where a result comes from."""
    return [
        (title, _fact(key, provenance[key]))
        for key, title in PROVENANCE.items()
        if provenance.get(key) not in (None, "")
    ]


def _fact(key: str, value: Any) -> str:
    if key == "seconds":
        return duration(float(value))
    if key in MEMORY:
        return f"{float(value) / 1024:.2f} GiB" if float(value) >= 1024 else f"{float(value):.0f} MiB"
    # Hashes are long; their beginning is what people compare.
    return str(value)[:12] if key in ("commit", "config_hash") else str(value)


def duration(seconds: float) -> str:
    """Write a duration: `42 s`, `3 min 20 s`, `5 h 12 min`, `2 d 3 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    whole = round(seconds)
    first = next(i for i, (_, size) in enumerate(units) if whole >= size)
    (big, size), (small, part) = units[first], units[first + 1]
    return f"{whole // size} {big} {whole % size // part} {small}"


def _records(runs: Sequence[RunView]) -> dict[str, Any]:
    """Protocol id -> record, each once, those of further protocols too."""
    scores = [one for view in runs for one in (view.metrics, *view.metrics.get("also", {}).values())]
    return {one["protocol_id"]: one["protocol"] for one in scores}


def _curves(path: Path) -> str:
    """Curves as an inline picture."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "curves.png"
        figures.curves_figure({"": path}, picture)
        return data_uri(picture)


def _bold(text: str) -> Markup:
    """Markdown's **bold** and `code` as HTML."""
    pieces = str(escape(text)).split("**")
    html = "".join(f"<b>{piece}</b>" if i % 2 else piece for i, piece in enumerate(pieces)).split("`")
    return Markup("".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(html)))
