"""What a newcomer types first: help on one screen, examples that parse, completion, the look at the machine."""

import importlib
import inspect
import shlex
import shutil
import subprocess
from pathlib import Path

import dvc.config  # noqa: F401  (it keeps the stderr of its first import, which must not be a test's)
import pytest

from styleinv.cli import COMMON, _parse, main
from styleinv.commands import COMMANDS, GROUPS
from styleinv.data.weights import WEIGHTS
from styleinv.stages import machine
from tests.project import ROOT


def printed(capsys: pytest.CaptureFixture, *words: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_the_help_is_one_screen_in_the_order_of_work(capsys: pytest.CaptureFixture) -> None:
    lines = printed(capsys, "--help").splitlines()
    assert len(lines) <= 45 and max(map(len, lines)) <= 90
    rows = [(line[:8].strip(), *line[9:].split(maxsplit=1)) for line in lines[4 : 4 + len(COMMANDS)]]
    assert [name for _, name, _ in rows] == list(COMMANDS)
    assert [group for group, _, _ in rows if group] == list(GROUPS)
    assert [told for _, _, told in rows] == [command.help for command in COMMANDS.values()]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_shows_an_example_that_parses(name: str, capsys: pytest.CaptureFixture) -> None:
    command = COMMANDS[name]
    assert len(command.help) <= 65
    text = printed(capsys, name, "--help")
    assert f"example:\n  {command.example}\n" in text and f"writes:\n  {command.writes}\n" in text
    program, *words = shlex.split(command.example.partition(" > ")[0])
    assert program == "styleinv" and _parse(words).command == name


@pytest.mark.parametrize("name", COMMANDS)
def test_arguments_go_to_the_parameters_of_their_names(name: str) -> None:
    command = COMMANDS[name]
    module, _, function = command.call.partition(":")
    takes = inspect.signature(getattr(importlib.import_module(f"styleinv.stages.{module}"), function)).parameters
    program, *words = shlex.split(command.example.partition(" > ")[0])
    given = {key for key in vars(_parse(words)) if key not in COMMON}
    named = {"name"} if command.call == "prepare:prepare_for" else set()
    more = {key for key, one in takes.items() if one.kind is inspect.Parameter.VAR_KEYWORD}
    assert more or given | named <= set(takes)
    needed = {key for key, one in takes.items() if one.default is inspect.Parameter.empty} - more
    assert needed <= given | named | {"setting", "parser"}


def test_a_slip_of_the_pen_gets_the_nearest_command(capsys: pytest.CaptureFixture) -> None:
    assert main(["trian", "talking_faces/styleinv"]) == 2
    assert "no command is called 'trian'. Is it `styleinv train`?" in capsys.readouterr().err
    assert main(["qqq"]) == 2
    assert "`styleinv --help`" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2 and "styleinv doctor" in capsys.readouterr().err


def test_bash_completes_commands_options_and_choices(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["completion", "bash"]) == 0
    (tmp_path / "styleinv.sh").write_text(capsys.readouterr().out)

    def completed(*words: str) -> set[str]:
        line = " ".join(map(shlex.quote, words))
        script = f"source {tmp_path}/styleinv.sh; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
        script += f'_shtab_styleinv styleinv {shlex.quote(words[-1])}; printf "%s\\n" "${{COMPREPLY[@]}}"'
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
        return {word.strip() for word in done.stdout.split()}

    assert completed("styleinv", "tra") == {"train", "track"}
    assert "--verify-resume" in completed("styleinv", "train", "--ver")
    assert completed("styleinv", "completion", "") >= {"bash", "zsh", "tcsh"}


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_complete_every_command(shell: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in COMMANDS)


@pytest.fixture
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.usefixtures("at_root")
def test_the_doctor_fits_a_screen_and_names_every_weight(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["doctor", "--results", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert len(lines) <= 40 and max(map(len, lines)) <= machine.SCREEN
    assert all(name in text for name in WEIGHTS)
    assert len({told.serves for told in WEIGHTS.values()}) == sum(line[8:].startswith("weights") for line in lines)


@pytest.mark.usefixtures("at_root")
def test_the_doctor_sees_what_has_come(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "data/sky").mkdir(parents=True)
    (tmp_path / "data/sky/frames.zip").touch()
    for name in ("inception", "i3d"):
        (tmp_path / "weights").mkdir(exist_ok=True)
        (tmp_path / "weights" / WEIGHTS[name].file_name).touch()
    assert main(["doctor", "--results", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "ok      data        ready to train on: sky" in lines
    assert any(line.startswith("ok      weights") and line.endswith("inception, i3d") for line in lines)


@pytest.mark.usefixtures("at_root")
def test_the_doctor_fails_where_the_main_commands_would(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = shutil.which
    monkeypatch.setattr(machine.shutil, "which", lambda name: None if name in ("make", "sbatch") else which(name))
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 10**9))
    fits = machine._fits
    monkeypatch.setattr(machine, "_fits", lambda one: one.name != "snakemake" and fits(one))
    assert main(["doctor", "--results", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    for name in ("make", "disk", "packages"):
        assert any(line.startswith(f"MISSING {name}") for line in out.splitlines())
    assert "-       Slurm" in out and "snakemake" in out
    assert "styleinv: missing for `make demo` or `make test`: packages, disk, make." in err
    monkeypatch.chdir(tmp_path)
    assert main(["doctor"]) == 1
    assert "MISSING checkout    config/demo.yaml is not here" in capsys.readouterr().out
