"""Truncation: latents moved towards their mean, where a method has such latents."""

from torch import nn

from styleinv.errors import UserError
from styleinv.generator import VideoGenerator
from styleinv.nn.mapping import MappingNetwork


def truncate(generator: VideoGenerator, psi: float) -> None:
    """Let every mapping network of a loaded generator move its w towards the mean.

    Args:
        generator: as a method's `load_generator` returns it.
        psi: 1 leaves w as it is, 0 is the mean.

    Raises:
        UserError: another number, or a method whose latents have no mean.
    """
    if not 0 <= psi <= 1:
        raise UserError("must lie between 0 and 1", field="--psi", cure="Leave it out for 1.")
    parts = [part for part in vars(generator).values() if isinstance(part, nn.Module)]
    mappings = [net for part in parts for net in part.modules() if isinstance(net, MappingNetwork)]
    mappings = [net for net in mappings if hasattr(net, "w_avg")]
    if not mappings:
        raise UserError("is nothing that this method knows", field="--psi", cure="Leave it out.")
    for net in mappings:
        net.psi = psi
