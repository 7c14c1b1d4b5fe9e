"""Models as MLflow's registry shows and runs them: a card, a signature, and weights that this package loads.

`mlflow.pyfunc.load_model("models:/talking_faces.styleinv/1").predict(pandas.DataFrame({"seed": [3]}))` gives videos.
Nothing is pickled: the `loader_module` that MLflow calls is this one, which reads the safetensors.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import torch

from styleinv import methods
from styleinv.config import method_title
from styleinv.files import check_unchanged, read_object
from styleinv.generator import VideoGenerator, to_float
from styleinv.methods.inversion.invert import load_inverter
from styleinv.runs import Run, parse_run
from styleinv.stages.evaluate import makes_stills
from styleinv.stages.model import load_generator_of
from styleinv.stages.pack import card
from styleinv.stages.setting import Setting
from styleinv.training.distribution import device_of

if TYPE_CHECKING:
    # It takes seconds to import.
    from mlflow.models import ModelSignature

Kind = Literal["videos", "images", "latents"]
# Frames of a video, where `params` do not say.
FRAMES = 128


def _kind(run: Run) -> Kind | None:
    """Tell what a run is asked for; None where it makes nothing without another run's model."""
    if hasattr(methods.get(run.method), "load_generator"):
        return "videos"
    if makes_stills(run):
        return "images"
    return "latents" if run.method == "inversion" else None


class Registry:
    """What MLflow's registry is told of the runs of some results; see `styleinv.tracking.store.Registry`."""

    loader = __name__

    def __init__(self, setting: Setting):
        self._setting = setting

    def title(self, run: Run) -> str:
        """Name the method of a run for people."""
        return method_title(run, self._setting.config.parent)

    def card(self, run: Run) -> str:
        """Write the card of a run, in Markdown."""
        return card(run, self._setting)

    def signature(self, run: Run) -> ModelSignature | None:
        """Say what `Served.predict` of a run takes and returns; None where it cannot be served alone."""
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec

        seeds = Schema([ColSpec("long", "seed")])
        images = Schema([TensorSpec(np.dtype("uint8"), (-1, -1, -1, 3))])
        match _kind(run):
            case "videos":
                videos = Schema([TensorSpec(np.dtype("uint8"), (-1, -1, -1, -1, 3))])
                return ModelSignature(seeds, videos, ParamSchema([ParamSpec("frames", "long", FRAMES)]))
            case "images":
                return ModelSignature(seeds, images)
            case "latents":
                return ModelSignature(images, Schema([TensorSpec(np.dtype("float32"), (-1, -1))]))
        return None


class Served:
    """A registered model: videos or images of seeds, or the latents of images.

    Args:
        run: what it is a model of.
        file: its weights.
        device: that it computes on.
    """

    def __init__(self, run: Run, file: Path, device: torch.device):
        self._device, self._kind = device, _kind(run)
        check_unchanged(file)
        self._inverter = load_inverter(file, device) if self._kind == "latents" else None
        self._generator: VideoGenerator | None = None
        if self._kind == "images":
            self._generator = methods.get(run.method).load_image_generator(file, device)
        elif self._kind == "videos":
            self._generator = load_generator_of(run, file, device)

    def predict(self, model_input: pd.DataFrame | np.ndarray, params: dict[str, Any] | None = None) -> np.ndarray:
        """Make videos uint8 [N, T, R, R, 3] or images [N, R, R, 3] of seeds; or latents w [N, w_dim] of images.

        Args:
            model_input: a column `seed`; for an inversion, images uint8 [N, R, R, 3].
            params: `frames`, the length T of videos.
        """
        if self._inverter is not None:
            pixels = torch.from_numpy(np.asarray(model_input, np.uint8)).permute(0, 3, 1, 2)
            return self._inverter.invert(to_float(pixels.to(self._device))).cpu().numpy()
        assert self._generator is not None and isinstance(model_input, pd.DataFrame)
        frames = 1 if self._kind == "images" else (params or {}).get("frames", FRAMES)
        seeds = [int(seed) for seed in model_input["seed"]]
        clips = self._generator.videos(seeds, torch.arange(int(frames)), "round").permute(0, 1, 3, 4, 2).numpy()
        return clips[:, 0] if self._kind == "images" else clips


def _load_pyfunc(folder: str) -> Served:
    """Load a registered model; MLflow calls this with the folder that it has fetched.

    Raises:
        UserError: the folder does not hold what `styleinv track` has put there.
    """
    run = parse_run(str(read_object(Path(folder) / "provenance.json")["run"]))
    return Served(run, Path(folder) / "model.safetensors", device_of("auto"))
