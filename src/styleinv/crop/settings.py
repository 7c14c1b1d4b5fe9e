"""How frames are cut out of raw videos: the block `crop` of a data set's YAML, one class for each of its types."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from styleinv.data.settings import FrameSettings
from styleinv.schema import Strict

# What a preset says differently from the defaults of `Alignment`.
PRESETS: dict[str, dict[str, Any]] = {
    # Landmarks to a fraction of a pixel, the mean over ten shifted boxes, nothing smoothed over time.
    "ours": {},
    # The landmarks of the published library (whole pixels; it looks at the mirrored face too unless told otherwise),
    # the mean over ten shifted boxes: Naruniec et al. 2020 as the StyleInV supplement (D) retells it. Neither text
    # says how many boxes or how far.
    "naruniec": {"decoding": "library", "flip": True},
    # The landmarks of the published library, once per frame: what most croppers do.
    "single": {"decoding": "library", "flip": True, "jitters": 1, "radius": 0.0},
    # `ours`, then a Gaussian over time of centre and size.
    "gaussian": {"sigma_centre": 1.0, "sigma_size": 3.0},
}

# What says how a network looks, which nobody asks where its answer is brought.
_UNUSED = {
    "landmarks": {"boxes", "decoding", "jitters", "radius", "flip", "confidence", "seed"},
    "boxes": {"confidence"},
}


class CentreCrop(Strict):
    """The centre square of every frame."""

    type: Literal["centre"]


class BoxCrop(Strict):
    """The box that the manifest gives for each video."""

    type: Literal["box"]


class MaskCrop(Strict):
    """The square around what the mask marks in each frame (see `crop.mask`).

    Attributes:
        border: the official rules with their dropped frames, or smooth boxes and mirrored borders.
    """

    type: Literal["mask"]
    border: Literal["faithful", "fixed"] = "faithful"


class Alignment(Strict):
    """The FFHQ crop: the aligned face.

    Attributes:
        preset: a row of `PRESETS`, which gives the defaults of the keys below.
        landmarks: `fan` finds them; or a folder with `<video>.npz` of each video, or for a single video that file (see
            `crop.brought`), which nothing is asked for then. `rendered` stands in for the networks where a synthetic
            data set knows its landmarks.
        boxes: `retinaface` finds them; or a folder or file likewise.
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

    type: Literal["ffhq"] = "ffhq"
    preset: str = "ours"
    landmarks: str = "fan"
    boxes: str = "retinaface"
    decoding: Literal["float", "library"] = "float"
    jitters: int = Field(10, ge=1)
    radius: float = Field(0.05, ge=0, le=0.5)
    flip: bool = False
    sigma_centre: float = Field(0.0, ge=0)
    sigma_size: float = Field(0.0, ge=0)
    shrink_and_pad: Literal["video", "frame"] = "video"
    max_gap: int = Field(3, ge=0)
    confidence: float = Field(0.7, gt=0, lt=1)
    seed: int = Field(0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _start_from_preset(cls, keys: Any) -> Any:
        return {**PRESETS.get(str(keys.get("preset")), {}), **keys} if isinstance(keys, dict) else keys

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, name: str) -> str:
        if name not in PRESETS:
            raise ValueError(f"must be one of {', '.join(PRESETS)}")
        return name

    @model_validator(mode="after")
    def _useful(self) -> Self:
        if self.landmarks == "rendered" and self.boxes != "retinaface":
            raise ValueError("landmarks: rendered brings boxes of its own")
        useless = self.model_fields_set & (_UNUSED[self.brought] if self.brought else set())
        if useless:
            raise ValueError(f"{', '.join(sorted(useless))} would do nothing where {self.brought} are brought")
        return self

    @property
    def brought(self) -> Literal["landmarks", "boxes"] | None:
        """What comes from files instead of a network."""
        if self.landmarks not in ("fan", "rendered"):
            return "landmarks"
        return "boxes" if self.boxes != "retinaface" else None

    def record(self) -> dict[str, Any]:
        """Return all keys but `type`, as frame stores and reports of shake hold them: without paths."""
        said = self.model_dump(exclude={"type", "boxes"})
        return said | ({self.brought: "brought"} if self.brought else {})


class CropSettings(FrameSettings):
    """What a crop reads of a data set's YAML."""

    crop: Annotated[CentreCrop | BoxCrop | MaskCrop | Alignment, Field(discriminator="type")]
