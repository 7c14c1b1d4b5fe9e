"""pca: the principal components of W along which MoCoGAN-HD walks (Tian et al. 2021, section 3.1)."""

from typing import Any

from styleinv.training.preparation import Material, Preparation


def make(material: Material) -> dict[str, Any]:
    """Write `components` and `stdev` of the latents of the image generator below."""
    import torch
    from safetensors.torch import save_file

    from styleinv.files import atomic
    from styleinv.methods.mocogan_hd.pca import components_of
    from styleinv.methods.stylegan2.method import load_generator_of

    pca = material.config.pca
    G, _ = load_generator_of(material.source, material.device)
    samples = 2 if material.trial else pca.samples
    found = components_of(G, samples, pca.batch, material.seed)
    with atomic(material.out) as temporary:
        save_file(
            {name: torch.tensor(value, dtype=torch.float32).contiguous() for name, value in found.items()}, temporary
        )
    return {"samples": samples}


PREPARATION = Preparation(
    name="pca",
    help="principal components of the latents that a run walks through",
    per="run",
    reads="model",
    file="pca.safetensors",
    make=make,
    settings="pca",
)
