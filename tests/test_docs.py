"""The examples of docs/ are complete: what they show is run from the pages themselves."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from styleinv.cli import main
from styleinv.config import OF_THE_MACHINE, load_dataset, parse_dataset
from styleinv.data import sources
from styleinv.data.store import FrameStore
from styleinv.data.synthetic import make_talking_faces
from styleinv.files import read_json
from styleinv.paths import Paths
from styleinv.schema import Layer, parse
from styleinv.stages.crop import crop
from styleinv.stages.dataset import DATASET, STUDY
from styleinv.stages.doctor import doctor
from styleinv.stages.fetch import fetch
from styleinv.stages.setting import Setting
from tests.project import ROOT, make_project


def blocks(page: str, language: str) -> list[str]:
    """Fenced blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_method_of_the_page_trains_resumes_generates_and_is_scored(tiny: Setting, tmp_path: Path) -> None:
    (code,) = blocks("adding-a-method.md", "python")
    (config,) = blocks("adding-a-method.md", "yaml")
    # The folder joins the package in these processes, as if it had been put there.
    folder = tmp_path / "extra/sway"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "method.py").write_text(code)
    (tmp_path / "site").mkdir()
    join = f"import styleinv.methods\nstyleinv.methods.__path__.append({str(folder.parent)!r})\n"
    (tmp_path / "site/sitecustomize.py").write_text(join)
    project = make_project(tmp_path / "project")
    (project / "config/methods/sway.yaml").write_text(config)
    scale = project / "config/tiny.yaml"
    small = "  sway: {training: {batch: 4, group_size: 4, total_kimg: 0.08, tick_kimg: 0.02}, width: 8}\n"
    scale.write_text(scale.read_text().replace("evaluation:\n", f"{small}evaluation:\n"))
    results = project / "results"
    results.symlink_to(tiny.paths.root)

    def styleinv(*words: str) -> str:
        options = ["--config", str(scale), "--results", str(results)]
        command = [sys.executable, "-m", "styleinv.cli", *words, *options]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(tmp_path / "site")}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    styleinv("train", "talking_faces/sway")
    styleinv("evaluate", "talking_faces/sway")
    assert read_json(results / "talking_faces/sway/metrics.json")["fid"] > 0
    styleinv("generate", "talking_faces/sway", "--out", str(tmp_path / "videos"), "--seeds", "1", "--seconds", "0.5")
    assert (tmp_path / "videos/000001.mp4").stat().st_size > 0
    assert "sway (wild)" in styleinv("cost", "talking_faces/sway-wild")
    styleinv("train", "talking_faces/sway", "--verify-resume")


def test_the_data_set_of_the_page_is_valid() -> None:
    import yaml

    (text,) = blocks("adding-a-dataset.md", "yaml")
    config = parse_dataset(Layer("docs/adding-a-dataset.md", yaml.safe_load(text)))
    assert config.source.type == "folder" and config.methods["stylegan2"] == {"networks": {"use_noise": False}}


def test_the_source_of_the_page_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tarfile

    (code,) = blocks("adding-a-dataset.md", "python")
    (tmp_path / "kinds").mkdir()
    (tmp_path / "kinds/tarball.py").write_text(code)
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path / "kinds")])
    folder = make_project(tmp_path)
    make_talking_faces(tmp_path / "faces", videos=2, frames=12, size=64, fps=25, seed=1)
    with tarfile.open(tmp_path / "videos.tar", "w") as archive:
        # Two of one name, of which one lies outside of where it is unpacked.
        for place, file in zip(("../one", "two"), sorted((tmp_path / "faces/original").iterdir()), strict=True):
            archive.add(file, f"{place}/clip.mp4")
    text = f"title: x\nsource: {{type: tarball, path: {tmp_path}/videos.tar}}\ncrop: {{type: centre}}\n"
    (folder / "config/datasets/mine.yaml").write_text(f"{text}resolution: 32\nmin_frames: 12\n")
    setting = Setting(folder / "config/paper.yaml", Paths(folder / "results"))
    for _ in range(2):
        fetch("mine", setting)
        crop("mine", setting)
        assert FrameStore(setting.paths.frames("mine")).names == ["one_clip", "two_clip"]
    assert next(doctor(["mine"], setting)).endswith("videos.tar is there")


def test_the_keys_of_the_cropping_page_are_those_of_its_preset() -> None:
    import yaml

    from styleinv.crop.settings import Alignment

    (text,) = blocks("cropping.md", "yaml")
    keys = yaml.safe_load(text)["crop"]
    assert parse(Alignment, Layer("docs/cropping.md", keys)) == Alignment()
    assert set(keys) == set(Alignment.model_fields)


