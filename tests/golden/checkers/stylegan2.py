"""Checkers of the kinds `stylegan2/*`."""

import numpy as np
import torch

from styleinv.methods.stylegan2.discriminator import Discriminator
from styleinv.methods.stylegan2.loss import StyleGAN2Loss
from styleinv.methods.stylegan2.synthesis import Generator, SynthesisNetwork
from styleinv.nn.augment import AugmentPipe
from styleinv.nn.conv import conv2d_resample, modulated_conv2d
from styleinv.nn.layers import bias_act
from styleinv.nn.mapping import MappingNetwork
from styleinv.nn.precision import channels_at, half_from
from styleinv.nn.resample import downsample2d, setup_filter, upfirdn2d, upsample2d
from styleinv.training import schedule
from styleinv.training.ada import ada_update
from styleinv.training.draws import Draws
from styleinv.training.ema import ema_beta
from tests.golden.case import Case, l2, stats
from tests.golden.oracles.stylegan2 import auto_config, discriminator_both, filter2d, generator_both

RESAMPLERS = {"upfirdn2d": upfirdn2d, "filter2d": filter2d, "upsample2d": upsample2d, "downsample2d": downsample2d}


def check_ops(case: Case) -> dict:
    out = {}
    for i, sub in enumerate(case.config["subcases"]):
        arrays = {key[3:]: torch.from_numpy(v.copy()) for key, v in case.inputs.items() if key.startswith(f"{i:02d}/")}
        if sub["op"] == "setup_filter":
            out[f"{i:02d}/y"] = setup_filter(sub["f"], **sub["args"])
            continue
        x = arrays["x"].requires_grad_(bool(sub.get("grad")))
        args = dict(sub["args"])
        taps = None
        if sub.get("f") is not None:
            taps = setup_filter(sub["f"], **sub.get("f_args", {}))
        if sub["op"] == "bias_act":
            y = bias_act(x, arrays.get("b"), **args)
        elif sub["op"] == "conv2d_resample":
            y = conv2d_resample(x, arrays["w"], taps, **args)
        elif sub["op"] == "modulated_conv2d":
            args.pop("fused_modconv", None)
            data = x.half() if sub.get("half") else x
            y = modulated_conv2d(
                data, arrays["w"], arrays["s"], noise=arrays.get("noise"), resample_filter=taps, **args
            ).float()
        else:
            y = RESAMPLERS[sub["op"]](x, taps, **args)
        out[f"{i:02d}/y"] = y
        if sub.get("grad"):
            (y * arrays["r"]).sum().backward()
            out[f"{i:02d}/grad_x"] = x.grad
    return out


def check_mapping(case: Case) -> dict:
    net = case.load(MappingNetwork(**case.config["kwargs"])).eval()
    z = case.tensor("z").requires_grad_()
    c = case.tensor("c") if "c" in case.inputs else None
    k = case.config["cut"]
    ws = net(z, c)
    (ws[:, 0] * case.tensor("r")).sum().backward()
    last = ws.shape[1] - 1
    out = {"ws_shape": np.array(ws.shape), "w": ws[:, 0], "grad_z": z.grad}
    out["w_psi0.7"] = net(z, c, truncation_psi=0.7)[:, 0]
    out[f"ws_psi0.5_cut{k}"] = net(z, c, truncation_psi=0.5, truncation_cutoff=k)[:, [0, k - 1, k, last]]
    net.train()
    net(z, c, skip_w_avg_update=True)
    out["w_avg_after_skip"] = net.w_avg.clone()
    net(z, c)
    out["w_avg_after_1_train_forward"] = net.w_avg.clone()
    return out


def check_synthesis(case: Case) -> dict:
    net = case.load(SynthesisNetwork(**{"use_noise": case.config["noise"]} | case.config["kwargs"])).eval()
    ws = case.tensor("ws").requires_grad_()
    img = net(ws, noise_mode="const")
    (img * case.tensor("r")).sum().backward()
    params = dict(net.named_parameters())
    out = {"img": img, "img_const": img, "img_none": net(ws, noise_mode="none"), "grad_ws": ws.grad}
    out["param_grad_l2"] = np.array([l2(params[n].grad) for n in case.manifest["vector_names"]["param_grad_l2"]])
    with torch.no_grad():
        train = net.train()(ws, noise_mode="const")
    out["img_const_unfused_maxdiff"] = np.array(float((train - img).abs().max()))
    return out


