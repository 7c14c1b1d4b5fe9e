"""Typed configuration: strict YAML files in, one frozen and fully resolved configuration per run out.

config/config.yaml          which data sets and methods the workflow runs, and at which scale
config/<scale>.yaml         what a scale changes (demo, small, paper)
config/datasets/<name>.yaml one data set
config/methods/<name>.yaml  one method at paper scale, and its variants
config/experiments/<name>.yaml  one table: which runs on which data sets
config/figures/<name>.yaml  one figure: how it is drawn, of which runs, seeds and frames
config/questions/<name>.yaml  one experiment beyond the paper: what is measured, of which runs
"""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from styleinv.crop.settings import Alignment, CropSettings
from styleinv.data import sources
from styleinv.data.census import Expected
from styleinv.data.source import SourceConfig
from styleinv.errors import UserError
from styleinv.evaluation.protocol import EvaluationConfig
from styleinv.files import natural_order
from styleinv.runs import Run, parse_run
from styleinv.schema import Layer, Model, Strict, merge, parse, read_layer

SourceT = TypeVar("SourceT", bound=SourceConfig)


class DatasetConfig(CropSettings, Generic[SourceT]):
    """One data set, with the settings of its kind of source."""

    title: str
    source: SourceT
    expected: Expected | None = None
    methods: dict[str, dict[str, Any]] = {}


