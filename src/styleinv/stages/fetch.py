"""fetch: obtain the raw videos of a data set and write down what they are."""

from styleinv.config import DatasetConfig
from styleinv.data import sources
from styleinv.data.manifest import Manifest
from styleinv.data.source import Job
from styleinv.data.youtube import Extractor
from styleinv.files import write_json
from styleinv.provenance import Recorder
from styleinv.schema import fingerprint
from styleinv.stages.setting import Setting


def fetch(dataset: str, setting: Setting, extractor: Extractor | None = None) -> None:
    """Fill `raw/` and write `raw.json`; `extractor` takes the place of yt-dlp."""
    config = setting.dataset(dataset)
    recorder = Recorder("fetch", dataset, fingerprint(config), [])
    kind = sources.get(config.source.type)
    manifest: Manifest = kind.fetch(config.source, source_job(dataset, config, setting, extractor))
    out = setting.paths.raw(dataset)
    write_json(out, manifest.plain())
    recorder.write(setting.paths.provenance(setting.paths.data(dataset), "fetch"), [out])


def source_job(dataset: str, config: DatasetConfig, setting: Setting, extractor: Extractor | None = None) -> Job:
    """Describe the fetch of a data set to its source."""
    return Job(
        raw=setting.paths.raw_videos(dataset),
        lock=setting.config.parent / "data.lock.json",
        fps=config.fps or 25.0,
        resampled=config.fps,
        min_frames=config.min_frames,
        on_bad_video=config.on_bad_video,
        as_published=config.expected is not None,
        extractor=extractor,
    )
