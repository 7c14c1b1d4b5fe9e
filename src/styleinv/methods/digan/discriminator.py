"""DIGAN's two discriminators: images one by one, and pairs of frames with the time between them."""

from torch import Tensor, nn

from styleinv.methods.stylegan2.discriminator import Discriminator


class PairDiscriminator(nn.Module):
    """Pairs [B, 7, R, R] (two RGB frames and the plane of their time difference) -> motion and image logits.

    Both networks are StyleGAN2's; they share nothing.
    """

    def __init__(self, img_resolution: int, mbstd_group_size: int = 4, **options):
        super().__init__()
        epilogue = {"mbstd_group_size": mbstd_group_size}
        self.videoD = Discriminator(img_resolution, img_channels=7, epilogue_kwargs=epilogue, **options)
        self.imageD = Discriminator(img_resolution, img_channels=3, epilogue_kwargs=epilogue, **options)

    def motion(self, pairs: Tensor) -> Tensor:
        """Pairs [B, 7, R, R] -> [B, 1]."""
        return self.videoD(pairs)

    def images(self, frames: Tensor) -> Tensor:
        """Frames [2 B, 3, R, R], the two of a pair adjacent -> [2 B, 1]."""
        return self.imageD(frames)


def frames_of(pairs: Tensor) -> Tensor:
    """[B, 7, R, R] -> its frames [2 B, 3, R, R], video-major."""
    return pairs[:, :6].reshape(-1, 3, *pairs.shape[2:])
