"""What the low-resolution discriminator sees of a clip: DiffAugment, then a random change of speed."""

import torch
from torch import Tensor

from styleinv.methods.long_video_gan_lr.temporal_scale import rescale_time
from styleinv.nn.diffaugment import check_policy, diffaugment, draw, reach_of


class ClipAugment:
    """One draw per clip, shared by its frames.

    Args:
        policy: of DiffAugment.
        temporal_scale: speeds are 2^U(-temporal_scale, temporal_scale); 0 for none.

    Raises:
        ValueError: for an unknown policy.
    """

    def __init__(self, policy: str, temporal_scale: float):
        check_policy(policy)
        self.policy, self.temporal_scale = policy, temporal_scale

    def __call__(self, clips: Tensor, generator: torch.Generator | None) -> Tensor:
        """[N, 3, T, H, W] -> the same shape."""
        n, _, frames, height, width = clips.shape
        generator = generator or torch.default_generator
        # Both axes shift as far as a quarter of the longer one.
        draws = draw(n, height, width, reach_of(max(height, width), 0.25), generator)
        clips = diffaugment(clips.transpose(1, 2), draws, self.policy, contrast_over="clip").transpose(1, 2)
        if not self.temporal_scale:
            return clips
        exponents = (torch.rand([n], generator=generator) * 2 - 1) * self.temporal_scale
        missing = frames - (frames * torch.exp2(exponents)).floor().long()
        where = torch.rand([2, n], generator=generator)
        pad = (where[0] * (missing.clamp(min=0) + 1)).long()
        start = (where[1] * ((-missing).clamp(min=0) + 1)).long()
        return rescale_time(clips, exponents, pad, start)
