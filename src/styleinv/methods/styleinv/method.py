"""Training StyleInV on clips (paper sections 3.2-3.4, supplement F)."""

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from styleinv.generator import to_uint8
from styleinv.methods import sparse_video
from styleinv.methods.context import Context
from styleinv.methods.sparse_video import ClipInputs, SparseVideoConfig, SparseVideoGAN
from styleinv.methods.stylegan2.method import check_resolution, load_generator_of
from styleinv.methods.styleinv import generate
from styleinv.methods.styleinv.discriminator_ffc import FirstFrameDiscriminator
from styleinv.methods.styleinv.generate import load_generator
from styleinv.methods.styleinv.loss import FirstFrame, StyleInVLoss
from styleinv.methods.styleinv.model import StyleInV
from styleinv.nn import motion, video_discriminator
from styleinv.nn.host import to_device
from styleinv.nn.sync_batchnorm import synchronize_batchnorm
from styleinv.nn.video_discriminator import VideoDiscriminator
from styleinv.schema import Strict
from styleinv.training.checkpoint import read_model
from styleinv.training.draws import Draws
from styleinv.training.method import TrainingConfig
from styleinv.training.schedule import adam

__all__ = ["Config", "create", "load_generator"]


class MotionConfig(motion.MotionConfig):
    """FFA-APE (section 3.3); without `first_frame_aware` it is StyleGAN-V's encoding."""

    first_frame_aware: bool = True


class EncoderConfig(Strict):
    """The modulated encoder; its trunk is the inversion encoder's."""

    adain_mode: Literal["block", "bottleneck"] = "block"
    normalize_adain: bool = True


class DiscriminatorConfig(video_discriminator.DiscriminatorConfig):
    """The sparse video discriminator; `ffc` gives the first frame a tower of its own."""

    variant: Literal["stylegan_v", "ffc"] = "stylegan_v"


class SamplingConfig(sparse_video.SamplingConfig):
    """Sparse training times (section 3.4): `num_sample` of them beside frame 0."""

    num_sample: int = Field(3, ge=2)


class Config(SparseVideoConfig):
    """config/methods/styleinv.yaml.

    Attributes:
        sync_batchnorm: BatchNorm's statistics are those of one group of each process together, not of each group.
        first_frame: what the discriminator sees of the initial frame (Eq. 3); see `StyleInVLoss`.
        first_frame_recon: reconstruct the initial frame (Eq. 4). It is independent of `first_frame`, but that `append`
            generates no frame 0 to compare.
    """

    training: TrainingConfig
    motion: MotionConfig = MotionConfig()
    encoder: EncoderConfig = EncoderConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    sampling: SamplingConfig = SamplingConfig()
    style_dim: int = Field(512, ge=1)
    layers_after_fuse: int = Field(2, ge=1)
    sync_batchnorm: bool = False
    skip_encoder: bool = False
    first_frame: FirstFrame = "replace"
    first_frame_recon: bool = True
    lr: float = Field(1e-4, gt=0)
    lr_discriminator: float = Field(2e-3, gt=0)
    lambda_adv: float = Field(1, ge=0)
    lambda_recon: float = 10
    lambda_w_reg: float = Field(0.05, ge=0)
    noise_mode: Literal["const", "random", "none"] = "const"
    initial_noise_mode: Literal["const", "random", "none"] = "const"


