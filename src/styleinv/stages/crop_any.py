"""crop: a data set, or one video file."""

from pathlib import Path
from typing import Any

from styleinv.data.video import is_video
from styleinv.errors import UserError
from styleinv.stages.crop import crop
from styleinv.stages.crop_video import crop_video
from styleinv.stages.setting import Setting


def crop_any(what: str, setting: Setting, **options: Any) -> str | None:
    """Crop the data set of a name, or the video at a path, which alone has options.

    Args:
        what: name or path.
        setting: configuration and results.
        options: out, align, landmarks, boxes, preset, changes, resolution, device, report of `styleinv crop FILE`.

    Raises:
        UserError: options for a data set, or what the two commands raise.
    """
    if not (is_video(what) or Path(what).is_file()):
        for option, value in options.items():
            if value:
                name = "--set" if option == "changes" else f"--{option}"
                cure = f"Say it in config/datasets/{what}.yaml, or name a file that exists."
                raise UserError(f"is for a video file, not for the data set {what}", field=name, cure=cure)
        crop(what, setting)
        return None
    keys = {"preset": options["preset"] or "ours"} | dict(map(_key_and_value, options["changes"] or ()))
    for key in ("landmarks", "boxes"):
        if (file := options[key]) is not None:
            if file.suffix != ".npz":
                raise UserError(
                    "is no .npz file", file=file, field=f"--{key}", cure="docs/cropping.md says how to write it."
                )
            if key in keys:
                raise UserError(
                    f"says what --set {key}={keys[key]} says", field=f"--{key}", cure="Leave one of them out."
                )
            keys[key] = str(file)
    resolution = 256 if options["resolution"] is None else options["resolution"]
    out, device = options["out"] or Path("cropped"), options["device"] or "auto"
    return crop_video(Path(what), out, keys, resolution, options["report"], device, setting)


def _key_and_value(word: str) -> tuple[str, str]:
    key, given, value = word.partition("=")
    if not given:
        raise UserError(f"{word!r} sets nothing", field="--set", cure="Write --set KEY=VALUE, such as jitters=20.")
    return key, value