class Scale(Strict):
    """What one scale changes; every key of `methods` and `datasets` overrides the file of that name.

    Attributes:
        extends: another scale, all of which holds here but for what this one says.
        seed: of runs whose names have none.
        snapshots: evenly spaced models that every training keeps besides its last one; where there are any, each video
            method is scored along its training, and the tables show its best snapshot too.
    """

    extends: str | None = None
    seed: int = Field(0, ge=0)
    snapshots: int = Field(0, ge=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    datasets: dict[str, dict[str, Any]] = {}
    methods: dict[str, dict[str, Any]] = {}
    evaluation: EvaluationConfig = EvaluationConfig()


# The metric whose best value along a training stands beside that of the last model.
BEST_BY = "fvd16"


class Selection(Strict):
    """Runs of a table or figure.

    Attributes:
        title: its heading.
        datasets: where the paper made it; of these, those that config.yaml lists, or all of its if it lists none.
        runs: rows, `<method>` or `<method>-<variant>`; the methods of config.yaml if none are named.
    """

    title: str
    datasets: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()

    def rows(self, datasets: Sequence[str], methods: Sequence[str], seeds: Sequence[int | None] = (None,)) -> list[Run]:
        """List its runs, given the data sets, methods and seeds of the study."""
        chosen = _listed(self.datasets, datasets)
        runs = [parse_run(f"{dataset}/{run}") for dataset in chosen for run in self.runs or methods]
        return [run.seeded(seed) for run in runs for seed in seeds]


def _listed(printed: Sequence[str], own: Sequence[str]) -> Sequence[str]:
    """Of a study's own names those that the paper has, or all of them."""
    return [name for name in own if name in printed] or own


class Experiment(Selection):
    """One table: config/experiments/<name>.yaml.

    Attributes:
        columns: metrics and motion diagnostics; all metrics that were computed if none are named.
        best_by: the metric whose best value along a training is also shown, where models along it were kept.
        table: the printed table, as `table` of published.csv names it.
        against: rows that are compared with another one, `(-)` where their score is lower, `(+)` where it is higher.
        within: a score is reproduced within the first of these per cent of the printed one that it does not exceed.
    """

    columns: tuple[str, ...] = ()
    best_by: str = BEST_BY
    table: str = ""
    against: dict[str, str] = {}
    within: tuple[PositiveFloat, ...] = (5, 10, 20)


class Figure(Selection):
    """One figure: config/figures/<name>.yaml.

    Attributes:
        kind: how it is drawn: a row of `KINDS` in `stages/figures.py`.
        caption: what it shows and how to read it, whatever runs it is drawn of.
        models: whether it needs trained runs, or data alone.
        styles: fine-tunings, such as `style_transfer`, each on every style set; the data sets are then those that the
            generators were tuned from.
        style_sets: those of the paper, chosen as `datasets` are.
        real: real videos beside the generated ones.
        initial: G(w0) before the first frame.
        unseen: also persons of the study's `unseen` data sets.
        seeds: of the videos, the same for all rows; real ones are chosen by them too.
        frames: which frames of a video: (first, end, step), the end exclusive, one after the other.
        unit: of `frames`.
        columns: longer rows go on in another line.
        marked: frames at multiples of this have a red border.
        videos: real videos that are taken, where their number is not that of the seeds.
    """

    kind: str
    caption: str
    models: bool = True
    styles: tuple[str, ...] = ()
    style_sets: tuple[str, ...] = ()
    real: bool = False
    initial: bool = False
    unseen: bool = False
    seeds: tuple[NonNegativeInt, ...] = Field((0,), min_length=1)
    frames: tuple[tuple[NonNegativeFloat, NonNegativeFloat, PositiveFloat], ...] = ()
    unit: Literal["frames", "seconds"] = "frames"
    columns: PositiveInt = 16
    marked: PositiveFloat | None = None
    videos: PositiveInt = 2

    def times(self, fps: float) -> list[float]:
        """List the times of its frames, in frames of a data set of some frame rate."""
        scale = fps if self.unit == "seconds" else 1.0
        parts = [(first + step * i, end) for first, end, step in self.frames for i in range(_steps(first, end, step))]
        return [round(time * scale, 6) for time, _ in parts]


def _steps(first: float, end: float, step: float) -> int:
    return max(0, math.ceil((end - first) / step - 1e-9))


class Question(Strict):
    """One experiment beyond the paper: config/questions/<name>.yaml.

    Attributes:
        title: its heading.
        asks: what is asked, and where that comes from.
        kinds: how it is measured: rows of `KINDS` in `stages/questions.py`.
        datasets: of the runs; those that the styles' generators were tuned from, else those of config.yaml, if none are
            named.
        runs: `<method>` or `<method>-<variant>`.
        styles: fine-tunings, such as `style_transfer`, each on every style set.
        style_sets: data sets of styles.
        unseen: data sets of persons that no training sees, cropped as `datasets` are.
        frames: lengths of the videos.
        videos: of each run and length, with the seeds from 0 on, and real ones.
        measures: columns of the table, and what its sentences tell; the CSV has all.
    """

    title: str
    asks: str
    kinds: tuple[str, ...] = Field(min_length=1)
    datasets: tuple[str, ...] = ()
    runs: tuple[str, ...] = Field(min_length=1)
    styles: tuple[str, ...] = ()
    style_sets: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    frames: tuple[Annotated[int, Field(ge=4)], ...] = Field((128,), min_length=1)
    videos: int = Field(ge=2)
    measures: tuple[str, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Shown:
    """What a figure is drawn of, or a question asked of.

    Attributes:
        runs: its rows.
        styles: fine-tuned image generators.
        datasets: whose real videos it shows.
        unseen: data sets of persons that no training has seen.
    """

    runs: tuple[Run, ...]
    styles: tuple[Run, ...]
    datasets: tuple[str, ...]
    unseen: tuple[str, ...]


class Study(Strict):
    """What the workflow runs: config/config.yaml.

    Attributes:
        scale: name of config/<scale>.yaml.
        datasets, methods: every method on every data set; methods are written `<method>` or `<method>-<variant>`.
        seeds: of the trainings; that of the scale if none are named.
        styles: style sets, on which image generators are fine-tuned for figures.
        unseen: data sets of persons that no training sees, for figures.
        gpus: of one node that a training takes, or fewer where its groups cannot be shared by so many.
        code_is_input: trainings whose code has changed are done again.
    """

    scale: str
    datasets: tuple[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], ...] = Field(min_length=1)
    methods: tuple[Annotated[str, Field(pattern=r"^[a-z0-9_]+(-[a-z0-9_]+)?$")], ...] = Field(min_length=1)
    seeds: tuple[NonNegativeInt, ...] = ()
    styles: tuple[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], ...] = ()
    unseen: tuple[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], ...] = ()
    gpus: PositiveInt = 1
    code_is_input: bool = False

    def rows(self, experiment: Selection, scale: Scale) -> list[Run]:
        """List the runs of an experiment; the scale's own seed is not named, so that more may follow."""
        return experiment.rows(self.datasets, self.methods, self._seeds(scale))

    def _seeds(self, scale: Scale) -> list[int | None]:
        return [None if seed == scale.seed else seed for seed in dict.fromkeys(self.seeds or [scale.seed])]

    def shown(self, figure: Figure, scale: Scale, config_folder: Path) -> Shown:
        """List what a figure is drawn of: the runs of the first of the study's seeds."""
        seed = self._seeds(scale)[0]
        style_sets = _listed(figure.style_sets, self.styles)
        styles = [parse_run(f"{style_set}/{name}").seeded(seed) for style_set in style_sets for name in figure.styles]
        parents = [lineage(style, config_folder)[0].dataset for style in styles]
        datasets = list(dict.fromkeys(parents)) or list(_listed(figure.datasets, self.datasets))
        every = figure.model_copy(update={"datasets": ()})
        runs = every.rows(datasets, self.methods, [seed]) if figure.models else []
        unseen = self.unseen if figure.unseen else ()
        return Shown(tuple(runs), tuple(styles), tuple(datasets), tuple(unseen))

    def asked(self, question: Question, scale: Scale, config_folder: Path) -> Shown:
        """List what a question is asked of: the runs of all of the study's seeds."""
        seeds = self._seeds(scale)
        styles = [
            parse_run(f"{style_set}/{name}").seeded(seed)
            for seed in seeds
            for style_set in question.style_sets
            for name in question.styles
        ]
        parents = tuple(dict.fromkeys(lineage(style, config_folder)[0].dataset for style in styles))
        datasets = question.datasets or parents or self.datasets
        runs = [parse_run(f"{name}/{run}").seeded(seed) for name in datasets for run in question.runs for seed in seeds]
        return Shown(tuple(runs), tuple(styles), datasets, question.unseen)

    def said(self, file: Path) -> str:
        """Write what differs from config.yaml in what is run, as words of a `snakemake` command; empty where none does.

        Args:
            file: config.yaml.
        """
        words = []
        for key, usual in parse(Study, read_layer(file)):
            value = getattr(self, key)
            if key != "gpus" and value != usual:
                listed = isinstance(value, tuple)
                words.append(f"{key}=[{','.join(map(str, value))}]" if listed else f"{key}={value}")
        return shlex.join(["--config", *words]) if words else ""

    def tables(self, scale_file: Path) -> dict[str, list[Run]]:
        """List the runs of the report, under that name, and of every experiment."""
        scale, folder = load_scale(scale_file), scale_file.parent
        named = {"report": Experiment(title="")} | {name: load_experiment(name, folder) for name in experiments(folder)}
        return {name: self.rows(experiment, scale) for name, experiment in named.items()}


