"""LPIPS v0.1 (Zhang et al. 2018): AlexNet in the inversion loss, VGG16 in style-transfer fine-tuning."""

import torch
import torchvision
from torch import Tensor, nn

# The ReLU outputs that are compared, as indices into torchvision's `features`, and their channels.
LAYERS = {
    "alex": ((1, 4, 7, 9, 11), (64, 192, 384, 256, 256)),
    "vgg": ((3, 8, 15, 22, 29), (64, 128, 256, 512, 512)),
}
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class LPIPS(nn.Module):
    """The distance [N] of image batches in [-1, 1], [N, 3, H, W] each; weights are random until `load_state_dict`."""

    shift: Tensor
    scale: Tensor

    def __init__(self, net: str = "alex"):
        super().__init__()
        self.taps, channels = LAYERS[net]
        build = torchvision.models.alexnet if net == "alex" else torchvision.models.vgg16
        self.features = build(weights=None).features[: self.taps[-1] + 1].eval()
        self.lin = nn.ModuleList([nn.Conv2d(c, 1, 1, bias=False) for c in channels])
        self.register_buffer("shift", torch.tensor(SHIFT).reshape(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(SCALE).reshape(1, 3, 1, 1))
        for module in self.features:
            if isinstance(module, nn.ReLU):
                module.inplace = False
        self.requires_grad_(False)

    def train(self, mode: bool = True) -> "LPIPS":
        """Stay in evaluation mode, whatever `mode` is."""
        return super().train(False)

    def activations(self, x: Tensor) -> list[Tensor]:
        """Compute the features of the five layers, normalised to unit length."""
        x = (x - self.shift) / self.scale
        out = []
        for i, module in enumerate(self.features):
            x = module(x)
            if i in self.taps:
                out.append(x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10))
        return out

    def forward(self, y_hat: Tensor, y: Tensor) -> Tensor:
        """Compute the distances; no gradient flows into the target `y`."""
        with torch.no_grad():
            target = self.activations(y)
        got = self.activations(y_hat)
        parts = [lin((a - b).square()).mean(dim=[1, 2, 3]) for lin, a, b in zip(self.lin, got, target, strict=True)]
        return torch.stack(parts).sum(dim=0)
