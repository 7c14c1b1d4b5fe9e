"""Checkers of the kinds `long_video_gan/*`."""

import numpy as np
import torch
import torch.nn.functional as F

from styleinv.methods.long_video_gan import resample
from styleinv.methods.long_video_gan.lengths import ema_beta, level_lengths
from styleinv.methods.long_video_gan.low_res_discriminator import LowResDiscriminator
from styleinv.methods.long_video_gan.low_res_generator import Block, LowResGenerator
from styleinv.methods.long_video_gan.temporal_embedding import BlurredNoise
from styleinv.methods.long_video_gan.temporal_scale import rescale_time
from styleinv.nn.layers import bias_act
from styleinv.nn.resample import downsample2d, filter2d, setup_filter, upfirdn2d, upsample2d
from styleinv.training.schedule import lazy_regularization
from tests.golden.case import Case, fill
from tests.golden.checkers.digan import entries
from tests.golden.checkers.mocogan_hd import gradnorms, stored

OPS = {"upfirdn2d": upfirdn2d, "upsample2d": upsample2d, "downsample2d": downsample2d, "filter2d": filter2d}


def weights(case: Case, key: str, value: torch.Tensor) -> torch.Tensor:
    """The fixed random weights of a scalar."""
    return torch.from_numpy(fill(f"input:{key}", list(value.shape), {"mean": 0, "std": 1}, case.manifest["seed"]))


def check_ops(case: Case) -> dict:
    out = {}
    for i, item in enumerate(case.config["items"]):
        x, options = case.tensor(f"x{i}").requires_grad_(), dict(item["kw"])
        if item["op"] == "bias_act":
            y = bias_act(x, case.tensor(f"b{i}"), **options)
        else:
            taps = setup_filter(item["setup"]) if "setup" in item else case.tensor(f"f{i}")
            if "setup" in item:
                out[f"filter{i}"] = taps
            y = OPS[item["op"]](x, taps, **options)
        (y * weights(case, f"g{i}", y)).sum().backward()
        out |= {f"y{i}": y, f"dx{i}": x.grad}
    return out


def check_resample(case: Case) -> dict:
    v5, v3, image = (case.tensor(name) for name in ("v5", "v3", "im"))
    linear = resample.linear_filter(2)
    out = {
        "lin2.filter": linear,
        "tlin_up2.v5": resample.upsample_time(v5, linear),
        "tlin_up2.v3": resample.upsample_time(v3, linear),
        "tlin_up2.pad1": resample.upsample_time(v5, linear, padding=1),
        "sbil_up2": resample.upsample_space(v5, linear),
        "tlin_down2.v3": resample.downsample_time(v3, linear),
    }
    for s in case.config["kai_scales"]:
        taps = resample.kaiser_filter(s)
        out |= {f"tkai_down{s}.filter": taps, f"tkai_down{s}.v3": resample.downsample_time(v3, taps, s)}
        out |= {f"kai_down{s}.filter": taps, f"kai_down{s}": resample.downsample_space(image, taps, s, padding=1)}
        out |= stored(case, f"kai_up{s}", resample.upsample_space(image, taps, s, padding=1))
    smaller = resample.downsample_space(v5, linear)
    return out | {
        "down3d": resample.downsample_time(smaller, linear),
        "down3d_t": resample.downsample_time(v5, linear),
        "down3d_s": smaller,
    }


def check_schedule(case: Case) -> dict:
    out = {
        "lengths": np.array([level_lengths(int(n)) for n in case.inputs["seq_lengths"]]),
        "ema_beta": np.array([ema_beta(int(step)) for step in case.inputs["steps"]]),
    }
    out["D_lrate_lres"], betas = lazy_regularization(0.002, (0, 0.99), 16)
    out["D_lrate_sres"], _ = lazy_regularization(0.003, (0, 0.99), 16)
    return {name: np.array(value) for name, value in (out | {"D_beta2": betas[1]}).items()}


def check_blurred_noise(case: Case) -> dict:
    net = BlurredNoise(**case.config["kwargs"])
    rows = net.blur_filters[:, 0]
    out = {
        "taps_nonzero": (rows != 0).sum(dim=1),
        "output_scale": net.output_scale.flatten(),
        "row_sum": rows.sum(dim=1),
        "row_sq": rows.square().sum(dim=1),
        "kernel_size": np.array(net.kernel_size),
        "emb": net(case.tensor("noise")),
    }
    for row in case.config["rows"]:
        out[f"row{row}"] = rows[row, -case.outputs[f"row{row}"].size :] if f"row{row}" in case.outputs else rows[row]
    got: dict = {}
    for name, value in out.items():
        got |= stored(case, name, torch.as_tensor(value))
    return got


