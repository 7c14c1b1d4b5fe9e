"""crop: cut square frames out of the raw videos into one frame store."""

import logging
from typing import Any

from styleinv.crop.align import Aligner
from styleinv.crop.crop_dataset import crop_dataset
from styleinv.crop.settings import Alignment
from styleinv.data.census import account
from styleinv.data.manifest import Manifest
from styleinv.errors import UserError
from styleinv.files import write_json
from styleinv.provenance import Recorder
from styleinv.schema import fingerprint
from styleinv.stages.setting import Setting
from styleinv.training.distribution import device_of

log = logging.getLogger(__name__)

STAND_IN = "landmarks: rendered - exact landmarks stand in for RetinaFace and FAN; shake figures say nothing of them"


def crop(dataset: str, setting: Setting) -> None:
    """Write `census.json` and `frames.zip`, and for FFHQ crops `shake.json`: how much each clip shakes.

    Raises:
        UserError: for unusable videos, or when the raw videos or the networks' weights are not there.
    """
    config, paths = setting.dataset(dataset), setting.paths
    manifest = Manifest.read(paths.raw(dataset))
    raw, out = paths.raw_videos(dataset), paths.frames(dataset)
    for video in manifest.videos:
        if not (raw / video.file).exists():
            cure = f"Run `styleinv fetch {dataset} --config {setting.config}`."
            raise UserError("is gone", file=raw / video.file, cure=cure)
    recorder = Recorder("crop", dataset, fingerprint(config), [paths.raw(dataset)])
    aligner = None
    if isinstance(config.crop, Alignment):
        device = device_of(setting.scale.device)
        aligner = make_aligner(config.crop, config.resolution, setting, device)
    census = crop_dataset(manifest, raw, out, config, aligner)
    write_json(paths.census(dataset), account(census, manifest, config.expected).plain())
    outputs = [out, paths.census(dataset)]
    used, extra = "cpu", {}
    paths.shake(dataset).unlink(missing_ok=True)
    if aligner is not None:
        clips = {kept.name: kept.shake for kept in census.kept}
        report = {"stand_in": aligner.stand_in, **aligner.settings.record(), "all": census.shake, "clips": clips}
        write_json(paths.shake(dataset), report)
        outputs.append(paths.shake(dataset))
        used = str(device) if aligner.hashes else "cpu"
        extra = {"weights": aligner.hashes, "stand_in": aligner.stand_in, "shake": census.shake}
    recorder.write(paths.provenance(paths.data(dataset), "crop"), outputs, used, **extra)


def make_aligner(settings: Alignment, resolution: int, setting: Setting, device: Any) -> Aligner:
    """Make an aligner, and log a warning where it is a stand-in.

    Raises:
        UserError: the networks' weights are not there or not the right ones.
    """
    aligner = Aligner(settings, resolution, setting.paths.weights, device)
    if aligner.stand_in:
        log.warning(STAND_IN)
    return aligner
