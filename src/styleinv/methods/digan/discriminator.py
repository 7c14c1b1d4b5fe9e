"""DIGAN's two discriminators: images one by one, and pairs of frames with the time between them."""

from torch import Tensor, nn

from styleinv.methods.stylegan2.discriminator import Discriminator


class PairDiscriminator(nn.Module):
    """Score pairs [B, 7, R, R]: two RGB frames and the plane of their time difference.

    Both networks are StyleGAN2's; they share nothing.
    """

    def __init__(self, img_resolution: int, mbstd_group_size: int = 4, **options):
        super().__init__()
        epilogue = {"mbstd_group_size": mbstd_group_size}
        self.videoD = Discriminator(img_resolution, img_channels=7, epilogue_kwargs=epilogue, **options)
        self.imageD = Discriminator(img_resolution, img_channels=3, epilogue_kwargs=epilogue, **options)

    def motion(self, pairs: Tensor) -> Tensor:
        """Score the motion of pairs [B, 7, R, R]: [B, 1]."""
        return self.videoD(pairs)

    def images(self, frames: Tensor) -> Tensor:
        """Score frames [2 B, 3, R, R], the two of a pair adjacent: [2 B, 1]."""
        return self.imageD(frames)


def frames_of(pairs: Tensor) -> Tensor:
    """Take the frames [2 B, 3, R, R], video-major, out of pairs [B, 7, R, R]."""
    return pairs[:, :6].reshape(-1, 3, *pairs.shape[2:])
