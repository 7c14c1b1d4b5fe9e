"""crop: cut square frames out of the raw videos into one frame store."""

from styleinv.config import fingerprint
from styleinv.crop.dataset import crop_dataset
from styleinv.data.census import account
from styleinv.errors import UserError
from styleinv.files import read_json, write_json
from styleinv.provenance import Recorder
from styleinv.stages.setting import Setting


def crop(dataset: str, setting: Setting) -> None:
    """Write `census.json` and `frames.zip`.

    Raises:
        UserError: for unusable videos, or when the raw videos are gone.
    """
    config, paths = setting.dataset(dataset), setting.paths
    manifest = read_json(paths.raw(dataset))
    raw, out = paths.raw_videos(dataset), paths.frames(dataset)
    for video in manifest["videos"]:
        if not (raw / video["file"]).exists():
            raise UserError(
                "is gone", file=raw / video["file"], cure=f"Run `styleinv fetch {dataset} --config {setting.config}`."
            )
    recorder = Recorder("crop", dataset, fingerprint(config), [paths.raw(dataset)])
    census = crop_dataset(
        manifest,
        raw,
        out,
        config.crop.type,
        config.crop.border,
        config.resolution,
        config.fps,
        config.codec,
        config.min_frames,
        config.on_bad_video,
    )
    write_json(paths.census(dataset), account(census, manifest, config.expected))
    recorder.write(paths.data(dataset) / "crop.provenance.json", [out, paths.census(dataset)])