def seed_of(run: Run, scale: Scale) -> int:
    """Return the seed of a run's training: its own, or the scale's."""
    return scale.seed if run.seed is None else run.seed


def load_scale(file: Path) -> Scale:
    """Read config/<scale>.yaml.

    Raises:
        UserError: it is missing, broken, or names a method, a variant or a data set that does not exist.
    """
    layers = scale_layers(file)
    known = _names(file.parent / "datasets")
    for layer in layers:
        for name in layer.at("datasets").value:
            if name not in known:
                cure = f"Known: {', '.join(known)}."
                raise UserError("unknown data set", file=layer.file, field=layer.name("datasets", name), cure=cure)
        check_methods(layer.at("methods"), file.parent)
    return parse(Scale, *layers)


def scale_layers(file: Path) -> list[Layer]:
    """Read a scale and those that it extends, the last of them first.

    Raises:
        UserError: one is missing or broken, or extends itself.
    """
    layers = [read_layer(file)]
    while (name := layers[0].value.get("extends")) is not None:
        base = file.with_name(f"{name}.yaml")
        if base in [layer.file for layer in layers]:
            raise UserError("extends itself", file=layers[0].file, field="extends", cure="Name another scale.")
        if not base.exists():
            cure = "Name a file of its folder without the ending, such as demo."
            raise UserError(f"there is no scale {name!r}", file=layers[0].file, field="extends", cure=cure)
        layers.insert(0, read_layer(base))
    return layers


