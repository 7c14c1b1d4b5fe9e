"""train: one run of one method on one data set."""

import os
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from pydantic import BaseModel

from styleinv import methods
from styleinv.code import code_hash
from styleinv.config import OF_THE_MACHINE, lineage, load_method, needs
from styleinv.data.raw_cache import use_raw
from styleinv.data.store import FrameStore
from styleinv.errors import OutOfMemory, UserError
from styleinv.files import Hashes, write_text
from styleinv.methods.context import Context
from styleinv.provenance import Recorder, commit_name
from styleinv.runs import Run
from styleinv.schema import dump_yaml, fingerprint
from styleinv.stages.setting import Setting
from styleinv.tracking.live import Live
from styleinv.training.checkpoint import read_progress, save_model
from styleinv.training.distribution import World
from styleinv.training.launch import launch
from styleinv.training.loop import STATE_FORM, Maker, refuse_shorter
from styleinv.training.loop import train as train_loop
from styleinv.training.measure import samples_that_fit
from styleinv.training.method import Method, TrainingConfig, set_precision

# Changing these prolongs, documents or speeds up a run without making its state another run's.
PROGRESS_ONLY = ("total_kimg", "tick_kimg", "snapshot_ticks", "checkpoint_minutes", *OF_THE_MACHINE)


def upstream_of(run: Run, setting: Setting) -> Run | None:
    """Return the run that a run builds on, if any."""
    runs = lineage(run, setting.config.parent)
    return runs[-2] if len(runs) > 1 else None


def inputs_of(run: Run, setting: Setting) -> list[Path]:
    """List the artefacts that a run reads."""
    below = upstream_of(run, setting)
    files = [setting.paths.frames(run.dataset)] + ([setting.paths.model(below)] if below else [])
    return files + list(_needed(run, setting).values())


def _needed(run: Run, setting: Setting) -> dict[str, Path]:
    """List the outputs of the preparations that a run needs, by their names."""
    return {name: methods.preparation(name).output(setting.paths, run) for name in needs(run, setting.config.parent)}


def train(
    run: Run,
    setting: Setting,
    verify_resume: int | None = None,
    processes: int = 1,
    afresh: bool = False,
    same_code: bool = False,
) -> str | None:
    """Train, or continue training, and write the model, its curves and samples.

    Args:
        run: what is trained.
        setting: configuration and results.
        processes: of this machine that share the training, one for each GPU. Those that torchrun or srun have started
            know one another and are not multiplied.
        afresh: set the state of an earlier training aside.
        same_code: set it aside also if other code made it.
        verify_resume: instead train so many steps twice in temporary folders, once killed half-way, and compare.

    Returns:
        What was compared, if that was asked for.

    Raises:
        UserError: for impossible configurations and inputs.
        Stopped: after saving, when a signal asked to stop.
        SystemExit: one of several processes has failed, with its exit code.
    """
    if processes > 1 and "RANK" not in os.environ:
        words = ["train", str(run), "--config", str(setting.config), "--results", str(setting.paths.root)]
        words += ["--afresh"] * afresh + ["--same-code"] * same_code
        if code := launch(words, processes):
            raise SystemExit(code)
        return None
    if verify_resume is not None:
        from styleinv.stages.verify_resume import verify_resume as verify  # it builds on this module

        return verify(run, setting, verify_resume)
    scale, folder = setting.scale, setting.paths.run(run)
    config, inputs = configuration_of(run, setting), inputs_of(run, setting)
    world, method = World(scale.device), None
    try:
        hashes = Hashes(setting.paths.hashes)
        method = build(run, setting, world, hashes)
        identity = config.model_dump(mode="json")
        for key in PROGRESS_ONLY:
            identity["training"].pop(key, None)
        identity.pop("epochs", None)
        maker = Maker(code_hash(run.method), commit_name())
        contents = {path.name: hashes.of(path) for path in inputs}
        decides = {"config": identity, "inputs": contents, "seed": setting.seed(run), "state": STATE_FORM}
        mark = fingerprint(decides | ({"code": maker.code} if same_code else {}))
        if not afresh:
            refuse_shorter(method, folder, mark)
        recorder = Recorder("train", str(run), mark, inputs, hashes)
        if world.rank == 0:
            write_text(folder / "config.yaml", dump_yaml(config))
        curves = setting.paths.state(run) / "curves.csv"
        with Live(run, "train", mark, curves, config.training.total_kimg) if world.rank == 0 else nullcontext() as live:
            ticked = live.tick if live else lambda: None
            train_loop(method, folder, setting.seed(run), mark, world, scale.snapshots, ticked, maker, afresh)
        if world.rank == 0:
            _finish(method, run, setting, recorder, world)
    except (torch.OutOfMemoryError, MemoryError) as error:
        # The traceback holds what did not fit.
        trying, error.__traceback__ = method, None
        fits = _most_that_fit(trying, world) if trying else 0
        raise _does_not_fit(run, setting, config.training, world.device.type, fits, world.size) from None
    finally:
        world.close()
    return None


def _most_that_fit(method: Method, world: World) -> int:
    """Measure how many samples fit; 0 where not even one does, or several processes would have to measure at once."""
    if world.size > 1:
        return 0
    for optimizer in method.parts.optimizers.values():
        optimizer.zero_grad(set_to_none=True)
    try:
        return samples_that_fit(method, world.device)
    except (torch.OutOfMemoryError, MemoryError):
        return 0


