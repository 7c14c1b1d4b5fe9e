"""The examples of docs/ are complete: what they show is run from the pages themselves."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from styleinv.config import load_dataset, parse_dataset
from styleinv.data import sources
from styleinv.data.store import FrameStore
from styleinv.data.synthetic import make_talking_faces
from styleinv.files import read_json
from styleinv.paths import Paths
from styleinv.schema import Layer, parse
from styleinv.stages.crop import crop
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
    names = make_talking_faces(tmp_path / "faces", videos=2, frames=12, size=64, fps=25, seed=1)
    with tarfile.open(tmp_path / "videos.tar", "w") as archive:
        archive.add(tmp_path / "faces/original", ".")
    text = f"title: x\nsource: {{type: tarball, path: {tmp_path}/videos.tar}}\ncrop: {{type: centre}}\n"
    (folder / "config/datasets/mine.yaml").write_text(f"{text}resolution: 32\nmin_frames: 12\n")
    setting = Setting(folder / "config/paper.yaml", Paths(folder / "results"))
    for _ in range(2):
        fetch("mine", setting)
        crop("mine", setting)
        assert FrameStore(setting.paths.frames("mine")).names == names
    assert next(doctor(["mine"], setting)).endswith("videos.tar is there")


def test_the_keys_of_the_cropping_page_are_those_of_its_preset() -> None:
    import yaml

    from styleinv.crop.settings import Alignment

    (text,) = blocks("cropping.md", "yaml")
    keys = yaml.safe_load(text)["crop"]
    assert parse(Alignment, Layer("docs/cropping.md", keys)) == Alignment()
    assert set(keys) == set(Alignment.model_fields) - {"landmarks"}


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


@pytest.mark.slow
def test_the_picture_of_the_readme_is_what_the_present_code_makes() -> None:
    """By the settings of its trainings and the curves of their first steps."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from demo_picture import RECORD, record

    cure = "docs/demo.png is of another code: run `make demo && python benchmarks/demo_picture.py`"
    want, got = read_json(RECORD), record()
    assert want["settings"] == got["settings"], cure
    assert want["curves"].keys() == got["curves"].keys()
    for run, numbers in want["curves"].items():
        assert got["curves"][run] == pytest.approx(numbers, rel=1e-2, abs=1e-3), f"{cure} ({run})"
