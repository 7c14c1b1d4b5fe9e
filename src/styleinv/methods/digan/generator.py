"""DIGAN's generator: an implicit function of (x, y, t), one pixel at a time, with factorised modulation.

The blocks up to the working resolution of the input all run at that resolution; above it features and image are
up-sampled by repetition, and the coordinates enter again at every resolution.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styleinv.methods.digan.coordinates import CoordFuser
from styleinv.methods.stylegan2.synthesis import ToRGBLayer
from styleinv.nn.layers import FullyConnectedLayer, bias_act
from styleinv.nn.mapping import MappingNetwork
from styleinv.nn.precision import channels_at


class ModulatedLayer(nn.Module):
    """1x1 layer whose weight is multiplied by (1 + A B), a matrix of low rank that w gives, with unit rows (FMM)."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int, rank: int):
        super().__init__()
        self.rank = rank
        self.weight = nn.Parameter(torch.randn([out_channels, in_channels, 1, 1]))
        self.bias = nn.Parameter(torch.zeros([out_channels]))
        self.affine = FullyConnectedLayer(w_dim, (in_channels + out_channels) * rank)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Apply the layer to x [N, in, r, r] under w [N, w_dim]: [N, out, r, r]."""
        out_channels, in_channels = self.weight.shape[:2]
        styles = self.affine(w)
        left = styles[:, : self.rank * out_channels].reshape(-1, out_channels, self.rank)
        right = styles[:, self.rank * out_channels :].reshape(-1, self.rank, in_channels)
        modulation = left @ right / math.sqrt(self.rank)
        weight = self.weight[:, :, 0, 0] * (modulation + 1)
        weight = weight / (weight.norm(dim=2, keepdim=True) + 1e-8)
        y = weight @ x.flatten(2)
        return bias_act(y.unflatten(2, x.shape[2:]), self.bias, act="lrelu")


class Block(nn.Module):
    """All synthesis layers of one (nominal) resolution.

    Args:
        in_channels: 0 for the first block, which starts from coordinates.
        size: working resolution, in pixels.
        up: whether it is twice that of the block before; coordinates then enter again.
        extra: further layers at the end.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        size: int,
        up: bool,
        extra: int,
        rank: int,
        emb_size: int,
        motion_sigma: float,
        img_channels: int,
    ):
        super().__init__()
        self.size, self.up = size, up
        if in_channels == 0:
            self.input = nn.ModuleDict(
                {"input": nn.ModuleDict({"coord_fuser": CoordFuser(w_dim, emb_size, motion_sigma)})}
            )
            self.conv1 = ModulatedLayer(2 * emb_size, out_channels, w_dim, rank)
        else:
            if up:
                self.coord_fuser = CoordFuser(w_dim, emb_size, motion_sigma)
            self.conv0 = ModulatedLayer(in_channels + (2 * emb_size if up else 0), out_channels, w_dim, rank)
            self.conv1 = ModulatedLayer(out_channels, out_channels, w_dim, rank)
        self.extra_convs = nn.ModuleList(ModulatedLayer(out_channels, out_channels, w_dim, rank) for _ in range(extra))
        self.torgb = ToRGBLayer(out_channels, img_channels, w_dim)
        self.num_conv = (1 if in_channels == 0 else 2) + extra

    def coordinates(self, w: Tensor, z_motion: Tensor, t: Tensor) -> Tensor:
        """Compute the features of the first block's input, [N, 2 E, size, size]."""
        fuser = self.input["input"]["coord_fuser"]  # type: ignore[index]
        return fuser(w, z_motion, t, self.size)

    def forward(
        self, x: Tensor | None, img: Tensor | None, ws: Tensor, z_motion: Tensor, t: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Bring x [N, C, r, r] and img [N, 3, r, r] to this block's size by ws [N, num_conv + 1, w_dim]."""
        rows = iter(ws.unbind(1))
        w = next(rows)
        if x is None:
            x = self.conv1(self.coordinates(w, z_motion, t), w)
        else:
            if self.up:
                assert img is not None
                x, img = (F.interpolate(y, scale_factor=2, mode="nearest") for y in (x, img))
                x = torch.cat([x, self.coord_fuser(w, z_motion, t, self.size)], dim=1)
            x = self.conv1(self.conv0(x, w), next(rows))
        for layer in self.extra_convs:
            x = layer(x, next(rows))
        rgb = self.torgb(x, next(rows))
        return x, rgb if img is None else img + rgb


class Synthesis(nn.Module):
    """Synthesise frames [B * T, 3, R, R], video-major, from ws [B, num_ws, w_dim], noise [B, w_dim], times [B, T].

    Args:
        input_resolution: working resolution of the first blocks.
        num_extra_convs: further layers per working resolution.
        rank: of the factorised modulation.
        emb_size: half the channels of the coordinate features, one for all or by nominal resolution.

    Raises:
        ValueError: if the working resolution of the input is not a power of two in 4 ... R.
    """

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        channel_base: int = 32768,
        channel_max: int = 512,
        input_resolution: int = 32,
        num_extra_convs: dict[int, int] | None = None,
        rank: int = 10,
        emb_size: int | dict[int, int] = 128,
        motion_sigma: float = 0.25,
        img_channels: int = 3,
    ):
        super().__init__()
        self.resolutions = [2**i for i in range(2, int(math.log2(img_resolution)) + 1)]
        if input_resolution not in self.resolutions or 2 ** int(math.log2(img_resolution)) != img_resolution:
            raise ValueError(
                f"input_resolution {input_resolution} and resolution {img_resolution} must be powers of two, "
                "the first 4 or more and at most the second"
            )
        self.w_dim, self.img_resolution, self.num_ws = w_dim, img_resolution, 0
        for r in self.resolutions:
            size = max(r, input_resolution)
            block = Block(
                channels_at(r // 2, channel_base, channel_max) if r > 4 else 0,
                channels_at(r, channel_base, channel_max),
                w_dim,
                size,
                up=r > input_resolution,
                # Keyed by the working resolution, as released: an entry for the input's adds to all blocks there.
                extra=(num_extra_convs or {}).get(size, 0),
                rank=rank,
                emb_size=emb_size if isinstance(emb_size, int) else emb_size[r],
                motion_sigma=motion_sigma,
                img_channels=img_channels,
            )
            setattr(self, f"b{r}", block)
            self.num_ws += block.num_conv
        self.num_ws += 1  # the last block's toRGB

    def forward(self, ws: Tensor, z_motion: Tensor, times: Tensor) -> Tensor:
        """Synthesise frames at real `times` in clip lengths: 0 is the first frame of a training clip, 1 its last."""
        frames = times.shape[1]
        ws, z_motion = (value.repeat_interleave(frames, dim=0) for value in (ws, z_motion))
        x: Tensor | None = None
        img: Tensor | None = None
        first = 0
        for r in self.resolutions:
            block = getattr(self, f"b{r}")
            # A block's toRGB shares its w with the next block's first layer.
            x, img = block(x, img, ws[:, first : first + block.num_conv + 1], z_motion, times.flatten())
            first += block.num_conv
        assert img is not None
        return img


class Generator(nn.Module):
    """Generate frames [B * T, 3, R, R] from z [B, z_dim], motion noise [B, w_dim] and times [B, T]."""

    def __init__(self, z_dim: int, w_dim: int, img_resolution: int, mapping_layers: int = 2, **synthesis):
        super().__init__()
        self.z_dim, self.w_dim = z_dim, w_dim
        self.synthesis = Synthesis(w_dim, img_resolution, **synthesis)
        self.mapping = MappingNetwork(z_dim, 0, w_dim, self.synthesis.num_ws, mapping_layers)

    def forward(self, z: Tensor, z_motion: Tensor, times: Tensor, truncation_psi: float = 1.0) -> Tensor:
        return self.synthesis(self.mapping(z, truncation_psi=truncation_psi), z_motion, times)
