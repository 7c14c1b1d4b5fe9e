"""Adaptive discriminator augmentation (Karras et al. 2020, "Training GANs with limited data", appendix B).

One pipe serves images and clips: a clip is its frames stacked on the channel axis ([N, T * 3, H, W]), and gets one
geometric and one colour transform for all frames (StyleInV supplement F).
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styleinv.nn.grid_sample import grid_sample
from styleinv.nn.groups import Source
from styleinv.nn.host import packed_to_device
from styleinv.nn.resample import downsample2d, setup_filter, upsample2d
from styleinv.rng import drawn_by_group, standard_normal

# What losses take: (images or clips, CPU generator of all draws) -> the same shape.
Augment = Callable[[Tensor, Source | None], Tensor]

SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)

BLIT = {"xflip": 1.0, "rotate90": 1.0, "xint": 1.0}
GEOMETRY = {"scale": 1.0, "rotate": 1.0, "aniso": 1.0, "xfrac": 1.0}
COLOR = {"brightness": 1.0, "contrast": 1.0, "lumaflip": 1.0, "hue": 1.0, "saturation": 1.0}
PipeName = Literal["blit", "geom", "color", "filter", "noise", "cutout", "bg", "bgc", "bgcf", "bgcfn", "bgcfnc"]
PIPES: dict[PipeName, dict[str, Any]] = {
    "blit": BLIT,
    "geom": GEOMETRY,
    "color": COLOR,
    "filter": {"imgfilter": 1.0},
    "noise": {"noise": 1.0},
    "cutout": {"cutout": 1.0},
    "bg": BLIT | GEOMETRY,
    "bgc": BLIT | GEOMETRY | COLOR,
    "bgcf": BLIT | GEOMETRY | COLOR | {"imgfilter": 1.0},
    "bgcfn": BLIT | GEOMETRY | COLOR | {"imgfilter": 1.0, "noise": 1.0},
    "bgcfnc": BLIT | GEOMETRY | COLOR | {"imgfilter": 1.0, "noise": 1.0, "cutout": 1.0},
}


def wavelet_bands(low: tuple[float, ...] = SYM2) -> Tensor:
    """Compute the four band-pass filters of the image-filter augmentation, [4, taps]."""
    lo = torch.tensor(low, dtype=torch.float64)
    hi = lo * (-1.0) ** torch.arange(len(low), dtype=torch.float64)
    lo2 = _convolve(lo, lo.flip(0)) / 2
    hi2 = _convolve(hi, hi.flip(0)) / 2
    bands = torch.eye(4, 1, dtype=torch.float64)
    for i in range(1, 4):
        spread = torch.stack([bands, torch.zeros_like(bands)], dim=2).flatten(1)[:, :-1]
        bands = torch.stack([_convolve(row, lo2) for row in spread])
        middle, half = bands.shape[1] // 2, len(hi2) // 2
        bands[i, middle - half : middle - half + len(hi2)] += hi2
    return bands.float()


def _convolve(a: Tensor, b: Tensor) -> Tensor:
    return F.conv1d(a[None, None], b.flip(0)[None, None], padding=len(b) - 1)[0, 0]


def _translate(x: Tensor, y: Tensor) -> Tensor:
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    return _matrix([one, zero, x], [zero, one, y], [zero, zero, one])


def _scale(x: Tensor, y: Tensor) -> Tensor:
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    return _matrix([x, zero, zero], [zero, y, zero], [zero, zero, one])


def _rotate(theta: Tensor) -> Tensor:
    c, s = theta.cos(), theta.sin()
    one, zero = torch.ones_like(c), torch.zeros_like(c)
    return _matrix([c, -s, zero], [s, c, zero], [zero, zero, one])


def _matrix(*rows: list[Tensor]) -> Tensor:
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


class AugmentPipe(nn.Module):
    """Differentiable augmentations, each applied per sample with probability strength * `p`.

    All draws and what follows from them alone is computed on the CPU, wherever the images are: nothing is read back
    from their device, and one transfer takes the results there.

    Args:
        xflip .. cutout: strengths, 0 switches an operation off; see `PIPES` for the named combinations.
    """

    Hz_geom: Tensor
    Hz_fbank: Tensor

    def __init__(
        self,
        xflip: float = 0,
        rotate90: float = 0,
        xint: float = 0,
        xint_max: float = 0.125,
        scale: float = 0,
        rotate: float = 0,
        aniso: float = 0,
        xfrac: float = 0,
        scale_std: float = 0.2,
        rotate_max: float = 1,
        aniso_std: float = 0.2,
        xfrac_std: float = 0.125,
        brightness: float = 0,
        contrast: float = 0,
        lumaflip: float = 0,
        hue: float = 0,
        saturation: float = 0,
        brightness_std: float = 0.2,
        contrast_std: float = 0.5,
        hue_max: float = 1,
        saturation_std: float = 1,
        imgfilter: float = 0,
        imgfilter_bands: tuple[float, ...] = (1, 1, 1, 1),
        imgfilter_std: float = 1,
        noise: float = 0,
        cutout: float = 0,
        noise_std: float = 0.1,
        cutout_size: float = 0.5,
    ):
        super().__init__()
        self.p = 1.0
        self.register_buffer("Hz_geom", setup_filter(SYM6))
        self.register_buffer("Hz_fbank", wavelet_bands())
        self.xflip, self.rotate90, self.xint, self.xint_max = xflip, rotate90, xint, xint_max
        self.scale, self.rotate, self.aniso, self.xfrac = scale, rotate, aniso, xfrac
        self.scale_std, self.rotate_max, self.aniso_std, self.xfrac_std = scale_std, rotate_max, aniso_std, xfrac_std
        self.brightness, self.contrast, self.lumaflip = brightness, contrast, lumaflip
        self.hue, self.saturation = hue, saturation
        self.brightness_std, self.contrast_std = brightness_std, contrast_std
        self.hue_max, self.saturation_std = hue_max, saturation_std
        self.imgfilter, self.imgfilter_bands, self.imgfilter_std = imgfilter, tuple(imgfilter_bands), imgfilter_std
        self.noise, self.cutout, self.noise_std, self.cutout_size = noise, cutout, noise_std, cutout_size

    @property
    def p(self) -> float:
        """The probability, 0 to 1, in the precision of float32, in which states hold it."""
        return self._p

    @p.setter
    def p(self, value: float) -> None:
        self._p = float(np.float32(value))

    def forward(self, images: Tensor, generator: Source | None = None, debug_percentile: float | None = None) -> Tensor:
        """Augment images [N, C, H, W] in [-1, 1]; C a multiple of 3 is a stack of RGB frames.

        Args:
            generator: CPU generator of all draws (default: torch's global one).
            debug_percentile: replaces every random draw by this quantile and opens every gate.
        """
        if debug_percentile is None and not self.p:
            # Every gate stays shut, and the resampling chain is the identity to about 3e-5.
            return images
        n, channels, height, width = images.shape
        draw = _Draws(images, self.p, debug_percentile, generator)

        # On the host: everything that is drawn, in the order of the recipe.
        drawn: dict[str, Tensor] = {}
        if any([self.xflip, self.rotate90, self.xint, self.scale, self.rotate, self.aniso, self.xfrac]):
            margins, drawn["sampling"] = self._sampling(self._geometry(draw, width, height), width, height)
        if any([self.brightness, self.contrast, self.lumaflip, self.hue, self.saturation]):
            drawn["colour"] = self._color(draw, channels)
        if self.imgfilter:
            drawn["gains"] = self._gains(draw)
        if self.noise:
            drawn["sigma"] = draw.gate(draw.normal().abs() * self.noise_std, self.noise, 0.0)
            noise = draw.noise_like(images)
        if self.cutout:
            drawn["size"] = draw.gate(torch.full([n, 2], self.cutout_size), self.cutout, 0.0)
            drawn["centre"] = draw.uniform(2)

        # On the device of the images.
        on = dict(zip(drawn, packed_to_device(list(drawn.values()), images.device), strict=True))
        if "sampling" in on:
            images = self._warp(images, margins, on["sampling"])
        if "colour" in on:
            images = self._recolor(images, on["colour"])
        if "gains" in on:
            images = self._filter(images, on["gains"])
        if "sigma" in on:
            images = images + noise * on["sigma"].reshape(-1, 1, 1, 1)
        if "size" in on:
            images = self._cut_out(images, on["size"], on["centre"])
        return images

    def _geometry(self, draw: "_Draws", width: int, height: int) -> Tensor:
        """Inverse transforms in pixels about the image centre, [N, 3, 3]."""
        g = torch.eye(3).repeat(draw.n, 1, 1)
        one, zero = torch.ones(draw.n), torch.zeros(draw.n)
        if self.xflip:
            i = draw.gate((draw.uniform() * 2).floor(), self.xflip, 0.0)
            g = g @ _scale(1 - 2 * i, one)
        if self.rotate90:
            i = draw.gate((draw.uniform() * 4).floor(), self.rotate90, 0.0)
            g = g @ _rotate(i * (math.pi / 2))
        if self.xint:
            t = draw.gate((draw.uniform(2) * 2 - 1) * self.xint_max, self.xint, 0.0)
            g = g @ _translate(-(t[:, 0] * width).round(), -(t[:, 1] * height).round())
        if self.scale:
            s = draw.gate(torch.exp2(draw.normal() * self.scale_std), self.scale, 1.0)
            g = g @ _scale(1 / s, 1 / s)
        p_rotate = 1 - math.sqrt(min(max(1 - self.rotate * draw.p, 0), 1))
        if self.rotate:
            theta = draw.gate((draw.uniform() * 2 - 1) * math.pi * self.rotate_max, None, 0.0, p_rotate)
            g = g @ _rotate(theta)
        if self.aniso:
            s = draw.gate(torch.exp2(draw.normal() * self.aniso_std), self.aniso, 1.0)
            g = g @ _scale(1 / s, s)
        if self.rotate:
            theta = draw.gate((draw.uniform() * 2 - 1) * math.pi * self.rotate_max, None, 0.0, p_rotate)
            # The fixed-percentile mode leaves the second rotation out.
            g = g @ _rotate(zero if draw.percentile is not None else theta)
        if self.xfrac:
            t = draw.gate(draw.normal(2) * self.xfrac_std, self.xfrac, 0.0)
            g = g @ _translate(-t[:, 0] * width, -t[:, 1] * height)
        return g

    def _sampling(self, g: Tensor, width: int, height: int) -> tuple[list[int], Tensor]:
        """Turn inverse transforms in pixels into what `_warp` needs.

        Returns:
            Reflected pixels that the images get at (left, right, top, bottom), and the transforms [N, 2, 3] from
            places of the enlarged result to places of the enlarged input, both from -1 to 1.
        """
        cx, cy = (width - 1) / 2, (height - 1) / 2
        corners = torch.tensor([[-cx, -cy, 1], [cx, -cy, 1], [cx, cy, 1], [-cx, cy, 1]])
        reach = (g @ corners.t())[:, :2].transpose(0, 1).flatten(1)
        pad = self.Hz_geom.shape[0] // 4
        margin = torch.cat([-reach, reach]).amax(dim=1)
        margin = margin + torch.tensor([pad * 2 - cx, pad * 2 - cy] * 2)
        limit = torch.tensor([width - 1, height - 1] * 2)
        x0, y0, x1, y1 = (int(v) for v in margin.clamp(min=0).minimum(limit).ceil().tolist())

        def fixed(x: float, y: float, make: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
            return make(torch.tensor(float(x)), torch.tensor(float(y)))

        g = fixed((x0 - x1) / 2, (y0 - y1) / 2, _translate) @ g
        g = fixed(2, 2, _scale) @ g @ fixed(0.5, 0.5, _scale)
        g = fixed(-0.5, -0.5, _translate) @ g @ fixed(0.5, 0.5, _translate)
        in_w, in_h = (width + x0 + x1) * 2, (height + y0 + y1) * 2
        out_w, out_h = (width + pad * 2) * 2, (height + pad * 2) * 2
        g = fixed(2 / in_w, 2 / in_h, _scale) @ g @ fixed(out_w / 2, out_h / 2, _scale)
        return [x0, x1, y0, y1], g[:, :2]

    def _warp(self, images: Tensor, margins: list[int], theta: Tensor) -> Tensor:
        """Resample by transforms of `_sampling` with reflected borders, band-limited by the sym6 wavelet."""
        n, c, h, w = images.shape
        pad = self.Hz_geom.shape[0] // 4
        images = upsample2d(F.pad(images, margins, mode="reflect"), self.Hz_geom)
        grid = F.affine_grid(theta, [n, c, (h + pad * 2) * 2, (w + pad * 2) * 2], align_corners=False)
        images = grid_sample(images, grid.to(images.dtype))
        return downsample2d(images, self.Hz_geom, padding=-pad * 2, flip_filter=True)

    def _color(self, draw: "_Draws", channels: int) -> Tensor:
        """Homogeneous colour transforms, [N, 4, 4]."""
        c = torch.eye(4).repeat(draw.n, 1, 1)
        axis = torch.tensor([1.0, 1.0, 1.0, 0.0]) / math.sqrt(3)
        outer = torch.outer(axis, axis)
        if self.brightness:
            b = draw.gate(draw.normal() * self.brightness_std, self.brightness, 0.0)
            shift = torch.eye(4).repeat(draw.n, 1, 1)
            shift[:, :3, 3] = b[:, None]
            c = shift @ c
        if self.contrast:
            s = draw.gate(torch.exp2(draw.normal() * self.contrast_std), self.contrast, 1.0)
            c = torch.diag_embed(torch.stack([s, s, s, torch.ones_like(s)], dim=1)) @ c
        if self.lumaflip:
            i = draw.gate((draw.uniform() * 2).floor(), self.lumaflip, 0.0)
            c = (torch.eye(4) - 2 * outer * i[:, None, None]) @ c
        if self.hue and channels > 1:
            theta = draw.gate((draw.uniform() * 2 - 1) * math.pi * self.hue_max, self.hue, 0.0)
            c = _rotate_about(axis, theta) @ c
        if self.saturation and channels > 1:
            s = draw.gate(torch.exp2(draw.normal() * self.saturation_std), self.saturation, 1.0)
            c = (outer + (torch.eye(4) - outer) * s[:, None, None]) @ c
        return c

    @staticmethod
    def _recolor(images: Tensor, c: Tensor) -> Tensor:
        n, channels, h, w = images.shape
        c = c.to(images.dtype)
        if channels == 1:
            c = c[:, :3].mean(dim=1, keepdim=True)
            out = images.flatten(2) * c[:, :, :3].sum(dim=2, keepdim=True) + c[:, :, 3:]
            return out.reshape(images.shape)
        if channels % 3:
            raise ValueError(f"colour augmentation needs 1 or a multiple of 3 channels, not {channels}")
        frames = images.reshape(n, channels // 3, 3, h * w)
        return (c[:, None, :3, :3] @ frames + c[:, None, :3, 3:]).reshape(images.shape)

    def _gains(self, draw: "_Draws") -> Tensor:
        """Gains of four octave bands, [N, 4]."""
        power = torch.tensor([10.0, 1.0, 1.0, 1.0]) / 13
        g = torch.ones([draw.n, len(self.imgfilter_bands)])
        for i, strength in enumerate(self.imgfilter_bands):
            t = draw.gate(torch.exp2(draw.normal() * self.imgfilter_std), self.imgfilter * strength, 1.0)
            gains = torch.ones_like(g)
            gains[:, i] = t
            g = g * gains / (power * gains.square()).sum(dim=1, keepdim=True).sqrt()
        return g

    def _filter(self, images: Tensor, gains: Tensor) -> Tensor:
        """Amplify or damp four octave bands."""
        n, channels, h, w = images.shape
        taps = (gains @ self.Hz_fbank)[:, None].repeat(1, channels, 1).reshape(n * channels, 1, -1)
        pad = self.Hz_fbank.shape[1] // 2
        out = F.pad(images.reshape(1, n * channels, h, w), [pad] * 4, mode="reflect")
        out = F.conv2d(out, taps[:, :, None], groups=n * channels)
        out = F.conv2d(out, taps[:, :, :, None], groups=n * channels)
        return out.reshape(images.shape)

    @staticmethod
    def _cut_out(images: Tensor, size: Tensor, centre: Tensor) -> Tensor:
        _, _, h, w = images.shape
        size, centre = size[:, :, None, None], centre[:, :, None, None]
        x = (torch.arange(w, device=images.device) + 0.5) / w
        y = (torch.arange(h, device=images.device) + 0.5) / h
        outside_x = (x.reshape(1, 1, -1) - centre[:, 0]).abs() >= size[:, 0] / 2
        outside_y = (y.reshape(1, -1, 1) - centre[:, 1]).abs() >= size[:, 1] / 2
        return images * (outside_x | outside_y)[:, None].to(images.dtype)


def _rotate_about(axis: Tensor, theta: Tensor) -> Tensor:
    """Right-handed rotation of the colour cube about a unit axis (Rodrigues), [N, 4, 4]."""
    x, y, z, _ = axis.tolist()
    cross = torch.tensor([[0, -z, y, 0], [z, 0, -x, 0], [-y, x, 0, 0], [0, 0, 0, 0]])
    project = torch.outer(axis, axis)
    project[3, 3] = 1
    s, c = theta.sin()[:, None, None], theta.cos()[:, None, None]
    rest = torch.eye(4)
    rest[3, 3] = 0
    return project + c * (rest - torch.outer(axis, axis)) + s * cross


class _Draws:
    """Per-sample random numbers on the CPU: value first, gate second, as the order of draws is part of the recipe."""

    def __init__(self, images: Tensor, p: float, percentile: float | None, generator: Source | None):
        self.n, self.p, self.percentile, self.generator = images.shape[0], p, percentile, generator

    def _shape(self, k: int) -> list[int]:
        return [self.n] if k == 1 else [self.n, k]

    def _drawn(self, draw: Callable[..., Tensor], *width: int) -> Tensor:
        return drawn_by_group(lambda n, generator: draw([n, *width], generator=generator), self.n, self.generator)

    def uniform(self, k: int = 1) -> Tensor:
        if self.percentile is not None:
            return torch.full(self._shape(k), self.percentile)
        return self._drawn(torch.rand, *self._shape(k)[1:])

    def normal(self, k: int = 1) -> Tensor:
        if self.percentile is not None:
            return torch.full(self._shape(k), math.nan).copy_(torch.erfinv(torch.tensor(self.percentile * 2 - 1)))
        return self._drawn(torch.randn, *self._shape(k)[1:])

    def gate(self, value: Tensor, strength: float | None, neutral: float, probability: float | None = None) -> Tensor:
        """`value` where the operation happens, `neutral` elsewhere."""
        if self.percentile is not None:
            return value
        open_ = probability if probability is not None else (strength or 0) * self.p
        chance = self._drawn(torch.rand, *[1] * (value.ndim - 1))
        return torch.where(chance < open_, value, torch.full_like(value, neutral))

    def noise_like(self, images: Tensor) -> Tensor:
        if self.percentile is not None:
            return torch.full_like(images, float(torch.erfinv(torch.tensor(self.percentile * 2 - 1))))
        return standard_normal(images.shape, self.generator, images.device).to(images.dtype)
