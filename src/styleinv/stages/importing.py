"""import and export: official checkpoints in, rosinality's layout out."""

from pathlib import Path

from styleinv.files import sha256, write_json
from styleinv.interop.export import export_generator
from styleinv.interop.official import import_modules
from styleinv.training.checkpoint import save_model


def import_file(file: Path, out: Path) -> list[Path]:
    """Write an official checkpoint as a model of this project.

    Args:
        file: an official checkpoint, or the folder of one that consists of several files.
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
            "sha256": {part.name: sha256(part) for part in sorted(file.iterdir()) if part.is_file()}
            if file.is_dir()
            else sha256(file),
            "kind": description["method"],
            "modules": sorted(modules),
            "options": description,
        },
    )
    return [model, record]


def export_file(model: Path, out: Path) -> Path:
    """Write the averaged image generator of a model as a `g_ema` state dict; returns `out`.

    Raises:
        UserError: for a model without one, or of an architecture that the layout cannot express.
    """
    export_generator(model, out, "rosinality")
    return out
