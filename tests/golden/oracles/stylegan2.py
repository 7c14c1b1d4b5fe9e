"""Parts of the official StyleGAN2-ADA that no training here uses, so that its golden cases can be checked whole."""

from collections.abc import Iterator

from torch import Tensor

from styleinv.methods.stylegan2.loss import StyleGAN2Loss
from styleinv.nn.resample import Padding, expand_padding, filter_size, upfirdn2d
from styleinv.training.adversarial import logistic_fake, logistic_real, r1
from styleinv.training.draws import Draws
from styleinv.training.method import Report


def generator_both(
    loss: StyleGAN2Loss, z: Tensor, draws: Draws, report: Report, pl_noise: Tensor | None = None
) -> Iterator[Tensor]:
    """Main and regularisation of the generator in one phase (no lazy regularisation)."""
    yield from loss.generator_main(z, draws, report)
    yield from loss.generator_reg(z, draws, report, pl_noise)


def discriminator_both(loss: StyleGAN2Loss, z: Tensor, real: Tensor, draws: Draws, report: Report) -> Iterator[Tensor]:
    """Main and regularisation of the discriminator in one phase, sharing the scores of the reals."""
    of_fake = logistic_fake(loss.logits(loss.generate(z, draws)[0], draws, "fake"), report)
    yield of_fake.mean()
    real = real.detach().requires_grad_()
    logits = loss.logits(real, draws, "real")
    of_real = logistic_real(logits, report)
    penalty = r1(logits, real, loss.r1_gamma, report)
    report("Loss/D/loss", of_fake.detach() + of_real.detach())
    yield (of_real[:, 0] + penalty).mean()


def auto_config(resolution: int, gpus: int) -> dict[str, float]:
    """The `auto` configuration for a resolution and a number of GPUs."""
    mb = max(min(gpus * min(4096 // resolution, 32), 64), gpus)
    return {
        "mb": mb,
        "batch_gpu": mb // gpus,
        "mbstd": min(mb // gpus, 4),
        "fmaps": 1 if resolution >= 512 else 0.5,
        "lrate": 0.002 if resolution >= 1024 else 0.0025,
        "gamma": 0.0002 * resolution**2 / mb,
        "ema": mb * 10 / 32,
        "ramp": 0.05,
        "map": 2,
    }


def filter2d(x: Tensor, f: Tensor, padding: Padding = 0, flip_filter: bool = False, gain: float = 1.0) -> Tensor:
    """Filter without changing the size; `padding` is extra."""
    x0, x1, y0, y1 = expand_padding(padding)
    w, h = filter_size(f)
    return upfirdn2d(x, f, 1, 1, [x0 + w // 2, x1 + (w - 1) // 2, y0 + h // 2, y1 + (h - 1) // 2], flip_filter, gain)
