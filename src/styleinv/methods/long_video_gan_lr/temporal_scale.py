"""Random changes of speed: clips stretched or squeezed in time, then padded or cropped to their length."""

import torch
import torch.nn.functional as F
from torch import Tensor


def rescale_time(clips: Tensor, log2_scale: Tensor, pad: Tensor, start: Tensor) -> Tensor:
    """Linear interpolation over time by 2^log2_scale per clip.

    Args:
        clips: [N, C, T, H, W].
        log2_scale: [N], exponents.
        pad: [N] zero frames before a clip that became shorter.
        start: [N] first frame kept of one that became longer.
    """
    frames = clips.shape[2]
    out = []
    for clip, exponent, before, first in zip(clips, log2_scale.tolist(), pad.tolist(), start.tolist(), strict=True):
        factor = float(torch.tensor(2.0) ** torch.tensor(exponent))
        length = int(frames * factor)
        flat = clip.permute(0, 2, 3, 1).flatten(0, 2)[None]
        scaled = F.interpolate(flat, scale_factor=factor, mode="linear", align_corners=False)
        scaled = scaled[0].reshape(clip.shape[0], *clip.shape[2:], length).permute(0, 3, 1, 2)
        if length < frames:
            scaled = F.pad(scaled, [0, 0, 0, 0, int(before), frames - length - int(before)])
        out.append(scaled[:, int(first) : int(first) + frames])
    return torch.stack(out)