def check_methods(layer: Layer, config_folder: Path) -> None:
    """Refuse settings of methods and variants that do not exist: nothing would ever read them.

    Args:
        layer: a block `<method>` or `<method>-<variant>` -> settings.
        config_folder: the folder that holds `methods/`.

    Raises:
        UserError: naming the key, and what there is.
    """
    known = _names(config_folder / "methods")
    for name in layer.value:
        method, dash, variant = str(name).partition("-")
        if method not in known:
            raise UserError(
                "unknown method", file=layer.file, field=layer.name(name), cure=f"Known: {', '.join(known)}."
            )
        variants = read_method(method, config_folder).at("variants").value if dash else {}
        if dash and variant not in variants:
            cure = f"Known variants of {method}: {', '.join(sorted(variants)) or 'none'}."
            raise UserError("unknown variant", file=layer.file, field=layer.name(name), cure=cure)


def _names(folder: Path) -> list[str]:
    return sorted(file.stem for file in folder.glob("*.yaml"))


def parse_dataset(*layers: Layer) -> DatasetConfig:
    """Validate a data set by the schema of the kind of source that its last layer names.

    Raises:
        UserError: an unknown kind, or a fault in a setting; the file that holds it is named.
    """
    named = [block for layer in layers if "type" in (block := layer.at("source")).value]
    if not named:
        return parse(DatasetConfig[SourceConfig], *layers)  # which says what is missing
    kind = sources.get(named[-1].value["type"], named[-1].file, named[-1].name("type"))
    return parse(DatasetConfig[kind.Config], *layers)  # type: ignore[name-defined]


def load_dataset(name: str, scale_file: Path) -> DatasetConfig:
    """Resolve one data set at a scale.

    Raises:
        UserError: an unknown data set, or a fault in its file or the scale's.
    """
    load_scale(scale_file)
    layer = read_layer(scale_file.parent / "datasets" / f"{name}.yaml")
    layers = [layer, *(scale.at("datasets", name) for scale in scale_layers(scale_file))]
    dataset = parse_dataset(*layers)
    for one in layers:
        check_methods(one.at("methods"), scale_file.parent)
    return dataset


# What a method's file says of the method itself; all else are settings of its trainings.
ABOUT = ("title", "makes", "builds_on", "needs", "scales", "variants")
ABOUT_VARIANT = ("title", "builds_on")


def read_method(method: str, config_folder: Path) -> Layer:
    """Read config/methods/<method>.yaml."""
    return read_layer(config_folder / "methods" / f"{method}.yaml")


def load_method(run: Run, scale_file: Path, schema: type[Model]) -> Model:
    """Resolve the settings of one run.

    Later ones win: the method's file and what it says of this scale under `scales`, its data set, the scale; then the
    variant in the method's file, the data set and the scale, which the latter two name as `<method>-<variant>`.

    Raises:
        UserError: an unknown method, variant or data set, or a fault in a setting; the file that holds it is named.
    """
    load_dataset(run.dataset, scale_file)
    return parse(schema, *method_layers(run, scale_file))


def method_layers(run: Run, scale_file: Path) -> list[Layer]:
    """List what the settings of a run are merged from, see `load_method`."""
    base = read_method(run.method, scale_file.parent)
    dataset, above = _methods_of(run.dataset, scale_file.parent), scale_layers(scale_file)
    scales = [layer for scale in above for layer in (scale.at("datasets", run.dataset, "methods"), scale.at("methods"))]
    for name in base.at("scales").value:
        if not (scale_file.parent / f"{name}.yaml").exists():
            raise UserError("unknown scale", file=base.file, field=f"scales.{name}", cure="Name a file of config/.")
    own = [base.without(*ABOUT), *(base.at("scales", Path(str(scale.file)).stem) for scale in above)]
    layers = [*own, dataset.at(run.method).without("builds_on"), *(layer.at(run.method) for layer in scales)]
    if run.variant:
        layers += [_variant(run, base).without(*ABOUT_VARIANT), dataset.at(run.settings).without("builds_on")]
        layers += [layer.at(run.settings) for layer in scales]
    return layers


def merged_method(run: Run, scale_file: Path) -> dict[str, Any]:
    """Merge the settings of a run as they are written, without the schema of its method and its defaults."""
    return merge({}, *(layer.value for layer in method_layers(run, scale_file)))


