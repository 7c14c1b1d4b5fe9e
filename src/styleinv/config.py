"""Typed configuration: strict YAML files in, one frozen and fully resolved configuration per run out.

config/config.yaml          which data sets and methods the workflow runs, and at which scale
config/<scale>.yaml         what a scale changes (demo, small, paper)
config/datasets/<name>.yaml one data set
config/methods/<name>.yaml  one method at paper scale, and its variants
config/experiments/<name>.yaml  one table: which runs on which data sets
"""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from styleinv.errors import UserError

NAME = re.compile(r"[a-z0-9_]+\Z")


class Strict(BaseModel):
    """A configuration block: unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class SyntheticSource(Strict):
    """The built-in talking faces."""

    type: Literal["synthetic"]
    videos: int = Field(ge=1)
    identities: int | None = Field(None, ge=1)
    drawing: Literal["detailed", "plain"] = "detailed"
    frames: int = Field(ge=1)
    size: int = Field(ge=32)
    seed: int = Field(0, ge=0)


class FolderSource(Strict):
    """A folder of video files, or one with `original/` and `mask/` sub-folders."""

    type: Literal["folder"]
    path: str


class FramesSource(Strict):
    """A folder, or a zip, of folders of images: every folder that holds images is a video.

    Attributes:
        path: the folder or zip.
        obtain: how to get it, for whoever does not have it.
    """

    type: Literal["frames"]
    path: str
    obtain: str = ""


class ImagesSource(Strict):
    """A folder, or a zip, of still images: every image is a video of one frame.

    Attributes:
        path: the folder or zip.
        obtain: how to get it, for whoever does not have it.
    """

    type: Literal["images"]
    path: str
    obtain: str = ""


class DeeperForensicsSource(Strict):
    """DeeperForensics-1.0, unpacked: the source videos of uniform light and front camera.

    Attributes:
        path: the folder that holds `source_videos/` and `lists/`.
        rate: frames per second that every video must have.
    """

    type: Literal["deeperforensics"]
    path: str = "$STYLEINV_DEEPERFORENSICS"
    rate: float = Field(30, gt=0)


class FaceForensicsSource(Strict):
    """FaceForensics (the first version, 2018), unpacked.

    Attributes:
        path: the folder that holds `train/original/` and `train/mask/`.
        split: which of its splits.
        rate: frames per second that every video must have.
    """

    type: Literal["faceforensics"]
    path: str = "$STYLEINV_FACEFORENSICS"
    split: Literal["train", "val", "test"] = "train"
    rate: float = Field(30, gt=0)


class SkySource(Strict):
    """SkyTimelapse as StyleGAN-V released it: a zip of 256 x 256 frames on a public Yandex disk.

    Attributes:
        public_key: the public address.
        member: path of the zip inside of it, where the address is a folder.
        api: what turns the public address into one that can be downloaded.
        path: a copy of the zip, or the unpacked folder, that is used instead.
    """

    type: Literal["sky"]
    public_key: str = "https://disk.yandex.ru/d/7JU3c5mdWQfrHw"
    member: str = ""
    api: str = "https://cloud-api.yandex.net/v1/disk/public/resources/download"
    path: str | None = None


class TaichiSource(Strict):
    """TaiChi-HD: clips and boxes of YouTube videos, named by a table.

    Attributes:
        metadata: address or path of the table.
        sha256: its hash; null takes any.
        path: a folder of videos that are here already, named `<YouTube id>.mp4`.
        format: yt-dlp's choice of a format.
        cookies: a cookies.txt, for what only a signed-in browser sees.
        attempts: tries per video, for failures that may pass.
        pause: seconds between two videos, doubled after each failure.
    """

    type: Literal["taichi"]
    metadata: str = (
        "https://raw.githubusercontent.com/AliaksandrSiarohin/video-preprocessing/master/taichi-metadata.csv"
    )
    sha256: str | None = "1f9dcf5af96c1eb7aceb9afdf796f81668a0f8d8fc58c910369dedaab04fe12f"
    path: str | None = None
    format: str = "bestvideo[ext=mp4][height<=1080]/best[ext=mp4]/best"
    cookies: str | None = None
    attempts: int = Field(3, ge=1)
    pause: float = Field(2.0, ge=0)


class CelebVHQSource(Strict):
    """CelebV-HQ.

    Attributes:
        path: `processed`: a folder of clips `<clip>.mp4`; `archive`: one of whole videos `<YouTube id>.mp4`.
        form: which of the two; clips of whole videos are cut by `info` (crop type `box`).
        info: the table of clips, from `path` if relative; `processed` clips need it only to tell what is missing.
    """

    type: Literal["celebvhq"]
    path: str = "$STYLEINV_CELEBVHQ"
    form: Literal["processed", "archive"] = "processed"
    info: str = "celebvhq_info.json"


class MetFacesSource(Strict):
    """MetFaces: aligned images and `metfaces.json`, which knows the MD5 of each.

    Attributes:
        path: the folder that holds `images/` and `metfaces.json`.
    """

    type: Literal["metfaces"]
    path: str = "$STYLEINV_METFACES"


Source = (
    SyntheticSource
    | FolderSource
    | FramesSource
    | ImagesSource
    | DeeperForensicsSource
    | FaceForensicsSource
    | SkySource
    | TaichiSource
    | CelebVHQSource
    | MetFacesSource
)


class CropConfig(Strict):
    """How frames are cut out of the raw videos.

    Attributes:
        border: of `mask`: the official rules with their dropped frames, or smooth boxes and mirrored borders.
        preset: of `ffhq`: a row of `crop.presets`; each of the keys below overrides what it says.
        landmarks: `rendered` stands in for the networks where a synthetic data set knows its landmarks.
        decoding: of FAN's heat-maps: to a fraction of a pixel, or the library's whole pixels.
        jitters: shifted boxes per frame whose landmarks are averaged.
        radius: largest shift of a box, as a share of its side.
        flip: also look at the mirrored face.
        sigma_centre: of a Gaussian over time, in frames; 0 smooths nothing.
        sigma_size: the same for the square's axis, that is size and roll.
        shrink_and_pad: how far a large frame is shrunk, and whether and how its border is continued, is decided once
            per video, or per frame as FFHQ does.
        max_gap: so many frames in a row without a face are interpolated; more split the video.
        confidence: smallest score of a detected face.
        seed: of the shifts.
    """

    type: Literal["centre", "mask", "box", "ffhq"]
    border: Literal["faithful", "fixed"] = "faithful"
    preset: Literal["ours", "naruniec", "single", "gaussian"] | None = None
    landmarks: Literal["fan", "rendered"] | None = None
    decoding: Literal["float", "library"] | None = None
    jitters: int | None = Field(None, ge=1)
    radius: float | None = Field(None, ge=0, le=0.5)
    flip: bool | None = None
    sigma_centre: float | None = Field(None, ge=0)
    sigma_size: float | None = Field(None, ge=0)
    shrink_and_pad: Literal["video", "frame"] | None = None
    max_gap: int | None = Field(None, ge=0)
    confidence: float | None = Field(None, gt=0, lt=1)
    seed: int | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _only_what_counts(self) -> Self:
        if self.type != "ffhq" and (idle := sorted(self.alignment)):
            raise ValueError(f"{', '.join(idle)} belong to type: ffhq alone")
        return self

    @property
    def alignment(self) -> dict[str, Any]:
        """The keys of `ffhq` that are given."""
        return self.model_dump(exclude={"type", "border"}, exclude_none=True)


class Expected(Strict):
    """What the paper had of a data set; null where it does not say."""

    videos: int = Field(ge=1)
    frames: int | None = Field(None, ge=1)


class DatasetConfig(Strict):
    """One data set."""

    title: str
    source: Source = Field(discriminator="type")
    expected: Expected | None = None
    crop: CropConfig
    resolution: int = Field(ge=8)
    fps: float | None = Field(None, gt=0)
    codec: Literal["jpeg75", "jpeg95", "png"] = "jpeg95"
    min_frames: int = Field(128, ge=1)
    on_bad_video: Literal["error", "skip"] = "error"
    methods: dict[str, dict[str, Any]] = {}


class EvaluationConfig(Strict):
    """The metric protocol (paper section 4; decisions on what it leaves open)."""

    protocol: Literal["styleinv", "clean"] = "styleinv"
    detectors: Literal["official", "stand-in"] = "official"
    n_fake: int = Field(2048, ge=2)
    clip_length: int = Field(128, ge=2)
    fvd_lengths: tuple[int, ...] = (16, 128)
    fid_items: int = Field(50000, ge=2)
    real_clips: int = Field(2048, ge=2)
    repeats: int = Field(4, ge=1)
    generation_seed: int = Field(42, ge=0)
    also: tuple[Literal["styleinv", "clean"], ...] = ("clean",)
    batch: int = Field(8, ge=1)


class Scale(Strict):
    """What one scale changes; every key of `methods` and `datasets` overrides the file of that name.

    Attributes:
        snapshots: evenly spaced models that every training keeps besides its last one; where there are any, each video
            method is scored along its training, and the tables show its best snapshot too.
    """

    seed: int = Field(0, ge=0)
    snapshots: int = Field(0, ge=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    datasets: dict[str, dict[str, Any]] = {}
    methods: dict[str, dict[str, Any]] = {}
    evaluation: EvaluationConfig = EvaluationConfig()


class Experiment(Strict):
    """One table: config/experiments/<name>.yaml.

    Attributes:
        title: heading of the table.
        datasets: where the paper made it; of these, those that config.yaml lists, or all of its if it lists none.
        runs: rows, `<method>` or `<method>-<variant>`; the methods of config.yaml if none are named.
    """

    title: str
    datasets: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()

    def rows(self, datasets: Sequence[str], methods: Sequence[str]) -> list["Run"]:
        """Its runs, given the data sets and methods of config.yaml."""
        chosen = [name for name in datasets if name in self.datasets] or datasets
        return [parse_run(f"{dataset}/{run}") for dataset in chosen for run in self.runs or methods]


Model = TypeVar("Model", bound=BaseModel)


# libyaml's parser is ten times faster where PyYAML has it, and raises the same errors.
_Safe: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):  # type: ignore[valid-type, misc]
    """YAML whose numbers read as other tools read them (1e-3 is a number) and whose keys are unique."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:\d[\d_]*\.[\d_]*(?:[eE][-+]?\d+)?|\d[\d_]*[eE][-+]?\d+|\.\d+(?:[eE][-+]?\d+)?|\.inf|\.nan)\Z"),
    list("-+0123456789."),
)