def check_discriminator(case: Case) -> dict:
    net = case.load(Discriminator(**case.config["kwargs"]))
    img = case.tensor("img").requires_grad_()
    c = case.tensor("c") if "c" in case.inputs else None
    logits = net(img, c)
    (logits * case.tensor("r")).sum().backward()
    assert img.grad is not None
    params = dict(net.named_parameters())
    out = {"logits": logits} | _summary("grad_img", img.grad, case.config["stride"])
    out["param_grad_l2"] = np.array([l2(params[n].grad) for n in case.manifest["vector_names"]["param_grad_l2"]])
    return out


def _summary(name: str, x: torch.Tensor, stride: int, strict: bool = True) -> dict:
    n, c = (x.shape[0] > 4, x.shape[1] > 4) if strict else (False, False)
    sub = x[:: stride if n else 1, :: stride if c else 1, ::stride, ::stride]
    mean, std, norm = stats(x)[:3]
    return {
        f"{name}_mean": np.array(mean),
        f"{name}_std": np.array(std),
        f"{name}_l2": np.array(norm),
        f"{name}_sub": sub,
    }


def check_generator_full(case: Case) -> dict:
    net = case.load(Generator(**case.config["kwargs"])).eval()
    z, stride, psi = case.tensor("z"), case.config["stride"], case.config["psi"]
    with torch.no_grad():
        ws = net.mapping(z, truncation_psi=psi)
        out = {"w": ws[:, 0], "num_ws": np.array(net.num_ws)}
        out |= _summary("img_const", net.synthesis(ws, noise_mode="const"), stride, strict=False)
        out |= _summary("img_none", net.synthesis(ws, noise_mode="none"), stride, strict=False)
    return out


def check_discriminator_full(case: Case) -> dict:
    net = case.load(Discriminator(**case.config["kwargs"]))
    up = case.config["nearest_up"]
    img = case.tensor("img_lowres").repeat_interleave(up, dim=2).repeat_interleave(up, dim=3)
    with torch.no_grad():
        return {"logits": net(img)}


def check_ada(case: Case) -> dict:
    pipe = AugmentPipe(**case.config["kwargs"])
    stored = case.state()
    for name, value in stored.items():
        torch.testing.assert_close(getattr(pipe, name), value, rtol=1e-6, atol=1e-7) if name != "p" else None
    pipe.p = case.config["p"]
    out = {}
    for q in case.config["percentiles"]:
        x = case.tensor("x").requires_grad_(q in case.config["grad_q"])
        y = pipe(x, debug_percentile=q)
        out[f"y_q{q:.2f}"] = y
        if x.requires_grad:
            (y * case.tensor("r")).sum().backward()
            out[f"grad_x_q{q:.2f}"] = x.grad
    if "y_seeded" in case.outputs:
        torch.manual_seed(case.config["torch_seed"])
        out["y_seeded"] = pipe(case.tensor("x"))
    return out


class Collector:
    """The official statistics: every reported element, in call order."""

    def __init__(self) -> None:
        self.seen: dict[str, list[np.ndarray]] = {}

    def __call__(self, name: str, value: torch.Tensor) -> None:
        self.seen.setdefault(name, []).append(value.detach().double().reshape(-1).numpy())

    def arrays(self) -> dict[str, np.ndarray]:
        return {name: np.concatenate(parts) for name, parts in self.seen.items()}


