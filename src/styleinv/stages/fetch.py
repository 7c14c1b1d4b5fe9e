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
        manifest = fetch_synthetic(
            raw,
            videos=source.videos,
            frames=source.frames,
            size=source.size,
            fps=config.fps or 25,
            seed=source.seed,
            identities=source.identities,
            drawing=source.drawing,
        )
    out = setting.paths.raw(dataset)
    write_json(out, manifest)
    recorder.write(setting.paths.data(dataset) / "fetch.provenance.json", [out])
