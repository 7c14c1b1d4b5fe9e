"""Videos from a trained StyleInV (Eq. 2; supplement A): any length, any frame rate, one seed at a time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from styleinv.generator import Rounding, to_uint8
from styleinv.methods.stylegan2.method import load_generator_of
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.methods.styleinv.model import StyleInV
from styleinv.rng import numpy_generator, torch_generator
from styleinv.training.checkpoint import load_module, read_model

# Frames that go through encoder and synthesis at once.
CHUNK = 32


class StyleInVGenerator:
    """The `VideoGenerator` of this method.

    Each seed is computed on its own, so that a video never depends on its neighbours in a batch.

    Args:
        decoder: draws the frames instead of G: a fine-tuned G (section 3.5). The latents stay those of G.
        start: w_0 [1, w_dim] of all videos, whose seeds then choose the motion alone (section 4.2).
        shift: [1, w_dim], added to every w before it is drawn; the motion stays that of the unshifted video.
    """

    def __init__(
        self,
        G: Generator,
        SI: StyleInV,
        fps: float,
        noise_mode: str = "const",
        decoder: Generator | None = None,
        start: Tensor | None = None,
        shift: Tensor | None = None,
    ):
        self.G, self.SI, self.fps, self.noise_mode = G, SI, fps, noise_mode
        self.decoder, self.start, self.shift = decoder or G, start, shift
        self.resolution = G.img_resolution
        self.device = G.mapping.w_avg.device

    def styled(self, decoder: Generator, same_w: bool = True) -> "StyleInVGenerator":
        """Return a maker of the same videos in the style of a fine-tuned generator.

        Args:
            same_w: refuse one whose W is another; else its W may have moved since, and it decodes the latents of G's.

        Raises:
            ValueError: if `decoder` was not tuned from G, so that its W is another.
        """
        own, other = self.G.mapping.state_dict(), decoder.mapping.state_dict()
        # The running mean of w goes on being measured while the mapping itself is fixed.
        same = own.keys() == other.keys() and all(n == "w_avg" or torch.equal(own[n], other[n]) for n in own)
        if (same_w and not same) or decoder.num_ws != self.G.num_ws:
            raise ValueError("was tuned from another image generator")
        return self._changed(decoder=decoder)

    def started(self, start: Tensor) -> "StyleInVGenerator":
        """Return a maker of videos that begin with the image of `start` [1, w_dim], such as an inverted photo."""
        return self._changed(start=start)

    def shifted(self, shift: Tensor) -> "StyleInVGenerator":
        """Return a maker of the same videos whose every latent is moved by `shift` [1, w_dim]."""
        return self._changed(shift=shift)

    def _changed(self, **changes: Any) -> "StyleInVGenerator":
        kept = {"decoder": self.decoder, "start": self.start, "shift": self.shift}
        return StyleInVGenerator(self.G, self.SI, self.fps, self.noise_mode, **(kept | changes))

    @torch.no_grad()
    def videos(self, seeds: Sequence[int], times: Tensor, rounding: Rounding = "truncate") -> Tensor:
        """Generate clips; see `styleinv.generator.VideoGenerator`; times may be any non-negative reals."""
        clips = []
        for seed in seeds:
            w0, initial = self.first_frame(seed)
            w = self.latents(w0, initial, self.motion_noise(seed, float(times.max())), times)
            clips.append(torch.cat([to_uint8(self.decode(part), rounding).cpu() for part in w.split(CHUNK)]))
        return torch.stack(clips)

    @torch.no_grad()
    def first_frame(self, seed: int) -> tuple[Tensor, Tensor]:
        """Compute w_0 [1, w_dim] and G(w_0) [1, 3, R, R] of a seed."""
        w0 = self.start
        if w0 is None:
            generator = torch_generator("content", seed)
            w0 = self.G.mapping(torch.randn([1, self.G.z_dim], generator=generator).to(self.device))[:, 0]
        return w0, self._synthesis(self.G, w0)

    def motion_noise(self, seed: int, max_t: float) -> Tensor:
        """Draw the motion noise [1, L, z_dim] of a seed; longer videos continue the noise of shorter ones."""
        motion = self.SI.mapping.motion_encoder
        rng = numpy_generator("motion", seed)
        noise = rng.standard_normal((1, motion.traj_len(max_t), motion.z_dim)).astype(np.float32)
        return torch.from_numpy(noise).to(self.device)

    @torch.no_grad()
    def latents(self, w0: Tensor, initial: Tensor, motion_z: Tensor, times: Tensor) -> Tensor:
        """Compute w_t [T, w_dim] of one video at `times` [T] in frames."""
        # Each part sees the anchors that its times need, as if the video ended there.
        count = self.SI.mapping.motion_encoder.traj_len
        parts = [(part, motion_z[:, : count(float(part.max()))]) for part in times.float().split(CHUNK)]
        return torch.cat([self.SI(initial, w0, z, part.to(self.device)[None]) for part, z in parts])

    @torch.no_grad()
    def decode(self, w: Tensor) -> Tensor:
        """Synthesise frames [T, 3, R, R] in [-1, 1] from w [T, w_dim], with the same noise in all of them."""
        return self._synthesis(self.decoder, w if self.shift is None else w + self.shift)

    def _synthesis(self, G: Generator, w: Tensor) -> Tensor:
        return G.synthesis(w[:, None].expand(-1, G.num_ws, -1), noise_mode=self.noise_mode)


def build_styleinv(description: dict[str, Any]) -> StyleInV:
    """Build the motion generator of a model's description, freshly initialised."""
    return StyleInV(**description["styleinv"])


def load_generator(model_file: Path, device: torch.device) -> StyleInVGenerator:
    """Load the averaged motion generator of a trained run."""
    G, description = load_generator_of(model_file, device, name="G")
    _, tensors = read_model(model_file)
    SI = build_styleinv(description)
    load_module(SI, tensors, "SI_ema", model_file)
    SI = SI.eval().requires_grad_(False).to(device)
    return StyleInVGenerator(G, SI, description["fps"], description["noise_mode"])
