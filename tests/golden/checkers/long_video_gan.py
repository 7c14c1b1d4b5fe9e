"""Checkers of the kinds `long_video_gan/*`."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from styleinv.interop.module_records import tensors_of
from styleinv.interop.official import import_modules
from styleinv.interop.reader import read_pickle
from styleinv.methods.long_video_gan.design import design
from styleinv.methods.long_video_gan.discriminator import SuperResDiscriminator
from styleinv.methods.long_video_gan.generator import SuperResGenerator
from styleinv.methods.long_video_gan.loss import Randomness, SuperResLoss
from styleinv.methods.long_video_gan_lr.augment import rescale_time
from styleinv.methods.long_video_gan_lr.discriminator import LowResDiscriminator
from styleinv.methods.long_video_gan_lr.generator import Block, LowResGenerator, level_lengths
from styleinv.methods.long_video_gan_lr.loss import LowResInputs, LowResLoss
from styleinv.methods.long_video_gan_lr.temporal_embedding import BlurredNoise
from styleinv.nn import clip_resample as resample
from styleinv.nn.augment import AugmentPipe
from styleinv.nn.filtered_lrelu import filtered_lrelu
from styleinv.nn.layers import bias_act, running_means
from styleinv.nn.resample import downsample2d, setup_filter, upfirdn2d, upsample2d
from styleinv.training.ema import ramped_beta
from styleinv.training.schedule import lazy_regularization
from styleinv.training.update import moving_once
from tests.golden.case import Case, fill
from tests.golden.checkers.digan import entries
from tests.golden.checkers.mocogan_hd import gradnorms
from tests.golden.checkers.stylegan2 import Collector
from tests.golden.oracles.stylegan2 import filter2d

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
    out = {}
    for s in case.config["lin_scales"]:
        taps = resample.linear_filter(s)
        out |= {
            f"lin{s}.filter": taps,
            f"tlin_up{s}.v5": resample.upsample_time(v5, taps, s),
            f"tlin_up{s}.v3": resample.upsample_time(v3, taps, s),
            f"tlin_up{s}.pad1": resample.upsample_time(v5, taps, s, padding=1),
            f"sbil_up{s}": resample.upsample_space(v5, taps, s),
            f"tlin_down{s}.v3": resample.downsample_time(v3, taps, s),
        }
    for s in case.config["kai_scales"]:
        taps = resample.kaiser_filter(s)
        out |= {f"tkai_down{s}.filter": taps, f"tkai_down{s}.v3": resample.downsample_time(v3, taps, s)}
        out |= {f"kai_down{s}.filter": taps, f"kai_down{s}": resample.downsample_space(image, taps, s, padding=1)}
        out[f"kai_up{s}"] = resample.upsample_space(image, taps, s, padding=1)
    linear = resample.linear_filter(2)
    smaller = resample.downsample_space(v5, linear)
    return out | {
        "down3d": resample.downsample_time(smaller, linear),
        "down3d_t": resample.downsample_time(v5, linear),
        "down3d_s": smaller,
    }


def check_schedule(case: Case) -> dict:
    padding = case.config["temporal_padding"]
    out = {
        "lengths": np.array([level_lengths(int(n), padding) for n in case.inputs["seq_lengths"]]),
        "ema_beta": np.array([ramped_beta(int(step)) for step in case.inputs["steps"]]),
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
    return out


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


def widths_of(case: Case, names: list[str], net: str | None = None) -> list[int]:
    shapes = {row["name"]: row["shape"] for row in case.manifest["state"] if row.get("net") == net}
    return [shapes[name][0] for name in names]


def generator_of(case: Case, kwargs: dict, net: str | None = None) -> LowResGenerator:
    options = dict(kwargs)
    embedding = options.pop("embedding_kwargs", {})
    names = [
        "temporal_layers.0.weight_1",
        "temporal_layers.4.weight_1",
        "spatial_layers.0.weight_1",
        "spatial_layers.2.weight_1",
    ]
    return LowResGenerator(**options, channels=tuple(widths_of(case, names, net)), embedding=embedding)


def check_low_res_generator(case: Case) -> dict:
    G = generator_of(case, case.config["kwargs"])
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
    out = {"emb": emb}
    for i, w in enumerate(ws):
        out[f"w{i}"] = w
    out["temporal_input"] = G.w_to_temp_input(ws[0].transpose(1, 2)).transpose(1, 2)
    for i, feature in enumerate(features):
        out[f"feat{i}"] = feature
    out["video"] = video
    if case.config.get("grads"):
        (video * weights(case, "g", video)).sum().backward()
        out |= gradnorms(case, "gradnorm.", G)
        G.zero_grad()
    if "beta" in case.config:
        with torch.no_grad():
            video = G(noise, frames, beta=case.config["beta"])
        state = G.state_dict()
        for name in case.wanted:
            if name == "video_beta":
                out[name] = video
            elif name.startswith("after."):
                out[name] = state[name.removeprefix("after.")]
    return out


def low_res_discriminator_of(case: Case, seq_length: int, max_edge: int, net: str | None = None) -> LowResDiscriminator:
    names = ["blocks.0.conv_vid.weight", *(f"blocks.{i}.conv_1.weight" for i in range(4))]
    (epilogue,) = widths_of(case, ["epilogue.conv1d_0.weight"], net)
    return LowResDiscriminator(seq_length, max_edge, tuple(widths_of(case, names, net)), epilogue)


def check_low_res_discriminator(case: Case) -> dict:
    kwargs = case.config["kwargs"]
    D = low_res_discriminator_of(case, kwargs["seq_length"], kwargs["max_edge"])
    D.load_state_dict(entries(case))
    video = case.tensor("video").requires_grad_()
    logits = D(video)
    (gradient,) = torch.autograd.grad(logits.sum(), video, create_graph=True)
    penalty = gradient.square().flatten(1).sum(dim=1)
    out = {"logits": logits, "dlogits_dvideo": gradient, "r1_penalty": penalty}
    F.softplus(-logits).mean().backward(retain_graph=True)
    out |= gradnorms(case, "gradnorm.", D)
    D.zero_grad()
    (penalty.mean() / 2).backward()
    return out | gradnorms(case, "r1gradnorm.", D)


def check_filtered_lrelu(case: Case) -> dict:
    out = {}
    for i, item in enumerate(case.config["items"]):
        x = case.tensor(f"x{i}").requires_grad_()
        fu, fd = (case.tensor(f"{f}{i}") if f in item else None for f in ("fu", "fd"))
        b = case.tensor(f"b{i}").requires_grad_() if item.get("b", True) else None
        y = filtered_lrelu(x, fu, fd, b, **item["kw"])
        (y * weights(case, f"g{i}", y)).sum().backward()
        out |= {f"y{i}": y, f"dx{i}": x.grad}
        if b is not None:
            out[f"db{i}"] = b.grad
    return out


@contextmanager
def given_draws(case: Case) -> Iterator[None]:
    """torch's random numbers are those of the case, in its order."""
    draws = iter([case.tensor(f"draw{i:02d}") for i in range(len(case.config["draws"]))])

    def draw(shape, **_) -> torch.Tensor:
        value = next(draws)
        if value.ndim == 4 and value.shape[1] > 1:
            # Noise of every pixel comes colour major; our frames lie one after the other.
            value = value.unflatten(1, (3, -1)).transpose(1, 2)
        return value.reshape(list(shape))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "rand", draw)
        patch.setattr(torch, "randn", draw)
        yield
    assert next(draws, None) is None