def _unique_mapping(loader: _Loader, node: yaml.MappingNode, deep: bool = False) -> dict:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]  # type: ignore[no-untyped-call]
    for key in keys:
        if keys.count(key) > 1:
            raise yaml.YAMLError(f"the key {key!r} occurs twice")
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; a missing or broken file is a `UserError`."""
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except FileNotFoundError:
        raise UserError("does not exist", file=path, cure=_nearest(path)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"is not valid YAML ({error})", file=path, cure="Correct the line it names.") from None
    if not isinstance(value, dict):
        raise UserError("must hold `key: value` lines", file=path)
    return value


def _nearest(path: Path) -> str:
    known = sorted(p.stem for p in path.parent.glob("*.yaml"))
    return f"Known here: {', '.join(known)}." if known else "Check the path."


def parse(model: type[Model], value: dict[str, Any], file: object) -> Model:
    """Validate a mapping against a schema; the first fault becomes one line naming file, field and cure."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            owner = _fields_at(model, fault["loc"][:-1])
            cure = f"Known keys: {', '.join(owner)}." if owner else "Remove it."
            raise UserError("unknown key", file=file, field=field, cure=cure) from None
        got = f", got {fault['input']!r}" if fault["type"] != "missing" else ""
        raise UserError(f"{fault['msg']}{got}"[:300], file=file, field=field, cure="Correct this value.") from None


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    current: Any = model
    for part in path:
        fields = getattr(current, "model_fields", {})
        if part in fields:
            current = fields[part].annotation
    return sorted(getattr(current, "model_fields", {}))


