"""Options of our networks, read from the records of official modules.

What a record says in `_init_kwargs` is taken from there; what it leaves out is derived from the shapes of its tensors.
"""

import math
import re
from typing import Any

from torch import Tensor, nn

from styleinv.interop.machine import Refused
from styleinv.interop.module_records import Record, find_option, plain, scalar
from styleinv.methods.stylegan2.method import NetworkConfig

Tensors = dict[str, Tensor]

# Settings our networks fix, with the value they fix; a checkpoint that says otherwise computes something else.
FIXED_MAPPING = {"activation": "lrelu", "lr_multiplier": 0.01, "embed_features": None, "layer_features": None}
FIXED_SYNTHESIS = {"architecture": "skip", "activation": "lrelu", "resample_filter": [1, 3, 3, 1]}
FIXED_DISCRIMINATOR = {"architecture": "resnet"}


def generator_options(G: Record, tensors: Tensors) -> tuple[dict[str, Any], int]:
    """Read (keyword arguments of `NetworkConfig`, resolution) of an official generator.

    Raises:
        Refused: for a generator that our network cannot be.
    """
    kwargs = G.options
    mapping, synthesis = _options(kwargs, "mapping_kwargs"), _options(kwargs, "synthesis_kwargs")
    _check_fixed(mapping, FIXED_MAPPING)
    _check_fixed(synthesis, FIXED_SYNTHESIS)
    if kwargs.get("c_dim") or "mapping.embed.weight" in tensors:
        raise Refused("holds a conditional generator, which this project does not train")
    widths = {int(m[1]): t.shape[0] for k, t in tensors.items() if (m := _BLOCK.fullmatch(k))}
    resolution = max(widths, default=0)
    layers = sum(re.fullmatch(r"mapping\.fc\d+\.weight", name) is not None for name in tensors)
    if resolution < 8 or resolution & (resolution - 1) or not layers or "mapping.w_avg" not in tensors:
        raise Refused("holds a generator that is not StyleGAN2's")
    base, most = widths_of(widths)
    options = {
        "z_dim": kwargs.get("z_dim", axis(tensors, "mapping.fc0.weight", 1)),
        "w_dim": kwargs.get("w_dim", axis(tensors, "mapping.w_avg", 0)),
        "mapping_layers": mapping.get("num_layers", layers),
        "channel_base": synthesis.get("channel_base", base),
        "channel_max": synthesis.get("channel_max", most),
        "num_fp16_res": synthesis.get("num_fp16_res", 0),
        "conv_clamp": synthesis.get("conv_clamp"),
        # NVIDIA's pickles have no such option; their generators always have noise.
        "use_noise": synthesis.get("use_noise", "synthesis.b4.conv1.noise_const" in tensors),
    }
    if options["mapping_layers"] != layers or kwargs.get("img_resolution", resolution) != resolution:
        raise Refused("holds a generator whose options and tensors disagree")
    return options, resolution


def discriminator_options(D: Record, tensors: Tensors, G: dict[str, Any]) -> dict[str, Any]:
    """Read keyword arguments of `NetworkConfig` of an official image discriminator, given the generator's options `G`.

    Raises:
        Refused: for a discriminator that our network cannot be.
    """
    kwargs = D.options
    _check_fixed(kwargs, FIXED_DISCRIMINATOR)
    if kwargs.get("c_dim") or "mapping.embed.weight" in tensors:
        raise Refused("holds a conditional discriminator, which this project does not train")
    widths = {int(m[1]): t.shape[0] for k, t in tensors.items() if (m := _CONV0.fullmatch(k))}
    if "b4.conv.weight" not in tensors or not widths:
        raise Refused("holds a discriminator that is not StyleGAN2's")
    widths[4] = axis(tensors, "b4.conv.weight", 0)
    base, most = widths_of(widths)
    return G | {
        "channel_base": kwargs.get("channel_base", base),
        "channel_max": kwargs.get("channel_max", most),
        "num_fp16_res": kwargs.get("num_fp16_res", 0),
        "conv_clamp": kwargs.get("conv_clamp"),
        "mbstd_group_size": _options(kwargs, "epilogue_kwargs").get("mbstd_group_size", 4),
    }


def network_config(options: dict[str, Any]) -> NetworkConfig:
    """Make our configuration, with sizes bounded so that options alone cannot ask for much memory or time.

    Raises:
        Refused: for options out of bounds.
    """
    bounded(options)
    checked_clamp(options.get("conv_clamp"))
    if type(options.get("use_noise")) is not bool:
        raise Refused("has an option of a wrong type")
    return NetworkConfig.model_validate(options)


def clamp_of(net: Record) -> float | None:
    """Find the bound of activations of a network, in its options or in a layer's attributes; None for none.

    Raises:
        Refused: for something that is no number.
    """
    return checked_clamp(find_option(net, "conv_clamp"))


