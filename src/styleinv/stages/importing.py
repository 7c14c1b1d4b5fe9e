"""Import an official checkpoint: `styleinv import FILE --out DIR`."""

from pathlib import Path

from styleinv.files import sha256, write_json
from styleinv.interop.official import import_modules
from styleinv.training.checkpoint import save_model


def import_file(file: Path, out: Path) -> list[Path]:
    """Write an official checkpoint as a model of this project.

    Args:
        file: a pickle of StyleGAN2-ADA, of StyleInV's inversion or video stage, or a `g_ema` state dict.
        out: folder that gets `model.safetensors` and `imported.json` (source, hash, kind, options).

    Returns:
        The files written.

    Raises:
        UserError: for anything else; nothing is written then.
    """
    description, modules = import_modules(file)
    model, record = out / "model.safetensors", out / "imported.json"
    save_model(model, modules, description)
    write_json(
        record,
        {
            "source": file.name,
            "sha256": sha256(file),
            "kind": description["method"],
            "modules": sorted(modules),
            "options": description,
        },
    )
    return [model, record]
