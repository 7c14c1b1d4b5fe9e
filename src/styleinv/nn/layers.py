"""Equalised-learning-rate layers and the bias-activation step that StyleGAN2's networks are made of."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styleinv.nn import groups
from styleinv.nn.conv import conv2d_resample
from styleinv.nn.resample import setup_filter

_SQRT2 = math.sqrt(2)

# name -> (function of (x, alpha), default alpha, default gain)
ACTIVATIONS = {
    "linear": (lambda x, alpha: x, 0.0, 1.0),
    "relu": (lambda x, alpha: F.relu(x), 0.0, _SQRT2),
    "lrelu": (lambda x, alpha: F.leaky_relu(x, alpha), 0.2, _SQRT2),
    "tanh": (lambda x, alpha: torch.tanh(x), 0.0, 1.0),
    "sigmoid": (lambda x, alpha: torch.sigmoid(x), 0.0, 1.0),
    "elu": (lambda x, alpha: F.elu(x), 0.0, 1.0),
    "selu": (lambda x, alpha: F.selu(x), 0.0, 1.0),
    "softplus": (lambda x, alpha: F.softplus(x), 0.0, 1.0),
    "swish": (lambda x, alpha: x * torch.sigmoid(x), 0.0, _SQRT2),
}
_HOMOGENEOUS = {"linear", "relu", "lrelu"}


def bias_act(
    x: Tensor,
    b: Tensor | None = None,
    dim: int = 1,
    act: str = "linear",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
) -> Tensor:
    """Add a bias along `dim`, apply `act`, multiply by `gain` (default: the activation's own), clamp to +-`clamp`."""
    function, default_alpha, default_gain = ACTIVATIONS[act]
    gain = default_gain if gain is None else gain
    alpha = default_alpha if alpha is None else alpha
    if b is not None:
        x = x + b.to(x.dtype).reshape([-1 if i == dim % x.ndim else 1 for i in range(x.ndim)])
        # The sum is nobody else's: overwritten, it takes no further memory, and autograd keeps the result alone.
        x = F.leaky_relu_(x, alpha) if act == "lrelu" else function(x, alpha)
    else:
        x = function(x, alpha)
    if gain != 1:
        x = x * gain
    return x if clamp is None or clamp < 0 else x.clamp(-clamp, clamp)


def normalize_2nd_moment(x: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Normalise x by its root mean square: x / sqrt(mean(x^2))."""
    return x * (x.square().mean(dim=dim, keepdim=True) + eps).rsqrt()


class FullyConnectedLayer(nn.Module):
    """Equalised linear layer [.., in] -> [.., out]: stored weights are N(0, 1) / lr_multiplier."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        activation: str = "linear",
        lr_multiplier: float = 1.0,
        bias_init: float = 0.0,
    ):
        super().__init__()
        self.activation = activation
        self.weight = nn.Parameter(torch.randn([out_features, in_features]) / lr_multiplier)
        self.bias = nn.Parameter(torch.full([out_features], float(bias_init))) if bias else None
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        # Homogeneous activations let the gain ride on the (small) weights instead of the activations.
        gain = ACTIVATIONS[self.activation][2] if self.activation in _HOMOGENEOUS else 1.0
        weight = self.weight.to(x.dtype) * (self.weight_gain * gain)
        bias = None if self.bias is None else self.bias.to(x.dtype) * (self.bias_gain * gain)
        x = F.linear(x, weight, bias)
        return x if self.activation == "linear" else bias_act(x, act=self.activation, gain=1 if gain != 1 else None)


class Conv2dLayer(nn.Module):
    """Equalised convolution with activation and optional resampling [N, C, H, W] -> [N, O, H', W']."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        bias: bool = True,
        activation: str = "linear",
        up: int = 1,
        down: int = 1,
        resample_filter: tuple[float, ...] = (1, 3, 3, 1),
        conv_clamp: float | None = None,
        channels_last: bool = False,
        trainable: bool = True,
    ):
        super().__init__()
        self.activation, self.up, self.down, self.conv_clamp = activation, up, down, conv_clamp
        self.padding = kernel_size // 2
        self.weight_gain = 1 / math.sqrt(in_channels * kernel_size**2)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        weight = torch.randn([out_channels, in_channels, kernel_size, kernel_size]).to(memory_format=layout)
        offset = torch.zeros([out_channels]) if bias else None
        self.register_buffer("resample_filter", setup_filter(resample_filter))
        if trainable:
            self.weight = nn.Parameter(weight)
            self.bias = nn.Parameter(offset) if offset is not None else None
        else:
            self.register_buffer("weight", weight)
            self.register_buffer("bias", offset)

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        total = ACTIVATIONS[self.activation][2] * gain
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        fold = total if self.activation in _HOMOGENEOUS else 1.0
        weight = (self.weight * (self.weight_gain * fold)).to(x.dtype)
        x = conv2d_resample(x, weight, self.resample_filter, self.up, self.down, self.padding, flip_weight=self.up == 1)
        bias = None if self.bias is None else self.bias * fold
        return bias_act(x, bias, act=self.activation, gain=total / fold, clamp=clamp)


def running_means(net: nn.Module) -> list[Tensor]:
    """List the running magnitudes of a network, and its running mean of w."""
    return [buffer for name, buffer in net.named_buffers() if name.endswith(("magnitude_ema", "w_avg"))]


def input_gain(mean_square: Tensor, x: Tensor, beta: float) -> Tensor:
    """Compute 1 / sqrt of a running mean of x^2, which is first updated where `beta`, its decay, is not 1.

    Returns:
        A scalar; [N] for x [N, ...] of several groups, each of which has moved the mean for itself. The mean then holds
        what they have made of it on average.
    """
    if beta != 1 and groups.count() > 1:
        moved = mean_square.lerp(groups.split(x.detach().float().square()).flatten(1).mean(dim=1), 1 - beta)
        mean_square.copy_(moved.mean())
        return groups.spread(moved.rsqrt(), x).flatten()
    if beta != 1:
        mean_square.lerp_(x.detach().float().square().mean(), 1 - beta)
    # A copy, as a later forward of the same step moves the buffer.
    return mean_square.clone().rsqrt()


def scaled(x: Tensor, gain: Tensor) -> Tensor:
    """Multiply x [N, ...] by a gain of `input_gain`."""
    return x * gain if gain.ndim == 0 else x * gain.reshape(-1, *[1] * (x.ndim - 1))


class MagnitudeEMA(nn.Module):
    """Hold the running mean of x^2 of `input_gain`."""

    magnitude_ema: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("magnitude_ema", torch.ones([]))

    def forward(self, x: Tensor, beta: float) -> Tensor:
        """Compute the gain of `input_gain`."""
        return input_gain(self.magnitude_ema, x, beta)