def stacked(pipe: AugmentPipe, clips: torch.Tensor, **options) -> torch.Tensor:
    """A pipe on clips [N, 3, T, H, W]: its images are frames one after the other."""
    n, _, t, h, w = clips.shape
    y = pipe(clips.transpose(1, 2).reshape(n, 3 * t, h, w), **options)
    return y.reshape(n, t, 3, h, w).transpose(1, 2)


def check_augment(case: Case) -> dict:
    pipe = AugmentPipe(**case.config["kwargs"])
    pipe.p = case.config["p"]
    x = case.tensor("x").requires_grad_()
    with given_draws(case):
        y = stacked(pipe, x)
    (y * weights(case, "g", y)).sum().backward()
    out = {"y": y, "dx": x.grad}
    if "debug_percentile" in case.config:
        out["y_debug"] = stacked(pipe, x.detach(), debug_percentile=case.config["debug_percentile"])
    return out


def check_design(case: Case) -> dict:
    kwargs = dict(case.config["kwargs"])
    kwargs.pop("w_dim")
    layers = design(**kwargs)
    out, rows = {}, []
    for i, layer in enumerate(layers):
        for name, taps in zip(("up", "down"), layer.filters(), strict=True):
            if taps is not None:
                out[f"{name}_filter{i}"] = taps
        sizes = [layer.in_channels, layer.out_channels, *layer.in_size, *layer.out_size]
        rates = [layer.in_rate, layer.out_rate, layer.tmp_rate, layer.in_cutoff, layer.out_cutoff]
        factors = [layer.in_half_width, layer.out_half_width, layer.up, layer.down, layer.up_taps, layer.down_taps]
        rows.append([*sizes, *rates, *factors, *layer.padding, layer.critically_sampled, layer.torgb])
    return out | {"table": np.array(rows, dtype=float)}


