"""`report.html`: one file that opens without a server, everything inside it."""

import base64
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from styleinv.errors import UserError
from styleinv.files import write_text
from styleinv.report import figures, tables

MEDIA = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
}

# What the provenance line of a run shows, in this order: key, title.
PROVENANCE = {
    "commit": "commit",
    "config_hash": "configuration",
    "seconds": "wall time",
    "peak_memory_mb": "peak memory",
    "host": "host",
    "device": "device",
    "job_id": "job",
}


@dataclass(frozen=True)
class RunView:
    """One stage of one run, as the page shows it.

    Attributes:
        run: `<dataset>/<method>[-<variant>]`.
        dataset, method: the same for people.
        stage: name of the stage.
        curves_csv: its training curves, None where it has none.
        videos: .mp4 files.
        images: film strips and other pictures.
        provenance: content of its provenance.json.
        metrics: the content of its metrics.json, None where it was not evaluated.
        widths: how wide the page shows a file, in pixels; those that are not named at their own width.
    """

    run: str
    dataset: str
    method: str
    stage: str
    curves_csv: Path | None = None
    videos: list[Path] = field(default_factory=list)
    images: list[Path] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] | None = None
    widths: dict[Path, int] = field(default_factory=dict)


def write_report(
    out_html: str | Path,
    title: str,
    table: tables.Table,
    runs: Sequence[RunView],
    shares: Sequence[str] = (),
) -> None:
    """Write the page.

    Args:
        out_html: the file.
        title: its heading.
        table: the scores.
        runs: in the order of the page.
        shares: how much of the paper's data each data set holds, in words.

    Raises:
        UserError: a picture, video or curve is missing, or of a kind that a page cannot show.
    """
    stand_in = any(row["stand_in"] for row in table.rows) or any((v.metrics or {}).get("stand_in") for v in runs)
    page = (
        _environment()
        .get_template("report.html")
        .render(
            title=title,
            table=table,
            notes=[_bold(note) for note in tables.notes(table) if note != tables.STAND_IN_NOTE],
            stand_in=stand_in,
            shares=tables.shares_text(shares) if shares else "",
            legend=f"{tables.legend(table)} Green: best, underlined: second best of comparable rows, {tables.TIES}.",
            footnotes=tables.footnotes_text(table),
            records=_records(runs),
            groups=_groups(runs),
        )
    )
    write_text(out_html, page)


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
        "pretty": lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    }
    return environment


def _groups(runs: Sequence[RunView]) -> dict[str, list[dict[str, Any]]]:
    """Runs by data set, each with its provenance and motion in words."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for view in runs:
        metrics = view.metrics or {}
        real = metrics.get("diagnostics_real", {})
        facts = provenance_facts(view.provenance)
        for name, value in metrics.get("diagnostics", {}).items():
            of_real = "" if real.get(name) is None else f" (real {real[name]:.3g})"
            facts += [] if value is None else [(name.replace("_", " "), f"{value:.3g}{of_real}")]
        item = {"view": view, "facts": facts, "signatures": metrics.get("signatures", [])}
        groups.setdefault(view.run.partition("/")[0], []).append(item)
    return groups


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
    if key == "peak_memory_mb":
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
    scores = [one for view in runs if view.metrics for one in (view.metrics, *view.metrics.get("also", {}).values())]
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
