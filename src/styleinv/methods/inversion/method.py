"""Training the raw inversion encoder on the image generator's data (paper sections 3.1 and 3.2, supplement F)."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from styleinv.data.sampling import AllFrames, ClassAwareFrames
from styleinv.generator import to_float, to_uint8
from styleinv.methods.context import Context
from styleinv.methods.inversion.encoder import PSP
from styleinv.methods.inversion.loss import InversionLoss
from styleinv.methods.inversion.ranger import Ranger
from styleinv.methods.stylegan2.method import check_resolution, load_generator_of
from styleinv.nn.sync_batchnorm import synchronize_batchnorm
from styleinv.schema import Strict
from styleinv.training.draws import Draws
from styleinv.training.method import Method, Parts, Phase, Report, TrainingConfig, check_batch
from styleinv.training.pretrained import load_identity, load_irse50, load_lpips


class EncoderConfig(Strict):
    """IR-SE-50 by default; `widths` has one entry more than `units`."""

    widths: tuple[int, ...] = (64, 64, 128, 256, 512)
    units: tuple[int, ...] = (3, 4, 14, 3)


class Config(Strict):
    """config/methods/inversion.yaml.

    Attributes:
        sync_batchnorm: BatchNorm's statistics are those of one group of each process together, not of each group.
        class_aware: every video is equally likely whatever its length; by default every frame is.
    """

    training: TrainingConfig
    encoder: EncoderConfig = EncoderConfig()
    sync_batchnorm: bool = False
    class_aware: bool = False
    init: Literal["arcface_ir_se50", "random"] = "arcface_ir_se50"
    optimizer: Literal["ranger", "adam"] = "ranger"
    lr: float = Field(1e-4, gt=0)
    l2_lambda: float = Field(1, ge=0)
    lpips_lambda: float = Field(0.8, ge=0)
    id_lambda: float = Field(0.1, ge=0)
    noise_mode: Literal["const", "random", "none"] = "const"
    mirror: bool = True


class Inversion(Method):
    """pSp into W against the frozen averaged generator."""

    has_encoder = True

    def __init__(self, config: Config, context: Context):
        self.config, self.context, self.training = config, context, config.training
        check_batch(config.training, [], context.world_size)
        device = context.device
        G, self.image_description = load_generator_of(context.upstream["stylegan2"], device)
        check_resolution(G, context.store, context.upstream["stylegan2"])

        psp = PSP(G.img_resolution, G.w_dim, config.encoder.widths, config.encoder.units).train()
        if config.init == "arcface_ir_se50":
            # The recognition head is left out and the last linear layer stays random, as in pSp.
            psp.encoder.load_state_dict(load_irse50(context.weights), strict=False)
        psp = psp.requires_grad_(False).to(device)
        # The encoder says how far a latent lies from the generator's mean latent (Eq. 1).
        psp.latent_avg.copy_(G.mapping.w_avg)
        if config.sync_batchnorm:
            synchronize_batchnorm(psp)

        # Backbones of losses are loaded only where their term counts: they may be missing otherwise.
        self.loss = InversionLoss(
            psp,
            G.synthesis,
            config.l2_lambda,
            config.lpips_lambda,
            config.id_lambda,
            load_lpips(context.weights).to(device) if config.lpips_lambda > 0 else None,
            load_identity(context.weights).to(device) if config.id_lambda > 0 else None,
            config.noise_mode,
            config.training.precision,
        )
        make = Ranger if config.optimizer == "ranger" else torch.optim.Adam
        self.parts = Parts(modules={"pSp": psp, "G": G}, optimizers={"pSp": make(psp.parameters(), lr=config.lr)})
        self.phases = [Phase("pSp", "pSp", self._main)]
        self.sampler = ClassAwareFrames if config.class_aware else AllFrames
        self.frames = self.sampler(context.store, context.seed, config.mirror)

    def real_batch(self, number: int, size: int) -> tuple[Tensor, ...]:
        """Return real frames uint8 [N, 3, R, R]."""
        return (self.frames.batch(number, size),)

    def _main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        total, terms = self.loss(to_float(real[0]), draws.generator("noise"))
        for name, value in terms.items():
            report(f"Loss/{name}", value)
        report("Loss/total", total)
        yield total

    @torch.no_grad()
    def sample_images(self) -> np.ndarray:
        """Make four rows of pairs, an image and its inversion, by running statistics of BatchNorm."""
        psp, synthesis = self.loss.psp, self.loss.synthesis
        real = self.sampler(self.context.store, self.context.seed + 1, False).batch(0, 16)
        psp.eval()
        inverted = synthesis(psp(to_float(real.to(self.context.device))), noise_mode="const")
        psp.train()
        pairs = torch.stack([real, to_uint8(inverted, "round").cpu()], dim=1)
        return pairs.permute(0, 1, 3, 4, 2).reshape(4, 8, *real.shape[2:], 3).numpy()

    def description(self) -> dict[str, Any]:
        """Describe what rebuilds the networks."""
        return self.image_description | {
            "method": "inversion",
            "encoder": self.config.encoder.model_dump(mode="json"),
        }


create = Inversion
