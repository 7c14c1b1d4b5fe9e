"""dataset: turn a user's own folder of videos into a data set."""

from pathlib import Path

from styleinv.data.video import list_videos
from styleinv.errors import UserError
from styleinv.files import write_text
from styleinv.runs import NAME
from styleinv.stages.setting import Setting

TEMPLATE = """\
# {name}: videos of {folder}
title: {name}
source:
  type: folder
  path: {folder}
crop:
  type: centre          # the centre square of every frame; `ffhq` the aligned face; `mask` needs original/ and mask/
resolution: {resolution}
fps: null               # keep each video's frames; a number resamples all videos to one rate
codec: jpeg95           # jpeg75 | jpeg95 | png
min_frames: 128         # shorter videos cannot train StyleInV nor count in FVD128
on_bad_video: error     # `skip` leaves bad videos out and lists them in census.json
"""


def write_dataset(folder: Path, name: str, resolution: int, setting: Setting) -> str:
    """Write config/datasets/<name>.yaml for a folder of videos; returns what to do next.

    Raises:
        UserError: for a bad name, an existing data set or a folder without videos.
    """
    if not NAME.match(name):
        raise UserError(f"{name!r} is no name", field="--name", cure="Use lower-case letters, digits and _.")
    if resolution < 8 or resolution & (resolution - 1):
        raise UserError(f"{resolution} is no power of two", field="--resolution", cure="Use 32, 64, 128, 256 ...")
    list_videos(folder)
    out = setting.config.parent / "datasets" / f"{name}.yaml"
    if out.exists():
        raise UserError("exists already", file=out, cure="Choose another --name or edit that file.")
    write_text(out, TEMPLATE.format(name=name, folder=folder.resolve(), resolution=resolution))
    return f"wrote {out}\nnext: snakemake table1 report --cores all --config 'datasets=[{name}]'"
