"""The other common layout of StyleGAN2 generators (`g_ema` state dicts), which MoCoGAN-HD and pSp read.

The two layouts map onto each other exactly, without flips or transpositions: only names and leading axes of 1 differ.
"""

import re
from typing import Any

import torch
from torch import Tensor

from styleinv.interop.machine import Refused
from styleinv.methods.stylegan2.method import NetworkConfig, build_generator
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.nn.resample import setup_filter

# Latents that the mean of W is taken over when a file does not hold it.
W_AVG_SAMPLES = 10_000


def is_rosinality(checkpoint: Any) -> bool:
    """Whether a loaded `torch.save` file holds a generator of this layout."""
    state = checkpoint.get("g_ema") if isinstance(checkpoint, dict) else None
    return isinstance(state, dict) and {"input.input", "conv1.conv.weight", "style.1.weight"} <= set(state)


def from_rosinality(checkpoint: dict[str, Any]) -> tuple[NetworkConfig, int, dict[str, Tensor]]:
    """Convert a file of this layout to (configuration, resolution, state dict of our `Generator`).

    `mapping.w_avg` is the file's `latent_avg`, or else the mean of 10,000 mapped latents.

    Raises:
        Refused: for missing, surplus or foreign tensors.
    """
    state = dict(checkpoint["g_ema"])
    if any(not isinstance(value, Tensor) for value in state.values()):
        raise Refused("holds a g_ema with something that is no tensor")
    _drop_filters(state)
    resolution = 4 * 2 ** len({name for name in state if re.fullmatch(r"to_rgbs\.\d+\.bias", name)})
    layers = len([name for name in state if re.fullmatch(r"style\.\d+\.weight", name)])
    if not 8 <= resolution <= 4096 or not 1 <= layers <= 64:
        raise Refused("holds a g_ema of no known size")
    names = _names(resolution, layers)
    missing, surplus = [n for n in names.values() if n not in state], sorted(set(state) - set(names.values()))
    if missing or surplus:
        raise Refused(
            f"does not fit a {resolution}x{resolution} generator: missing {missing[:3]}, surplus {surplus[:3]}"
        )
    ours = {own: _squeeze(own, state[other]) for own, other in names.items()}
    use_noise = any(bool(ours[name].any()) for name in ours if "noise_" in name)
    if not use_noise:
        # A generator without noise is written with zeros, as this layout always has the tensors.
        ours = {name: value for name, value in ours.items() if "noise_" not in name}
    widths = {r: ours[f"synthesis.b{r}.conv1.bias"].shape[0] for r in _resolutions(resolution)}
    most = max(widths.values())
    config = NetworkConfig(
        mbstd_group_size=8,
        z_dim=ours["mapping.fc0.weight"].shape[1],
        w_dim=ours["mapping.fc0.weight"].shape[0],
        mapping_layers=layers,
        channel_base=max(width * r for r, width in widths.items() if width < most or r == resolution),
        channel_max=most,
        num_fp16_res=0,
        conv_clamp=None,
        use_noise=use_noise,
    )
    with torch.device("meta"):
        own_names = build_generator(config, resolution).state_dict()
    ours |= {name: setup_filter((1, 3, 3, 1)) for name in own_names if name.endswith("resample_filter")}
    average = checkpoint.get("latent_avg")
    ours["mapping.w_avg"] = average.detach().float() if isinstance(average, Tensor) else torch.zeros(config.w_dim)
    if not isinstance(average, Tensor):
        ours["mapping.w_avg"] = _mean_of_w(config, ours)
    return config, resolution, ours


def to_rosinality(G: Generator) -> dict[str, Any]:
    """Convert a generator to `{"g_ema": state dict, "latent_avg": [w_dim]}`; without noise, its strength is 0."""
    state, resolution = G.state_dict(), G.img_resolution
    kernel = setup_filter((1, 3, 3, 1)) * 4
    g_ema: dict[str, Tensor] = {}
    for own, other in _names(resolution, G.mapping.num_layers).items():
        g_ema[other] = _unsqueeze(own, state[own] if own in state else _no_noise(own))
    for k in range(len(_resolutions(resolution)) - 1):
        g_ema[f"convs.{2 * k}.conv.blur.kernel"] = kernel.clone()
        g_ema[f"to_rgbs.{k}.upsample.kernel"] = kernel.clone()
    return {"g_ema": g_ema, "latent_avg": state["mapping.w_avg"].clone()}


