"""What every training of an image GAN shares: class-aware real frames, latents, and the phases of its loss."""

from collections.abc import Iterator

from torch import Tensor

from styleinv.data.sampling import ClassAwareFrames
from styleinv.generator import to_float
from styleinv.methods.context import Context
from styleinv.methods.stylegan2.loss import StyleGAN2Loss
from styleinv.training.draws import Draws
from styleinv.training.method import Method, Phase, Report


class ImageGAN(Method):
    """A method whose phases are those of a `StyleGAN2Loss`.

    Attributes:
        loss: gives the terms of every phase; its `pl_mean` lives in `parts.tensors`.
        frames: the real images.
    """

    context: Context
    loss: StyleGAN2Loss
    frames: ClassAwareFrames

    def image_phases(self, g_reg_interval: int | None, d_reg_interval: int) -> list[Phase]:
        """List Gmain, Greg, Dmain and Dreg in this order, without Greg where its interval is None."""
        path_length = [] if g_reg_interval is None else [Phase("Greg", "G", self._generator_reg, g_reg_interval)]
        return [
            Phase("Gmain", "G", self._generator_main),
            *path_length,
            Phase("Dmain", "D", self._discriminator_main),
            Phase("Dreg", "D", self._discriminator_reg, d_reg_interval),
        ]

    def real_batch(self, number: int, size: int) -> tuple[Tensor, ...]:
        """Return real images uint8 [N, 3, R, R]."""
        return (self.frames.batch(number, size),)

    def _z(self, draws: Draws, n: int) -> Tensor:
        return draws.randn("z", n, self.loss.G.z_dim, device=self.context.device)

    def _generator_main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        yield from self.loss.generator_main(self._z(draws, len(real[0])), draws, report)

    def _generator_reg(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        self.loss.pl_mean = self.parts.tensors["pl_mean"]
        yield from self.loss.generator_reg(self._z(draws, len(real[0])), draws, report)

    def _discriminator_main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        yield from self.loss.discriminator_main(self._z(draws, len(real[0])), to_float(real[0]), draws, report)

    def _discriminator_reg(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        yield from self.loss.discriminator_reg(to_float(real[0]), draws, report)