def check_temporal_scale(case: Case) -> dict:
    draws = [case.tensor(name).flatten() for name in ("log2_scale", "p0", "i0")]
    return {"y": rescale_time(case.tensor("video"), *draws)}


def check_block(case: Case) -> dict:
    net = Block(**case.config["kwargs"])
    net.load_state_dict(entries(case))
    x, w = (case.tensor(name).requires_grad_() for name in ("x", "latent"))
    y = net(x, w, case.config["out_t"])
    (y * weights(case, "g", y)).sum().backward()
    out = {"y": y, "dx": x.grad, "dlatent": w.grad} | gradnorms(case, "gradnorm.", net)
    with torch.no_grad():
        out["y_beta"] = net(x, w, case.config["out_t"], beta=case.config.get("beta", 0.999))
    out["ema0_after"] = net.input_magnitude_ema_0.magnitude_ema
    out["ema1_after"] = net.input_magnitude_ema_1.magnitude_ema
    return out


def widths_of(case: Case, names: list[str]) -> list[int]:
    shapes = {row["name"]: row["shape"] for row in case.manifest["state"]}
    return [shapes[name][0] for name in names]


def generator_of(case: Case) -> LowResGenerator:
    options = dict(case.config["kwargs"])
    embedding = options.pop("embedding_kwargs", {})
    names = [
        "temporal_layers.0.weight_1",
        "temporal_layers.4.weight_1",
        "spatial_layers.0.weight_1",
        "spatial_layers.2.weight_1",
    ]
    return LowResGenerator(**options, channels=tuple(widths_of(case, names)), embedding=embedding)


def check_low_res_generator(case: Case) -> dict:
    G = generator_of(case)
    G.load_state_dict(G.state_dict() | entries(case))
    noise, frames = case.tensor("noise"), case.config["seq_length"]
    features: list[torch.Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda module, inputs, output: features.append(output))
        for layer in (*G.temporal_layers, *G.spatial_layers)
    ]
    emb = G.temporal_emb(noise)
    ws = G.latents(G.latent_mapping(emb), frames)
    video = G(noise, frames)
    for hook in hooks:
        hook.remove()
    out = stored(case, "emb", emb)
    for i, w in enumerate(ws):
        out |= stored(case, f"w{i}", w)
    out |= stored(case, "temporal_input", G.w_to_temp_input(ws[0].transpose(1, 2)).transpose(1, 2))
    for i, feature in enumerate(features):
        out |= stored(case, f"feat{i}", feature)
    out |= stored(case, "video", video)
    if case.config.get("grads"):
        (video * weights(case, "g", video)).sum().backward()
        out |= gradnorms(case, "gradnorm.", G)
        G.zero_grad()
    if "beta" in case.config:
        with torch.no_grad():
            video = G(noise, frames, beta=case.config["beta"])
        state = G.state_dict()
        for name in case.manifest["outputs"]:
            if name == "video_beta":
                out |= stored(case, name, video)
            elif name.startswith("after."):
                out[name] = state[name.removeprefix("after.")]
    return out


def check_low_res_discriminator(case: Case) -> dict:
    kwargs = case.config["kwargs"]
    names = ["blocks.0.conv_vid.weight", *(f"blocks.{i}.conv_1.weight" for i in range(4))]
    (epilogue,) = widths_of(case, ["epilogue.conv1d_0.weight"])
    D = LowResDiscriminator(kwargs["seq_length"], kwargs["max_edge"], tuple(widths_of(case, names)), epilogue)
    D.load_state_dict(entries(case))
    video = case.tensor("video").requires_grad_()
    logits = D(video)
    (gradient,) = torch.autograd.grad(logits.sum(), video, create_graph=True)
    penalty = gradient.square().flatten(1).sum(dim=1)
    out = stored(case, "logits", logits) | stored(case, "dlogits_dvideo", gradient)
    out |= stored(case, "r1_penalty", penalty)
    F.softplus(-logits).mean().backward(retain_graph=True)
    out |= gradnorms(case, "gradnorm.", D)
    D.zero_grad()
    (penalty.mean() / 2).backward()
    return out | gradnorms(case, "r1gradnorm.", D)


CHECKERS = {
    "long_video_gan/ops": check_ops,
    "long_video_gan/resample": check_resample,
    "long_video_gan/schedule": check_schedule,
    "long_video_gan/blurred_noise": check_blurred_noise,
    "long_video_gan/temporal_scale": check_temporal_scale,
    "long_video_gan/lres_block": check_block,
    "long_video_gan/lres_generator": check_low_res_generator,
    "long_video_gan/lres_discriminator": check_low_res_discriminator,
}
