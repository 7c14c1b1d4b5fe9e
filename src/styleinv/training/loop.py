"""The one training loop that all methods share."""

import itertools
import logging
import resource
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase  # of batch and instance normalisation alike

from styleinv.data.prefetch import prefetch
from styleinv.errors import Stopped, UserError
from styleinv.nn.host import pinned, to_device
from styleinv.provenance import now
from styleinv.training.ada import ada_update
from styleinv.training.buckets import Buckets
from styleinv.training.checkpoint import load_state, read_progress, save_state
from styleinv.training.curves import Curves
from styleinv.training.disk import unless_full
from styleinv.training.distribution import World
from styleinv.training.ema import update_ema
from styleinv.training.lock import run_lock
from styleinv.training.method import Method, Phase
from styleinv.training.report_means import ReportMeans
from styleinv.training.running_statistics import one_after_another
from styleinv.training.schedule import snapshot_steps, total_steps
from styleinv.training.signals import REQUEUE, SAVE, StopFlag, requeue
from styleinv.training.snapshots import drop_models, save_model_snapshot, save_samples
from styleinv.training.tick import Tick
from styleinv.training.update import accumulate, parameters_of, step_optimizer

log = logging.getLogger(__name__)

# Of the state's progress; states of another form are set aside like those of another configuration.
STATE_FORM = 2


def refuse_shorter(method: Method, folder: Path, fingerprint: str) -> None:
    """Refuse a training that is shorter than what its folder already holds of it.

    Raises:
        UserError: naming both lengths.
    """
    state = folder / "state" / "latest.safetensors"
    last = total_steps(method.training.total_kimg, method.training.batch * method.images_per_sample)
    if not state.exists():
        return
    progress = read_progress(state)
    if progress["fingerprint"] == fingerprint and progress["step"] > last:
        raise UserError(
            f"is at step {progress['step']}, the configured training ends at {last}",
            file=state.parent,
            field="training.total_kimg",
            cure="Make it as long, or start anew with `styleinv train --afresh`, which keeps that state.",
        )


@dataclass(frozen=True)
class Maker:
    """Code that made some steps of a training.

    Attributes:
        code: hash of what decides the bits, see `styleinv.code`.
        commit: of the checkout, with `-dirty` where the package had changes; None outside of one.
    """

    code: str
    commit: str | None


def train(
    method: Method,
    folder: Path,
    seed: int,
    fingerprint: str,
    world: World,
    snapshots: int = 0,
    ticked: Callable[[], None] = lambda: None,
    maker: Maker | None = None,
    afresh: bool = False,
) -> None:
    """Train until the configured length, resuming from `folder/state` when it holds a state of the same run.

    Args:
        folder: run folder; `curves.csv` and samples are written there, the state under `state/`.
        seed: step k is a pure function of (seed, k).
        fingerprint: hash of configuration and inputs; a state with another one is set aside, not continued.
        snapshots: how many models to keep along the way, evenly spaced before the last, under `snapshots/`.
        ticked: called by the first process when `state/curves.csv` has a new row.
        maker: the code that trains, for the record of the state.
        afresh: set aside what `folder/state` holds.

    Raises:
        Stopped: after saving, when a signal asked to stop.
        UserError: when another process trains in the same folder.
    """
    config = method.training
    if config.batch_gpu is not None and (config.kept == 1 or world.device.type == "cpu"):
        why = (
            "a CPU has one memory" if world.device.type == "cpu" else f"a group of {config.group} is computed at a time"
        )
        log.info("batch_gpu %d changes nothing: %s", config.batch_gpu, why)
    with run_lock(folder / "state") if world.rank == 0 else nullcontext(), world.contact((ConnectionError,)):
        _Loop(method, folder, seed, fingerprint, world, snapshots, ticked, maker, afresh).run()


