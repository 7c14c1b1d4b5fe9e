"""prepare: what a method declares that it needs before it can train (see `training.preparation`)."""

from styleinv import methods
from styleinv.config import needs
from styleinv.errors import UserError
from styleinv.files import Hashes
from styleinv.provenance import Recorder
from styleinv.runs import Run, parse_run
from styleinv.schema import fingerprint
from styleinv.stages.setting import Setting
from styleinv.stages.train import configuration_of, upstream_of
from styleinv.training.distribution import device_of
from styleinv.training.preparation import Material


def prepare(name: str, run: Run, setting: Setting, trial: bool = False) -> None:
    """Make one preparation for a run, or for its data set, and write its provenance.

    Args:
        name: of the preparation.
        run: whose method needs it.
        setting: configuration and results.
        trial: only the shapes of the result count.

    Raises:
        UserError: the method does not need it, or what it reads is missing.
    """
    preparation, paths = methods.preparations()[name], setting.paths
    config, below, source = None, None, paths.frames(run.dataset)
    if preparation.per == "run":
        if name not in needs(run, setting.config.parent):
            raise UserError(f"{run.method} needs no {name}", cure=f"Methods that do name it in `needs: [{name}]`.")
        config, below = configuration_of(run, setting), upstream_of(run, setting)
    if preparation.reads == "model" and below is not None:
        source = paths.model(below)
    if not source.exists():
        raise UserError("does not exist", file=source, cure="Run the stage that makes it first.")
    out, device = preparation.output(paths, run), device_of(setting.scale.device)
    known = getattr(config, preparation.settings) if preparation.settings else {}
    seed = setting.seed(run) if preparation.per == "run" else setting.scale.seed
    whose = str(run) if preparation.per == "run" else run.dataset
    recorder = Recorder(name, whose, fingerprint(known), [source], Hashes(paths.hashes))
    made = preparation.make(Material(source, out, config, seed, device, trial))
    used = str(device) if preparation.reads == "model" else "cpu"
    recorder.write(paths.provenance(preparation.folder(paths, run), name), [out], used, **made)


def prepare_all(run: Run, setting: Setting, trial: bool = False) -> None:
    """Make all preparations of a run that are not there yet."""
    for name in needs(run, setting.config.parent):
        if not methods.preparation(name).output(setting.paths, run).exists():
            prepare(name, run, setting, trial)


def prepare_for(name: str, what: str, setting: Setting) -> None:
    """Make a preparation for the run or the data set of a name, as it is made for each."""
    of_run = methods.preparation(name).per == "run"
    prepare(name, parse_run(what) if of_run else Run(dataset=what, method=""), setting)
