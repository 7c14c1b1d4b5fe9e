"""How the demo ends: what it says of its table follows from the numbers, of a failure from the logs."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from styleinv.errors import UserError
from styleinv.paths import Paths
from styleinv.stages.closing import meaning
from styleinv.stages.setting import Setting
from styleinv.stages.study import Job, Study, end_study
from tests.project import ROOT

HEAD = "dataset,method,fvd16,fvd16_low,fvd16_high,stand_in,unlike_paper"


def said(folder: Path, *rows: str) -> list[str]:
    setting = Setting(ROOT / "config/demo.yaml", Paths(folder))
    setting.paths.table("table1").parent.mkdir(exist_ok=True)
    setting.paths.table("table1").write_text("\n".join([HEAD, *rows]) + "\n")
    return meaning("table1", setting)


def test_the_first_of_a_table_and_how_sure_that_is(tmp_path: Path) -> None:
    rows = ["talking_faces,stylegan_v,5.55,5,6,true,", "talking_faces,styleinv,3.21,3,4,true,"]
    first, second = said(tmp_path, *rows)
    assert "StyleInV (3.2) are closest to real ones by FVD16, before StyleGAN-V (5.5)" in first
    assert first.endswith("intervals are apart.") and second.startswith("These are a stand-in's scores")
    first, _ = said(tmp_path, *rows, "talking_faces,digan,3.1,2.9,3.6,true,")
    assert "DIGAN (3.1)" in first and "before StyleInV (3.2)" in first and "may be chance" in first


def test_official_scores_say_whether_they_stand_beside_the_printed_ones(tmp_path: Path) -> None:
    _, worth = said(tmp_path, "sky,styleinv,77.04,,,false,")
    assert "by the paper's rules" in worth
    first, worth = said(tmp_path, "sky,styleinv,77.04,,,false,n fake 6 instead of 2048")
    assert "77.040" in first and "nothing to compare" in first and "by other rules" in worth


def test_a_missing_or_broken_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tables/table1.csv: does not exist. Run `snakemake table1`"):
        meaning("table1", Setting(ROOT / "config/demo.yaml", Paths(tmp_path)))
    with pytest.raises(UserError, match="is no table of scores"):
        said(tmp_path, "sky,styleinv,much,,,false,")


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, in a folder of its own."""
    spec = importlib.util.spec_from_file_location("demo", ROOT / "workflow/scripts/demo.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return module


def test_the_demo_closes_with_what_is_there_and_what_to_try_next(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "results").mkdir()
    said(tmp_path / "results", "talking_faces,styleinv,3,,,true,")
    (tmp_path / "results/tables/table1.md").write_text("| the table |")
    (tmp_path / "results/report.html").touch()
    opened: list[str] = []
    monkeypatch.setattr(demo.webbrowser, "open", opened.append)
    monkeypatch.setenv("DISPLAY", ":0")
    demo.close(fresh=True)
    text = capsys.readouterr().out
    for part in ("| the table |", "These are a stand-in's scores", "gallery  results/report.html", "styleinv generate"):
        assert part in text
    assert "samples.mp4" not in text  # which was not made
    assert text.count("\n  styleinv ") == 3 and opened == []  # nobody looks at this output
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    demo.close(fresh=False)
    assert opened == []
    demo.close(fresh=True)
    assert opened == [(tmp_path / "results/report.html").as_uri()]
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    demo.close(fresh=True)
    assert len(opened) == 1


def test_a_demo_that_fails_names_each_job_its_line_and_its_log(demo: ModuleType, capsys: pytest.CaptureFixture) -> None:
    log = Path("results/logs/crop/x.log")
    log.parent.mkdir(parents=True)
    demo.LOG.write_text("".join(f"line {i}\n" for i in range(100)) + "config/x.yaml: lr: is no number\n")
    demo.complain(None)
    err = capsys.readouterr().err
    assert "config/x.yaml: lr: is no number" in err and "line 99" in err and "line 50" not in err
    assert "The same command picks it up" in err
    jobs = [Job("crop", "x", "logs/crop/x.log", [], 1, True, False)]
    Study("config/demo.yaml", "2026-01-01T00:00:00+00:00", 2, "", jobs).write(Paths())
    lines = ["--- 2026-01-01T00:00:01+00:00 node job 1 attempt 1", "styleinv: no space left on device. Free some."]
    log.with_suffix(".history.log").write_text("\n".join([*lines, "--- exit 1"]) + "\n")
    end_study(Paths(), "failed")
    demo.complain(None)
    err = capsys.readouterr().err
    assert (
        "crop x: no space left on device. Free some.\n  more: results/logs/crop/x.log" in err and "line 99" not in err
    )
