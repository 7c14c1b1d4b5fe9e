"""data doctor: ask whether the sources of the data sets are there."""

import datetime
from collections.abc import Iterator, Sequence

from styleinv.data import sources
from styleinv.data.source import Probe
from styleinv.data.youtube import Extractor
from styleinv.errors import SourceDown, UserError, of_system
from styleinv.stages.fetch import source_job
from styleinv.stages.setting import Setting


def doctor(names: Sequence[str], setting: Setting, extractor: Extractor | None = None) -> Iterator[str]:
    """Ask every source of data and yield one dated line for each.

    Args:
        names: data sets; all of config/datasets if none are given.
        setting: where they are.
        extractor: what takes the place of yt-dlp.

    Raises:
        SourceDown: after the last line, if any source is not there.
        UserError: an unknown data set.
    """
    chosen = list(names) or sorted(file.stem for file in (setting.config.parent / "datasets").glob("*.yaml"))
    configs = {name: setting.dataset(name) for name in chosen}
    down = []
    for name, config in configs.items():
        try:
            kind = sources.get(config.source.type)
            probe = kind.probe(config.source, source_job(name, config, setting, extractor))
        except UserError as error:
            probe = Probe(False, str(error))
        except OSError as error:
            probe = Probe(False, str(of_system(error, setting.paths.raw_videos(name))))
        down += [] if probe.good else [name]
        yield f"{datetime.date.today()} {name}: {'ok' if probe.good else 'NOT THERE'}: {probe.says}"
    if down:
        raise SourceDown(f"{len(down)} of {len(chosen)} sources are not there: {', '.join(down)}")
