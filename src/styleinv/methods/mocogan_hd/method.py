"""Training MoCoGAN-HD (Tian et al., ICLR 2021) in one of its three forms."""

from safetensors.torch import load_file

from styleinv.methods.context import Context
from styleinv.methods.mocogan_hd.cross_domain import CrossDomainMoCoGANHD
from styleinv.methods.mocogan_hd.generate import load_generator
from styleinv.methods.mocogan_hd.in_domain import MoCoGANHD
from styleinv.methods.mocogan_hd.motion import MotionGenerator
from styleinv.methods.mocogan_hd.options import Config
from styleinv.methods.mocogan_hd.sparse import SparseMoCoGANHD
from styleinv.methods.stylegan2.method import check_resolution, load_generator_of
from styleinv.training.method import Method

__all__ = ["Config", "create", "load_generator"]


def create(config: Config, context: Context) -> Method:
    """Build the method that `discriminator` names: in-domain, across domains, or first-frame-aware and sparse."""
    G, description = load_generator_of(context.upstream["stylegan2"], context.device)
    check_resolution(G, context.store, context.upstream["stylegan2"])
    if G.w_dim != G.z_dim:
        raise ValueError(f"the walk needs an image generator whose z ({G.z_dim}) is as wide as its w ({G.w_dim})")
    options = {"z_dim": G.w_dim} | config.motion.model_dump()
    R = MotionGenerator(**options)
    statistics = load_file(context.upstream["pca"])
    R.set_components(statistics["components"], statistics["stdev"])
    R = R.train().requires_grad_(False).to(context.device)
    described = description | {"method": "mocogan_hd", "motion": options}
    if config.parent is not None and config.discriminator != "cross_domain":
        raise ValueError(
            f"images of {config.parent} cannot be compared with these frames; use the variant cross_domain"
        )
    if config.discriminator == "cross_domain":
        return CrossDomainMoCoGANHD(config, context, G, R, described)
    if config.discriminator == "sparse":
        return SparseMoCoGANHD(config.sparse, config.training, context, G, R, described)
    return MoCoGANHD(config, context, G, R, described)