def _stub_face_alignment(points: np.ndarray) -> dict[str, object]:
    finder = SimpleNamespace(get_landmarks=lambda frame: [points])
    return {"FaceAlignment": lambda kind: finder, "LandmarksType": SimpleNamespace(TWO_D=2)}


def _stub_dlib(points: np.ndarray) -> dict[str, object]:
    parts = [SimpleNamespace(x=x, y=y) for x, y in points]
    placed = SimpleNamespace(parts=lambda: parts)
    return {"get_frontal_face_detector": lambda: lambda frame: [1], "shape_predictor": lambda file: lambda *_: placed}


def _stub_mediapipe(points: np.ndarray) -> dict[str, object]:
    mesh = [SimpleNamespace(x=np.nan, y=np.nan) for _ in range(478)]
    eyes = {33: 36, 160: 37, 158: 38, 133: 39, 153: 40, 144: 41, 362: 42, 385: 43, 387: 44, 263: 45, 373: 46, 380: 47}
    for index, known in (eyes | {61: 48, 291: 54}).items():
        mesh[index] = SimpleNamespace(x=(points[known, 0] + 0.5) / 64, y=(points[known, 1] + 0.5) / 64)
    found = SimpleNamespace(multi_face_landmarks=[SimpleNamespace(landmark=mesh)])
    finder = SimpleNamespace(process=lambda frame: found)
    return {"solutions": SimpleNamespace(face_mesh=SimpleNamespace(FaceMesh=lambda: finder))}


