"""The device of a process, asked for without meeting the other processes of its run."""

import pytest
import torch
import torch.distributed as dist

from styleinv.training.distribution import device_of


def test_no_process_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert device_of("cpu") == torch.device("cpu") and not dist.is_initialized()


@pytest.mark.parametrize(
    "environment, gpus, device",
    [
        ({}, 4, "cuda:0"),
        ({"RANK": "5", "LOCAL_RANK": "1"}, 4, "cuda:1"),
        ({"RANK": "5", "LOCAL_RANK": "1"}, 1, "cuda:0"),  # each process is shown its own GPU alone
        ({"SLURM_LOCALID": "3"}, 4, "cuda:3"),
        ({"RANK": "0", "SLURM_LOCALID": "3"}, 4, "cuda:0"),  # torchrun speaks before Slurm
    ],
)
def test_a_process_takes_the_gpu_of_its_place(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], gpus: int, device: str
) -> None:
    for name in ("RANK", "LOCAL_RANK", "SLURM_LOCALID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    torch.backends.cudnn.allow_tf32 = True
    assert device_of("auto") == device_of("cuda") == torch.device(device)
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
    assert device_of("cpu").type == "cpu"
