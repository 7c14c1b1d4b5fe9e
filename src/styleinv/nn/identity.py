"""The identity loss of pSp and of style-transfer fine-tuning (paper section 3.5)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styleinv.nn.irse import ArcFace


class IDLoss(nn.Module):
    """The identity loss: 1 - cosine similarity of ArcFace embeddings.

    The crop is framed for FFHQ-aligned faces of 256^2, so the loss is only meaningful for those.
    """

    def __init__(self):
        super().__init__()
        self.facenet = ArcFace().eval().requires_grad_(False)

    def train(self, mode: bool = True) -> "IDLoss":
        """Stay in evaluation mode, whatever `mode` is."""
        return super().train(False)

    def embed(self, x: Tensor) -> Tensor:
        """Embed images [N, 3, 256, 256] in [-1, 1] as unit vectors [N, 512].

        Raises:
            ValueError: for other resolutions.
        """
        if x.shape[2:] != (256, 256):
            raise ValueError(f"the identity loss needs 256x256 images, got {x.shape[3]}x{x.shape[2]}")
        return self.facenet(F.adaptive_avg_pool2d(x[:, :, 35:223, 32:220], (112, 112)))

    def forward(self, y_hat: Tensor, y: Tensor) -> Tensor:
        """Compute the mean over the batch; no gradient flows into the target `y`."""
        with torch.no_grad():
            target = self.embed(y)
        return (1 - (self.embed(y_hat) * target).sum(dim=1)).mean()
