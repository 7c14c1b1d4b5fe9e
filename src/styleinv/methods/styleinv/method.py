"""Training StyleInV on clips (paper sections 3.2-3.4, supplement F)."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from styleinv.data.sampling import Clips
from styleinv.data.time_sampling import TimeSampling
from styleinv.generator import VideoGenerator, to_float, to_uint8
from styleinv.methods.context import Context
from styleinv.methods.stylegan2.method import check_resolution, load_generator_of
from styleinv.methods.styleinv import generate
from styleinv.methods.styleinv.discriminator_ffc import FirstFrameDiscriminator
from styleinv.methods.styleinv.loss import Fake, StyleInVLoss
from styleinv.methods.styleinv.model import StyleInV
from styleinv.nn.sync_batchnorm import synchronize_batchnorm
from styleinv.nn.video_discriminator import VideoDiscriminator
from styleinv.schema import Strict
from styleinv.training.ada import AdaConfig, build_augment
from styleinv.training.checkpoint import read_model
from styleinv.training.draws import Draws
from styleinv.training.method import Parts, Phase, Report, TrainingConfig, VideoMethod, check_batch
from styleinv.training.schedule import adam


class MotionConfig(Strict):
    """FFA-APE (section 3.3)."""

    z_dim: int = Field(512, ge=1)
    v_dim: int = Field(512, ge=1)
    motion_z_distance: int = Field(16, ge=1)
    kernel_size: int = Field(11, ge=1)
    time_dim: int = Field(256, ge=1)
    min_period_len: float = Field(16, gt=0)
    max_period_len: float = Field(128, gt=0)
    first_frame_aware: bool = True


class EncoderConfig(Strict):
    """The modulated encoder; its trunk is the inversion encoder's."""

    adain_mode: Literal["block", "bottleneck"] = "block"
    normalize_adain: bool = True


class DiscriminatorConfig(Strict):
    """The sparse video discriminator; `ffc` gives the first frame a tower of its own."""

    variant: Literal["stylegan_v", "ffc"] = "stylegan_v"
    concat_res: int = Field(16, ge=4)
    num_frames_div_factor: int = Field(2, ge=1)
    channel_base: int = Field(16384, ge=1)
    channel_max: int = Field(512, ge=1)
    num_fp16_res: int = Field(4, ge=0)
    half_dtype: str = "float16"
    conv_clamp: float | None = 256
    mbstd_group_size: int = Field(8, ge=1)


class SamplingConfig(Strict):
    """Sparse training times (section 3.4)."""

    max_num_frames: int = Field(128, ge=4)
    num_sample: int = Field(3, ge=2)
    max_dist: int = Field(32, ge=3)
    spans: Literal["uniform", "powers_of_two"] = "uniform"


class Config(Strict):
    """config/methods/styleinv.yaml."""

    training: TrainingConfig
    motion: MotionConfig = MotionConfig()
    encoder: EncoderConfig = EncoderConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    sampling: SamplingConfig = SamplingConfig()
    ada: AdaConfig = AdaConfig()
    style_dim: int = Field(512, ge=1)
    layers_after_fuse: int = Field(2, ge=1)
    sync_batchnorm: bool = True
    skip_encoder: bool = False
    first_frame_in_D: bool = True
    first_frame_use_gen: bool = False
    first_frame_recon: bool = True
    lr: float = Field(1e-4, gt=0)
    lr_discriminator: float = Field(2e-3, gt=0)
    betas: tuple[float, float] = (0, 0.99)
    r1_gamma: float = Field(1, ge=0)
    lambda_adv: float = Field(1, ge=0)
    lambda_recon: float = 10
    lambda_w_reg: float = Field(0.05, ge=0)
    d_reg_interval: int = Field(16, ge=1)
    noise_mode: Literal["const", "random", "none"] = "const"
    initial_noise_mode: Literal["const", "random", "none"] = "const"
    mirror: bool = True


def create(config: Config, context: Context) -> "StyleInVMethod":
    """The method, ready to train."""
    return StyleInVMethod(config, context)


def load_generator(model_file: Path, device: torch.device) -> VideoGenerator:
    """The trained method for inference."""
    return generate.load_generator(model_file, device)


