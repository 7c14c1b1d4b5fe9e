"""A trained run to make videos with: what the commands that apply a model do, and what `styleinv.load` returns."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from styleinv import methods
from styleinv.errors import UserError
from styleinv.files import check_unchanged, read_json, sha256
from styleinv.generator import VideoGenerator, synthetic, to_float, to_uint8
from styleinv.methods.inversion.invert import Inverter, load_inverter
from styleinv.methods.truncation import truncate
from styleinv.paths import Paths
from styleinv.rng import torch_generator
from styleinv.runs import Run, parse_run
from styleinv.training.distribution import device_of

# Frames generated at once, so that an hour of video needs constant memory. Parts of a video begin at its multiples:
# then the networks see the same batches, and get the same bits, wherever a video is cut.
CHUNK = 128


@dataclass(frozen=True)
class Inverted:
    """What the inversion of an image found.

    Attributes:
        latent: w, float32 [1, w_dim].
        image: what the generator draws of it, uint8 [R, R, 3].
        error: mean absolute difference of the two images, 0..255.
    """

    latent: torch.Tensor
    image: np.ndarray
    error: float


def load_generator_of(run: Run, file: Path, device: torch.device) -> VideoGenerator:
    """Load the `VideoGenerator` of one model of a run.

    Raises:
        UserError: for methods that make no videos, and missing, changed or foreign models.
    """
    module = methods.get(run.method)
    if not hasattr(module, "load_generator"):
        raise UserError(f"{run.method} makes no videos", cure="Take a video method, such as styleinv.")
    check_unchanged(file)
    return module.load_generator(file, device)


def encoder_of(run: Run, paths: Paths) -> Run | None:
    """Find the inversion that a trained run was built on, in the record of its training; None where there was none."""
    record = paths.provenance(paths.run(run), "train")
    names = [Path(name).parts for name in read_json(record)["inputs"]] if record.exists() else []
    below = [parse_run("/".join(parts[-3:-1])) for parts in names if parts[-1] == paths.model(run).name]
    return next((one for one in below if one.method == "inversion"), None)


def trained(paths: Paths) -> list[Run]:
    """List the runs under some results whose training has ended, by name."""
    folders = (file.parent for file in paths.root.glob("*/*/model.safetensors"))
    return [parse_run(f"{folder.parent.name}/{folder.name}") for folder in sorted(folders)]


def load_encoder(run: Run, paths: Paths, device: torch.device) -> Inverter:
    """Load the encoder of an inversion.

    Raises:
        UserError: the run is none, or its model is missing or has changed.
    """
    file = paths.model(run)
    if run.method != "inversion":
        raise UserError(f"{run} finds no latents", field="run", cure="Take an inversion.")
    if not file.exists():
        raise UserError("does not exist", file=file, cure=f"Run `styleinv train {run}`: it finds latents.")
    check_unchanged(file)
    return load_inverter(file, device)


class Model:
    """A trained run to make videos with.

    Args:
        run: its name, such as `talking_faces/styleinv`.
        paths: where its results lie.
        device: `cpu`, `cuda`, or `auto` for a GPU where there is one.
        psi: truncation: 1 is what the method has learnt, towards 0 all videos become like the mean one.

    Attributes:
        generator: the method's own, by the contract of `styleinv.generator.VideoGenerator`.

    Raises:
        UserError: a method that makes no videos or knows no truncation; no such model, or a changed one.
    """

    def __init__(self, run: Run, paths: Paths, device: str = "auto", psi: float = 1.0):
        self.run, self.paths, self.device = run, paths, device_of(device)
        self.file = paths.model(run)
        self.generator, self.psi = load_generator_of(run, self.file, self.device), 1.0
        self.truncate(psi)

    @property
    def fps(self) -> float:
        """Frames per second that it was trained on."""
        return self.generator.fps

    @property
    def resolution(self) -> int:
        """Side of its frames in pixels."""
        return self.generator.resolution

    @functools.cached_property
    def note(self) -> str:
        """What files with its videos say of themselves."""
        return synthetic(f"the model {self.run} (sha256 {sha256(self.file)[:16]}) of styleinv")

    def truncate(self, psi: float) -> None:
        """Change the truncation of this model and of those that were made from it.

        Raises:
            UserError: as for the class.
        """
        if psi != self.psi:
            truncate(self.generator, psi)
            self.psi = psi

    def times(
        self,
        frames: int | None = None,
        seconds: float | None = None,
        fps: float | None = None,
        start: float = 0.0,
        speed: float = 1.0,
    ) -> torch.Tensor:
        """Compute the times [T] of a video's frames, in frames of the training's rate.

        Args:
            frames: how many; or
            seconds: how long (5 where neither is given).
            fps: frames per second of the video; another rate than the training's samples time more or less densely.
            start: seconds after the initial frame at which it begins.
            speed: how fast things move: 2 shows twice as much time in a video of the same length.

        Raises:
            UserError: numbers that are not positive, or both of frames and seconds.
        """
        if frames is not None and seconds is not None:
            raise UserError("say the same", field="--frames and --seconds", cure="Give one of them.")
        rate = self.fps if fps is None else fps
        long = 5.0 if seconds is None else seconds
        count = max(1, round(long * rate)) if frames is None else frames
        for name, good in (
            ("--frames", count > 0),
            ("--seconds", long > 0),
            ("--fps", rate > 0),
            ("--start", start >= 0),
            ("--speed", speed > 0),
        ):
            if not good:
                raise UserError("must be positive", field=name, cure="Give a positive number.")
        return torch.arange(count) / (rate / self.fps) * speed + start * self.fps

    def stream(self, seed: int, times: torch.Tensor, chunk: int = CHUNK) -> Iterator[np.ndarray]:
        """Yield the frames of one video, uint8 [R, R, 3], in constant memory.

        Args:
            seed: of the video.
            times: of its frames [T], as `times` gives them.
            chunk: frames that are generated at once.

        Raises:
            UserError: times that the method has no frames at.
        """
        for part in times.split(chunk):
            try:
                clip = self.generator.videos([seed], part, "round")[0]
            except ValueError as error:
                cure = f"Leave them out: {self.fps:g} and 1."
                raise UserError(str(error), field="--fps and --speed", cure=cure) from None
            yield from clip.permute(0, 2, 3, 1).numpy()

    def generate(
        self,
        seed: int = 0,
        seconds: float | None = None,
        frames: int | None = None,
        fps: float | None = None,
        start: float = 0.0,
        speed: float = 1.0,
    ) -> np.ndarray:
        """Generate one video, uint8 [T, R, R, 3]; arguments as for `times`."""
        return np.stack(list(self.stream(seed, self.times(frames, seconds, fps, start, speed))))

    def stylize(self, style: Run | str, paths: Paths | None = None, same_w: bool = True) -> Model:
        """Return a model of the same videos, drawn by a fine-tuned image generator (section 3.5).

        Args:
            style: the fine-tuned run, `<style set>/style_transfer`.
            paths: where it lies, if not where this run does.
            same_w: refuse a run whose tuning has moved W, or that was tuned from another image generator.

        Raises:
            UserError: if one of the two does no such thing, or they do not belong together.
        """
        tuned = parse_run(style) if isinstance(style, str) else style
        module, file = methods.get(tuned.method), (paths or self.paths).model(tuned)
        if not hasattr(module, "load_decoder") or not hasattr(self.generator, "styled"):
            raise UserError("do not go together", field="run and --style", cure="Give a styleinv and a style_transfer.")
        check_unchanged(file)
        try:
            return self._with(self.generator.styled(module.load_decoder(file, self.device), same_w))
        except ValueError as error:
            raise UserError(str(error), file=file, cure="Tune the image generator that the run builds on.") from None

    def invert(self, image: np.ndarray, steps: int = 0) -> Inverted:
        """Find the latent of an image: by the run's encoder, then by `steps` of optimisation.

        Args:
            image: uint8 [R, R, 3], aligned as the training's frames are.
            steps: of Adam on w alone; each takes about as long as a frame and its gradient.

        Raises:
            UserError: an image of another size, a method without an inversion encoder, or none that was trained.
        """
        if image.shape != (self.resolution, self.resolution, 3) or image.dtype != np.uint8:
            size = f"uint8 {self.resolution} x {self.resolution} x 3"
            raise UserError(f"must be {size}, not {image.dtype} {image.shape}", field="image", cure="Align it first.")
        inverter, pixels = self._inverter, torch.from_numpy(image.copy()).permute(2, 0, 1)[None]
        wanted = to_float(pixels.to(self.device))
        latent = inverter.invert(wanted)
        if steps:
            latent = inverter.refine(latent, wanted, steps)
        with torch.no_grad():
            drawn = to_uint8(inverter.draw(latent), "round").cpu()
        error = float((drawn.float() - pixels.float()).abs().mean())
        return Inverted(latent, drawn[0].permute(1, 2, 0).numpy(), error)

    def animate(self, image: np.ndarray | Inverted, steps: int = 0) -> Model:
        """Return a model whose videos all begin with an image; their seeds choose the motion (section 4.2).

        Args:
            image: aligned, as for `invert`, or what that returned.
            steps: as for `invert`.
        """
        found = image if isinstance(image, Inverted) else self.invert(image, steps)
        return self._with(self.generator.started(found.latent))  # type: ignore[attr-defined]

    def component(self, number: int, samples: int = 10_000) -> torch.Tensor:
        """Compute a principal component of W, [1, w_dim], one standard deviation long (Härkönen et al. 2020).

        Args:
            number: 0 is the one along which w varies most.
            samples: of w; the same ones every time.

        Raises:
            UserError: W has no such component, or the method no such space.
        """
        self._require("shifted", "has no W that a whole video can be moved in")
        G = self.generator.G  # type: ignore[attr-defined]
        if not 0 <= number < G.w_dim:
            raise UserError(f"must be 0 to {G.w_dim - 1}, not {number}", field="--component", cure="Choose another.")
        with torch.no_grad():
            z = torch.randn([samples, G.z_dim], generator=torch_generator("components", 0))
            w = torch.cat([G.mapping(part.to(self.device))[:, 0] for part in z.split(1000)]).double()
        values, vectors = torch.linalg.eigh(w.T.cov())
        direction = vectors[:, -1 - number] * values[-1 - number].clamp(min=0).sqrt()
        # Which way is forwards is nobody's choice: towards more of the largest entry.
        return (direction * direction[direction.abs().argmax()].sign()).float()[None]

    def direction(self, away: Sequence[np.ndarray], towards: Sequence[np.ndarray]) -> torch.Tensor:
        """Compute the direction in W from some images to others, [1, w_dim]: between the means of their inversions.

        Args:
            away, towards: uint8 [R, R, 3] each, aligned, at least one of both kinds.
        """
        means = [torch.cat([self.invert(image).latent for image in images]).mean(0) for images in (away, towards)]
        return (means[1] - means[0])[None]

    def edit(self, direction: torch.Tensor, strength: float = 1.0) -> Model:
        """Return a model of the same videos with every frame's latent moved by `strength` times a direction [1, w_dim].

        Raises:
            UserError: the method has no latents that can be moved so.
        """
        self._require("shifted", "has no W that a whole video can be moved in")
        return self._with(self.generator.shifted(strength * direction))  # type: ignore[attr-defined]

    def _require(self, ability: str, lack: str) -> None:
        if not hasattr(self.generator, ability):
            raise UserError(f"{self.run.method} {lack}", field="run", cure="Take a styleinv run.")

    def _with(self, generator: VideoGenerator) -> Model:
        other = copy.copy(self)
        other.generator = generator
        return other

    @functools.cached_property
    def _inverter(self) -> Inverter:
        self._require("started", "does not begin with a given image")
        below = encoder_of(self.run, self.paths)
        if below is None:
            cure = "Take a run that builds on an inversion."
            raise UserError("was trained without an inversion encoder", file=self.file, cure=cure)
        inverter = load_encoder(below, self.paths, self.device)
        inverter.require(self.generator.G, self.paths.model(below))  # type: ignore[attr-defined]
        return inverter