class StyleInVMethod(SparseVideoGAN):
    """The motion generator against the sparse video discriminator, the image generator frozen.

    Raises:
        ValueError: for settings of the first frame that exclude each other.
    """

    loss: StyleInVLoss

    def __init__(self, config: Config, context: Context):
        in_D, ffc = config.first_frame != "remove", config.discriminator.variant == "ffc"
        if ffc and not in_D:
            raise ValueError("the ffc discriminator needs the first frame: first_frame cannot be remove")
        if config.first_frame == "append" and config.first_frame_recon:
            raise ValueError("first_frame append generates no frame 0: first_frame_recon must be false")

        # The image generator and the trunk of the encoder come from the inversion stage.
        self.config, device = config, context.device
        model_file = context.upstream["inversion"]
        G, self.image_description = load_generator_of(model_file, device, name="G")
        check_resolution(G, context.store, model_file)
        self.options = self._styleinv_options(G.w_dim, self.image_description["encoder"])
        SI = generate.build_styleinv({"styleinv": self.options})
        prefix = "pSp.encoder."
        _, tensors = read_model(model_file)
        SI.load_inversion({k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)})
        SI = SI.train().requires_grad_(False).to(device)
        if config.sync_batchnorm:
            synchronize_batchnorm(SI)

        # A discriminator that does not see the first frame sees none of real clips either. Generated clips keep it as
        # long as Eq. 4 compares it.
        s = config.sampling
        add_0 = config.first_frame in ("replace", "generated") or config.first_frame_recon
        self.fake_times = s.times(s.num_sample, add_0, fractional=True)
        self.sample_length = s.max_num_frames
        super().__init__(
            config,
            config.training,
            context,
            s.times(s.num_sample, add_0=in_D),
            "SI",
            SI,
            adam(SI.parameters(), config.lr, config.betas),
            config.lr_discriminator,
            frozen={"G": G},
            discriminator=FirstFrameDiscriminator if ffc else VideoDiscriminator,
        )
        self.images_per_sample = self.frames_counted(config)
        self.has_encoder = not config.skip_encoder
        self.loss = StyleInVLoss(
            G,
            SI,
            self.D,
            self.pipe,
            first_frame=config.first_frame,
            first_frame_recon=config.first_frame_recon,
            add_0=add_0,
            r1_gamma=config.r1_gamma,
            lambda_adv=config.lambda_adv,
            lambda_recon=config.lambda_recon,
            lambda_w_reg=config.lambda_w_reg,
            noise_mode=config.noise_mode,
            initial_noise_mode=config.initial_noise_mode,
            precision=config.training.precision,
        )

    @staticmethod
    def frames_counted(config: Config) -> int:
        """Count the frames of a video for `total_kimg`: the first one too where it is not shown.

        So all runs of this family take as many steps (the released code counts what is shown, a third more steps).
        """
        return config.sampling.num_sample + 1

    def _styleinv_options(self, w_dim: int, trunk: dict[str, Any]) -> dict[str, Any]:
        c = self.config
        motion = c.motion.model_dump() | {"max_num_frames": c.sampling.max_num_frames}
        return {
            "mapping": {
                "motion": motion,
                "content_dim": w_dim,
                "w_dim": w_dim if c.skip_encoder else c.style_dim,
                "layers_after_fuse": c.layers_after_fuse,
            },
            "encoder": {"w_dim": w_dim, "style_dim": c.style_dim} | trunk | c.encoder.model_dump(),
            "skip_encoder": c.skip_encoder,
        }

    def inputs(self, draws: Draws, n: int) -> ClipInputs:
        """Draw noise and fractional times."""
        device, motion = self.context.device, self.loss.SI.mapping.motion_encoder
        return ClipInputs(
            z=draws.randn("z", n, self.loss.G.z_dim, device=device),
            motion_z=draws.randn("motion_z", n, motion.traj_len(0), motion.z_dim, device=device),
            t=to_device(self.draw_times(self.fake_times, draws, n), device),
            noise=draws.generator("noise"),
            augment=draws.generator("augment_fake"),
        )

    def generator(self) -> generate.StyleInVGenerator:
        """Return a maker of videos from the averaged networks as they stand."""
        average = self.parts.modules["SI_ema"]
        assert isinstance(average, StyleInV)
        return generate.StyleInVGenerator(self.loss.G, average, self.context.store.fps, self.config.noise_mode)

    def sample_images(self) -> np.ndarray:
        """Make four rows: G(w_0), then 8 frames of the video that starts from it."""
        generator = self.generator()
        steps = torch.linspace(0, self.config.sampling.max_num_frames - 1, 8).round()
        rows = []
        for seed in range(4):
            initial = to_uint8(generator.first_frame(seed)[1], "round").cpu()
            rows.append(torch.cat([initial, generator.videos([seed], steps, "round")[0]]))
        return torch.stack(rows).permute(0, 1, 3, 4, 2).numpy()

    def description(self) -> dict[str, Any]:
        """Describe what rebuilds the networks."""
        return self.image_description | {
            "method": "styleinv",
            "styleinv": self.options,
            "noise_mode": self.config.noise_mode,
        }


create = StyleInVMethod
