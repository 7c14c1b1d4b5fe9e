"""The networks in textbook form: the same weights, the same results, and the operations as the papers write them.

Weights are formed for each sample (Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN",
section 2.2), filters run at the full rate on inserted zeros and samples are dropped afterwards, each bias, gain and
clamp is an operation of its own, and the encoder sees the image once for every frame. This costs what the published
implementations cost, so it is what the fast forms of `styleinv` are measured against.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styleinv.methods.stylegan2.discriminator import Discriminator
from styleinv.methods.stylegan2.synthesis import SynthesisLayer, SynthesisNetwork, ToRGBLayer
from styleinv.methods.styleinv.encoder import AdaIN, ModulatedEncoder
from styleinv.nn.augment import AugmentPipe
from styleinv.nn.irse import BottleneckIRSE
from styleinv.nn.layers import Conv2dLayer

SQRT2 = math.sqrt(2)


def fir(x: Tensor, f: Tensor, up: int = 1, down: int = 1, pads: tuple[int, ...] = (0, 0, 0, 0)) -> Tensor:
    """Insert zeros, pad (left, right, top, bottom), convolve at the full rate, drop samples; energy is kept."""
    n, c, h, w = x.shape
    if up > 1:
        x = F.pad(x.reshape(n, c, h, 1, w, 1), [0, up - 1, 0, 0, 0, up - 1]).reshape(n, c, h * up, w * up)
    x = F.pad(x, pads)
    kernels = [f * up**2] if f.ndim == 2 else [f[None] * up, f[:, None] * up]
    for kernel in kernels:
        x = F.conv2d(x, kernel.flip([0, 1])[None, None].repeat(c, 1, 1, 1), groups=c)
    return x[:, :, ::down, ::down]


def leaky(x: Tensor, bias: Tensor, gain: float = 1.0) -> Tensor:
    """Add a bias [C], apply the leaky ReLU, multiply by its gain."""
    return F.leaky_relu(x + bias[:, None, None], 0.2) * (SQRT2 * gain)


def modulated(
    x: Tensor, weight: Tensor, styles: Tensor, f: Tensor | None = None, demodulate: bool = True, grouped: bool = True
) -> Tensor:
    """Convolve each sample with weights of its own, up-sampling by 2 where a filter is given.

    Args:
        x: [N, I, H, W].
        weight: [O, I, k, k].
        styles: [N, I].
        f: filter of the up-sampling.
        grouped: one grouped convolution with the weights of all samples; else inputs and outputs are scaled, and the
            weights of all samples are formed for their norms alone.
    """
    n, i, h, w = x.shape
    k = weight.shape[2]
    own = weight[None] * styles[:, None, :, None, None]
    norm = (own.square().sum(dim=[2, 3, 4]) + 1e-8).rsqrt() if demodulate else None
    if grouped:
        own = own if norm is None else own * norm[:, :, None, None, None]
        x = x.reshape(1, n * i, h, w)
    else:
        x = x * styles[:, :, None, None]
    groups = n if grouped else 1
    if f is None:
        x = F.conv2d(x, own.flatten(0, 1) if grouped else weight, padding=k // 2, groups=groups)
    else:
        kernel = own.transpose(1, 2).flatten(0, 1) if grouped else weight.transpose(0, 1)
        x = fir(F.conv_transpose2d(x, kernel, stride=2, groups=groups), f * 4, pads=(1, 1, 1, 1))
    x = x.reshape(n, -1, *x.shape[2:])
    return x if grouped or norm is None else x * norm[:, :, None, None]


def _layer(layer: SynthesisLayer, x: Tensor, w: Tensor, grouped: bool) -> Tensor:
    f = layer.resample_filter if layer.up == 2 else None
    x = modulated(x, layer.weight, layer.affine(w), f, grouped=grouped)
    return leaky(x + layer.noise_const * layer.noise_strength, layer.bias)


def _to_rgb(layer: ToRGBLayer, x: Tensor, w: Tensor, grouped: bool) -> Tensor:
    styles = layer.affine(w) * layer.weight_gain
    return modulated(x, layer.weight, styles, demodulate=False, grouped=grouped) + layer.bias[:, None, None]


def synthesis(net: SynthesisNetwork, ws: Tensor, grouped: bool) -> Tensor:
    """Synthesise images of `skip` architecture in float32, with constant noise."""
    x = net.b4.const[None].repeat(ws.shape[0], 1, 1, 1)
    img: Tensor | None = None
    at = 0
    for r in net.block_resolutions:
        block = getattr(net, f"b{r}")
        if r > 4:
            x = _layer(block.conv0, x, ws[:, at], grouped)
            at += 1
        x = _layer(block.conv1, x, ws[:, at], grouped)
        at += 1
        rgb = _to_rgb(block.torgb, x, ws[:, at], grouped)
        img = rgb if img is None else fir(img, block.resample_filter, up=2, pads=(2, 1, 2, 1)) + rgb
    assert img is not None
    return img


def _conv(layer: Conv2dLayer, x: Tensor, gain: float = 1.0) -> Tensor:
    weight, k = layer.weight * layer.weight_gain, layer.weight.shape[2]
    if layer.down == 2 and k == 1:
        x = F.conv2d(fir(x, layer.resample_filter, down=2, pads=(1, 1, 1, 1)), weight)
    elif layer.down == 2:
        x = F.conv2d(fir(x, layer.resample_filter, pads=(2, 2, 2, 2)), weight, stride=2)
    else:
        x = F.conv2d(x, weight, padding=k // 2)
    return x * gain if layer.bias is None else leaky(x, layer.bias, gain)


def discriminate(net: Discriminator, img: Tensor) -> Tensor:
    """Score images by a `resnet` discriminator in float32, without a condition."""
    x = img
    for r in net.block_resolutions:
        block = getattr(net, f"b{r}")
        if r == net.img_resolution:
            x = _conv(block.fromrgb, x)
        y = _conv(block.skip, x, math.sqrt(0.5))
        x = y + _conv(block.conv1, _conv(block.conv0, x), math.sqrt(0.5))
    epilogue = net.b4
    x = _conv(epilogue.conv, epilogue.mbstd(x)).flatten(1)
    for layer in (epilogue.fc, epilogue.out):
        x = F.linear(x, layer.weight * layer.weight_gain, layer.bias * layer.bias_gain)
        x = x if layer is epilogue.out else F.leaky_relu(x, 0.2) * SQRT2
    return x


def _plain(conv: Any, x: Tensor) -> Tensor:
    """Convolve by PyTorch, in the layout that comes."""
    return F.conv2d(x, conv.weight, conv.bias, conv.stride, conv.padding)


def _unit(unit: BottleneckIRSE, x: Tensor, stride: int) -> Tensor:
    if isinstance(unit.shortcut_layer, nn.Sequential):
        project, norm = unit.shortcut_layer
        shortcut = norm(_plain(project, x))
    else:
        shortcut = F.max_pool2d(x, 1, stride)
    norm1, conv1, prelu, conv2, norm2, gate = unit.res_layer
    x = norm2(_plain(conv2, prelu(_plain(conv1, norm1(x)))))
    g = torch.sigmoid(_plain(gate.fc2, F.relu(_plain(gate.fc1, F.adaptive_avg_pool2d(x, 1)))))
    return x * g + shortcut


def _adain(norm: AdaIN, x: Tensor, s: Tensor) -> Tensor:
    gamma, beta = norm.fc(s)[:, :, None, None].chunk(2, dim=1)
    return (1 + gamma) * F.instance_norm(x) + beta


def encode(net: ModulatedEncoder, x: Tensor, s: Tensor) -> Tensor:
    """Encode images [B, 3, R, R] under styles s [F * B, style_dim], the image once for every frame."""
    conv, norm, prelu = net.input_layer
    x = prelu(norm(_plain(conv, x.repeat(s.shape[0] // x.shape[0], 1, 1, 1))))
    blocks = iter(net.adains)
    for i, unit in enumerate(net.body):
        x = _unit(unit, x, unit.res_layer[3].stride[0])
        if i in net.adain_index:
            block: Any = next(blocks)
            y = _plain(block.conv1, F.leaky_relu(_adain(block.norm1, x, s), 0.2))
            y = _plain(block.conv2, F.leaky_relu(_adain(block.norm2, y, s), 0.2))
            x = (x + y) / SQRT2 if block.normalize else x + y
    return net.linear(x.mean(dim=[2, 3]))


class Pipe(AugmentPipe):
    """The augmentations with filters at the full rate; every draw is that of `AugmentPipe`."""

    def _warp(self, images: Tensor, margins: list[int], theta: Tensor) -> Tensor:
        n, c, h, w = images.shape
        taps, pad = self.Hz_geom, self.Hz_geom.shape[0] // 4
        low, high = (len(taps) + 1) // 2, (len(taps) - 2) // 2
        images = F.pad(images, margins, mode="reflect")
        images = fir(images, taps, up=2, pads=(low, high, low, high))
        grid = F.affine_grid(theta, [n, c, (h + pad * 2) * 2, (w + pad * 2) * 2], align_corners=False)
        images = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        low, high = (len(taps) - 1) // 2 - pad * 2, (len(taps) - 2) // 2 - pad * 2
        return fir(images, taps.flip(0), down=2, pads=(low, high, low, high))