def merge(base: dict[str, Any], *overrides: dict[str, Any]) -> dict[str, Any]:
    """Deep-merge mappings; later ones win, lists are replaced."""
    out = dict(base)
    for override in overrides:
        for key, value in override.items():
            nested = isinstance(value, dict) and isinstance(out.get(key), dict)
            out[key] = merge(out[key], value) if nested else value
    return out


class Run(Strict):
    """The name of a run: `<dataset>/<method>` or `<dataset>/<method>-<variant>`."""

    dataset: str
    method: str
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.dataset}/{self.folder}"

    @property
    def folder(self) -> str:
        """`<method>` or `<method>-<variant>`."""
        return f"{self.method}-{self.variant}" if self.variant else self.method


def parse_run(text: str) -> Run:
    """`taichi/styleinv-no_ffa_ape` -> Run.

    Raises:
        UserError: for anything else.
    """
    dataset, slash, rest = text.partition("/")
    method, dash, variant = rest.partition("-")
    if not slash or not all(NAME.match(part) for part in (dataset, method, variant if dash else "x")):
        raise UserError(f"{text!r} is no run", cure="Write <dataset>/<method> or <dataset>/<method>-<variant>.")
    return Run(dataset=dataset, method=method, variant=variant)


def load_scale(file: Path) -> Scale:
    """Read config/<scale>.yaml."""
    return parse(Scale, read_yaml(file), file)


