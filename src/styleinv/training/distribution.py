"""The processes of one training: how they find each other (torchrun, Slurm) and what they exchange (gloo or nccl)."""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from styleinv.errors import UserError
from styleinv.nn.precision import allow_tf32
from styleinv.training.heartbeat import Heartbeat

# All processes must start within the first; the second only ends what no heartbeat can see.
START, PATIENCE = timedelta(seconds=60), timedelta(minutes=30)


def adopt_slurm_step(environment: MutableMapping[str, str]) -> None:
    """Set torchrun's environment variables from those of a Slurm step (`srun --ntasks 8 styleinv train ...`).

    Processes that torchrun has started, and steps of one task, are left alone.

    Raises:
        UserError: if the first host of the step cannot be named.
    """
    tasks = int(environment.get("SLURM_STEP_NUM_TASKS", 1))
    if "RANK" in environment or tasks == 1:
        return
    hosts = _scontrol("show", "hostnames", environment["SLURM_STEP_NODELIST"]).split()
    # A node's address is what Slurm itself reaches it by.
    address = re.search(r"NodeAddr=(\S+)", _scontrol("show", "node", hosts[0]))
    # Steps of one host at the same time need ports of their own.
    port = 20_000 + int(environment.get("SLURM_JOB_ID", 0)) % 20_000 + int(environment.get("SLURM_STEP_ID", 0)) % 100
    environment.update(
        RANK=environment["SLURM_PROCID"],
        WORLD_SIZE=str(tasks),
        LOCAL_RANK=environment["SLURM_LOCALID"],
        MASTER_ADDR=environment.get("MASTER_ADDR") or (address[1] if address else hosts[0]),
        MASTER_PORT=environment.get("MASTER_PORT", str(port)),
    )


def refuse_idle_gpus(environment: Mapping[str, str]) -> None:
    """Refuse a Slurm job that holds more GPUs on this node than it has processes there.

    Raises:
        UserError: naming both numbers.
    """
    gpus = len([gpu for gpu in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu])
    if "SLURM_JOB_ID" not in environment:
        return
    local = int(environment.get("LOCAL_WORLD_SIZE") or _tasks_here(environment))
    if gpus > local:
        raise UserError(
            f"holds {gpus} GPUs here for {local} process{'es' * (local > 1)}",
            file=f"Slurm job {environment['SLURM_JOB_ID']}",
            cure="Set `gpus` in config/config.yaml, or start `styleinv train --processes N` or `srun -n N`.",
        )


def _tasks_here(environment: Mapping[str, str]) -> int:
    """Read how many tasks of the step run on this node from Slurm's list, such as `2(x3),1`."""
    counts = []
    for part in environment.get("SLURM_STEP_TASKS_PER_NODE", "1").split(","):
        count, _, times = part.rstrip(")").partition("(x")
        counts += [int(count)] * int(times or 1)
    return counts[min(int(environment.get("SLURM_NODEID", 0)), len(counts) - 1)]


def _scontrol(*words: str) -> str:
    done = subprocess.run(["scontrol", *words], capture_output=True, text=True)
    if done.returncode or not done.stdout:
        raise UserError(f"{' '.join(words)} failed: {done.stderr.strip()}", file="scontrol")
    return done.stdout


class Lost(UserError):
    """The error that another process of the run has failed (exit code 1)."""

    exit_code = 1


def device_of(name: str = "auto") -> torch.device:
    """Choose the device of this process without meeting the others of a run.

    Of several GPUs a process takes the one of its place on the host. From then on float32 means float32, until a
    training asks for another `precision`: torch's convolutions would otherwise use TF32.

    Args:
        name: `cpu`, `cuda`, or `auto` for a GPU where there is one.
    """
    allow_tf32(False)
    if name != "cuda" and (name != "auto" or not torch.cuda.is_available()):
        return torch.device("cpu")
    place = os.environ.get("LOCAL_RANK" if {"RANK", "LOCAL_RANK"} & os.environ.keys() else "SLURM_LOCALID", 0)
    # A launcher may show each process its own GPU alone.
    return torch.device("cuda", int(place) % max(1, torch.cuda.device_count()))