def super_res_generator_of(case: Case, kwargs: dict) -> SuperResGenerator:
    options = dict(kwargs)
    options.pop("img_channels", None)
    for theirs, ours in (
        ("hr_width", "img_width"),
        ("hr_height", "img_height"),
        ("lr_width", "cond_width"),
        ("lr_height", "cond_height"),
        ("temporal_context", "cond_context"),
        ("latent_z_dim", "z_dim"),
        ("latent_w_dim", "w_dim"),
    ):
        if theirs in options:
            options[ours] = options.pop(theirs)
    return SuperResGenerator(**options, num_fp16_res=0)


def load(net: torch.nn.Module, state: dict) -> torch.nn.Module:
    own = net.state_dict()
    assert set(own) == set(state), f"missing {set(own) - set(state)}, surplus {set(state) - set(own)}"
    net.load_state_dict(state)
    return net


def check_super_res_generator(case: Case) -> dict:
    prefix = "" if case.config["kind"] == "Generator" else "SG3."
    G = super_res_generator_of(case, case.config["kwargs"])
    load(G, {name.removeprefix(prefix): value for name, value in entries(case).items()})
    z, low = case.tensor("z"), case.tensor("lr").requires_grad_()
    out = {}
    for i, condition in enumerate(G.conditions(G.windows(low))):
        out[f"cond{i}"] = condition
    out["w"] = G.latents(z)
    video = G(z, low)
    out["video"] = video
    if case.config.get("grads"):
        (video * weights(case, "g", video)).sum().backward()
        out["d_lr"] = low.grad
        out |= gradnorms(case, "gradnorm.", G)
    with torch.no_grad():
        if "psi" in case.config:
            out["video_trunc"] = G(z, low, truncation_psi=case.config["psi"])
        out["video_update"] = G(z, low, beta=0.999)
    state = G.state_dict()
    names = [name for name in case.wanted if name.startswith("after.")]
    return out | {name: state[name.removeprefix(f"after.{prefix}")] for name in names}


def super_res_discriminator_of(kwargs: dict) -> SuperResDiscriminator:
    widths = {
        ours: kwargs[theirs] for theirs, ours in (("channels_base", "channel_base"), ("channels_max", "channel_max"))
    }
    return SuperResDiscriminator(
        kwargs["hr_width"], kwargs["seq_length"], kwargs["hr_width"] // kwargs["lr_width"], num_fp16_res=0, **widths
    )


def check_super_res_discriminator(case: Case) -> dict:
    D = super_res_discriminator_of(case.config["kwargs"])
    load(D, entries(case))
    low, high = case.tensor("lr"), case.tensor("hr").requires_grad_()
    large_low = D.enlarge(low)
    logits = D(large_low, high)
    (gradient,) = torch.autograd.grad(logits.sum(), high, create_graph=True)
    penalty = gradient.square().flatten(1).sum(dim=1)
    out = {"logits": logits, "logits_preup": logits, "r1_penalty": penalty}
    out |= {"dlogits_dhr": gradient, "lr_up": large_low}
    F.softplus(-logits).mean().backward(retain_graph=True)
    out |= gradnorms(case, "gradnorm.", D)
    D.zero_grad()
    (penalty.mean() / 2).backward()
    return out | gradnorms(case, "r1gradnorm.", D)