def check_loss(case: Case) -> dict:
    cfg, out = case.config, {}
    names = case.manifest["vector_names"]
    draws = Draws(0, 0, "golden", (0,))
    z, real, pl_noise = case.tensor("gen_z"), case.tensor("real_img"), case.tensor("pl_noise")
    for name in cfg["phases"]:
        G = case.load(Generator(**cfg["G"]), prefix="G.").train()
        D = case.load(Discriminator(**cfg["D"]), prefix="D.").train()
        augment = None
        if "aug" in cfg:
            pipe = AugmentPipe(**cfg["aug"])
            q = cfg["aug_q"]
            augment = lambda images, generator, pipe=pipe, q=q: pipe(images, debug_percentile=q)  # noqa: E731
        loss = StyleGAN2Loss(G, D, augment, noise_mode=cfg["noise_mode"], **cfg["loss"])
        loss.pl_mean = torch.tensor(float(cfg["pl_mean0"]))
        report = Collector()
        phases = {
            "Gmain": lambda loss=loss, report=report: loss.generator_main(z, draws, report),
            "Greg": lambda loss=loss, report=report: loss.generator_reg(z, draws, report, pl_noise),
            "Gboth": lambda loss=loss, report=report: generator_both(loss, z, draws, report, pl_noise),
            "Dmain": lambda loss=loss, report=report: loss.discriminator_main(z, real, draws, report),
            "Dreg": lambda loss=loss, report=report: loss.discriminator_reg(real, draws, report),
            "Dboth": lambda loss=loss, report=report: discriminator_both(loss, z, real, draws, report),
        }
        active = {"G": G, "D": D}[name[0]]
        for net in (G, D):
            net.requires_grad_(net is active)
        for term in phases[name]():
            (term * cfg["gains"][name]).backward()
        params = dict(active.named_parameters())
        out |= {f"{name}/{key}": value for key, value in report.arrays().items()}
        order = names[f"{name[0]}_grad_l2"]
        out[f"{name}/grad_l2"] = np.array([l2(params[n].grad) for n in order])
        for full in cfg["full_grads"][name[0]]:
            grad = params[full].grad
            out[f"{name}/grad/{full}"] = torch.zeros_like(params[full]) if grad is None else grad
        out[f"{name}/pl_mean_after"] = loss.pl_mean
        out[f"{name}/w_avg_after"] = G.mapping.w_avg.clone()
    return out


def check_schedule(case: Case) -> dict:
    functions = {
        "lazy_reg": lambda lr, betas, interval: dict(
            zip(("lr", "betas"), schedule.lazy_regularization(lr, betas, interval), strict=True)
        ),
        "ema_beta": lambda batch, ema_kimg, ramp, cur: ema_beta(batch, ema_kimg, ramp, cur),
        "ada_p": lambda p, signs, target, batch, interval, ada_kimg: ada_update(
            p, signs, target, batch, interval, ada_kimg
        ),
        "auto_cfg": lambda res, gpus: auto_config(res, gpus),
        "channels": lambda res, base, mx: {
            str(2**i): channels_at(2**i, base, mx) for i in range(2, int(np.log2(res)) + 1)
        },
        "fp16_blocks": lambda res, n: {
            "threshold": half_from(res, n),
            "blocks": [2**i for i in range(2, int(np.log2(res)) + 1) if 2**i >= half_from(res, n)],
        },
    }
    for entry in case.manifest["cases"]:
        got = functions[entry["fn"]](**entry["args"])
        _same(got, entry["expected"], entry)
    return {}


def _same(got, want, entry) -> None:
    if isinstance(want, dict):
        assert set(got) == set(want), entry
        for key in want:
            _same(got[key], want[key], entry)
    elif isinstance(want, list):
        assert len(got) == len(want), entry
        for a, b in zip(got, want, strict=True):
            _same(a, b, entry)
    else:
        assert np.isclose(got, want, rtol=1e-6, atol=1e-12), (got, entry)


CHECKERS = {
    "stylegan2/loss": check_loss,
    "stylegan2/schedule": check_schedule,
    "stylegan2/ops": check_ops,
    "stylegan2/mapping": check_mapping,
    "stylegan2/synthesis": check_synthesis,
    "stylegan2/discriminator": check_discriminator,
    "stylegan2/generator_full": check_generator_full,
    "stylegan2/discriminator_full": check_discriminator_full,
    "stylegan2/ada": check_ada,
}