class World:
    """This process among all; a single process needs no process group.

    Attributes:
        rank, size: this process and how many there are.
        device: where its networks live.

    Raises:
        Lost: here and in every exchange, when another process does not start or has ended.
    """

    def __init__(self, device: str = "auto"):
        refuse_idle_gpus(os.environ)
        adopt_slurm_step(os.environ)
        self.rank, self.size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self.device = device_of(device)
        self._heartbeat: Heartbeat | None = None
        self._flags: dist.ProcessGroup | None = None
        self._told: tuple[Tensor, dist.Work] | None = None
        if self.size > 1 and not dist.is_initialized():
            if self.device.type == "cuda":
                torch.cuda.set_device(self.device)
            self._join("nccl" if self.device.type == "cuda" else "gloo")

    def _join(self, backend: str) -> None:
        with self.contact(
            what="cannot reach the other processes", cure="Start all of them, for example with torchrun."
        ):
            store, _, _ = next(dist.rendezvous("env://", timeout=START))
            own = store.clone()
            own.set_timeout(timedelta(seconds=3))
            dist.init_process_group(backend, store=store, rank=self.rank, world_size=self.size, timeout=PATIENCE)
        self._heartbeat = Heartbeat(self.rank, self.size, own)

    @contextmanager
    def contact(
        self,
        errors: tuple[type[Exception], ...] = (RuntimeError, ValueError),
        what: str = "lost contact with the other processes",
        cure: str = "Look for the error of the first that ended; the same command continues.",
    ) -> Iterator[None]:
        """Turn what torch raises in a failed exchange into `Lost`; `errors` are those to be taken for one."""
        try:
            yield
        except errors as error:
            raise Lost(what, file=f"rank {self.rank} of {self.size}", cure=cure) from error

    def start_sum(self, tensors: list[Tensor]) -> tuple[Tensor, dist.Work]:
        """Begin to sum tensors over processes.

        Returns:
            Their values one after the other, which are the sums when the work, the second, has been waited for.
        """
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        with self.contact():
            return flat, dist.all_reduce(flat, async_op=True)

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Average tensors that each process has changed on its own, in place, so that all processes agree."""
        tensors = list(tensors)
        if self.size == 1 or not tensors:
            return
        flat = self.sum(torch.cat([tensor.to(self.device).flatten() for tensor in tensors])) / self.size
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.reshape(tensor.shape))

    def sum(self, values: Tensor) -> Tensor:
        """Sum `values` over processes; the result is on the CPU."""
        if self.size > 1:
            values = values.to(self.device, copy=True)
            with self.contact():
                dist.all_reduce(values)
        return values.cpu()

    def gather(self, values: Tensor) -> Tensor:
        """Sum `values` over processes on rank 0 and give the others zeros, so that all is still counted once."""
        total = self.sum(values)
        return total if self.rank == 0 else torch.zeros_like(total)

    def gather_rows(self, values: Tensor) -> Tensor:
        """Give every process the values [n] of all: [processes, n] on the device."""
        rows = [torch.empty_like(values) for _ in range(self.size)]
        with self.contact():
            dist.all_gather(rows, values.contiguous())
        return torch.stack(rows)

    def any(self, flag: int) -> int:
        """Return the largest flag of all processes, so that all act alike."""
        if self.size == 1:
            return flag
        value = torch.tensor(flag, device=self.device)
        with self.contact():
            dist.all_reduce(value, op=dist.ReduceOp.MAX)
        return int(value)

    def exchange(self, flag: int) -> int:
        """Tell the others a flag, and return the largest that all have told in the exchange before this.

        Nobody waits: what the others say takes the time of a step. In a single process its own flag is returned.
        """
        if self.size == 1:
            return flag
        if self._flags is None:
            # Flags stay on the host: on a GPU they would be known when all that was launched before them is done.
            group = dist.new_group(backend="gloo")
            assert isinstance(group, dist.ProcessGroup)  # and not the mark of processes outside of it
            self._flags = group
        before, value = self._told, torch.tensor(flag)
        with self.contact():
            self._told = value, dist.all_reduce(value, op=dist.ReduceOp.MAX, group=self._flags, async_op=True)
            if before is None:
                return 0
            before[1].wait()
        return int(before[0])

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Give every process the tensors of rank 0, in one exchange per type."""
        if self.size == 1:
            return
        kinds: dict[torch.dtype, list[Tensor]] = {}
        for tensor in tensors:
            kinds.setdefault(tensor.dtype, []).append(tensor.detach())
        for group in kinds.values():
            flat = torch.cat([tensor.flatten() for tensor in group])
            with self.contact():
                dist.broadcast(flat, 0)
            for tensor, part in zip(group, flat.split([tensor.numel() for tensor in group]), strict=True):
                tensor.copy_(part.reshape(tensor.shape))

    def leave(self) -> None:
        """Tell the others that this process exchanges nothing more and may end."""
        if self._told is not None:
            with self.contact():
                self._told[1].wait()
            self._told = None
        if self._heartbeat is not None:
            self._heartbeat.leave()
            self._heartbeat = None

    def close(self) -> None:
        """End all exchange. The others take a process that has not left before for dead."""
        if self._heartbeat is not None:
            self._heartbeat.stop()
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()
