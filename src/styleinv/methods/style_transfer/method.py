"""Fine-tuning the image generator on images of a style (paper section 3.5, Fig. 5).

The mapping network and the coarse blocks stay fixed, so W keeps its distribution and the latents that StyleInV makes
for the parent can be decoded by the tuned generator as they are.
"""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field

from styleinv.data.sampling import ClassAwareFrames
from styleinv.errors import UserError
from styleinv.generator import to_uint8
from styleinv.methods.context import Context
from styleinv.methods.style_transfer.loss import StyleTransferLoss, tuned_parameters
from styleinv.methods.stylegan2.method import NetworkConfig, build_discriminator, load_generator_of
from styleinv.methods.stylegan2.phases import ImageGAN
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.schema import Strict
from styleinv.training.ada import AdaConfig, build_augment
from styleinv.training.checkpoint import load_module, read_model
from styleinv.training.draws import Draws
from styleinv.training.method import Parts, TrainingConfig, check_batch
from styleinv.training.pretrained import load_identity, load_lpips
from styleinv.training.schedule import adam


class Config(Strict):
    """Settings of config/methods/style_transfer.yaml; the networks are the parent's."""

    training: TrainingConfig
    parent: str = Field(pattern=r"^[a-z0-9_]+$")
    finetune_g_res: int | None = Field(64, ge=4)
    finetune_mapping: bool = False
    perceptual_weight: float = Field(30, ge=0)
    identity_weight: float = Field(1, ge=0)
    ada: AdaConfig = AdaConfig(kimg=100)
    lr: float = Field(0.0025, gt=0)
    betas: tuple[float, float] = (0, 0.99)
    r1_gamma: float = Field(1, ge=0)
    pl_weight: float = Field(2, ge=0)
    style_mixing_prob: float = Field(0.9, ge=0, le=1)
    g_reg_interval: int = Field(4, ge=1)
    d_reg_interval: int = Field(16, ge=1)
    mirror: bool = True


def load_decoder(model_file: Path, device: torch.device) -> Generator:
    """Load the averaged tuned generator of a trained run, which decodes the parent's latents."""
    return load_generator_of(model_file, device)[0]


class StyleTransfer(ImageGAN):
    """StyleGAN2-ADA continued from the parent's averaged generator and its discriminator."""

    loss: StyleTransferLoss

    def __init__(self, config: Config, context: Context):
        self.config, self.context, self.training = config, context, config.training
        device, model_file = context.device, context.upstream["stylegan2"]
        G_raw, self.parent = load_generator_of(model_file, device)
        resolution = context.store.resolution
        if G_raw.img_resolution != resolution:
            raise UserError(
                f"was trained at {G_raw.img_resolution}x{G_raw.img_resolution}, the style's images are {resolution}",
                file=model_file,
                cure="Give the style set the resolution of its parent.",
            )
        if config.identity_weight > 0 and resolution != 256:
            raise ValueError(f"identity_weight must be 0 at {resolution}x{resolution}: faces are framed for 256x256")

        # The networks are built as the parent's were, whatever this data set's settings say.
        networks = NetworkConfig.model_validate(self.parent["image_generator"]["networks"])
        check_batch(config.training, [networks.mbstd_group_size], context.world_size)
        D = build_discriminator(networks, resolution)
        load_module(D, read_model(model_file)[1], "D", model_file)
        D = D.train().requires_grad_(False).to(device)
        # Training starts from the averaged weights.
        G = copy.deepcopy(G_raw).train()
        pipe = build_augment(config.ada, device)
        self.loss = StyleTransferLoss(
            G,
            D,
            G_raw,
            pipe,
            load_lpips(context.weights, "vgg").to(device) if config.perceptual_weight > 0 else None,
            load_identity(context.weights).to(device) if config.identity_weight > 0 else None,
            perceptual_weight=config.perceptual_weight,
            identity_weight=config.identity_weight,
            path_length=config.finetune_g_res is None,
            style_mixing_prob=config.style_mixing_prob,
            r1_gamma=config.r1_gamma,
            pl_weight=config.pl_weight,
        )

        # Only the optimiser knows which blocks are tuned; the others never get gradients.
        tuned = tuned_parameters(G, config.finetune_g_res)
        tuned += list(G.mapping.parameters()) if config.finetune_mapping else []
        self.parts = Parts(
            modules={"G": G, "D": D, "G_ema": copy.deepcopy(G_raw)},
            averages={"G_ema": "G"},
            optimizers={
                # The rate is that of lazy regularisation even where the path length is off, as released.
                "G": adam(tuned, config.lr, config.betas, config.g_reg_interval),
                "D": adam(D.parameters(), config.lr, config.betas, config.d_reg_interval),
            },
            tensors={"pl_mean": self.loss.pl_mean},
            augment=pipe,
            ada=config.ada,
        )
        g_reg_interval = config.g_reg_interval if self.loss.path_length else None
        self.phases = self.image_phases(g_reg_interval, config.d_reg_interval)
        self.frames = ClassAwareFrames(context.store, context.seed, config.mirror)

    @torch.no_grad()
    def sample_images(self) -> np.ndarray:
        """Make a 4 x 8 grid of pairs: the parent's image and the averaged tuned one, with constant noise."""
        z = Draws(self.context.seed, 0, "samples", (0,)).randn("z", 16, self.loss.G.z_dim, device=self.context.device)
        tuned = self.parts.modules["G_ema"]
        assert isinstance(tuned, Generator)
        pairs = []
        for part in z.split(8):
            ws = self.loss.G_raw.mapping(part)
            images = [net.synthesis(ws, noise_mode="const") for net in (self.loss.G_raw, tuned)]
            pairs.append(torch.stack(images, dim=1))
        grid = to_uint8(torch.cat(pairs), "round").cpu()
        return grid.permute(0, 1, 3, 4, 2).reshape(4, 8, *grid.shape[3:], 3).numpy()

    def description(self) -> dict[str, Any]:
        """Describe what rebuilds the networks."""
        return self.parent | {"method": "style_transfer", "parent": self.config.parent}


create = StyleTransfer
