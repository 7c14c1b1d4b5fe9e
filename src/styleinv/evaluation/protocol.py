"""How a score is made, and when two scores may be compared.

A `Protocol` is the rule; a `ProtocolRecord` is what was really done with it: which detectors, which real data, how
many items on each side. No FID or FVD leaves this package without its record (specification of the StyleInV stage,
sections 14 and 15).
"""

import hashlib
import json
import platform
from importlib.metadata import version
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from styleinv.errors import UserError
from styleinv.generator import Rounding


class Protocol(BaseModel):
    """The rule by which FID and FVD are computed; the defaults are the ones behind the paper's tables.

    Attributes:
        name: a label; two protocols with equal rules are the same whatever they are called.
        rounding: how generated floats become 8 bit.
        jpeg_quality: quality of the JPEG round trip of generated frames, None for no codec. Real frames are used as
            stored.
        jpeg_subsampling: chroma subsampling of that round trip.
        n_fake: generated videos.
        clip_length: frames generated per video; of a folder of videos at most the first `clip_length` frames are used.
        fid_items: images on each side of FID (fewer where there are fewer).
        fid_choice: `sampled` is the paper's rule (real: one random frame of each video in turn; generated: without
            replacement from all frames); `all` takes every frame once.
        real_clips: at most so many real clips, one per video, videos in shuffled order.
        clip_choice: start of the real clip, `random` (uniform over all valid starts) or `first` (frame 0).
        fvd_lengths: frames per clip, one FVD each. Generated clips start at frame 0.
        stride: distance in frames between consecutive frames of a clip.
        repeats: evaluation seeds `seed ... seed + repeats - 1`; they vary the random draws, never the generated videos.
        seed: the first evaluation seed.
        generation_seed: seed of the first generated video; video i has `generation_seed + i`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "styleinv"
    rounding: Rounding = "truncate"
    jpeg_quality: int | None = Field(default=75, ge=1, le=100)
    jpeg_subsampling: Literal["4:2:0", "4:2:2", "4:4:4"] = "4:2:0"
    n_fake: int = Field(default=2048, ge=2)
    clip_length: int = Field(default=128, ge=1)
    fid_items: int = Field(default=50_000, ge=2)
    fid_choice: Literal["sampled", "all"] = "sampled"
    real_clips: int = Field(default=2048, ge=2)
    clip_choice: Literal["random", "first"] = "random"
    fvd_lengths: tuple[int, ...] = (16, 128)
    stride: int = Field(default=1, ge=1)
    repeats: int = Field(default=4, ge=1)
    seed: int = Field(default=0, ge=0)
    generation_seed: int = Field(default=0, ge=0)

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

    @property
    def seeds(self) -> list[int]:
        """The evaluation seeds."""
        return list(range(self.seed, self.seed + self.repeats))

    @property
    def metrics(self) -> list[str]:
        """Names of the scores: `fid` and one `fvd<length>` per clip length."""
        return ["fid", *(f"fvd{length}" for length in self.fvd_lengths)]

    @property
    def codec(self) -> str:
        """What generated frames pass through before a detector sees them."""
        if self.jpeg_quality is None:
            return "none"
        return f"jpeg quality {self.jpeg_quality} {self.jpeg_subsampling}"

    def span(self, length: int) -> int:
        """Frames from the first to the last of a clip of `length` frames, both included."""
        return (length - 1) * self.stride + 1


PROTOCOLS = {
    "styleinv": Protocol(),
    "clean": Protocol(name="clean", rounding="round", jpeg_quality=None),
}


# The fields of a record that are rules: they enter the comparison as they are.
RULES = (
    "resolution",
    "resize",
    "mirror",
    "rounding",
    "codec",
    "n_fake",
    "clip_length",
    "fid_items",
    "fid_choice",
    "real_clips",
    "clip_choice",
    "fvd_lengths",
    "stride",
    "seeds",
    "distance",
)


class DetectorRecord(BaseModel):
    """Which network made the features."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str
    dim: int


class ProtocolRecord(BaseModel):
    """How one set of scores was made; stored beside them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: str
    dataset: str
    real_sha256: str
    image_detector: DetectorRecord
    video_detector: DetectorRecord
    stand_in: bool
    resolution: int
    resize: str
    mirror: bool
    rounding: str
    codec: str
    n_fake: int
    clip_length: int
    fid_items: int
    fid_choice: str
    real_clips: int
    clip_choice: str
    fvd_lengths: list[int]
    stride: int
    counts: dict[str, int]
    seeds: list[int]
    generation_seed: int | None
    distance: str
    device: str
    versions: dict[str, str]

    def comparable_fields(self) -> dict[str, Any]:
        """The fields that must agree before two scores may be compared, flat, by name.

        Names, versions, the device and the generation seed are recorded but left out: they say who computed a number
        where, not what the number is. So are detector names: the hash decides.
        """
        return {**self._rule_fields(), **self._data_fields()}

    def _rule_fields(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in RULES}
        fields["image_detector"] = self.image_detector.sha256
        fields["video_detector"] = self.video_detector.sha256
        return fields | {f"counts.{name}": count for name, count in self.counts.items() if name.endswith("_fake")}

    def _data_fields(self) -> dict[str, Any]:
        real = {f"counts.{name}": count for name, count in self.counts.items() if name.endswith("_real")}
        return {"real_sha256": self.real_sha256, **real}

    @property
    def id(self) -> str:
        """Two short hashes, `<rules>-<real data>`. Scores are comparable when both agree; the first spans data sets."""
        return f"{_short_hash(self._rule_fields())}-{_short_hash(self._data_fields())}"


def _short_hash(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:8]


def differences(a: ProtocolRecord, b: ProtocolRecord) -> list[str]:
    """Say, one line per field, why scores made by `a` and by `b` may not be compared; empty when they may."""
    left, right = a.comparable_fields(), b.comparable_fields()
    names = [*left, *(name for name in right if name not in left)]
    return [
        f"{name}: {left.get(name, 'absent')} against {right.get(name, 'absent')}"
        for name in names
        if left.get(name) != right.get(name)
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
    """Versions of what the numbers pass through."""
    packages = {name: version(name) for name in ("torch", "numpy", "scipy", "pillow", "simplejpeg")}
    return {"python": platform.python_version(), **packages}
