"""Filling of a network with the tensors of an official file."""

from pathlib import Path

from torch import Tensor, nn

from styleinv.errors import UserError
from styleinv.training.checkpoint import mismatches


def fit(net: nn.Module, tensors: dict[str, Tensor], path: Path, name: str) -> None:
    """Fill a network on the meta device with the file's tensors, in the network's own dtypes.

    Raises:
        UserError: listing what is missing, surplus or of another shape.
    """
    own = net.state_dict()
    faults = mismatches(own, tensors)
    if faults:
        shown = "; ".join(ascii(fault)[1:-1][:120] for fault in faults[:5])
        more = f"; and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise UserError(
            f"does not fit the network of its options: {shown}{more}",
            file=path,
            field=name,
            cure="Give the unchanged file that the official code has saved.",
        )
    # Views into a file's storages become tensors of their own.
    net.load_state_dict({key: tensors[key].to(own[key].dtype).contiguous().clone() for key in own}, assign=True)
    net.eval().requires_grad_(False)