def groups_of(run: Run, scale_file: Path) -> int:
    """Count the groups of samples in a step of a run, which is how many processes can share it; reads no schema."""
    training = merged_method(run, scale_file).get("training", {})
    batch = training.get("batch", 1)
    return max(1, batch // min(batch, training.get("group_size", batch)))


def gpus_of(run: Run, scale_file: Path, gpus: int) -> int:
    """Count the GPUs that a training takes of so many: as its groups can be shared by."""
    groups = groups_of(run, scale_file)
    return max(n for n in range(1, gpus + 1) if groups % n == 0)


def dataset_title(name: str, config_folder: Path) -> str:
    """Return the name of a data set for people: the key `title` of its YAML."""
    return str(read_layer(config_folder / "datasets" / f"{name}.yaml").value.get("title", name))


def method_title(run: Run, config_folder: Path) -> str:
    """Return the name of a run's method for people, such as `StyleInV (no_ffa_ape)`, from `title` in its YAML."""
    method = read_method(run.method, config_folder)
    title = str(method.value.get("title", run.method))
    if not run.variant:
        return title
    return f"{title} ({_variant(run, method).value.get('title', run.variant)})"


def _variant(run: Run, method: Layer) -> Layer:
    variants = method.at("variants")
    if run.variant not in variants.value:
        known = ", ".join(sorted(variants.value)) or "none"
        raise UserError(f"no variant {run.variant!r}", file=method.file, field="variants", cure=f"Known: {known}.")
    return variants.at(run.variant)


def _methods_of(dataset: str, config_folder: Path) -> Layer:
    """What a data set's file says of methods and variants."""
    return read_layer(config_folder / "datasets" / f"{dataset}.yaml").at("methods")


def lineage(run: Run, config_folder: Path) -> list[Run]:
    """List a run after all that it builds on, of the same seed: `builds_on` of its variant or method, and so on.

    What a method with a key `parent` builds on was trained on that data set. The run's own data set may name either.

    Raises:
        UserError: for an unknown method or variant.
    """
    method, own = read_method(run.method, config_folder), _methods_of(run.dataset, config_folder)
    layers = [method, own.at(run.method)]
    layers += [_variant(run, method), own.at(run.settings)] if run.variant else []
    said = merge(*(layer.value for layer in layers))
    if (below := said.get("builds_on")) is None:
        return [run]
    below = parse_run(f"{said.get('parent') or run.dataset}/{below}").seeded(run.seed)
    return [*lineage(below, config_folder), run]


def needs(run: Run, config_folder: Path) -> list[str]:
    """List the preparations that a run needs besides the models it builds on: the key `needs` of its method's YAML."""
    return list(read_method(run.method, config_folder).value.get("needs", []))


def makes_videos(method: str, config_folder: Path) -> bool:
    """Tell whether a method makes videos, or images: the key `makes` of its YAML.

    Raises:
        UserError: something else stands there.
    """
    about = read_method(method, config_folder)
    if (made := about.value.get("makes", "videos")) not in ("videos", "images"):
        raise UserError(f"{made!r} is neither", file=about.file, field="makes", cure="Write videos or images.")
    return bool(made == "videos")


def load_experiment(name: str, config_folder: Path) -> Experiment:
    """Read config/experiments/<name>.yaml."""
    return parse(Experiment, read_layer(config_folder / "experiments" / f"{name}.yaml"))


def experiments(config_folder: Path) -> list[str]:
    """List the names of all experiments."""
    return _names(config_folder / "experiments")


def load_figure(name: str, config_folder: Path) -> Figure:
    """Read config/figures/<name>.yaml."""
    return parse(Figure, read_layer(config_folder / "figures" / f"{name}.yaml"))


def figure_names(config_folder: Path) -> list[str]:
    """List the names of all figures."""
    return sorted((file.stem for file in (config_folder / "figures").glob("*.yaml")), key=natural_order)


def figure_section(shown: Shown, scale_file: Path, name: str) -> dict[str, Any]:
    """Give what a figure depends on besides models and data: its file, titles, the device."""
    told = load_figure(name, scale_file.parent).model_dump(mode="json", exclude={"datasets", "style_sets"})
    return told | {"titles": _titles(shown, scale_file.parent), "device": load_scale(scale_file).device}


def _titles(shown: Shown, config_folder: Path) -> dict[str, str]:
    """Give the names for people of all that is shown."""
    data = dict.fromkeys((*(run.dataset for run in (*shown.runs, *shown.styles)), *shown.datasets, *shown.unseen))
    titles = {str(run): method_title(run, config_folder) for run in (*shown.runs, *shown.styles)}
    return titles | {name: dataset_title(name, config_folder) for name in data}


def load_question(name: str, config_folder: Path) -> Question:
    """Read config/questions/<name>.yaml."""
    return parse(Question, read_layer(config_folder / "questions" / f"{name}.yaml"))


def question_names(config_folder: Path) -> list[str]:
    """List the names of all questions."""
    return _names(config_folder / "questions")


def question_section(shown: Shown, scale_file: Path, name: str) -> dict[str, Any]:
    """Give what an answer depends on besides models and data: the question's file, titles, the device."""
    told = load_question(name, scale_file.parent).model_dump(mode="json")
    return told | {"titles": _titles(shown, scale_file.parent), "device": load_scale(scale_file).device}


def data_section(dataset: str, scale_file: Path, crop: bool) -> dict[str, Any]:
    """Give what the frames of a data set depend on, or its raw videos where `crop` is false."""
    config = load_dataset(dataset, scale_file)
    told = config.model_dump(mode="json", exclude={"title", "methods"})
    if not crop:
        return {key: value for key, value in told.items() if key not in ("resolution", "codec", "crop")}
    return told | {"device": load_scale(scale_file).device if finds_faces(config) else None}


def finds_faces(config: DatasetConfig) -> bool:
    """Tell whether networks look for the faces of a data set, rather than files that say where they are."""
    return isinstance(config.crop, Alignment) and config.crop.landmarks == "fan"


def is_aligned(config: DatasetConfig) -> bool:
    """Tell whether the faces of a data set are aligned."""
    return isinstance(config.crop, Alignment)


def preparation_section(run: Run, scale_file: Path, key: str | None = None) -> dict[str, Any]:
    """Give what a preparation depends on: a key of the method's settings, the seed, the device."""
    scale = load_scale(scale_file)
    told = {key: merged_method(run, scale_file).get(key)} if key else {}
    return told | {"seed": seed_of(run, scale), "device": scale.device}


# What a training takes of its machine, which changes nothing of what it makes, or its rounding alone.
OF_THE_MACHINE = ("batch_gpu", "groups_at_once", "raw_cache")


def training_section(run: Run, scale_file: Path) -> dict[str, Any]:
    """Give what a training depends on besides its data set and the models below it, which it names."""
    scale, told = load_scale(scale_file), merged_method(run, scale_file)
    told |= {"training": {key: value for key, value in told.get("training", {}).items() if key not in OF_THE_MACHINE}}
    return {
        "builds_on": [str(part) for part in lineage(run, scale_file.parent)[:-1]],
        "needs": needs(run, scale_file.parent),
        "seed": seed_of(run, scale),
        "device": scale.device,
        "snapshots": scale.snapshots,
        "settings": told,
    }


def gallery_section(runs: Sequence[Run], scale_file: Path) -> dict[str, Any]:
    """Give what the videos of a gallery depend on besides models and data."""
    return {"runs": [str(run) for run in runs], "device": load_scale(scale_file).device}


def cost_section(runs: Sequence[Run], scale_file: Path) -> dict[str, Any]:
    """Give what a table of costs depends on: titles, and what each training of the runs' chains is told."""
    parts = {str(part): part for run in runs for part in lineage(run, scale_file.parent)}
    trainings = {name: training_section(part, scale_file) for name, part in parts.items()}
    return {"runs": {str(run): method_title(run, scale_file.parent) for run in runs}, "trainings": trainings}


def scoring_section(scale_file: Path) -> dict[str, Any]:
    """Give what scores depend on besides what is scored."""
    return load_scale(scale_file).model_dump(mode="json", include={"device", "evaluation"})


def summary_section(runs: Sequence[Run], scale_file: Path, experiment: str | None = None) -> dict[str, Any]:
    """Give what a table, or figures and report, depend on: runs, titles, what an experiment's file says."""
    folder = scale_file.parent
    titles = {str(run): [dataset_title(run.dataset, folder), method_title(run, folder)] for run in runs}
    told = load_experiment(experiment, folder).model_dump(mode="json") if experiment else {}
    return told | {"runs": titles, "snapshots": bool(load_scale(scale_file).snapshots)}
