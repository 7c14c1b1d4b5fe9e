"""Checkers of the kinds `stylegan2/*`."""

import numpy as np
import torch

from styleinv.methods.stylegan2.discriminator import Discriminator
from styleinv.methods.stylegan2.synthesis import Generator, SynthesisNetwork
from styleinv.nn.augment import AugmentPipe
from styleinv.nn.conv import conv2d_resample, modulated_conv2d
from styleinv.nn.layers import bias_act
from styleinv.nn.mapping import MappingNetwork
from styleinv.nn.resample import downsample2d, filter2d, setup_filter, upfirdn2d, upsample2d
from tests.golden.case import Case, l2, stats

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
    return {f"{name}_mean": np.array(mean), f"{name}_std": np.array(std), f"{name}_l2": np.array(norm), f"{name}_sub": sub}


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
    pipe.p.fill_(case.config["p"])
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


CHECKERS = {
    "stylegan2/ops": check_ops,
    "stylegan2/mapping": check_mapping,
    "stylegan2/synthesis": check_synthesis,
    "stylegan2/discriminator": check_discriminator,
    "stylegan2/generator_full": check_generator_full,
    "stylegan2/discriminator_full": check_discriminator_full,
    "stylegan2/ada": check_ada,
}
