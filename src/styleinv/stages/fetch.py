"""fetch: obtain the raw videos of a data set and write down what they are."""

from styleinv.config import FolderSource, expand, fingerprint
from styleinv.data.fetch import fetch_folder, fetch_synthetic
from styleinv.files import write_json
from styleinv.provenance import Recorder
from styleinv.stages.setting import Setting


def fetch(dataset: str, setting: Setting) -> None:
    """Fill `raw/` and write `raw.json`."""
    config = setting.dataset(dataset)
    source, raw = config.source, setting.paths.raw_videos(dataset)
    recorder = Recorder("fetch", dataset, fingerprint(config), [])
    if isinstance(source, FolderSource):
        manifest = fetch_folder(expand(source.path), raw, config.min_frames, config.on_bad_video)
    else:
        fps = config.fps or 25
        manifest = fetch_synthetic(raw, source.videos, source.frames, source.size, fps, source.seed, source.identities)
    out = setting.paths.raw(dataset)
    write_json(out, manifest)
    recorder.write(setting.paths.data(dataset) / "fetch.provenance.json", [out])
