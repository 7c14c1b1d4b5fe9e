"""The networks whose features FID and FVD compare.

The official ones are TorchScript files: Inception for images and I3D (the TF-hub `i3d-kinetics-400` weights) for
clips. Both take uint8 and rescale and resize inside. A TorchScript file is a program, so it is loaded only after its
SHA-256 has been verified.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from styleinv.data import weights
from styleinv.data.trust import DIGITS, Trust
from styleinv.errors import UserError
from styleinv.evaluation.metrics import Kind
from styleinv.evaluation.protocol import DetectorRecord
from styleinv.evaluation.stand_ins import StandInImage, StandInVideo, weights_sha256

OFFICIAL: dict[Kind, str] = {"image": "inception", "video": "i3d"}
# Positional, because some torch versions refuse the keyword `x`: (return_features,) and (rescale, resize,
# return_features).
FLAGS: dict[Kind, tuple[bool, ...]] = {"image": (True,), "video": (True, True, True)}
PROBE: dict[Kind, tuple[int, ...]] = {"image": (1, 3, 64, 64), "video": (1, 3, 16, 64, 64)}


class Detector:
    """A feature network with its identity.

    Attributes:
        kind: `image` takes uint8 [N, 3, H, W], `video` uint8 [N, 3, T, H, W].
        name: for people.
        sha256: of the file, or of the weights of a stand-in; enters the protocol record.
        dim: length D of a feature.
        stand_in: True when scores are not comparable with anything published.
    """

    def __init__(
        self, kind: Kind, name: str, sha256: str, stand_in: bool, network: Callable[..., Any], device: torch.device
    ):
        self.kind, self.name, self.sha256, self.stand_in, self.device = kind, name, sha256, stand_in, device
        self._network = network
        self.dim = self(torch.zeros(PROBE[kind], dtype=torch.uint8)).shape[1]

    def __call__(self, pixels: torch.Tensor) -> np.ndarray:
        """Compute the features of a batch.

        Args:
            pixels: uint8 [N, 3, H, W] or [N, 3, T, H, W], by kind.

        Returns:
            float32 [N, D], on the CPU.

        Raises:
            UserError: the network did not give one vector per item.
        """
        if pixels.dtype != torch.uint8 or pixels.ndim != len(PROBE[self.kind]) or pixels.shape[1] != 3:
            wanted = f"uint8 batches like {list(PROBE[self.kind])}"
            raise ValueError(f"a {self.kind} detector takes {wanted}, got {pixels.dtype} {list(pixels.shape)}")
        return self.features(pixels, FLAGS[self.kind])

    def features(self, inputs: torch.Tensor, flags: tuple[bool, ...]) -> np.ndarray:
        """Run the network as it is on whatever its flags ask for; scores use `FLAGS` alone."""
        # Scores are float32 everywhere: TF32 convolutions move features by 1e-3, and the profiling executor of
        # TorchScript would recompile (and round differently) after the first call.
        exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), torch.jit.optimized_execution(False), exact:
            features = self._network(inputs.to(self.device), *flags)
        if not isinstance(features, torch.Tensor) or features.ndim != 2 or len(features) != len(inputs):
            raise UserError(
                f"{self.name}: a detector must return [N, D] features", cure="Use a file with the documented call."
            )
        return features.float().cpu().numpy()

    @property
    def record(self) -> DetectorRecord:
        """Name, hash and feature length, for the protocol record."""
        return DetectorRecord(name=self.name, sha256=self.sha256, dim=self.dim)


@dataclass(frozen=True)
class Detectors:
    """The image detector and the video detector of an evaluation."""

    image: Detector
    video: Detector

    def of(self, kind: Kind) -> Detector:
        """Return the detector of a kind."""
        return self.image if kind == "image" else self.video

    @property
    def stand_in(self) -> bool:
        """True when either of them is a stand-in."""
        return self.image.stand_in or self.video.stand_in


def load_detector(
    kind: Kind, which: str | Path, device: str | torch.device = "cpu", sha256: str | None = None
) -> Detector:
    """Load a detector.

    Args:
        kind: `image` (FID) or `video` (FVD).
        which: `official`, `stand-in`, or the path of a TorchScript file with the same call as the official one.
        device: where it runs.
        sha256: hash of that file; required for a path, not used otherwise.

    Raises:
        UserError: the file is missing, has another hash, or no hash is known; nothing of it has been executed then.
    """
    device = torch.device(device)
    if which == "stand-in":
        network = (StandInImage() if kind == "image" else StandInVideo()).eval().to(device)
        digest = weights_sha256(network)
        return Detector(kind, f"stand-in:{digest[:12]}", digest, True, network, device)
    if which == "official":
        path = weights.where(OFFICIAL[kind])
        digest = weights.verify(OFFICIAL[kind])
    else:
        path = Path(which)
        if sha256 is None or len(sha256) < DIGITS:
            raise UserError(
                "is a program, and no SHA-256 of 64 digits to trust it by was given",
                file=path,
                cure="Give its hash beside its path.",
            )
        digest = Trust(sha256).check(path, "Give the right file, or the right hash.")
    return Detector(kind, path.name, digest, False, _torchscript(path, device), device)


def load_detectors(which: str, device: str | torch.device = "cpu") -> Detectors:
    """Load both detectors, `official` or `stand-in`."""
    return Detectors(load_detector("image", which, device), load_detector("video", which, device))


def _torchscript(path: Path, device: torch.device) -> Callable[..., Any]:
    with warnings.catch_warnings():
        # torch calls TorchScript deprecated; the official detectors exist in no other form.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return laid_out(torch.jit.load(str(path), map_location=device).eval(), device)
        except RuntimeError as error:
            raise UserError(
                f"is not a TorchScript file ({str(error).splitlines()[0]})",
                file=path,
                cure="Fetch it again: `styleinv weights fetch`.",
            ) from None


def laid_out(network: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """Put a network's weights into the layout in which its device convolves fastest, in place.

    On a CPU that is channels-last for images, which activations then take over (C17 of `make bench`); over frames it
    gave nothing. On GPUs, in full float32, nothing has been measured: there the layout stays.
    """
    if device.type == "cpu":
        for weight in network.parameters():
            if weight.ndim == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return network
