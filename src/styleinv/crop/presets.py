"""How an FFHQ crop is stabilised: four named settings, of which single keys can be changed.

ours      sub-pixel landmarks, the mean over 10 shifted boxes, nothing smoothed over time
naruniec  the landmarks of the published library (whole pixels), the mean over 10 shifted boxes: Naruniec et al.
          2020 as the StyleInV supplement (D) retells it; neither text says how many boxes or how far
single    the landmarks of the published library, once per frame: what most croppers do
gaussian  ours, then a Gaussian over time of centre and size
"""

from typing import Any, Literal

from pydantic import Field

from styleinv.schema import Strict


class Alignment(Strict):
    """All settings of an FFHQ crop; the keys are explained at `config.CropConfig`."""

    preset: str = "ours"
    landmarks: Literal["fan", "rendered"] = "fan"
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


PRESETS = {
    "ours": Alignment(preset="ours"),
    # The library looks at the mirrored face too unless told otherwise.
    "naruniec": Alignment(preset="naruniec", decoding="library", flip=True),
    "single": Alignment(preset="single", decoding="library", flip=True, jitters=1, radius=0.0),
    "gaussian": Alignment(preset="gaussian", sigma_centre=1.0, sigma_size=3.0),
}


def alignment(keys: dict[str, Any]) -> Alignment:
    """A preset (`ours` unless the key `preset` names another) with the other keys changed."""
    base = PRESETS[keys.get("preset", "ours")]
    return Alignment.model_validate(base.model_dump() | keys)
