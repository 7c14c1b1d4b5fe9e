"""pca: principal components of the latents of the image generator that a run builds on."""

import torch
from safetensors.torch import save_file

from styleinv.errors import UserError
from styleinv.files import atomic
from styleinv.methods.mocogan_hd.pca import components_of
from styleinv.methods.stylegan2.method import load_generator_of
from styleinv.provenance import Recorder
from styleinv.runs import Run
from styleinv.schema import fingerprint
from styleinv.stages.setting import Setting
from styleinv.stages.train import configuration_of, upstream_of
from styleinv.training.distribution import World


def pca(run: Run, setting: Setting) -> None:
    """Write the components for a run whose method needs them.

    Raises:
        UserError: for a method without such a stage, or a missing image generator.
    """
    config, below = configuration_of(run, setting), upstream_of(run, setting)
    if below is None or not hasattr(config, "pca"):
        raise UserError(f"{run.method} needs no principal components", cure="Name a run of mocogan_hd.")
    model, out = setting.paths.model(below), setting.paths.pca(run)
    device = World(setting.scale.device).device
    G, _ = load_generator_of(model, device)
    recorder = Recorder("pca", str(run), fingerprint(config.pca), [model])
    found = components_of(G, config.pca.samples, config.pca.batch, setting.scale.seed)
    with atomic(out) as temporary:
        save_file(
            {name: torch.tensor(value, dtype=torch.float32).contiguous() for name, value in found.items()}, temporary
        )
    recorder.write(setting.paths.run(run) / "pca.provenance.json", [out], str(device), samples=config.pca.samples)