class _Loop:
    def __init__(
        self,
        method: Method,
        folder: Path,
        seed: int,
        fingerprint: str,
        world: World,
        snapshots: int,
        ticked: Callable[[], None],
        maker: Maker | None,
        afresh: bool,
    ):
        self.ticked, self.maker, self.afresh = ticked, maker, afresh
        self.made_by: list[Maker] = []
        self.started = self.ended = now()
        self.method, self.folder, self.seed, self.fingerprint, self.world = method, folder, seed, fingerprint, world
        self.checkpoint = folder / "state" / "latest.safetensors"
        self.config = method.training
        self.images_per_step = self.config.batch * method.images_per_sample
        self.last_step = total_steps(self.config.total_kimg, self.images_per_step)
        self.snapshot_steps = snapshot_steps(self.last_step, snapshots)
        self.tick_steps = max(1, round(self.config.tick_kimg * 1000 / self.images_per_step))
        # Consecutive groups, so that what a group moves (statistics of BatchNorm) can be put in order afterwards.
        share = self.config.groups // world.size
        groups, together = range(world.rank * share, (world.rank + 1) * share), self.config.groups_in_pass(world.size)
        self.passes = [tuple(groups[start : start + together]) for start in range(0, share, together)]
        self.buckets = {phase.name: Buckets(world, parameters_of(method.parts, phase)) for phase in method.phases}
        self.means = ReportMeans()
        self.signs = self._no_signs()
        self.step = 0
        self.seconds = 0.0

    def run(self) -> None:
        # Continue where a former process of the same run has saved, and read real data ahead from there.
        self._restore()
        stop = StopFlag()
        batches = prefetch(self._real, range(self.step, self.last_step))
        saved = started = time.monotonic()
        asked = False
        before, self.first = self.seconds, self.step
        try:
            for real in batches:
                self._advance(real)
                self.step += 1

                # Report. The time counts what former processes of the run have spent, the rate only this one's.
                self.seconds = before + time.monotonic() - started
                if self.step % self.tick_steps == 0 or self.step == self.last_step:
                    self._tick(self.step - self.first, time.monotonic() - started)
                if self.step in self.snapshot_steps and self.world.rank == 0:
                    save_model_snapshot(self.method, self.folder, self.step, self.images_per_step)

                # Save when it is time or a signal asks for it. All processes must act alike, so the greatest request of
                # all of them holds for each; of several processes that of the step before, which is known by now.
                due = time.monotonic() - saved > self.config.checkpoint_minutes * 60
                asks = due and not asked and self.world.rank == 0
                request = self.world.exchange(max(stop.value, SAVE if asks else 0))
                asked = asked or asks
                ends = request > SAVE or self.step == self.last_step
                if request or ends:
                    # A full disk is an error only where this save is the last chance.
                    with nullcontext() if ends else unless_full("the state"):
                        self._save()
                    saved, asked = time.monotonic(), False

                # Stop early. The others are told first, so that they do not take this process for dead.
                if request > SAVE and self.step < self.last_step:
                    self.world.leave()
                    if request == REQUEUE and self.world.rank == 0:
                        requeue()
                    raise Stopped(
                        f"stopped at step {self.step} of {self.last_step} after saving",
                        file=self.folder,
                        cure="Run the same command to continue.",
                    )
        finally:
            batches.close()
            stop.close()

        # The run is complete: leave its results beside the model. The copy of the curves appears in one piece.
        self.world.leave()
        if self.world.rank == 0:
            save_samples(self.method, self.folder, "samples")
            shutil.copyfile(self.folder / "state" / "curves.csv", self.folder / "curves.csv.tmp")
            (self.folder / "curves.csv.tmp").replace(self.folder / "curves.csv")

    def _real(self, step: int) -> list[tuple[Tensor, ...]]:
        batches = [self._real_of(step, groups) for groups in self.passes]
        return [tuple(pinned(part, self.world.device) for part in batch) for batch in batches]

    def _real_of(self, step: int, groups: tuple[int, ...]) -> tuple[Tensor, ...]:
        """Read the real data of a pass, group after group."""
        config = self.config
        batches = [self.method.real_batch(step * config.groups + group, config.group) for group in groups]
        return batches[0] if len(batches) == 1 else tuple(torch.cat(parts) for parts in zip(*batches, strict=True))

    def _advance(self, real: list[tuple[Tensor, ...]]) -> None:
        batches = [tuple(to_device(part, self.world.device) for part in batch) for batch in real]
        before = {place: (buffer, buffer._version) for place, buffer in self._own_buffers()}
        for phase in self.method.phases:
            if self.step % phase.interval == 0:
                self._update(phase, batches)
        parts = self.method.parts
        # What is left are states of which no process has more than its own share, such as memories and spectral norms:
        # those of the first process hold. After a resume all start from one saved copy; to give the same numbers, a run
        # that goes on makes them agree after every step too. What the step has not touched agrees as it is.
        moved = [b for place, b in self._own_buffers() if b is not before[place][0] or b._version != before[place][1]]
        self.world.broadcast(moved)
        beta = self.method.ema_beta(self.step)
        for average, source in parts.averages.items():
            update_ema(parts.modules[average], parts.modules[source], beta, parts.average_buffers)
        self._control_augmentation()

    def _own_buffers(self) -> list[tuple[tuple[nn.Module, str], Tensor]]:
        """List module, name and tensor of the buffers that nothing else makes the processes agree on; none for one.

        Running means of a step are averaged, and normalisations are put in order (`running_statistics`).
        """
        if self.world.size == 1:
            return []
        parts = self.method.parts
        agreed = {id(tensor) for tensor in parts.step_means}
        modules = (m for network in parts.modules.values() for m in network.modules() if not isinstance(m, _NormBase))
        named = (((m, name), b) for m in modules for name, b in m.named_buffers(recurse=False))
        return [(place, buffer) for place, buffer in named if id(buffer) not in agreed]

    def _update(self, phase: Phase, batches: list[tuple[Tensor, ...]]) -> None:
        parts, numbered = self.method.parts, zip(self.passes, batches, strict=True)
        count = sum(len(groups) for groups in self.passes)
        with one_after_another(parts.modules.values(), self.world):
            gradients = accumulate(
                *(parts, phase, numbered, count, self.seed, self.step, self._report, self.config.kept),
                self.buckets[phase.name],
            )
        self.world.average(parts.step_means)
        step_optimizer(parts, phase, gradients)

    def _report(self, name: str, value: Tensor) -> None:
        self.means.report(name, value)
        if name == "Loss/signs/real":
            value = value.detach().double()
            self.signs += torch.stack([value.sum(), torch.full_like(value.sum(), value.numel())])

    def _control_augmentation(self) -> None:
        pipe, ada = self.method.parts.augment, self.method.parts.ada
        if pipe is None or ada is None or ada.mode != "ada" or (self.step + 1) % ada.interval:
            return
        total, count = self.world.sum(self.signs).tolist()
        if count:
            p = ada_update(pipe.p, total / count, ada.target, self.config.batch, ada.interval, ada.kimg)
            pipe.p = min(p, ada.p_max)
        self.signs = self._no_signs()

    def _no_signs(self) -> Tensor:
        """Start the sum and the count of the signs of real scores, on the device, which is read for ADA alone."""
        return torch.zeros(2, dtype=torch.float64, device=self.world.device)

    def _tick(self, steps: int, seconds: float) -> None:
        means = self.means.means(self.world)
        if self.world.rank:
            return
        kimg = self.step * self.images_per_step / 1000
        rate = seconds / max(steps, 1)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        row: dict[str, Any] = {"step": self.step, "kimg": kimg, "seconds": self.seconds}
        if self.method.parts.augment is not None:
            row["augment_p"] = self.method.parts.augment.p
        row |= {name.lower().replace("/", "_"): value for name, value in means.items()}
        per_kimg = rate / self.images_per_step * 1000
        total_kimg = self.last_step * self.images_per_step / 1000
        with unless_full("the curves"):
            self.curves.add(row)
            Tick(self.step, self.last_step, kimg, total_kimg, per_kimg, memory).write(
                self.folder / "state" / "tick.json"
            )
        self.ticked()
        log.info(
            "step %d/%d  %.1f kimg  %.3f s/step  %.1f s/kimg  ETA %s  %.1f GB",
            *(self.step, self.last_step, kimg, rate, per_kimg),
            *(time.strftime("%H:%M:%S", time.gmtime(rate * (self.last_step - self.step))), memory),
        )
        if (self.step // self.tick_steps) % self.config.snapshot_ticks == 0:
            with unless_full("a picture"):
                save_samples(self.method, self.folder / "snapshots", f"kimg{round(kimg):06d}")

    def _set_aside_foreign_state(self) -> None:
        state = self.checkpoint.parent
        if not self.checkpoint.exists():
            return
        other = read_progress(self.checkpoint)["fingerprint"]
        if other == self.fingerprint and not self.afresh:
            return
        places = (state.with_name(f"state-{other}{f'-{n}' * (n > 1)}") for n in itertools.count(1))
        aside = next(place for place in places if not place.exists())
        aside.mkdir()
        for file in state.iterdir():
            if file.name != "lock":
                file.rename(aside / file.name)
        whose = "" if other == self.fingerprint else " of another configuration"
        log.warning("%s: state%s set aside as %s; starting afresh", state, whose, aside.name)

    def _restore(self) -> None:
        # The first process clears what belongs to other configurations; the others wait until it has.
        if self.world.rank == 0:
            self._set_aside_foreign_state()
            if not self.checkpoint.exists():
                drop_models(self.folder)
        self.world.any(0)

        # All processes read the state. The sums behind the curves and behind ADA must count once, so only the first
        # process keeps them; the others need their names, because sums are exchanged in the order of the names.
        if self.checkpoint.exists():
            progress = load_state(self.checkpoint, self.method.parts)
            self.step, self.seconds = progress["step"], progress["seconds"]
            counted = 1 if self.world.rank == 0 else 0
            self.signs = torch.tensor(progress["signs"], dtype=torch.float64, device=self.world.device) * counted
            self.means.sums = {
                name: torch.tensor(v, dtype=torch.float64, device=self.world.device) * counted
                for name, v in progress["statistics"].items()
            }
            self.made_by = [Maker(**maker) for maker in progress["made_by"]]
            self.started, self.ended = progress["started"], progress["ended"]
            log.info("resuming at step %d of %d", self.step, self.last_step)
            self._compare_code()

        # Rows written after the state was saved are dropped. Weights are made equal also where nothing was restored.
        self.curves = Curves(self.folder / "state" / "curves.csv", self.step)
        for module in self.method.parts.modules.values():
            self.world.broadcast([*module.parameters(), *module.buffers()])

    def _compare_code(self) -> None:
        before = self.made_by[-1] if self.made_by else None
        if self.world.rank == 0 and self.maker and before and before.code != self.maker.code:
            goes = "is complete and was trained" if self.step == self.last_step else "was trained so far"
            log.warning(
                "%s: %s by other code (commit %s); `styleinv train --afresh` trains anew by the present",
                *(self.folder, goes, before.commit),
            )

    def _save(self) -> None:
        self.signs = self.world.gather(self.signs).to(self.world.device)
        self.means.gather(self.world)
        if self.world.rank:
            return
        if self.step > self.first and self.maker and (not self.made_by or self.made_by[-1] != self.maker):
            self.made_by.append(self.maker)
        if self.step > self.first:
            self.ended = now()
        progress = {
            "fingerprint": self.fingerprint,
            "step": self.step,
            "seconds": self.seconds,
            "started": self.started,
            "ended": self.ended,
            "made_by": [asdict(maker) for maker in self.made_by],
            "signs": self.signs.tolist(),
            "statistics": {name: value.tolist() for name, value in self.means.sums.items()},
        }
        save_state(self.checkpoint, self.method.parts, progress)