class StyleInVMethod(VideoMethod):
    """The motion generator against the sparse video discriminator, the image generator frozen."""

    def __init__(self, config: Config, context: Context):
        self.config, self.context, self.training = config, context, config.training
        store, device = context.store, context.device
        check_batch(config.training, [config.discriminator.mbstd_group_size], context.world_size)
        model_file = context.upstream["inversion"]
        G, inversion = load_generator_of(model_file, device, name="G")
        check_resolution(G, store, model_file)
        self.image_description = inversion
        self.options = self._styleinv_options(G.w_dim, inversion["encoder"])
        SI = generate.build_styleinv({"styleinv": self.options})
        prefix = "pSp.encoder."
        _, tensors = read_model(model_file)
        SI.load_inversion({k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)})
        SI = SI.train().requires_grad_(False).to(device)
        if config.sync_batchnorm:
            synchronize_batchnorm(SI)

        s = config.sampling
        # Without the first frame in the discriminator, real clips lose theirs too; generated ones keep it for Eq. 4.
        times: dict[str, Any] = {
            "num_sample": s.num_sample,
            "max_num_frames": s.max_num_frames,
            "max_dist": s.max_dist,
            "spans": s.spans,
        }
        fake_add_0 = config.first_frame_in_D or config.first_frame_recon
        self.real_times = TimeSampling(add_0=config.first_frame_in_D, **times)
        self.fake_times = TimeSampling(add_0=fake_add_0, fractional=True, **times)
        self.images_per_sample = self.real_times.num_frames
        self.sample_length = config.sampling.max_num_frames
        d = config.discriminator.model_dump(exclude={"variant"})
        ffc = config.discriminator.variant == "ffc"
        if ffc and not config.first_frame_in_D:
            raise ValueError("the ffc discriminator needs first_frame_in_D")
        build = FirstFrameDiscriminator if ffc else VideoDiscriminator
        D = build(store.resolution, self.real_times.num_frames, max_num_frames=s.max_num_frames, **d)
        D = D.train().requires_grad_(False).to(device)
        SI_ema = copy.deepcopy(SI).eval()
        pipe = build_augment(config.ada, device)
        self.loss = StyleInVLoss(
            G,
            SI,
            D,
            pipe,
            first_frame_in_D=config.first_frame_in_D,
            first_frame_use_gen=config.first_frame_use_gen,
            first_frame_recon=config.first_frame_recon,
            add_0=fake_add_0,
            r1_gamma=config.r1_gamma,
            lambda_adv=config.lambda_adv,
            lambda_recon=config.lambda_recon,
            lambda_w_reg=config.lambda_w_reg,
            noise_mode=config.noise_mode,
            initial_noise_mode=config.initial_noise_mode,
        )
        self.parts = Parts(
            modules={"SI": SI, "D": D, "SI_ema": SI_ema, "G": G},
            averages={"SI_ema": "SI"},
            optimizers={
                "SI": adam(SI.parameters(), config.lr, config.betas),
                "D": adam(D.parameters(), config.lr_discriminator, config.betas, config.d_reg_interval),
            },
            augment=pipe,
            ada=config.ada,
        )
        self.phases = [
            Phase("SImain", "SI", self._main),
            Phase("Dmain", "D", self._discriminator_main),
            Phase("Dreg", "D", self._discriminator_reg, config.d_reg_interval),
        ]
        self.clips = Clips(
            store,
            context.seed,
            config.mirror,
            min_length=s.max_num_frames,
            window=s.max_num_frames,
            sample_times=self.real_times,
        )

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

    def real_batch(self, micro_step: int, size: int) -> tuple[Tensor, ...]:
        """Real clips uint8 [N, F, 3, R, R] and their times [N, F]."""
        return self.clips.batch(micro_step, size)

    def _fake(self, draws: Draws, n: int) -> Fake:
        device, motion = self.context.device, self.loss.SI.mapping.motion_encoder
        rng = draws.python("t")
        t = torch.from_numpy(np.stack([self.fake_times.draw(rng) for _ in range(n)])).to(device)
        return Fake(
            z=draws.randn("z", n, self.loss.G.z_dim, device=device),
            motion_z=draws.randn("motion_z", n, motion.traj_len(0), motion.z_dim, device=device),
            t=t,
            noise=draws.generator("noise"),
            augment=draws.generator("augment_fake"),
        )

    def _main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        yield from self.loss.main(self._fake(draws, len(real[0])), report)

    def _discriminator_main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        clips, t = to_float(real[0]), real[1]
        generator = draws.generator("augment_real")
        yield from self.loss.discriminator_main(self._fake(draws, len(clips)), clips, t, generator, report)

    def _discriminator_reg(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        yield from self.loss.discriminator_reg(to_float(real[0]), real[1], draws.generator("augment_real"), report)

    def generator(self) -> generate.StyleInVGenerator:
        """The averaged networks as they stand."""
        average = self.parts.modules["SI_ema"]
        assert isinstance(average, StyleInV)
        return generate.StyleInVGenerator(self.loss.G, average, self.context.store.fps, self.config.noise_mode)

    def sample_images(self) -> np.ndarray:
        """Rows of G(w_0) and then 8 frames of the video that grows from it."""
        generator = self.generator()
        steps = torch.linspace(0, self.config.sampling.max_num_frames - 1, 8).round()
        rows = []
        for seed in range(4):
            initial = to_uint8(generator.first_frame(seed)[1], "round").cpu()
            rows.append(torch.cat([initial, generator.videos([seed], steps, "round")[0]]))
        return torch.stack(rows).permute(0, 1, 3, 4, 2).numpy()

    def description(self) -> dict[str, Any]:
        """What rebuilds the networks."""
        return self.image_description | {
            "method": "styleinv",
            "styleinv": self.options,
            "noise_mode": self.config.noise_mode,
        }