def _does_not_fit(
    run: Run, setting: Setting, training: TrainingConfig, device: str, fits: int, processes: int = 1
) -> OutOfMemory:
    """Say what to set.

    Args:
        fits: samples that have been found to fit at once; 0 where that is not known.
        processes: that share the groups.
    """
    together = training.groups_in_pass(processes)
    if together > 1:
        # What has not fitted is no cure, whatever was found.
        samples = min(fits or together // 2 * training.group, (together - 1) * training.group)
        found = ", the most that fits" * (fits >= training.group)
        most = training.most_groups(samples, processes)
        return OutOfMemory(
            f"{together} groups of {training.group} samples at once do not fit the memory",
            file=setting.method_file(run),
            field="training.groups_at_once",
            cure=f"Set it to {most}{found}: slower, but the same training, which goes on from its last state.",
        )
    held = min(training.batch_gpu or training.group, training.group)
    in_pieces = device == "cuda" and held > 1
    large = held if in_pieces else training.group
    # What has not fitted is no cure, whatever was found.
    most = min(fits or large // 2, large - 1)
    whole = max((n for n in range(1, training.group) if n <= most and training.batch % n == 0), default=1)
    cure = f"Set group_size to {whole}: other statistics, so training starts afresh and this state is kept."
    if training.group == 1:
        cure = "Use smaller networks or a larger device."
    elif in_pieces:
        found = ", the most that fits" * bool(fits)
        cure = f"Set it to {most}{found}: slower, but the same training, which goes on from its last state."
    return OutOfMemory(
        f"{held} samples at once do not fit the memory",
        file=setting.method_file(run),
        field="training.batch_gpu" if in_pieces else "training.group_size",
        cure=cure,
    )


def configuration_of(run: Run, setting: Setting) -> Any:
    """Resolve the configuration of a run.

    Raises:
        UserError: for values that cannot be.
    """
    config = load_method(run, setting.config, methods.get(run.method).Config)
    below = upstream_of(run, setting)
    parent = getattr(config, "parent", None) or run.dataset
    if below and parent != below.dataset and hasattr(config, "parent"):
        raise UserError(
            "must not change with the scale", file=setting.config, field="parent", cure="Set it in the data set's YAML."
        )
    return config


def build(run: Run, setting: Setting, world: World, hashes: Hashes | None = None) -> Method:
    """Build a run's method as it is at its first step.

    Args:
        hashes: of large files, for a training that may keep its frames decoded where its settings want that.

    Raises:
        UserError: for impossible configurations and missing or unfit inputs.
    """
    config, paths, below = configuration_of(run, setting), setting.paths, upstream_of(run, setting)
    for path in inputs_of(run, setting):
        if not path.exists():
            raise UserError("does not exist", file=path, cure="Run the stage that makes it first.")
    store = FrameStore(paths.frames(run.dataset), hashes)
    _check_resolution(store, setting, run)
    if hashes and config.training.raw_cache:
        use_raw(store, paths.raw_frames)
    models = ({below.method: paths.model(below)} if below else {}) | _needed(run, setting)
    context = Context(store, setting.seed(run), world.device, world.size, models, paths.weights)
    method = _create(methods.get(run.method), config, context, setting, run)
    try:
        set_precision(method, world.device)
    except ValueError as error:
        file, field = setting.method_file(run), "training.precision"
        raise UserError(str(error), file=file, field=field, cure="Set it to float32.") from None
    return method


def _check_resolution(store: FrameStore, setting: Setting, run: Run) -> None:
    wanted = setting.dataset(run.dataset).resolution
    if store.resolution != wanted:
        raise UserError(
            f"holds {store.resolution}x{store.resolution} frames, the data set is configured for {wanted}",
            file=store.path,
            cure="Run the crop stage again.",
        )


def _create(module: ModuleType, config: BaseModel, context: Context, setting: Setting, run: Run) -> Method:
    torch.manual_seed(context.seed)
    try:
        return module.create(config, context)
    except ValueError as error:
        cure = "Correct it there, or where the data set or the scale overrides it."
        raise UserError(str(error), file=setting.method_file(run), cure=cure) from None


def _finish(method: Method, run: Run, setting: Setting, recorder: Recorder, world: World) -> None:
    paths = setting.paths
    progress = read_progress(paths.state(run) / "latest.safetensors")
    outputs = [paths.curves(run), paths.samples(run), paths.model(run)]
    save_model(paths.model(run), method.parts.modules, method.description())
    recorder.write(
        paths.run(run) / "provenance.json",
        outputs,
        str(world.device),
        seed=setting.seed(run),
        scale=setting.config.stem,
        # What made the steps, perhaps long ago, not what has just found them complete.
        **_makers([Maker(**made) for made in progress["made_by"]]),
        started=progress["started"],
        ended=progress["ended"],
        steps=progress["step"],
        training_seconds=round(progress["seconds"], 1),
        processes=world.size,
        precision=method.training.precision,
    )


def _makers(made_by: list[Maker]) -> dict[str, Any]:
    """Name the code and the commits that made a training; several where it went on under other code."""
    last = made_by[-1].commit or ""
    return {
        "code": "+".join(dict.fromkeys(maker.code for maker in made_by)),
        "commits": list(dict.fromkeys(maker.commit for maker in made_by)),
        "commit": last.removesuffix("-dirty") or None,
        "dirty": last.endswith("-dirty") if last else None,
    }
