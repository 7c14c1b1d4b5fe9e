"""What figures and questions are made of: the runs and data sets that their files ask for, where these are there."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from styleinv.config import Shown, Study, dataset_title, lineage, method_title
from styleinv.data.store import FrameStore
from styleinv.errors import UserError
from styleinv.files import Hashes, sha256
from styleinv.provenance import commit_name
from styleinv.runs import Run
from styleinv.schema import Layer, parse, read_layer
from styleinv.stages.model import Model
from styleinv.stages.setting import Setting

GivenT = TypeVar("GivenT", bound="Given")


@dataclass(frozen=True)
class Given:
    """The runs and data sets that something is made of, and where they lie."""

    shown: Shown
    setting: Setting

    @property
    def trained(self) -> tuple[Run, ...]:
        """Runs that must have been trained."""
        return (*self.shown.runs, *self.shown.styles)

    @property
    def data(self) -> tuple[str, ...]:
        """Data sets that must be there."""
        return tuple(dict.fromkeys((*self.shown.datasets, *self.shown.unseen)))

    def model(self, run: Run) -> Model:
        """Load a run."""
        return Model(run, self.setting.paths, self.setting.scale.device)

    def store(self, dataset: str) -> FrameStore:
        """Open a data set."""
        return FrameStore(self.setting.paths.frames(dataset), Hashes(self.setting.paths.hashes))

    def title(self, dataset: str) -> str:
        """Name a data set."""
        return dataset_title(dataset, self.setting.config.parent)

    def method(self, run: Run) -> str:
        """Name the method of a run."""
        return method_title(run, self.setting.config.parent)

    def tuned_from(self, run: Run) -> list[Run]:
        """List the fine-tuned generators that decode a run's latents."""
        folder = self.setting.config.parent
        return [style for style in self.shown.styles if lineage(style, folder)[0] == lineage(run, folder)[0]]

    def lacking(self) -> list[str]:
        """Name what is needed and not there: runs and data sets."""
        paths, folder = self.setting.paths, self.setting.config.parent
        files = {str(part): paths.model(part) for run in self.trained for part in lineage(run, folder)}
        files |= {name: paths.frames(name) for name in self.data}
        return [name for name, file in files.items() if not file.exists()]

    def record(self) -> dict[str, Any]:
        """Say what something was made of: scale, hashes of models and data, commit."""
        return {
            "scale": self.setting.config.stem,
            "runs": {str(run): {"model_sha256": sha256(self.setting.paths.model(run))} for run in self.trained},
            "data": {name: {"frames_sha256": self.store(name).sha256} for name in self.data},
            "commit": commit_name(),
        }


def study_of(setting: Setting, **said: Any) -> Study:
    """Read config.yaml at the scale of a setting; what is said and not None takes the place of its keys.

    Raises:
        UserError: a fault in either.
    """
    given = {key: value for key, value in said.items() if value is not None} | {"scale": setting.config.stem}
    return parse(Study, read_layer(setting.config.parent / "config.yaml"), Layer("the command line", given))


def each(
    what: str,
    names: Sequence[str],
    known: Sequence[str],
    study: Study,
    setting: Setting,
    prepare: Callable[[str], GivenT],
    make: Callable[[str, GivenT], str],
) -> Iterator[str]:
    """Make what was named, or all that the runs at hand allow; yields a line for each, that of any other what it lacks.

    Args:
        what: `figure` or `question`, whose files lie in a folder of config of that name.
        names: which; all if none are named.
        known: all there are.
        study: what the runs are of.
        setting: scale and results.
        prepare: reads the file of one.
        make: makes one; returns its line.

    Raises:
        UserError: there is no such one, or one that was named lacks something.
    """
    folder = setting.config.parent
    for name in names:
        if name not in known:
            raise UserError(f"no {what} {name!r}", file=folder / f"{what}s", cure=f"Known: {', '.join(known)}.")
    for name in names or known:
        given = prepare(name)
        lacking = given.lacking()
        cure = f"Run `{' '.join(['snakemake', name, study.said(folder / 'config.yaml')]).strip()}`."
        if lacking and names:
            raise UserError(f"lacks {_some(lacking)}", file=name, cure=cure)
        yield f"{name}: lacks {_some(lacking)}. {cure}" if lacking else make(name, given)


def _some(names: Sequence[str]) -> str:
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]