def _names(resolution: int, layers: int) -> dict[str, str]:
    """Map our name to the other layout's name, of every learned tensor and noise map."""
    names: dict[str, str] = {}
    for i in range(layers):
        names |= {f"mapping.fc{i}.{kind}": f"style.{i + 1}.{kind}" for kind in ("weight", "bias")}
    names["synthesis.b4.const"] = "input.input"
    convs, rgbs = [("synthesis.b4.conv1", "conv1")], [("synthesis.b4.torgb", "to_rgb1")]
    for k, r in enumerate(_resolutions(resolution)[1:]):
        convs += [(f"synthesis.b{r}.conv{j}", f"convs.{2 * k + j}") for j in (0, 1)]
        rgbs.append((f"synthesis.b{r}.torgb", f"to_rgbs.{k}"))
    for i, (own, other) in enumerate(convs):
        names |= {
            f"{own}.weight": f"{other}.conv.weight",
            f"{own}.affine.weight": f"{other}.conv.modulation.weight",
            f"{own}.affine.bias": f"{other}.conv.modulation.bias",
            f"{own}.bias": f"{other}.activate.bias",
            f"{own}.noise_strength": f"{other}.noise.weight",
            f"{own}.noise_const": f"noises.noise_{i}",
        }
    for own, other in rgbs:
        names |= {
            f"{own}.weight": f"{other}.conv.weight",
            f"{own}.affine.weight": f"{other}.conv.modulation.weight",
            f"{own}.affine.bias": f"{other}.conv.modulation.bias",
            f"{own}.bias": f"{other}.bias",
        }
    return names


def _squeeze(own: str, value: Tensor) -> Tensor:
    """Leave out the axes of 1 that the other layout adds."""
    if own.endswith("torgb.bias"):
        return value.flatten()
    if own.endswith("noise_const"):
        return value.flatten(0, -2)
    extra = own == "synthesis.b4.const" or own.endswith("noise_strength") or re.search(r"(conv\d|torgb)\.weight$", own)
    if extra and (value.ndim == 0 or value.shape[0] != 1):
        raise Refused(f"has the tensor of {own} in another shape")
    return value[0] if extra else value


def _unsqueeze(own: str, value: Tensor) -> Tensor:
    value = value.detach().float().cpu()
    if own.endswith("torgb.bias"):
        return value[None, :, None, None].contiguous()
    if own.endswith("noise_const"):
        return value[None, None].contiguous()
    extra = own == "synthesis.b4.const" or own.endswith("noise_strength") or re.search(r"(conv\d|torgb)\.weight$", own)
    return (value[None] if extra else value).contiguous()


def _no_noise(own: str) -> Tensor:
    r = int(own.split(".")[1][1:])
    return torch.zeros([r, r] if own.endswith("noise_const") else [])


def _drop_filters(state: dict[str, Any]) -> None:
    """Remove the resampling kernels, which are the standard one times 4."""
    kernel = setup_filter((1, 3, 3, 1)) * 4
    for name in [n for n in state if n.endswith((".blur.kernel", ".upsample.kernel"))]:
        value = state.pop(name)
        if value.shape != kernel.shape or not torch.allclose(value.float(), kernel, atol=1e-6):
            raise Refused(f"has another resampling filter in {name}")


def _mean_of_w(config: NetworkConfig, ours: dict[str, Tensor]) -> Tensor:
    """Compute the mean of mapped latents, always of the same ones."""
    tensors = {name.removeprefix("mapping."): v for name, v in ours.items() if name.startswith("mapping.")}
    z = torch.randn([W_AVG_SAMPLES, config.z_dim], generator=torch.Generator().manual_seed(0))
    with torch.device("meta"):
        mapping = build_generator(config, 8).mapping
    mapping.load_state_dict({name: value.float() for name, value in tensors.items()}, assign=True)
    with torch.no_grad():
        return mapping.eval()(z)[:, 0].mean(dim=0)


def _resolutions(resolution: int) -> list[int]:
    return [2**i for i in range(2, resolution.bit_length())]
