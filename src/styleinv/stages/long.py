"""long: hours of video, in parts that a broken-off call keeps."""

import time
from collections.abc import Iterator
from pathlib import Path

from styleinv.data.video import join_videos, write_video
from styleinv.errors import UserError
from styleinv.files import read_json, sha256, write_json
from styleinv.runs import Run
from styleinv.stages.model import CHUNK
from styleinv.stages.pack import load_model
from styleinv.stages.setting import Setting

# Frames of a part: some seconds of work are lost where a call is broken off.
PART = 8 * CHUNK


def long(
    run: Run | Path,
    setting: Setting,
    out: Path,
    hours: float | None = None,
    frames: int | None = None,
    seed: int = 0,
    fps: float | None = None,
) -> Iterator[str]:
    """Write `<seed>.mp4` in constant memory; called again, it goes on where it was broken off.

    The parts in `<seed>.parts` are joined without decoding a frame. The frames are those of one long video: the same,
    bit by bit, as `generate` makes of the same times.

    Args:
        run, setting: the trained run.
        out: the folder for the video.
        hours, frames: how long; an hour where neither is given.
        seed: of the video.
        fps: as for `Model.times`.

    Yields:
        A line for each part, with the rate and the time that is left, and the name of the video.
    """
    if hours is not None and not hours > 0:
        raise UserError("must be positive", field="--hours", cure="Give a positive number.")
    model = load_model(run, setting)
    seconds = 3600 * (1.0 if hours is None else hours) if frames is None else None
    times = model.times(frames, seconds, fps)
    parts, rate = out / f"{seed:06d}.parts", fps or model.fps
    _open(parts, {"model": sha256(model.file), "seed": seed, "fps": rate, "part": PART})
    pieces = times.split(PART)
    # By first frame and length: the last part of a shorter video is not the whole one of a longer.
    files = [parts / f"{PART * i:09d}-{len(piece)}.mp4" for i, piece in enumerate(pieces)]
    began, made, done = time.monotonic(), 0, 0
    for file, piece in zip(files, pieces, strict=True):
        done += len(piece)
        if file.exists():
            continue
        write_video(file, model.stream(seed, piece), rate)
        made += len(piece)
        speed = made / (time.monotonic() - began)
        left = (len(times) - done) / speed
        yield f"{done} of {len(times)} frames, {speed:.1f} frames/s, {left / 60:.0f} min left"
    join_videos(video := out / f"{seed:06d}.mp4", files, model.note)
    yield str(video)


def _open(parts: Path, told: dict) -> None:
    """Make the folder of the parts, or refuse one that holds those of another video."""
    parts.mkdir(parents=True, exist_ok=True)
    record = parts / "video.json"
    if record.exists() and read_json(record) != told:
        cure = "Remove that folder, or give another --out."
        raise UserError("holds parts of another video, or of another model", file=parts, cure=cure)
    write_json(record, told)
