"""Official checkpoints as tests look at them."""

from pathlib import Path
from typing import Any

from torch import Tensor

from styleinv.interop.official import import_modules


def import_checkpoint(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """An official checkpoint as (description, tensors `<module>.<name>`), just as `read_model` gives a model."""
    description, modules = import_modules(path)
    return description, {f"{m}.{key}": value for m, net in modules.items() for key, value in net.state_dict().items()}
