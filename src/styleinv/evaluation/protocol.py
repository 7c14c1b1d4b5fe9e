"""How a score is made, and when two scores may be compared.

A `Protocol` is the rule; a `ProtocolRecord` is what was really done with it: which detectors, which real data, how
many items on each side. No score leaves this package without its record (specification of the StyleInV stage,
sections 14 and 15).
"""

import hashlib
import json
import platform
from importlib.metadata import version
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from styleinv.errors import UserError
from styleinv.generator import Rounding
from styleinv.schema import Strict

Name = Literal["styleinv", "lossless"]

# What happens to generated frames before a detector sees them. Both official pipelines stored them as JPEG files.
STORAGE: dict[str, dict[str, Any]] = {
    "styleinv": {"rounding": "truncate", "jpeg_quality": 75},
    "lossless": {"rounding": "round", "jpeg_quality": None},
}


# How videos of another size are brought to the data set's, between codec and detectors. `bilinear` is what the official
# data loaders do (no antialiasing), `bicubic` is antialiased.
Kernel = Literal["bilinear", "bicubic"]
UNRESIZED = "inside the detectors only"

# How the floats of stored videos became 8 bit, which nobody can tell any more.
AS_STORED = "as stored"


class Protocol(Strict):
    """The rules by which scores are computed; the defaults are the ones behind the paper's tables.

    Attributes:
        protocol: a row of `STORAGE`, which gives the defaults of `rounding` and `jpeg_quality`. Two protocols with
            equal rules are the same whatever they are called.
        rounding: how generated floats become 8 bit.
        jpeg_quality: quality of the JPEG round trip of generated frames, None for no codec. Real frames are used as
            stored.
        jpeg_subsampling: chroma subsampling of that round trip.
        resize: kernel that brings generated videos of another size to the data set's; None refuses them.
        n_fake: generated videos.
        clip_length: frames generated per video; of a folder of videos at most the first `clip_length` frames are used.
        metrics: families of `evaluation.metrics`; those of clips give one metric for each of `fvd_lengths`.
        fid_items: images on each side of FID (fewer where there are fewer).
        fid_choice: `sampled` is the paper's rule (real: one random frame of each video in turn; generated: without
            replacement from all frames); `all` takes every frame once.
        real_clips: at most so many real clips, one per video, videos in shuffled order.
        clip_choice: start of the real clip, `random` (uniform over all valid starts) or `first` (frame 0).
        fvd_lengths: frames per clip. Generated clips start at frame 0.
        stride: distance in frames between consecutive frames of a clip.
        repeats: evaluation seeds `seed ... seed + repeats - 1`; they vary the random draws, never the generated videos.
        seed: the first evaluation seed.
        generation_seed: seed of the first generated video; video i has `generation_seed + i`.
    """

    protocol: Name = "styleinv"
    rounding: Rounding = STORAGE["styleinv"]["rounding"]
    jpeg_quality: int | None = Field(default=STORAGE["styleinv"]["jpeg_quality"], ge=1, le=100)
    jpeg_subsampling: Literal["4:2:0", "4:2:2", "4:4:4"] = "4:2:0"
    resize: Kernel | None = None
    n_fake: int = Field(default=2048, ge=2)
    clip_length: int = Field(default=128, ge=1)
    metrics: tuple[str, ...] = ("fid", "fvd")
    fid_items: int = Field(default=50_000, ge=2)
    fid_choice: Literal["sampled", "all"] = "sampled"
    real_clips: int = Field(default=2048, ge=2)
    clip_choice: Literal["random", "first"] = "random"
    fvd_lengths: tuple[int, ...] = (16, 128)
    stride: int = Field(default=1, ge=1)
    repeats: int = Field(default=4, ge=1)
    seed: int = Field(default=0, ge=0)
    generation_seed: int = Field(default=42, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _storage_by_name(cls, value: Any) -> Any:
        return STORAGE.get(str(value.get("protocol")), {}) | value if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _known_metrics(self) -> Self:
        from styleinv.evaluation.metrics import FAMILIES  # it builds on this module

        if unknown := [name for name in self.metrics if name not in FAMILIES]:
            raise ValueError(f"metrics: unknown {unknown[0]!r}; known: {', '.join(FAMILIES)}")
        return self

    @model_validator(mode="after")
    def _clips_fit(self) -> Self:
        if len(set(self.fvd_lengths)) != len(self.fvd_lengths) or any(length < 1 for length in self.fvd_lengths):
            raise ValueError(f"fvd_lengths must be distinct positive numbers, got {self.fvd_lengths}")
        if longest := max(self.fvd_lengths, default=0):
            if self.span(longest) > self.clip_length:
                raise ValueError(
                    f"fvd_lengths: {longest} frames at stride {self.stride} do not fit clip_length {self.clip_length}"
                )
        return self

    def changed(self, **values: Any) -> "Protocol":
        """Return these rules with some values changed, validated again."""
        return Protocol.model_validate({name: getattr(self, name) for name in Protocol.model_fields} | values)

    def stored_as(self, name: Name) -> "Protocol":
        """Return these rules with another row of `STORAGE`."""
        return self.changed(protocol=name, **STORAGE[name])

    def of_stills(self) -> "Protocol":
        """Return these rules for an image generator: as many images as FID looks at, and no metric of clips."""
        return self.changed(n_fake=self.fid_items, clip_length=1, fvd_lengths=())

    @property
    def seeds(self) -> list[int]:
        """The evaluation seeds."""
        return list(range(self.seed, self.seed + self.repeats))

    @property
    def codec(self) -> str:
        """The codec that generated frames pass through before a detector sees them."""
        if self.jpeg_quality is None:
            return "none"
        return f"jpeg quality {self.jpeg_quality} {self.jpeg_subsampling}"

    def span(self, length: int) -> int:
        """Count the frames from the first to the last of a clip of `length` frames, both included."""
        return (length - 1) * self.stride + 1


class EvaluationConfig(Protocol):
    """The key `evaluation` of a scale: the rules, and how they are carried out.

    Attributes:
        detectors: the published networks, or small random ones in their place.
        also: further rows of `STORAGE` by which the report shows the same runs.
        batch: videos generated at once; never changes a score.
        bootstrap: replicates of the interval beside each score, 0 for none; never changes a score.
    """

    detectors: Literal["official", "stand-in"] = "official"
    also: tuple[Name, ...] = ("lossless",)
    batch: int = Field(8, ge=1)
    bootstrap: int = Field(100, ge=0)


# What a reader has to know before setting a score beside the paper's.
PAPER_RULES = ("n_fake", "clip_length", "fid_items", "fid_choice", "real_clips", "clip_choice", "stride")


class DetectorRecord(Strict):
    """Which network made the features."""

    name: str
    sha256: str
    dim: int


class MetricRecord(Strict):
    """How one metric was made, beyond what holds for all.

    Attributes:
        title: its name for people.
        detector: the kind of feature network, a key of the record's `detectors`.
        rule: the rules that only this metric has; they enter the comparison as they are.
        real, fake: items on each side, equal for all evaluation seeds.
    """

    title: str
    detector: str
    rule: dict[str, str | int]
    real: int
    fake: int


class ProtocolRecord(Strict):
    """How a set of scores was made; stored beside them.

    Attributes:
        rules: the protocol that was asked for.
        dataset, real_sha256: the real videos.
        fake, fake_sha256: the generated videos, or the model that made them; no hash where it is not known.
        detectors: the feature networks by kind.
        stand_in: True when one of them was a small random network.
        resolution: of real and generated frames.
        resize: who resized frames, and where.
        mirror: whether real frames were also mirrored.
        rounding, codec: what generated frames really passed through.
        generation_seed: of the first generated video; None for videos that were not generated here.
        metrics: name -> how it was made.
        device, versions: where, and with what.
    """

    rules: Protocol
    dataset: str
    real_sha256: str
    fake: str
    fake_sha256: str | None
    detectors: dict[str, DetectorRecord]
    stand_in: bool
    resolution: int
    resize: str
    mirror: bool
    rounding: str
    codec: str
    generation_seed: int | None
    metrics: dict[str, MetricRecord]
    device: str
    versions: dict[str, str]

    def comparable_fields(self, metric: str) -> dict[str, Any]:
        """List the fields that must agree before two scores of one metric may be compared, flat, by name.

        Names, versions, the device and the generation seed are recorded but left out: they say who computed a number
        where, not what the number is. So are detector names: the hash decides. Other metrics of the record do not
        matter.
        """
        return {**self._rule_fields(metric), **self._data_fields(metric)}

    def _rule_fields(self, metric: str) -> dict[str, Any]:
        made = self.metrics[metric]
        fields = self._common() | {name: getattr(self.rules, name) for name in ("n_fake", "clip_length", "seeds")}
        return fields | made.rule | {"detector": self.detectors[made.detector].sha256, "generated items": made.fake}

    def _common(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("resolution", "resize", "mirror", "rounding", "codec")}

    def _data_fields(self, metric: str) -> dict[str, Any]:
        return {"real_sha256": self.real_sha256, "real items": self.metrics[metric].real}

    def metric_id(self, metric: str) -> str:
        """Make a metric's id: two short hashes, `<rules>-<real data>`; scores are comparable when both agree."""
        return f"{_short_hash(self._rule_fields(metric))}-{_short_hash(self._data_fields(metric))}"

    @property
    def id(self) -> str:
        """The id of a whole row of a table: two short hashes, of the rules, which span data sets, and of the real data.

        Which metrics were computed is not part of it, so that a further one leaves it as it is.
        """
        # The kernel counts where frames were resized: then `resize` of the record names it.
        others = {"protocol", "metrics", "fvd_lengths", "generation_seed", "resize"}
        rules = self.rules.model_dump(mode="json", exclude=others)
        networks = {kind: detector.sha256 for kind, detector in self.detectors.items()}
        return f"{_short_hash(rules | self._common() | networks)}-{_short_hash({'real': self.real_sha256})}"

    @property
    def unlike_paper(self) -> list[str]:
        """What differs from how the scores of the paper's tables were made, in words; empty where nothing does."""
        paper = (
            Protocol() if any(made.detector == "video" for made in self.metrics.values()) else Protocol().of_stills()
        )
        rules = [(name, getattr(self.rules, name), getattr(paper, name)) for name in PAPER_RULES]
        rules += [("codec", self.codec, paper.codec), ("resolution", self.resolution, 256)]
        lines = [
            f"{name.replace('_', ' ')} {ours} instead of {theirs}" for name, ours, theirs in rules if ours != theirs
        ]
        fewer = [made for made in self.metrics.values() if made.fake < self._asked(made)]
        lines += [f"{made.title} of {made.fake} generated items instead of {self._asked(made)}" for made in fewer]
        lines += [f"resized: {self.resize}"] if self.resize != UNRESIZED else []
        return lines + (["stand-in detectors"] if self.stand_in else [])

    def _asked(self, made: MetricRecord) -> int:
        return self.rules.n_fake if made.detector == "video" else self.rules.fid_items


def _short_hash(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:8]


def differences(a: ProtocolRecord, b: ProtocolRecord, metric: str) -> list[str]:
    """Say, one line per field, why scores of a metric made by `a` and by `b` may not be compared; empty if they may."""
    left, right = a.comparable_fields(metric), b.comparable_fields(metric)
    names = [*left, *(name for name in right if name not in left)]
    return [
        f"{name}: {left.get(name, 'absent')} against {right.get(name, 'absent')}"
        for name in names
        if left.get(name) != right.get(name)
        and not (name == "rounding" and AS_STORED in (left.get(name), right.get(name)))
    ]


def read_record(scores: dict[str, Any], where: object = None) -> ProtocolRecord:
    """Get the record out of a scores dictionary.

    Raises:
        UserError: the scores have no valid record, so nothing can be said about them.
    """
    try:
        return ProtocolRecord.model_validate(scores["protocol"])
    except (KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"has no valid protocol record ({reason})", file=where, cure="Run its evaluation again."
        ) from None


def library_versions() -> dict[str, str]:
    """List the versions of the libraries that the numbers pass through."""
    packages = {name: version(name) for name in ("torch", "numpy", "scipy", "pillow", "simplejpeg")}
    return {"python": platform.python_version(), **packages}
