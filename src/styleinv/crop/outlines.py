"""Where the crops of a raw video lie in its frames, for people to see."""

import numpy as np

from styleinv.crop import mask as by_mask
from styleinv.crop.align import Aligner
from styleinv.crop.aligned_videos import AlignedVideos
from styleinv.crop.crop_plan import CropPlan
from styleinv.crop.ffhq import corners
from styleinv.crop.plain_videos import mask_boxes
from styleinv.crop.settings import MaskCrop
from styleinv.errors import UserError


def outlines(plan: CropPlan, aligner: Aligner | None) -> dict[int, np.ndarray]:
    """Compute the corners of the crop in every frame of a video that has one.

    Args:
        plan: of one video.
        aligner: for FFHQ crops, whose squares are found again.

    Returns:
        Number of the frame -> float64 [4, 2] in pixels, x and y, one corner after the other.

    Raises:
        UserError: a crop that looks for no face, or a video that cannot be cropped.
    """
    if aligner is not None:
        clips = [crop.clip for crop in AlignedVideos(plan, aligner, []).crops()]
        return {clip.start + i: corners(square) for clip in clips for i, square in enumerate(clip.squares)}
    crop, (video,) = plan.settings.crop, plan.videos
    if not isinstance(crop, MaskCrop):
        raise UserError(f"crop {crop.type} looks for no face", field=video.name, cure="Take a data set of faces.")
    boxes, _ = mask_boxes(plan, video)
    if crop.border == "faithful":
        squares = [box and by_mask.square(box) for box in boxes]
    else:
        smooth = by_mask.smooth_boxes(boxes, plan.settings.fps or video.fps)
        squares = [(x - side / 2, x + side / 2, y - side / 2, y + side / 2) for x, y, side in smooth.tolist()]
    found = {}
    for number, square in enumerate(squares):
        if square:
            left, right, top, bottom = square
            found[number] = np.array([[left, top], [left, bottom], [right, bottom], [right, top]], float)
    return found
