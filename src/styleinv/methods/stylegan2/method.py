"""Training the image generator on all frames of a video data set (paper section 3.2, supplement F)."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from styleinv.data.sampling import ClassAwareFrames
from styleinv.data.store import FrameStore
from styleinv.errors import UserError
from styleinv.generator import Rounding, to_uint8
from styleinv.methods.context import Context
from styleinv.methods.stylegan2.discriminator import Discriminator
from styleinv.methods.stylegan2.loss import StyleGAN2Loss
from styleinv.methods.stylegan2.phases import ImageGAN
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.nn.precision import HalfDtype
from styleinv.rng import torch_generator
from styleinv.schema import Strict
from styleinv.training.ada import AdaConfig, build_augment
from styleinv.training.checkpoint import load_module, read_model
from styleinv.training.draws import Draws
from styleinv.training.method import Parts, TrainingConfig, check_batch
from styleinv.training.schedule import adam


class NetworkConfig(Strict):
    """Sizes of generator and discriminator."""

    z_dim: int = Field(512, ge=1)
    w_dim: int = Field(512, ge=1)
    mapping_layers: int = Field(8, ge=1)
    channel_base: int = Field(16384, ge=1)
    channel_max: int = Field(512, ge=1)
    num_fp16_res: int = Field(4, ge=0)
    half_dtype: HalfDtype = "float16"
    conv_clamp: float | None = 256
    use_noise: bool = True
    mbstd_group_size: int = Field(8, ge=1)


class Config(Strict):
    """config/methods/stylegan2.yaml."""

    training: TrainingConfig
    networks: NetworkConfig
    ada: AdaConfig = AdaConfig()
    lr: float = Field(0.0025, gt=0)
    betas: tuple[float, float] = (0, 0.99)
    r1_gamma: float = Field(1, ge=0)
    pl_weight: float = Field(2, ge=0)
    pl_batch_shrink: int = Field(2, ge=1)
    style_mixing_prob: float = Field(0.9, ge=0, le=1)
    g_reg_interval: int = Field(4, ge=1)
    d_reg_interval: int = Field(16, ge=1)
    mirror: bool = True


def build_generator(net: NetworkConfig, resolution: int) -> Generator:
    """Build the generator of a configuration, freshly initialised."""
    return Generator(
        net.z_dim,
        net.w_dim,
        resolution,
        mapping_kwargs={"num_layers": net.mapping_layers},
        synthesis_kwargs={
            "channel_base": net.channel_base,
            "channel_max": net.channel_max,
            "num_fp16_res": net.num_fp16_res,
            "half_dtype": net.half_dtype,
            "conv_clamp": net.conv_clamp,
            "use_noise": net.use_noise,
        },
    )


def build_discriminator(net: NetworkConfig, resolution: int) -> Discriminator:
    """Build the discriminator of a configuration, freshly initialised."""
    return Discriminator(
        resolution,
        channel_base=net.channel_base,
        channel_max=net.channel_max,
        num_fp16_res=net.num_fp16_res,
        half_dtype=net.half_dtype,
        conv_clamp=net.conv_clamp,
        epilogue_kwargs={"mbstd_group_size": net.mbstd_group_size},
    )


def load_generator_of(model_file: Path, device: torch.device, name: str = "G_ema") -> tuple[Generator, dict[str, Any]]:
    """Load the frozen image generator inside a model of this project, and the model's description."""
    description, tensors = read_model(model_file)
    image = description["image_generator"]
    generator = build_generator(NetworkConfig.model_validate(image["networks"]), image["resolution"])
    load_module(generator, tensors, name, model_file)
    return generator.eval().requires_grad_(False).to(device), description


def load_image_generator(model_file: Path, device: torch.device) -> "StillGenerator":
    """Load the averaged image generator as a maker of stills, for FID alone."""
    generator, description = load_generator_of(model_file, device)
    return StillGenerator(generator, description.get("fps", 1.0))