@pytest.mark.parametrize("stub", [_stub_face_alignment, _stub_dlib, _stub_mediapipe])
def test_landmarks_of_other_detectors(
    stub: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """The page's lines, with a detector in place that finds the face of the first frame in all of them."""
    name = stub.__name__.removeprefix("_stub_")
    (code,) = (code for code in blocks("cropping.md", "python") if f"import {name}" in code)
    make_talking_faces(tmp_path / "faces", videos=1, frames=9, size=64, fps=25, seed=1)
    shutil.copy(tmp_path / "faces/original/face_0000.mp4", tmp_path / "my.mp4")
    points = np.load(tmp_path / "faces/landmarks/face_0000.npz")["landmarks"][0]
    module = ModuleType(name)
    module.__dict__.update(stub(points))
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    (command,) = re.findall(
        r"^styleinv (crop my.mp4 --landmarks my.npz)", "\n".join(blocks("cropping.md", "bash")), re.M
    )
    assert main(command.split()) == 0, capsys.readouterr().err
    record = read_json(tmp_path / "cropped/my_shake.json")
    assert (record["detected"], record["settings"]["landmarks"], record["weights"]) == (9, "brought", {})
    assert record["clips"]["my_ffhq.mp4"]["jerkiness"]["size_px"] < 1e-3


def test_the_page_of_ones_own_videos_shows_what_the_commands_print() -> None:
    page = (ROOT / "docs/my-videos.md").read_text().splitlines()
    shown = [line.partition("  #")[0].strip() for line in page]
    assert DATASET.format(folder="path/to/videos", name="mine") in shown and STUDY.format(name="mine") in shown
    assert f"`{STUDY.format(name='NAME')}`" in (ROOT / "docs/adding-a-dataset.md").read_text()


def test_the_page_of_the_data_sets_is_complete() -> None:
    page = (ROOT / "docs" / "datasets.md").read_text()
    for file in (ROOT / "config" / "datasets").glob("*.yaml"):
        if file.stem == "talking_faces":
            continue
        config = load_dataset(file.stem, ROOT / "config" / "paper.yaml")
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{file.stem}` |")]
        assert f"`styleinv fetch {file.stem}`" in row
        for number in config.expected.model_dump().values() if config.expected else ():
            assert number is None or f"{number:,}" in row, (row, number)
        path = getattr(config.source, "path", None) or ""
        assert not path.startswith("$") or path.removeprefix("$") in page


def test_tables_and_sentences_of_what_is_learnt_follow_from_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import learning

    page = (ROOT / "docs/learning.md").read_text()
    for table in learning.tables(ROOT / "docs/learning.csv"):
        assert table in page, f"write this into docs/learning.md:\n{table}"
    for sentence in (claim for part in learning.claims(ROOT / "docs/learning.csv") for claim in part):
        assert f"{sentence}\n" in page, f"write this into docs/learning.md:\n{sentence}"


def test_the_page_of_hours_follows_from_what_was_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    import how_long

    assert how_long.page() == how_long.PAGE.read_text(), "run `python docs/how_long.py`"
    own = how_long.row("styleinv", "paper")
    assert (own.hours, own.hours_mark, own.group) == (17.5 * 24, "P", 8) and 8 * 2.85 < own.gigabytes < 8 * 2.85 + 2
    assert own.fits == 4  # 22.8 GB are more than a driver leaves of 24
    # The low-resolution half takes more than the other.
    halves = how_long.row("long_video_gan", "paper")
    assert (halves.gigabytes_mark, halves.group) == ("C", 4) and halves.gigabytes > 20
    small = how_long.row("styleinv", "small")
    assert small.hours == pytest.approx(17.5 * 24 / 10 / 4) and small.hours_mark == "R"
    # Another measurement of a training takes the place of the former.
    table, record = tmp_path / "cost.csv", tmp_path / "record.csv"
    record.write_text(how_long.RECORD.read_text())
    monkeypatch.setattr(how_long, "RECORD", record)
    row = dict.fromkeys(how_long.COLUMNS[1:], "7") | {"stage": "talking_faces/digan"}
    table.write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
    how_long.take("demo", table)
    assert how_long.row("digan", "demo").hours == pytest.approx(49 / 3600)
    assert how_long.measured("demo").keys() >= {"talking_faces/styleinv", "talking_faces/digan"}


def test_the_page_of_error_lines_is_that_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    import troubleshooting

    assert troubleshooting.page() == troubleshooting.PAGE.read_text(), "run `python docs/troubleshooting.py`"
    rooms = {file.relative_to(troubleshooting.SOURCE).parts[0].removesuffix(".py") for file in user_errors()}
    assert rooms - {"errors"} <= set(troubleshooting.ROOMS)


def test_the_recording_of_a_terminal_shows_one_screen_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from xml.etree import ElementTree

    from rich.text import Text

    monkeypatch.syspath_prepend(ROOT / "docs")
    import first_run

    def screens(svg: str) -> list[ElementTree.Element]:
        return ElementTree.fromstring(svg).findall("{http://www.w3.org/2000/svg}g")

    svg = first_run.animated([Text(f"jobs: {i} of 3") for i in range(3)], "a demo")
    shown = ["".join(screen.itertext()).replace("\xa0", " ") for screen in screens(svg)]
    assert [text.partition("jobs: ")[2][:6] for text in shown] == ["0 of 3", "1 of 3", "2 of 3"]
    assert "@keyframes k2 {0% {opacity: 0} 21.053% {opacity: 1} 100% {opacity: 1}}" in svg and "<script" not in svg
    kept = first_run.PICTURE.read_text()
    assert len(screens(kept)) == first_run.FRAMES + 1 and "results/tables/table1.md" in kept.replace("&#160;", " ")
    assert "](first-run.svg)" in (ROOT / "docs/workflow.md").read_text()


def user_errors() -> list[Path]:
    """Files of the package that can refuse something."""
    return [file for file in (ROOT / "src/styleinv").rglob("*.py") if "UserError(" in file.read_text()]


def test_lines_of_errors_are_found_with_their_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    import troubleshooting

    file = tmp_path / "module.py"
    file.write_text(
        "def f(path, n, key):\n"
        "    cure = f'Give {n} more.' if n else 'Give some.'\n"
        "    raise UserError(f'has {len(path)} of {n} {key}s', file=path, field=f'--{key}', cure=cure)\n"
        "def g(): return AccessError('is ' + 'closed')\n"
    )
    first, second = troubleshooting.lines(file, troubleshooting.family())
    assert first.says == "⟨path⟩: --⟨key⟩: has ⟨number⟩ of ⟨n⟩ ⟨key⟩s"
    assert (first.cure, first.code) == ("Give ⟨n⟩ more. | Give some.", 2)
    assert (second.says, second.cure, second.code) == ("is closed", "", 3)
    assert troubleshooting.family()["Lost"] == 1 and troubleshooting.family()["Stopped"] == 75


def test_what_is_said_of_held_out_faces_follows_from_their_record() -> None:
    from benchmarks.held_out import PAGE, RECORD, place

    assert place(read_json(RECORD), PAGE.read_text()) == PAGE.read_text(), "run `python benchmarks/held_out.py`"


@pytest.mark.slow
def test_the_picture_of_the_readme_is_what_the_present_code_makes() -> None:
    """By the settings of its trainings and the curves of their first steps."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from demo_picture import RECORD, record

    cure = "docs/demo.gif is of another code: run `make demo && python benchmarks/demo_picture.py`"
    want, got = read_json(RECORD), record()
    for settings in (*want["settings"].values(), *got["settings"].values()):
        for key in OF_THE_MACHINE:  # which change nothing
            settings["training"].pop(key, None)
    assert want["settings"] == got["settings"], cure
    assert want["curves"].keys() == got["curves"].keys()
    for run, curves in want["curves"].items():
        # Adam's first steps enlarge rounding, in which machines differ, to per cents; the mean sign of a few logits
        # near zero jumps with it.
        numbers, ours = ({k: v for k, v in c.items() if "signs" not in k} for c in (curves, got["curves"][run]))
        assert ours == pytest.approx(numbers, rel=5e-2, abs=5e-3), f"{cure} ({run})"
