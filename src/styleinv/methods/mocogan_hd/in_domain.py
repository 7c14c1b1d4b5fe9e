"""Training MoCoGAN-HD in-domain (Tian et al. 2021; the paper's baseline, supplement F)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from styleinv.data.sampling import Clips
from styleinv.generator import to_float
from styleinv.methods.context import Context
from styleinv.methods.mocogan_hd import generate
from styleinv.methods.mocogan_hd.discriminator import PatchDiscriminator
from styleinv.methods.mocogan_hd.loss import (
    clip_input,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    image_input,
)
from styleinv.methods.mocogan_hd.motion import MotionGenerator, mutual_information_loss
from styleinv.methods.mocogan_hd.options import Config
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.nn.host import to_device
from styleinv.rng import drawn_by_group
from styleinv.training.draws import Draws
from styleinv.training.method import Parts, Phase, Report, VideoMethod, check_batch


class MoCoGANHD(VideoMethod):
    """The motion generator against patch discriminators of clips and of pairs of frames."""

    def __init__(self, config: Config, context: Context, G: Generator, R: MotionGenerator, described: dict[str, Any]):
        self.config, self.context, self.training, self.described = config, context, config.training, described
        self.G, self.R = G, R
        store, device, c = context.store, context.device, config
        check_batch(config.training, [], context.world_size)
        self.frame_size = min(c.frame_size, store.resolution)
        if store.resolution % self.frame_size:
            raise ValueError(f"frame_size {c.frame_size} does not divide the resolution {store.resolution}")
        self.parts = self._parts(device)

        # The motion generator steps several times per batch of real clips, then each discriminator once.
        self.phases = [Phase(f"G{i}", "R", self._generator) for i in range(c.G_steps)]
        self.phases += [Phase("D_3d", "D_3d", self._clips), Phase("D_img", "D_img", self._images)]
        span = (c.nframes - 1) * c.stride + 1
        self.clips = Clips(
            store, context.seed, c.mirror, span, span, lambda rng, window: np.arange(c.nframes) * c.stride
        )

        # The length may be given in passes over the videos.
        if c.epochs is not None:
            kimg = c.epochs * len(self.clips.videos) / 1000
            self.training = config.training.model_copy(update={"total_kimg": kimg})
        self.frames_per_sample = c.nframes

    def _parts(self, device: torch.device) -> Parts:
        c = self.config
        self.D_3d = PatchDiscriminator(3, 6, c.ndf, c.num_D, c.nframes - 1 > 16, c.norm_D_3d)
        self.D_img = PatchDiscriminator(2, 6, c.ndf, c.num_D, norm=c.norm_D_3d)
        modules: dict[str, nn.Module] = {"R": self.R, "D_3d": self.D_3d, "D_img": self.D_img}
        for D in (self.D_3d, self.D_img):
            D.train().requires_grad_(False).to(device)
        optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(module.parameters(), lr=c.lr, betas=c.betas) for name, module in modules.items()
        }
        return Parts(modules=modules | {"G": self.G}, optimizers=optimizers)

    def real_batch(self, micro_step: int, size: int) -> tuple[Tensor, ...]:
        """Return real clips uint8 [N, T, 3, s, s] at the discriminators' frame size."""
        clips, _ = self.clips.batch(micro_step, size)
        if clips.shape[-1] == self.frame_size:
            return (clips,)
        side = (self.frame_size, self.frame_size)
        frames = clips.flatten(0, 1).permute(0, 2, 3, 1).numpy()
        smaller = np.stack(
            [np.asarray(Image.fromarray(frame).resize(side, Image.Resampling.LANCZOS)) for frame in frames]
        )
        return (torch.from_numpy(smaller).permute(0, 3, 1, 2).unflatten(0, clips.shape[:2]),)

    def _fake(self, draws: Draws, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """Generate frames [N, T, 3, s, s]; also return the noise and what is recovered of it, [N (T - 1), z_dim]."""
        device, steps = self.context.device, self.config.nframes - 1
        with torch.no_grad():
            w0 = self.G.mapping(draws.randn("z", n, self.G.z_dim, device=device))[:, 0]
        e = draws.randn("e", steps, n, self.R.z_dim, device=device, dim=1)
        w, recovered = self.R(w0, e)
        ws = w.flatten(0, 1)[:, None].expand(-1, self.G.num_ws, -1)
        frames = self.G.synthesis(
            ws, noise_mode=self.config.noise_mode, generator=draws.generator("noise"), frames=steps + 1
        )
        frames = F.avg_pool2d(frames, frames.shape[-1] // self.frame_size)
        return frames.unflatten(0, (n, steps + 1)), e.transpose(0, 1).flatten(0, 1), recovered.flatten(0, 1)

    def _flip(self, clip: Tensor, draws: Draws, purpose: str) -> Tensor:
        """Reverse a whole group in time with probability 1/2."""
        turned = [group.python(purpose).random() < 0.5 for group in draws.each]
        parts = clip.chunk(len(turned))
        return torch.cat([part.flip(2) if turn else part for part, turn in zip(parts, turned, strict=True)])

    clip_input = staticmethod(clip_input)

    def _of_images(self, frames: Tensor, fake: Tensor, draws: Draws, report: Report) -> Tensor:
        """Compute the generator's loss by the image discriminator."""
        return generator_loss(*(self.D_img.scores(self._image_pairs(x, draws)) for x in (frames, fake)))

    def _image_pairs(self, frames: Tensor, draws: Draws) -> Tensor:
        """Put frame 0 beside another one, which is the same for a whole group: [B, 6, H, W]."""
        chosen = [group.python("k").randrange(1, self.config.nframes) for group in draws.each]
        parts = frames.chunk(len(chosen))
        return torch.cat([image_input(part, k) for part, k in zip(parts, chosen, strict=True)])

    def _generator(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        frames = to_float(real[0])
        fake, e, recovered = self._fake(draws, len(frames))
        both = (("real", frames), ("fake", fake))
        clips = [self._flip(self.clip_input(x), draws, f"flip_{name}") for name, x in both]
        of_clips = generator_loss(self.D_3d.scores(clips[0]), self.D_3d.scores(clips[1]))
        of_images = self._of_images(frames, fake, draws, report)
        mutual = mutual_information_loss(recovered, e)
        for name, value in (("3d", of_clips), ("2d", of_images), ("mutual", mutual)):
            report(f"Loss/G/{name}", value)
        yield of_clips + of_images + self.config.lambda_mutual * mutual

    def _discriminated(self, draws: Draws, n: int) -> tuple[Tensor, Draws]:
        # Both discriminators see the same videos.
        draws = replace(draws, phase="D")
        with torch.no_grad():
            return self._fake(draws, n)[0], draws

    def _clips(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        frames = to_float(real[0])
        fake, draws = self._discriminated(draws, len(frames))
        x, y = self.clip_input(frames), self.clip_input(fake)
        scores = [self.D_3d.scores(self._flip(c, draws, f"flip_{name}")) for name, c in (("fake", y), ("real", x))]
        of_real, of_fake = discriminator_loss(scores[1], scores[0])
        alpha = drawn_by_group(
            lambda n, generator: torch.rand([n, 1, 1, 1, 1], generator=generator), len(x), draws.generator("alpha")
        )
        alpha = to_device(alpha, x.device)
        penalty = gradient_penalty(self.D_3d, x, y, alpha)
        report("Loss/D/3d", 0.5 * (of_real + of_fake))
        report("Loss/D/gp", penalty)
        yield 0.5 * (of_real + of_fake) + penalty

    def _images(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        frames = to_float(real[0])
        fake, draws = self._discriminated(draws, len(frames))
        of_real, of_fake = discriminator_loss(*(self.D_img.scores(self._image_pairs(x, draws)) for x in (frames, fake)))
        report("Loss/D/2d", 0.5 * (of_real + of_fake))
        yield 0.5 * (of_real + of_fake)

    def generator(self) -> generate.MoCoGANHDGenerator:
        """Return a maker of videos from the networks as they stand."""
        return generate.MoCoGANHDGenerator(self.G, self.R, self.context.store.fps)

    def sample_times(self) -> Tensor:
        """Return eight moments of a clip of the training length."""
        return torch.linspace(0, self.config.nframes - 1, 8).round()

    def description(self) -> dict[str, Any]:
        """Describe what rebuilds the networks."""
        return self.described | {"noise_mode": "const"}