class StillGenerator:
    """A `VideoGenerator` whose videos stand still: G(z) of every seed at all times, without truncation.

    The noise inputs are random, as when StyleGAN2-ADA measures its FID.
    """

    def __init__(self, G: Generator, fps: float):
        self.G, self.fps, self.resolution = G, fps, G.img_resolution

    @torch.no_grad()
    def videos(self, seeds: Sequence[int], times: Tensor, rounding: Rounding = "truncate") -> Tensor:
        """Generate clips; see `styleinv.generator.VideoGenerator`."""
        stills = []
        for seed in seeds:
            generator = torch_generator("content", seed)
            z = torch.randn([1, self.G.z_dim], generator=generator).to(self.G.mapping.w_avg.device)
            image = self.G(z, noise_mode="random", generator=generator)
            stills.append(to_uint8(image, rounding).cpu().expand(len(times), -1, -1, -1))
        return torch.stack(stills)


def check_resolution(generator: Generator, store: FrameStore, model_file: Path) -> None:
    """Refuse an image generator of another size than the frames.

    Raises:
        UserError: with both sizes.
    """
    if generator.img_resolution != store.resolution:
        raise UserError(
            f"was trained at {generator.img_resolution}x{generator.img_resolution}, "
            f"the frames are {store.resolution}x{store.resolution}",
            file=model_file,
            cure="Train the stages below on this data set again.",
        )


class StyleGAN2(ImageGAN):
    """StyleGAN2-ADA on class-aware sampled frames."""

    def __init__(self, config: Config, context: Context):
        self.config, self.context, self.training = config, context, config.training
        resolution, device = context.store.resolution, context.device
        # Networks start without gradients: the loop switches on those of the phase that it runs.
        check_batch(config.training, [config.networks.mbstd_group_size], context.world_size)
        G = build_generator(config.networks, resolution).train().requires_grad_(False).to(device)
        D = build_discriminator(config.networks, resolution).train().requires_grad_(False).to(device)
        G_ema = copy.deepcopy(G).eval()
        pipe = build_augment(config.ada, device)
        self.loss = StyleGAN2Loss(
            G,
            D,
            pipe,
            style_mixing_prob=config.style_mixing_prob,
            r1_gamma=config.r1_gamma,
            pl_batch_shrink=config.pl_batch_shrink,
            pl_weight=config.pl_weight,
        )
        self.parts = Parts(
            modules={"G": G, "D": D, "G_ema": G_ema},
            averages={"G_ema": "G"},
            optimizers={
                "G": adam(G.parameters(), config.lr, config.betas, config.g_reg_interval),
                "D": adam(D.parameters(), config.lr, config.betas, config.d_reg_interval),
            },
            tensors={"pl_mean": self.loss.pl_mean},
            augment=pipe,
            ada=config.ada,
        )

        # Without path length there is no phase for it; Adam's settings stay those of lazy regularisation.
        g_reg_interval = config.g_reg_interval if config.pl_weight > 0 else None
        self.phases = self.image_phases(g_reg_interval, config.d_reg_interval)
        self.frames = ClassAwareFrames(context.store, context.seed, config.mirror)

    @torch.no_grad()
    def sample_images(self) -> np.ndarray:
        """Make a 4 x 8 grid of images of the averaged generator from fixed latents, with constant noise."""
        z = Draws(self.context.seed, 0, "samples", (0,)).randn(
            "z", 32, self.config.networks.z_dim, device=self.context.device
        )
        images = torch.cat([self.parts.modules["G_ema"](part, noise_mode="const") for part in z.split(8)])
        return to_uint8(images, "round").permute(0, 2, 3, 1).reshape(4, 8, *images.shape[2:], 3).cpu().numpy()

    def description(self) -> dict[str, Any]:
        """Describe what rebuilds the networks."""
        image = {"networks": self.config.networks.model_dump(mode="json"), "resolution": self.context.store.resolution}
        return {"method": "stylegan2", "image_generator": image, "fps": self.context.store.fps}


create = StyleGAN2
