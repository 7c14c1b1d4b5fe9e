"""pack: a trained run as a folder to share, with its card; and what takes such a folder in a run's place."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from styleinv.config import dataset_title, method_title
from styleinv.errors import UserError
from styleinv.evaluation.comparison import compare_scores
from styleinv.files import check_unchanged, read_json, read_scores, sha256, write_json, write_text
from styleinv.paths import Paths
from styleinv.runs import CARD, Run, parse_model, parse_run
from styleinv.stages.compare import STAND_IN, scored_text
from styleinv.stages.model import Model, encoder_of
from styleinv.stages.setting import Setting
from styleinv.stages.showing import grid, write_film

# What a run's record says of the machine and the person that made it, which is nobody's business elsewhere.
PRIVATE = ("user", "host", "job_id")
SAMPLES, SECONDS = 9, 4.0
USE = """\
## What it is for, and what not

It is a research model: it reproduces, compares and extends published methods. It has learnt from the data set named
above, whose terms hold for what is made of it; most such sets allow research alone. Do not animate people who have not
agreed to it, and do not pass a generated face off as a real one. Videos made with `styleinv` say in their metadata that
they are synthetic.
"""


HOW = """\
![samples](samples.mp4)

```bash
styleinv verify FOLDER
styleinv generate FOLDER --out videos --seeds 0-7
```

From Python: `styleinv.load("FOLDER").generate(seed=3, seconds=4)`.
""".splitlines()


def packed(what: Run | Path, setting: Setting) -> tuple[Run, Paths]:
    """Find a trained run: by its name under the results, or as a folder that `pack` has written.

    Raises:
        UserError: the folder is none of these.
    """
    if isinstance(what, Run):
        return what, setting.paths
    card = what / CARD
    if not card.exists():
        raise UserError(f"holds no {CARD}", file=what, cure="Give a folder that `styleinv pack` has written.")
    return parse_run(str(read_json(card)["run"])), Paths(what)


def load_named(name: str, results: str | Path, device: str, psi: float) -> Model:
    """Load a run by its name, or the folder of a packed one; see `styleinv.load`."""
    run, paths = packed(parse_model(name), Setting(paths=Paths(Path(results))))
    return Model(run, paths, device, psi)


def load_model(what: Run | Path, setting: Setting, psi: float = 1.0) -> Model:
    """Load a trained run by its name or folder; see `Model`."""
    run, paths = packed(what, setting)
    return Model(run, paths, setting.scale.device, psi)


def pack(run: Run, setting: Setting, out: Path) -> Iterator[str]:
    """Write a trained run as a folder: weights, resolved configuration, scores with their protocol, samples, a card.

    It holds the inversion encoder too, where the method begins with images. Hashes of all files are in `card.json`,
    which `styleinv verify FOLDER` compares; what the run's records say of persons and machines is left out.

    Args:
        run: a trained run that makes videos.
        setting: where it lies.
        out: the folder, which must not be there.

    Raises:
        UserError: the folder is there; no such run, or one that makes no videos.
    """
    if out.exists():
        raise UserError("is there already", file=out, cure="Give another --out.")
    model = Model(run, setting.paths, setting.scale.device)
    below = encoder_of(run, setting.paths) if hasattr(model.generator, "started") else None
    runs = [run] + ([below] if below and setting.paths.model(below).exists() else [])
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        folder = Path(temporary) / out.name
        paths = Paths(folder)
        for one in runs:
            _copy(one, setting.paths, paths)
        films = [model.stream(seed, model.times(seconds=SECONDS)) for seed in range(SAMPLES)]
        write_film(folder / "samples.mp4", grid(films), model.fps, model.note)
        write_text(folder / "README.md", card(run, setting, [*HOW, ""]))
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        hashes = {file.relative_to(folder).as_posix(): sha256(file) for file in files}
        write_json(folder / CARD, {"run": str(run), "files": hashes})
        folder.rename(out)
    yield f"{out}: {len(hashes) + 1} files, {sum((out / name).stat().st_size for name in hashes) / 1e6:.1f} MB"
    yield f"styleinv verify {out}"


def verify_folder(folder: Path) -> Iterator[str]:
    """Compare a packed run with the hashes of its card.

    Yields:
        Each file that differs, is missing or is not named, then how many were compared.

    Raises:
        UserError: there is such a file.
    """
    wanted: dict[str, str] = read_json(folder / CARD)["files"]
    there = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()} - {CARD}
    faults = [f"{folder / name}: is missing" for name in sorted(wanted.keys() - there)]
    faults += [f"{folder / name}: is not named by {CARD}" for name in sorted(there - wanted.keys())]
    shared = sorted(wanted.keys() & there)
    faults += [f"{folder / name}: has changed" for name in shared if sha256(folder / name) != wanted[name]]
    yield from faults
    if faults:
        raise UserError(f"{len(faults)} files are not what was packed", file=folder, cure="Obtain the folder again.")
    yield f"{len(wanted)} files are what was packed"


def _copy(run: Run, source: Paths, target: Paths) -> None:
    """Copy what is known of a run, without what is known of those who made it."""
    check_unchanged(source.model(run))
    kept = (source.model(run), source.run(run) / "config.yaml", source.metrics(run), source.protocol(run))
    target.run(run).mkdir(parents=True)
    for file in kept:
        if file.exists():
            shutil.copyfile(file, target.run(run) / file.name)
    record = {key: value for key, value in _record(run, source).items() if key not in PRIVATE}
    # Paths begin with the folders of whoever made it; what they end with says which run or data set is meant.
    for side in ("inputs", "outputs"):
        record[side] = {"/".join(Path(name).parts[-3:]): value for name, value in record[side].items()}
    write_json(target.provenance(target.run(run), "train"), record)


def _record(run: Run, paths: Paths) -> dict[str, Any]:
    return read_json(paths.provenance(paths.run(run), "train"))


def card(run: Run, setting: Setting, how: Sequence[str] = ()) -> str:
    """Write the model card: what it is, how it scored and by which protocol, what it cost, what it is for.

    Args:
        run: a trained run.
        setting: where it lies.
        how: lines on how to use it, in Markdown.
    """
    config, record = setting.config.parent, _record(run, setting.paths)
    made = f"{record['started'][:10]}, commit {str(record['commit'])[:10]}{' with changes' * bool(record['dirty'])}"
    lines = [
        f"# {run}",
        "",
        f"{method_title(run, config)}, trained on {dataset_title(run.dataset, config)} at the scale"
        f" `{record.get('scale', setting.config.stem)}`, seed {record.get('seed', 0)}: {made}; {record['device']},"
        f" {record['seconds'] / 3600:.2f} hours for its last part. `config.yaml` beside its weights has every setting.",
        "",
        *how,
        "## Scores",
        "",
        *_scores(run, setting.paths),
        "",
        USE,
    ]
    return "\n".join(lines)


def _scores(run: Run, paths: Paths) -> Iterator[str]:
    """A line for each score, after what makes them comparable."""
    if not paths.metrics(run).exists():
        yield "It has not been scored."
        return
    scores = read_scores(paths.metrics(run))
    # A score compared with itself: its name for people, its interval, and whether a stand-in gave it.
    result = compare_scores(scores, scores, (str(run), str(run)))
    yield f"By the protocol `{scores['protocol_id']}`, which `protocol.json` beside its weights spells out."
    if result.stand_in:
        yield STAND_IN
    yield ""
    for pair in result.scores.values():
        yield f"- {pair.title}: {scored_text(pair.a, result.stand_in)}"
