"""Tasks of a Slurm step as processes of one run."""

from pathlib import Path

import pytest

from styleinv.errors import UserError
from styleinv.training.distribution import adopt_slurm_step, refuse_idle_gpus

STEP = {
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_STEP_NODELIST": "gpu[3-4]",
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
    "SLURM_JOB_ID": "123456",
    "SLURM_STEP_ID": "0",
}


@pytest.fixture
def scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tool = tmp_path / "scontrol"
    tool.write_text(
        '#!/bin/sh\n[ "$2" = hostnames ] && printf "gpu3\\ngpu4\\n" || echo "NodeName=$3 NodeAddr=10.0.0.7 x"\n'
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tool


def test_a_step_of_several_tasks(scontrol: Path) -> None:
    environment = dict(STEP)
    adopt_slurm_step(environment)
    assert {name: environment[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR")} == {
        "RANK": "5",
        "WORLD_SIZE": "8",
        "LOCAL_RANK": "1",
        "MASTER_ADDR": "10.0.0.7",
    }
    assert 20_000 <= int(environment["MASTER_PORT"]) < 41_000


def test_torchrun_and_single_tasks_are_left_alone() -> None:
    for environment in ({**STEP, "RANK": "0"}, {**STEP, "SLURM_STEP_NUM_TASKS": "1"}, {}):
        before = dict(environment)
        adopt_slurm_step(environment)
        assert environment == before


def test_a_silent_slurm_is_one_line(scontrol: Path) -> None:
    scontrol.write_text("#!/bin/sh\necho 'slurm_load: unable to contact' >&2; exit 1\n")
    with pytest.raises(UserError, match="unable to contact"):
        adopt_slurm_step(dict(STEP))


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ({"CUDA_VISIBLE_DEVICES": "0,1,2"}, "holds 3 GPUs here for 1 process"),
        ({"CUDA_VISIBLE_DEVICES": "0,1", "LOCAL_WORLD_SIZE": "2"}, ""),
        (
            {"CUDA_VISIBLE_DEVICES": "0,1,2", "SLURM_STEP_TASKS_PER_NODE": "2(x2)", "SLURM_NODEID": "1"},
            "3 GPUs here for 2",
        ),
        ({"CUDA_VISIBLE_DEVICES": "0", "SLURM_STEP_TASKS_PER_NODE": "1,2", "SLURM_NODEID": "0"}, ""),
        ({}, ""),
    ],
)
def test_a_job_that_holds_more_gpus_than_processes_is_refused(said: dict[str, str], refused: str) -> None:
    refuse_idle_gpus(said)  # outside of Slurm a machine's GPUs are its owner's
    if not refused:
        refuse_idle_gpus({"SLURM_JOB_ID": "3", **said})
        return
    with pytest.raises(UserError, match=f"Slurm job 3: .*{refused}.*`gpus` in config/config.yaml"):
        refuse_idle_gpus({"SLURM_JOB_ID": "3", **said})