def load_dataset(name: str, scale_file: Path) -> DatasetConfig:
    """Resolve one data set at a scale."""
    file = scale_file.parent / "datasets" / f"{name}.yaml"
    scale = load_scale(scale_file)
    return parse(DatasetConfig, merge(read_yaml(file), scale.datasets.get(name, {})), file)


def load_method(run: Run, scale_file: Path, schema: type[Model]) -> Model:
    """Resolve one run: method file, then its data set's and its scale's overrides, then its variant.

    A scale may say something of one variant alone, under `<method>-<variant>`; that comes last.
    """
    file = scale_file.parent / "methods" / f"{run.method}.yaml"
    base = read_yaml(file)
    base.pop("builds_on", None)
    base.pop("needs", None)
    variants = base.pop("variants", {})
    for variant in variants.values():
        variant.pop("builds_on", None)
    dataset = load_dataset(run.dataset, scale_file)
    scale = load_scale(scale_file)
    value = merge(base, dataset.methods.get(run.method, {}), scale.methods.get(run.method, {}))
    if run.variant:
        value = merge(value, _variant(run, variants, file), scale.methods.get(run.folder, {}))
    return parse(schema, value, file)


def _variant(run: Run, variants: dict[str, Any], file: Path) -> dict[str, Any]:
    if run.variant not in variants:
        known = ", ".join(sorted(variants)) or "none"
        raise UserError(f"no variant {run.variant!r}", file=file, field="variants", cure=f"Known: {known}.")
    return variants[run.variant]


def lineage(run: Run, config_folder: Path) -> list[Run]:
    """A run and all that it builds on, first things first: the key `builds_on` of its variant or method, and so on.

    What a method with a key `parent` builds on was trained on that data set, which the run's own data set may name.

    Raises:
        UserError: for an unknown method or variant.
    """
    file = config_folder / "methods" / f"{run.method}.yaml"
    method = read_yaml(file)
    variant = _variant(run, method.get("variants", {}), file) if run.variant else {}
    if (below := variant.get("builds_on", method.get("builds_on"))) is None:
        return [run]
    dataset = run.dataset
    if "parent" in method:
        own = read_yaml(config_folder / "datasets" / f"{run.dataset}.yaml").get("methods", {}).get(run.method, {})
        dataset = merge(method, own, variant)["parent"] or run.dataset
    return [*lineage(parse_run(f"{dataset}/{below}"), config_folder), run]


def needs(run: Run, config_folder: Path) -> list[str]:
    """What a run needs besides the models it builds on: the key `needs` of its method's YAML, names of stages."""
    return list(read_yaml(config_folder / "methods" / f"{run.method}.yaml").get("needs", []))


def load_experiment(name: str, config_folder: Path) -> Experiment:
    """Read config/experiments/<name>.yaml."""
    file = config_folder / "experiments" / f"{name}.yaml"
    return parse(Experiment, read_yaml(file), file)


def experiments(config_folder: Path) -> list[str]:
    """Names of all experiments."""
    return sorted(file.stem for file in (config_folder / "experiments").glob("*.yaml"))


def fingerprint(value: BaseModel | dict[str, Any], without: tuple[str, ...] = ()) -> str:
    """Short hash of a configuration; `without` drops top-level keys that do not change results."""
    data = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    data = {key: item for key, item in data.items() if key not in without}
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def dump_yaml(value: BaseModel | dict[str, Any]) -> str:
    """The configuration as YAML text."""
    data = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def expand(path: str) -> Path:
    """A user's path: `~` and environment variables are allowed."""
    return Path(os.path.expandvars(os.path.expanduser(path)))
