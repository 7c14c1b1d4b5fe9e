"""Motion of generated videos in numbers that need no detector; they stand beside FVD in the report, never in its place.

Each function of videos takes uint8 [N, T, 3, H, W] and returns float64 [N], one value per video, in units of the 0..1
pixel range where it has any.
"""

import torch

# Side of the coarse picture in which identity and layout survive and expression, speech and texture do not.
COARSE = 8


def motion_energy(videos: torch.Tensor) -> torch.Tensor:
    """Compute the mean absolute change from frame to frame, for T >= 2; 0 is a still. Real videos say what is right."""
    return _changes(videos, order=1)


def motion_roughness(videos: torch.Tensor) -> torch.Tensor:
    """Compute mean |second difference| over mean |first difference|, for T >= 3.

    0 for even motion, about 1.7 for frames unrelated in time; a video without motion has no roughness: NaN.
    """
    first, second = _changes(videos, order=1), _changes(videos, order=2)
    return torch.where(first > 0, second / first, torch.nan)


def identity_drift(videos: torch.Tensor) -> torch.Tensor:
    """Compute 1 - the mean correlation of the first frame with the last quarter, in coarse pictures, for T >= 2.

    A proxy: 0 when subject and layout stay, towards 1 when the video ends on something unrelated. NaN where a coarse
    picture is flat.
    """
    frames = videos.shape[1]
    late = videos[:, -max(1, frames // 4) :]
    reference, later = _coarse(videos[:, :1]), _coarse(late)
    return 1 - (reference * later).sum(dim=2).mean(dim=1)


def picture_error(frames: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
    """Compute the RMS difference [N] of frames and the pictures they should show, both uint8 [N, 3, H, W]."""
    return ((frames.double() - pictures.double()) / 255).square().flatten(1).mean(dim=1).sqrt()


def diagnose(videos: torch.Tensor) -> dict[str, float]:
    """Average each diagnostic over the videos for which it is defined; NaN where there is none."""
    functions = (motion_energy, motion_roughness, identity_drift)
    return {function.__name__: float(function(videos).nanmean()) for function in functions}


def _changes(videos: torch.Tensor, order: int) -> torch.Tensor:
    """Mean absolute difference of the given order along time, [N]; one video at a time bounds the memory."""
    return torch.stack([(v.double() / 255).diff(n=order, dim=0).abs().mean() for v in videos])


def _coarse(videos: torch.Tensor) -> torch.Tensor:
    """Coarse pictures with zero mean and unit norm, float64 [N, T, 3 * COARSE^2]."""
    flat = torch.stack([torch.nn.functional.adaptive_avg_pool2d(v.double() / 255, COARSE).flatten(1) for v in videos])
    centred = flat - flat.mean(dim=2, keepdim=True)
    return centred / centred.norm(dim=2, keepdim=True)