def checked_clamp(value: Any) -> float | None:
    """Return what a file says of the bound of activations.

    Raises:
        Refused: for something that is no number.
    """
    if value is not None and type(value) not in (int, float):
        raise Refused("has an option of a wrong type")
    return value


def bounded(options: dict[str, Any]) -> None:
    """Check the sizes among some options.

    Raises:
        Refused: for one out of bounds.
    """
    bounds = {"z_dim": 2**16, "w_dim": 2**16, "mapping_layers": 64, "channel_base": 2**24, "channel_max": 2**16}
    bounds |= {"num_fp16_res": 16, "mbstd_group_size": 2**16, "rank": 2**10, "input_resolution": 2**14}
    for key, most in bounds.items():
        value = options.get(key, 1)
        if type(value) is not int or not (0 if key == "num_fp16_res" else 1) <= value <= most:
            raise Refused(f"has the option {key} out of bounds")


def encoder_options(encoder: Record, tensors: Tensors, prefix: str = "encoder.") -> dict[str, list[int]]:
    """Read widths and numbers of units of an IR-SE trunk from its convolutions (shapes and strides).

    Raises:
        Refused: if it is no trunk whose groups start with stride 2, which is the only kind our network builds.
    """
    first = tensors.get(f"{prefix}input_layer.0.weight")
    count = sum(
        re.fullmatch(re.escape(prefix) + r"body\.\d+\.res_layer\.3\.weight", name) is not None for name in tensors
    )
    if first is None or not count:
        raise Refused("holds an inversion encoder that is not IR-SE")
    widths, units = [first.shape[0]], []
    for i in range(count):
        out, into = axis(tensors, f"{prefix}body.{i}.res_layer.3.weight", 0), widths[-1]
        conv = encoder.child(f"body.{i}.res_layer.3")
        stride = plain(conv.state.get("stride")) if conv is not None else None
        if stride == [2, 2]:
            widths.append(out)
            units.append(1)
        elif stride == [1, 1] and units and out == into:
            units[-1] += 1
        else:
            raise Refused(
                f"holds an inversion encoder whose unit {i} ({into} to {out}, stride {stride}) starts no group"
            )
    return {"widths": widths, "units": units}


def styleinv_options(SI: Record, tensors: Tensors, w_dim: int, max_num_frames: int) -> dict[str, Any]:
    """Read keyword arguments of our `StyleInV` for an official motion generator.

    Args:
        w_dim: width of the image generator's W.
        max_num_frames: T of the discriminator, for a file whose options do not say it.

    Raises:
        Refused: for a variant that our network cannot be.
    """
    motion = "mapping.motion_encoder."
    needed = [f"{motion}conv.{i}.weight" for i in (0, 1)] + [f"{motion}time_encoder.freqs", "mapping.fcf0.weight"]
    if any(name not in tensors for name in needed):
        raise Refused("holds a motion generator without the convolutions of FFA-APE")
    # Options that no shape tells, within bounds.
    distance = find_option(SI, "motion_z_distance")
    if type(distance) is not int or not 1 <= distance <= 2**16:
        raise Refused("does not say its motion_z_distance")
    frames = find_option(SI, "max_num_frames") or max_num_frames
    if type(frames) is not int or not 4 <= frames <= 2**16:
        raise Refused("has the option max_num_frames out of bounds")
    freqs = tensors[f"{motion}time_encoder.freqs"].double().flatten()
    if freqs.numel() < 1 or not (freqs > 0).all():
        raise Refused("has frequencies that are not positive")
    layers = sum(re.fullmatch(r"mapping\.fcf\d+\.weight", name) is not None for name in tensors)
    # Sizes, from the shapes of the tensors.
    style_dim, width = axis(tensors, "mapping.fcf0.weight", 0), axis(tensors, "mapping.fcf0.weight", 1)
    time_dim = freqs.numel()
    options: dict[str, Any] = {
        "mapping": {
            "motion": {
                "z_dim": axis(tensors, needed[0], 1),
                "v_dim": axis(tensors, needed[1], 0),
                "motion_z_distance": distance,
                "max_num_frames": frames,
                "kernel_size": axis(tensors, needed[0], 2),
                "time_dim": time_dim,
                # Only construction uses the periods; the stored frequencies replace what they give.
                "min_period_len": float(f"{2 * math.pi / float(freqs[-1]):.6g}"),
                "max_period_len": float(f"{2 * math.pi / float(freqs[0]):.6g}"),
                "first_frame_aware": f"{motion}frame_0_const" in tensors,
            },
            "content_dim": w_dim,
            "w_dim": style_dim,
            "layers_after_fuse": layers,
            "concat_content": width != 2 * time_dim,
            "lr_multiplier": _lr_multiplier(SI, tensors, "mapping.fcf0", 0.01),
        },
        "encoder": {},
        "skip_encoder": "encoder.linear.weight" not in tensors,
        "input_residual": "latent_avg" not in tensors,
    }
    # The encoder, where there is one.
    trunk = SI.child("encoder")
    if not options["skip_encoder"] and trunk is not None:
        sizes = encoder_options(trunk, tensors)
        blocks = sum(re.fullmatch(r"encoder\.adains\.\d+\.conv1\.weight", name) is not None for name in tensors)
        normalize = find_option(trunk, "normalize_adain")
        options["encoder"] = sizes | {
            "w_dim": axis(tensors, "encoder.linear.weight", 0),
            "style_dim": style_dim,
            # With one unit per group both modes are the same.
            "adain_mode": "block" if blocks == len(sizes["units"]) else "bottleneck",
            "normalize_adain": True if normalize is None else bool(normalize),
            "lr_multiplier": _lr_multiplier(SI, tensors, "encoder.linear", 1.0),
        }
    return options