def entries_of(case: Case, net: str) -> dict[str, torch.Tensor]:
    """Weights of one of the two networks of a case."""
    found = {}
    for row in case.manifest["state"]:
        if row["net"] != net or row.get("derive"):
            continue
        if row.get("keep"):
            keys = [f"state/{net}{mark}{row['name']}" for mark in "./:"]
            value = next(case.arrays[key] for key in keys if key in case.arrays)
        else:
            value = fill(row["name"], row["shape"], row, case.manifest["seed"][net])
        found[row["name"]] = torch.from_numpy(np.array(value))
    return found


def low_res_loss_of(case: Case) -> LowResLoss:
    cfg = case.config
    G = generator_of(case, {"out_height": cfg["h"], "out_width": cfg["w"], **cfg["G_kwargs"]}, "G")
    D = low_res_discriminator_of(case, cfg["seq_length"], max(cfg["h"], cfg["w"]), "D")
    G.load_state_dict(G.state_dict() | entries_of(case, "G"))
    load(D, entries_of(case, "D"))
    return LowResLoss(G, D, None, cfg["gamma"], cfg["seq_length"], 0)


def super_res_loss_of(case: Case) -> SuperResLoss:
    cfg = case.config
    sizes = {"hr_height": cfg["hr"][0], "hr_width": cfg["hr"][1], "lr_height": cfg["lr"][0], "lr_width": cfg["lr"][1]}
    G = super_res_generator_of(
        case, sizes | {"temporal_context": cfg["ctx"]} | cfg["G_kwargs"] | cfg.get("synth_kwargs", {})
    )
    D = super_res_discriminator_of(sizes | cfg["D_kwargs"] | {"seq_length": cfg["seq_length"]})
    load(G, {name.removeprefix("SG3."): value for name, value in entries_of(case, "G").items()})
    load(D, entries_of(case, "D"))
    pipe = AugmentPipe(**cfg["augment_kwargs"])
    pipe.p = 0
    return SuperResLoss(G, D, None, lambda clips, _: stacked(pipe, clips), cfg["lr_cond_prob"], cfg["gamma"])


