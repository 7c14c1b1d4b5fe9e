"""Augmentation before the low-resolution discriminator: DiffAugment, then a random change of speed."""

import torch
import torch.nn.functional as F
from torch import Tensor

from styleinv.nn.diffaugment import diffaugment, draw, reach_of
from styleinv.nn.groups import Source
from styleinv.rng import drawn_by_group


class ClipAugment:
    """Augment clips by one draw per clip, shared by its frames.

    Args:
        policy: of DiffAugment.
        temporal_scale: speeds are 2^U(-temporal_scale, temporal_scale); 0 for none.
    """

    def __init__(self, policy: str, temporal_scale: float):
        self.policy, self.temporal_scale = policy, temporal_scale

    def __call__(self, clips: Tensor, generator: Source | None) -> Tensor:
        """Augment clips [N, 3, T, H, W], keeping their shape."""
        n, _, frames, height, width = clips.shape
        generator = generator or torch.default_generator
        # Both axes shift as far as a quarter of the longer one.
        draws = draw(n, height, width, reach_of(max(height, width), 0.25), generator)
        clips = diffaugment(clips.transpose(1, 2), draws, self.policy, contrast_over="clip").transpose(1, 2)
        if not self.temporal_scale:
            return clips
        uniform = drawn_by_group(lambda n, generator: torch.rand([n], generator=generator), n, generator)
        exponents = (uniform * 2 - 1) * self.temporal_scale
        missing = frames - (frames * torch.exp2(exponents)).floor().long()
        where = drawn_by_group(lambda n, generator: torch.rand([2, n], generator=generator), n, generator, dim=1)
        pad = (where[0] * (missing.clamp(min=0) + 1)).long()
        start = (where[1] * ((-missing).clamp(min=0) + 1)).long()
        return rescale_time(clips, exponents, pad, start)


def rescale_time(clips: Tensor, log2_scale: Tensor, pad: Tensor, start: Tensor) -> Tensor:
    """Stretch clips in time by 2^log2_scale each, by linear interpolation.

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
