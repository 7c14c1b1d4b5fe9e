"""RetinaFace (Deng et al. 2020) with a ResNet-50: boxes of faces, batched and to a fraction of a pixel.

The network is that of the package retinaface-pytorch. What surrounds it is our own, since the package takes one image
at a time, rounds its boxes, scales both axes by one ratio and says "no face" by a face with score -1.
"""

import functools
import io
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from styleinv.crop.published import load_published

MAX_SIZE = 960  # the network sees frames whose longer side has this many pixels
OVERLAP = 0.4  # of two boxes that overlap more, the better one stays
_ANCHORS = {8: (16, 32), 16: (64, 128), 32: (256, 512)}  # by stride, in pixels
_CENTRE_VARIANCE, _SIZE_VARIANCE = 0.1, 0.2
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class RetinaFace:
    """A `FaceDetector`.

    Attributes:
        sha256: of the weights.

    Args:
        folder: of the published weights.
        device: where it runs.
        confidence: smallest score of a face.
        max_size: longer side of what the network sees; frames are shrunk or enlarged to it.

    Raises:
        UserError: the weights have not been fetched, have another hash or do not fit.
    """

    def __init__(self, folder: Path, device: torch.device, confidence: float = 0.7, max_size: int = MAX_SIZE):
        self.device, self.confidence, self.max_size = device, confidence, max_size
        self._network = _network()
        self.sha256 = load_published("retinaface_resnet50", folder, self._network, _unzipped)
        self._network.to(device)

    def detect(self, frames: Sequence[np.ndarray], numbers: Sequence[int]) -> list[np.ndarray]:
        """See `FaceDetector`."""
        step = 2 if self.device.type == "cpu" else len(frames)  # some 200 MB each
        parts = [frames[start : start + step] for start in range(0, len(frames), step)]
        return [faces for part in parts for faces in self._detect(part)]

    def _detect(self, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        height, width = frames[0].shape[:2]
        scale = self.max_size / max(height, width)
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        resized = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR) for frame in frames])
        exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            x = torch.from_numpy(resized).to(self.device).permute(0, 3, 1, 2).float() / 255
            mean, std = (torch.tensor(values, device=self.device)[:, None, None] for values in (_MEAN, _STD))
            offsets, logits, _ = self._network((x - mean) / std)
            scores = logits.softmax(-1)[..., 1]
            boxes = decode_boxes(offsets, priors(size[1], size[0]).to(self.device))
        pixels = np.array([width, height, width, height], np.float64)
        found = []
        for box, score in zip(boxes, scores, strict=True):
            kept = best(box, score, self.confidence)
            rows = torch.cat([box[kept], score[kept, None]], 1).double().cpu().numpy()
            found.append(rows * np.append(pixels, 1))
        return found


@functools.lru_cache(maxsize=8)
def priors(height: int, width: int) -> Tensor:
    """List the boxes that predictions refer to: float32 [P, 4], (centre x, centre y, width, height) as shares."""
    rows = []
    for stride, sides in _ANCHORS.items():
        y, x = (np.arange(-(-length // stride)) + 0.5 for length in (height, width))
        centres = np.stack(np.meshgrid(x * stride, y * stride), -1)[:, :, None]  # [rows, columns, 1, 2]
        anchors = np.broadcast_to(centres, (*centres.shape[:2], len(sides), 2))
        size = np.broadcast_to(np.array(sides, float)[:, None], (*centres.shape[:2], len(sides), 2))
        rows.append((np.concatenate([anchors, size], -1) / [width, height, width, height]).reshape(-1, 4))
    return torch.from_numpy(np.concatenate(rows)).float()


def decode_boxes(offsets: Tensor, anchors: Tensor) -> Tensor:
    """Decode predictions [B, P, 4] to boxes [B, P, 4], (left, top, right, bottom) as shares of the image."""
    centres = anchors[:, :2] + offsets[..., :2] * _CENTRE_VARIANCE * anchors[:, 2:]
    sizes = anchors[:, 2:] * (offsets[..., 2:] * _SIZE_VARIANCE).exp()
    return torch.cat([centres - sizes / 2, centres + sizes / 2], -1)


def best(boxes: Tensor, scores: Tensor, confidence: float) -> Tensor:
    """Choose the boxes of one image that stay; returns their indices, best first."""
    from torchvision.ops import nms

    likely = (scores > confidence).nonzero()[:, 0]
    return likely[nms(boxes[likely], scores[likely], OVERLAP)]


def _network() -> nn.Module:
    from retinaface.network import RetinaFace as Network

    with warnings.catch_warnings():  # the package speaks to torchvision as one did in 2021
        warnings.simplefilter("ignore", UserWarning)
        layers = {f"layer{i}": i - 1 for i in (2, 3, 4)}
        return Network("Resnet50", pretrained=False, in_channels=256, return_layers=layers, out_channels=256)


def _unzipped(data: bytes) -> io.BytesIO:
    """Read the only member of the published zip, in memory: jobs would race for a second file on disk."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (name,) = (entry for entry in archive.namelist() if entry.endswith(".pth"))
        return io.BytesIO(archive.read(name))
