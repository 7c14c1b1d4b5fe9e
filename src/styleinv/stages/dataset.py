"""dataset: turn a user's own folder of videos into a data set."""

from pathlib import Path

from styleinv.data.settings import trainable
from styleinv.data.video import list_videos
from styleinv.errors import UserError
from styleinv.files import unexpanded, write_text
from styleinv.runs import NAME
from styleinv.schema import is_text, quoted
from styleinv.stages.setting import Setting

TEMPLATE = """\
# {name}: a folder of videos
title: {name}
source:
  type: folder
  path: {path}
crop:
  type: centre          # the centre square of every frame; `ffhq` the aligned face; `mask` needs original/ and mask/
resolution: {resolution}
fps: null               # keep each video's frames; a number resamples all videos to one rate
codec: jpeg95           # jpeg75 | jpeg95 | png
min_frames: 128         # shorter videos cannot train StyleInV nor count in FVD128
on_bad_video: error     # `skip` leaves bad videos out and lists them in census.json
"""

# The way from a folder of videos to a table, in the order of docs/my-videos.md.
DATASET = "styleinv dataset {folder} --name {name} --resolution 32"
STUDY = "snakemake table1 report --profile profiles/demo --config 'datasets=[{name}]'"


def write_dataset(folder: Path, name: str, resolution: int, setting: Setting) -> str:
    """Write config/datasets/<name>.yaml for a folder of videos; returns what to do next.

    Raises:
        UserError: for a bad name, an existing data set or a folder without videos.
    """
    if not NAME.match(name) or not is_text(name):
        cure = "Use lower-case letters, digits and _, and no number or word that YAML reads as something else."
        raise UserError(f"{name!r} is no name", field="--name", cure=cure)
    try:
        trainable(resolution)
    except ValueError as error:
        cure = "Use 32, 64, 128, 256 ..."
        raise UserError(f"{error}, not {resolution}", field="--resolution", cure=cure) from None
    list_videos(folder)
    out = setting.config.parent / "datasets" / f"{name}.yaml"
    if out.exists():
        raise UserError("exists already", file=out, cure="Choose another --name or edit that file.")
    path = unexpanded(folder.resolve())
    if not _is_utf8(path):
        raise UserError("is no UTF-8, which no YAML can hold", file=folder, cure="Rename it.")
    write_text(out, TEMPLATE.format(name=name, path=quoted(path), resolution=resolution))
    return f"wrote {out}\nnext: {STUDY.format(name=name)}"


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
