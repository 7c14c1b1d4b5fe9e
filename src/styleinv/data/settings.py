"""What a data set's YAML says of its frames, whatever they come from and however they are cropped."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from styleinv.schema import Strict

Codec = Literal["jpeg75", "jpeg95", "png"]
OnBadVideo = Literal["error", "skip"]
SMALLEST, LARGEST = 8, 2048  # no method begins smaller; larger frames are a slip of the pen


def trainable(resolution: int) -> int:
    """Return a resolution that the methods can train at.

    Raises:
        ValueError: they cannot.
    """
    if resolution & (resolution - 1) or not SMALLEST <= resolution <= LARGEST:
        raise ValueError(f"must be a power of two from {SMALLEST} to {LARGEST}")
    return resolution


class FrameSettings(Strict):
    """The frames of a data set.

    Attributes:
        resolution: side of the stored frames in pixels.
        fps: resample all videos to this rate, those of variable rate too. None keeps all frames.
        codec: how the stored frames are compressed: JPEG of quality 75 with 4:2:0 chroma (the official FaceForensics
            frames), JPEG of quality 95 with 4:4:4, or lossless PNG.
        min_frames: videos of fewer frames are bad.
        on_bad_video: what to do about bad videos: stop, or leave them out and say so.
    """

    resolution: Annotated[int, AfterValidator(trainable)]
    fps: float | None = Field(None, gt=0, allow_inf_nan=False)
    codec: Codec = "jpeg95"
    min_frames: int = Field(128, ge=1)
    on_bad_video: OnBadVideo = "error"
