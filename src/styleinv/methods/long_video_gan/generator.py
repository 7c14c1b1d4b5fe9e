"""The super-resolution generator: frames from a window of low-resolution ones, by an alias-free network."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from styleinv.methods.long_video_gan.design import LayerDesign, design
from styleinv.nn.clip_resample import centre_crop, downsample_space, kaiser_filter, upsample_space
from styleinv.nn.filtered_lrelu import filtered_lrelu
from styleinv.nn.layers import FullyConnectedLayer, input_gain, scaled
from styleinv.nn.mapping import MappingNetwork
from styleinv.nn.precision import HALF, HalfDtype

CLAMP = 256.0
W_AVG_BETA = 0.998


class SynthesisLayer(nn.Module):
    """Modulated convolution and filtered leaky ReLU; for ToRGB a modulated 1x1 convolution alone."""

    magnitude_ema: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None

    def __init__(self, w_dim: int, layer: LayerDesign, half: torch.dtype | None):
        super().__init__()
        self.design, self.half_dtype = layer, half
        kernel = 1 if layer.torgb else 3
        self.affine = FullyConnectedLayer(w_dim, layer.in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn([layer.out_channels, layer.in_channels, kernel, kernel]))
        self.bias = nn.Parameter(torch.zeros([layer.out_channels]))
        self.register_buffer("magnitude_ema", torch.ones([]))
        up, down = layer.filters()
        self.register_buffer("up_filter", up)
        self.register_buffer("down_filter", down)

    def forward(self, x: Tensor, w: Tensor, beta: float = 1.0) -> Tensor:
        """Apply the layer to x [N, C, H, W] under w [N, w_dim]: [N, C', H', W']."""
        gain = input_gain(self.magnitude_ema, x, beta)
        styles = self.affine(w)
        if self.design.torgb:
            styles = styles / math.sqrt(self.weight[0].numel())
        # Half types gain nothing on a CPU.
        x = x.to(self.half_dtype if self.half_dtype is not None and x.device.type != "cpu" else torch.float32)
        y = modulated_conv(x, self.weight, styles, gain, demodulate=not self.design.torgb)
        return filtered_lrelu(
            y,
            self.up_filter,
            self.down_filter,
            self.bias,
            self.design.up,
            self.design.down,
            self.design.padding,
            gain=1 if self.design.torgb else math.sqrt(2),
            slope=1 if self.design.torgb else 0.2,
            clamp=CLAMP,
        )


def modulated_conv(x: Tensor, weight: Tensor, styles: Tensor, gain: Tensor, demodulate: bool) -> Tensor:
    """Convolve x [N, I, H, W] with weight [O, I, k, k], modulated by styles [N, I], over the full overlap.

    Weights and styles are first normalised to unit mean square, which demodulation cancels, so that half precision
    stays in range.
    """
    scale = None
    if demodulate:
        weight = weight * weight.square().mean(dim=[1, 2, 3], keepdim=True).rsqrt()
        styles = styles * styles.square().mean().rsqrt()
        energy = styles.square() @ weight.square().sum(dim=[2, 3]).t()
        scale = (energy + 1e-8).rsqrt().to(x.dtype)[:, :, None, None]
    x = x * scaled(styles, gain).to(x.dtype)[:, :, None, None]
    y = F.conv2d(x, weight.to(x.dtype), padding=weight.shape[2] - 1)
    return y if scale is None else y * scale


class Resample(nn.Module):
    """Scale condition frames by 1/4, 1/2, 1, 2 or 4, then crop or pad them about the centre to a layer's input."""

    def __init__(self, factor: float, size: tuple[int, int]):
        super().__init__()
        self.factor, self.size = factor, size
        whole = round(max(factor, 1 / factor))
        if whole > 1:
            self.register_buffer("filter", kaiser_filter(whole))
        self.whole = whole

    def forward(self, x: Tensor) -> Tensor:
        if self.whole > 1:
            change = upsample_space if self.factor > 1 else downsample_space
            x = change(x, self.get_buffer("filter"), self.whole, padding=1)
        for dim, wanted in zip((3, 2), self.size, strict=True):
            missing = wanted - x.shape[dim]
            if missing > 0:
                sides = [missing // 2, missing - missing // 2]
                x = F.pad(x, [*sides, 0, 0] if dim == 3 else [0, 0, *sides], mode="replicate")
            else:
                x = centre_crop(x, wanted, dim)
        return x


class Synthesis(nn.Module):
    """All layers, as attributes named after their position, size and width."""

    def __init__(
        self, w_dim: int, layers: list[LayerDesign], num_fp16_res: int, half_dtype: HalfDtype, recompute: bool
    ):
        super().__init__()
        self.names: list[str] = []
        self.recompute = recompute
        edge = max(layers[-1].out_size)
        for i, layer in enumerate(layers):
            name = f"L{i}_{layer.out_size[0]}_{layer.out_size[1]}_{layer.out_channels}"
            half = HALF[half_dtype] if layer.out_rate * 2**num_fp16_res > edge else None
            setattr(self, name, SynthesisLayer(w_dim, layer, half))
            self.names.append(name)

    def forward(self, conditions: list[Tensor], w: Tensor, beta: float = 1.0) -> Tensor:
        x = None
        for name, condition in zip(self.names, conditions, strict=True):
            layer = getattr(self, name)
            x = condition if x is None else torch.cat([x, condition.to(x.dtype)], dim=1)
            if self.recompute and torch.is_grad_enabled() and beta == 1:
                x = checkpoint(layer, x, w, use_reentrant=False)
            else:
                x = layer(x, w, beta)
        assert x is not None
        return x.float()


class SuperResGenerator(nn.Module):
    """Generate clips from z and low-resolution clips.

    Args:
        img_width, img_height: of the result.
        cond_width, cond_height: of the low-resolution frames.
        cond_context: low-resolution frames before and after each frame that it is made from.
        num_critical: last layers, ToRGB apart, that share the highest cutoff.
        num_fp16_res: octaves, from the highest, that run in half precision on a GPU.
        recompute: trade time for memory: layers are computed again in the backward pass.
    """

    def __init__(
        self,
        img_width: int,
        img_height: int,
        cond_width: int,
        cond_height: int,
        cond_context: int = 4,
        z_dim: int = 512,
        w_dim: int = 512,
        margin_size: int = 10,
        channel_base: int = 32768,
        channel_max: int = 512,
        num_layers: int = 14,
        num_critical: int = 2,
        num_fp16_res: int = 4,
        half_dtype: HalfDtype = "float16",
        output_scale: float = 0.25,
        recompute: bool = False,
    ):
        super().__init__()
        self.z_dim, self.cond_context, self.margin_size = z_dim, cond_context, margin_size
        self.img_width, self.img_height, self.output_scale = img_width, img_height, output_scale
        self.cond_edge = max(cond_width, cond_height)
        layers = design(
            img_width,
            img_height,
            3 * (2 * cond_context + 1),
            channel_base=channel_base,
            channel_max=channel_max,
            num_layers=num_layers,
            num_critical=num_critical,
            margin_size=margin_size,
        )
        self.synthesis = Synthesis(w_dim, layers, num_fp16_res, half_dtype, recompute)
        self.mapping = MappingNetwork(z_dim, 0, w_dim, 1, num_layers=2, w_avg_beta=W_AVG_BETA)
        self.resamples = nn.ModuleList(Resample(layer.in_rate / self.cond_edge, layer.in_size) for layer in layers)

    def windows(self, low: Tensor) -> Tensor:
        """Cut clips [N, 3, T + 2 context, h, w] into the window of each frame, [N T, 3, 2 context + 1, h, w]."""
        width = 2 * self.cond_context + 1
        return low.unfold(2, width, 1).permute(0, 2, 1, 5, 3, 4).flatten(0, 1)

    def conditions(self, windows: Tensor) -> list[Tensor]:
        """Scale windows [M, 3, 2 context + 1, h, w] for every layer, [M, 3 (2 context + 1), H', W'].

        Channels are colour major, then the position in the window.
        """
        pads: list[int] = []
        for size in (windows.shape[4], windows.shape[3]):
            missing = self.cond_edge - size
            pads += [self.margin_size + missing // 2, self.margin_size + missing - missing // 2]
        x = F.pad(windows.flatten(1, 2), pads, mode="replicate")
        return [resample(x) for resample in self.resamples]

    def latents(self, z: Tensor, beta: float = 1.0, truncation_psi: float = 1.0) -> Tensor:
        """Map z [N, z_dim] to w [N, w_dim]; the running mean of w moves where `beta` is not 1."""
        return self.mapping(z, truncation_psi=truncation_psi, skip_w_avg_update=beta == 1)[:, 0]

    def frames(self, w: Tensor, windows: Tensor, beta: float = 1.0) -> Tensor:
        """Generate frames [M, 3, H, W] from w [M, w_dim] and windows [M, 3, 2 context + 1, h, w]."""
        return self.synthesis(self.conditions(windows), w, beta) * self.output_scale

    def forward(self, z: Tensor, low: Tensor, beta: float = 1.0, truncation_psi: float = 1.0) -> Tensor:
        """Generate clips [N, 3, T, H, W], nominally in [-1, 1], from z [N, z_dim] and low [N, 3, T + 2 context, h, w].

        One z serves all frames of a clip. `beta` other than 1 updates the running statistics.
        """
        frames = low.shape[2] - 2 * self.cond_context
        w = self.latents(z, beta, truncation_psi).repeat_interleave(frames, dim=0)
        return self.frames(w, self.windows(low), beta).unflatten(0, (len(z), frames)).transpose(1, 2)
