"""Checkers of the kinds `style_transfer/*`."""

import numpy as np

from styleinv.methods.style_transfer.loss import StyleTransferLoss, tuned_parameters
from styleinv.methods.stylegan2.discriminator import Discriminator
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.nn.identity import IDLoss
from styleinv.training.draws import Draws
from tests.golden.case import Case, l2
from tests.golden.checkers.inversion import load_lpips
from tests.golden.checkers.stylegan2 import Collector


def check_loss(case: Case) -> dict:
    cfg, order, out = case.config, case.manifest["vector_names"]["G"], {}
    transfer, draws, z = cfg["transfer"], Draws(0, 0, "golden", (0,)), case.tensor("gen_z")
    perceptual_weight, identity_weight = transfer["perceptual_weight"], transfer["identity_weight"]
    start = transfer["finetune_start"] if transfer["finetune_start"] >= 0 else None
    for phase in sorted({name.split("/")[0] for name in case.outputs if name.startswith("G")}):
        G = case.load(Generator(**cfg["G"]), prefix="G.").train().requires_grad_(False)
        D = case.load(Discriminator(**cfg["D"]), prefix="D.").train().requires_grad_(False)
        loss = StyleTransferLoss(
            G,
            D,
            case.load(Generator(**cfg["G"]), prefix="G_raw.").eval().requires_grad_(False),
            perceptual=load_lpips(case, "vgg", prefix="percept.") if perceptual_weight > 0 else None,
            identity=case.load(IDLoss(), prefix="identity.") if identity_weight > 0 else None,
            perceptual_weight=perceptual_weight,
            identity_weight=identity_weight,
            path_length=start is None,
            style_mixing_prob=0,
            noise_mode="const",
        )
        for param in tuned_parameters(G, start):
            param.requires_grad_()
        params = dict(G.named_parameters())
        out["trainable_mask"] = np.array([float(params[n].requires_grad) for n in order])
        report = Collector()
        terms = {"Gmain": loss.generator_main, "Greg": loss.generator_reg}[phase](z, draws, report)
        for term in terms:
            term.backward()
        out |= {f"{phase}/{name}": value for name, value in report.arrays().items()}
        out[f"{phase}/grad_l2"] = np.array([l2(params[n].grad) for n in order])
    return out


CHECKERS = {"style_transfer/loss": check_loss}