def video_discriminator_options(D: Record, tensors: Tensors) -> dict[str, Any]:
    """Read keyword arguments of our `VideoDiscriminator`, all but the clamp from the shapes of the tensors.

    Raises:
        Refused: for another kind of discriminator.
    """
    inside = {int(m[1]): t.shape[0] for k, t in tensors.items() if (m := _CONV0.fullmatch(k))}
    resolution = max(inside, default=0)
    options: dict[str, Any] = {"img_resolution": resolution, "num_fp16_res": 0, "conv_clamp": clamp_of(D)}
    for r in sorted(inside, reverse=True)[1:]:
        if f"b{2 * r}.conv1.weight" not in tensors:
            break
        before, into = axis(tensors, f"b{2 * r}.conv1.weight", 0), axis(tensors, f"b{r}.conv0.weight", 1)
        if into != before and into % before == 0 and inside[r] % before == 0:
            options |= {
                "concat_res": r,
                "num_frames": into // before,
                "num_frames_div_factor": inside[r] // before,
            }
    embedding = tensors.get("time_encoder.const_embed.weight")
    if "concat_res" not in options or embedding is None or "b4.conv.weight" not in tensors:
        raise Refused("holds a video discriminator that is not the sparse one of the paper")
    inside[4] = axis(tensors, "b4.conv.weight", 0)
    base, most = widths_of(inside)
    layers = sum(re.fullmatch(r"mapping\.fc\d+\.weight", name) is not None for name in tensors)
    options |= {"channel_base": base, "channel_max": most, "mapping_layers": layers}
    return options | {"max_num_frames": embedding.shape[0]}


_BLOCK = re.compile(r"synthesis\.b(\d{1,5})\.conv1\.weight", re.ASCII)
_CONV0 = re.compile(r"b(\d{1,5})\.conv0\.weight", re.ASCII)


def widths_of(widths: dict[int, int]) -> tuple[int, int]:
    """Find (channel_base, channel_max) that give these widths per resolution."""
    most, top = max(widths.values()), max(widths)
    return max(width * r for r, width in widths.items() if width < most or r == top), most


def axis(tensors: Tensors, name: str, dim: int) -> int:
    """Return one size of a tensor of the file.

    Raises:
        Refused: if it is not there, or has fewer dimensions.
    """
    tensor = tensors.get(name)
    if tensor is None or tensor.ndim <= dim:
        raise Refused(f"lacks the tensor {name}")
    return tensor.shape[dim]


def _options(kwargs: dict[str, Any], name: str) -> dict[str, Any]:
    found = kwargs.get(name) or {}
    if not isinstance(found, dict):
        raise Refused(f"has {name} that are no options")
    return found


def _check_fixed(options: dict[str, Any], fixed: dict[str, Any]) -> None:
    for key, value in fixed.items():
        if options.get(key, value) != value:
            raise Refused(f"has the option {key} = {ascii(options[key])[:40]}, this project only has {value}")


def _lr_multiplier(root: Record, tensors: Tensors, path: str, default: float) -> float:
    """Compute a layer's learning-rate multiplier from its `weight_gain` = multiplier / sqrt(inputs)."""
    layer = root.child(path)
    gain = layer.state.get("weight_gain") if layer is not None else None
    if not isinstance(gain, int | float | Tensor):
        return default
    return float(f"{scalar(gain) * math.sqrt(axis(tensors, f'{path}.weight', 1)):.6g}")


def without_filters(tensors: Tensors, net: nn.Module) -> Tensors:
    """Leave out the up-sampling filters that official networks register and never use."""
    own = net.state_dict()
    return {key: value for key, value in tensors.items() if key in own or not key.endswith("resample_filter")}