def check_phases(case: Case) -> dict:
    """One of each update, in the order D, R1, G, none of which steps."""
    cfg, out, seen = case.config, {}, Collector()
    low_res = "seq_length" in cfg and "h" in cfg
    loss = low_res_loss_of(case) if low_res else super_res_loss_of(case)
    chunks, batch = cfg["accum"], cfg["batch"]
    parts = [slice(i * batch // chunks, (i + 1) * batch // chunks) for i in range(chunks)]

    def noise(name: str, part: slice) -> LowResInputs:
        values = case.tensor(name)[part]
        return LowResInputs(values, torch.zeros(len(values), dtype=torch.int64))

    def main(part: slice) -> Iterator[torch.Tensor]:
        if low_res:
            return loss.discriminator_main(noise("noise_D", part), case.tensor("real")[part], None, seen)
        z, low, high = (case.tensor(name)[part] for name in ("z_D", "lr_D", "hr_D"))
        return loss.discriminator_main(z, low, high, Randomness(), Randomness(), seen)

    def reg(part: slice) -> Iterator[torch.Tensor]:
        if low_res:
            return loss.discriminator_reg(case.tensor("real_r1")[part], None, seen)
        low, high = (case.tensor(name)[part] for name in ("lr_r1", "hr_r1"))
        return loss.discriminator_reg(low, high, Randomness(), seen)

    def generator(part: slice) -> Iterator[torch.Tensor]:
        if low_res:
            return loss.generator_main(noise("noise_G", part), seen)
        return loss.generator_main(*(case.tensor(name)[part] for name in ("z_G", "lr_G")), Randomness(), seen)

    for phase, net, prefix, gain in (
        (main, loss.D, "D_main_grad.", 1),
        (reg, loss.D, "D_r1_grad.", 16),
        (generator, loss.G, "G_grad.", 1),
    ):
        loss.G.zero_grad()
        loss.D.zero_grad()
        for part in moving_once(parts, running_means(loss.G)):
            for term in phase(part):
                (term * (gain / chunks)).backward()
        strip = "" if low_res or net is loss.D else "SG3."
        out |= gradnorms(case, prefix + strip, net)
        reports, seen = seen.arrays(), Collector()
        if phase is main:
            names = {"D_score_fake": "scores/fake", "D_score_real": "scores/real", "D_loss": "D/loss"}
            names |= {"D_sign_fake": "signs/fake", "D_sign_real": "signs/real"}
            out |= {f"D.loss.{theirs}": reports[f"Loss/{ours}"] for theirs, ours in names.items()}
            state = loss.G.state_dict()
            for name in case.wanted:
                if name.startswith("G_after_D."):
                    out[name] = state[name.removeprefix("G_after_D.").removeprefix("SG3.")]
        elif phase is reg:
            out |= {"R1.loss.r1_penalty": reports["Loss/r1_penalty"], "R1.loss.r1_loss": reports["Loss/D/reg"]}
        else:
            names = {"G_score": "scores/fake", "G_sign": "signs/fake", "G_loss": "G/loss"}
            out |= {f"G.loss.{theirs}": reports[f"Loss/{ours}"] for theirs, ours in names.items()}
    return out


def check_checkpoint(case: Case) -> dict:
    """Both halves, alone and together, and their training snapshots; the case has no limits of its own."""
    data, close = case.arrays, case.manifest["tolerance"]
    files = {f"{half}-{kind}": next(case.path.glob(f"{half}_*-{kind}.pkl")) for half in HALVES for kind in KINDS}
    made = {name: import_modules(file) for name, file in files.items()}
    assert [made[f"{half}-G-ema"][0]["method"] for half in HALVES] == ["long_video_gan_lr", "long_video_gan"]
    low_G, high_G = (made[f"{half}-G-ema"][1]["G_ema"] for half in HALVES)
    low_D, high_D = (made[f"{half}-train"][1]["D"] for half in HALVES)
    given = {name: torch.from_numpy(value) for name, value in data.items() if value.ndim}
    with torch.no_grad():
        low = low_G(given["noise"], given["lr_video"].shape[2])
        got = {
            "lr_video": low,
            "hr_video": high_G(given["z"], low),
            "D_lres_logits": low_D(given["D_lres_in"]),
            "D_sres_logits": high_D(high_D.enlarge(given["D_sres_lr"]), given["D_sres_hr"]),
        }
    trees = {half: read_pickle(files[f"{half}-train"]).tree for half in HALVES}
    got["G_opt_lres_first_exp_avg"] = trees["lres"]["G_opt"]["state"][0]["exp_avg"]
    got["augment_p"] = tensors_of(trees["sres"]["augment"])["p"]
    for name, value in got.items():
        np.testing.assert_allclose(value.numpy(), data[name], **close, err_msg=name)
    return {}


HALVES, KINDS = ("lres", "sres"), ("G-ema", "train")

CHECKERS = {
    "long_video_gan/checkpoint": check_checkpoint,
    "long_video_gan/phases": check_phases,
    "long_video_gan/filtered_lrelu": check_filtered_lrelu,
    "long_video_gan/ada": check_augment,
    "long_video_gan/in_augment": check_augment,
    "long_video_gan/sres_design": check_design,
    "long_video_gan/sres_generator": check_super_res_generator,
    "long_video_gan/sres_discriminator": check_super_res_discriminator,
    "long_video_gan/ops": check_ops,
    "long_video_gan/resample": check_resample,
    "long_video_gan/schedule": check_schedule,
    "long_video_gan/blurred_noise": check_blurred_noise,
    "long_video_gan/temporal_scale": check_temporal_scale,
    "long_video_gan/lres_block": check_block,
    "long_video_gan/lres_generator": check_low_res_generator,
    "long_video_gan/lres_discriminator": check_low_res_discriminator,
}
