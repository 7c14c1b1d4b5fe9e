"""A method is one folder and one YAML, a source one file, a metric one function and one row: in a copy of the tree.

The examples are those of docs/. After each is added, the linters and the tests that go over the registries must pass as
they are.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import ROOT
from tests.test_docs import blocks
from tests.workflow.clone import clone, environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with a method, a source and a metric more."""
    folder = clone(tmp_path_factory.mktemp("tree"))
    for name in ("src", "tests", "docs", "benchmarks"):
        ignored = (
            shutil.ignore_patterns("__pycache__", "golden") if name == "tests" else shutil.ignore_patterns("__py*")
        )
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "requirements.lock", "environment.yml"):
        shutil.copy(ROOT / name, folder)

    method = folder / "src/styleinv/methods/sway"
    method.mkdir()
    (method / "__init__.py").touch()
    (code,) = blocks("adding-a-method.md", "python")
    (method / "method.py").write_text(code)
    (settings,) = blocks("adding-a-method.md", "yaml")
    (folder / "config/methods/sway.yaml").write_text(settings)

    (code,) = blocks("adding-a-dataset.md", "python")
    (folder / "src/styleinv/data/sources/tarball.py").write_text(code)

    metrics = folder / "src/styleinv/evaluation/metrics.py"
    (code,) = blocks("adding-a-metric.md", "python")
    text = metrics.read_text().replace("\n\nFAMILIES", f"\n\n{code}\n\nFAMILIES", 1)
    metrics.write_text(text.replace('"kvd": kvd}', '"kvd": kvd, "fmd": fmd}'))
    assert '"fmd": fmd' in metrics.read_text()
    return folder


def run(tree: Path, *words: str) -> str:
    """Run a command on the copy; it must succeed."""
    paths = {"PYTHONPATH": os.pathsep.join([str(tree / "src"), str(tree)])}
    done = subprocess.run(words, cwd=tree, env=environment() | paths, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout + done.stderr


def test_the_linters_pass(tree: Path) -> None:
    run(tree, "ruff", "check", "src", "tests")
    run(tree, "ruff", "format", "--check", "src", "tests")
    run(tree, "mypy")


def test_the_tests_of_the_registries_pass(tree: Path) -> None:
    paths = ("tests/test_import_rule.py", "tests/test_config.py", "tests/methods/test_video_methods.py")
    names = "sway or test_config or test_import_rule"
    text = run(tree, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths, "-k", names)
    assert "passed" in text


def test_dvc_learns_of_the_method(tree: Path) -> None:
    config = tree / "config/config.yaml"
    text = config.read_text()
    config.write_text(text.replace("methods: [styleinv,", "methods: [sway, styleinv,"))
    assert config.read_text() != text
    run(tree, sys.executable, "workflow/scripts/dvc_sync.py", "write")
    assert "agree on" in run(tree, sys.executable, "workflow/scripts/dvc_sync.py", "check")
    assert "train_sway" in (tree / "dvc.yaml").read_text()
    config.write_text(text)
    run(tree, sys.executable, "workflow/scripts/dvc_sync.py", "write")


def test_the_source_and_the_metric_work_by_name(tree: Path) -> None:
    cli = (sys.executable, "-m", "styleinv.cli")
    kinds = run(tree, sys.executable, "-c", "from styleinv.data import sources; print(sources.known())")
    assert "tarball" in kinds
    for half, seed in (("real", 1), ("fake", 2)):
        made = f"make_talking_faces('{half}', videos=6, frames=16, size=32, fps=25, seed={seed})"
        run(tree, sys.executable, "-c", f"from styleinv.data.synthetic import make_talking_faces; {made}")
    sides = ("--real", "real/original", "--fake", "fake/original", "--detectors", "stand-in", "--lengths", "4", "16")
    run(tree, *cli, "evaluate", *sides, "--metrics", "fid", "fvd", "fmd", "--out", "scores.json")
    with_more = (tree / "scores.json").read_text()
    assert '"fmd4"' in with_more and '"fmd16_std"' in with_more
    run(tree, *cli, "evaluate", *sides, "--out", "plain.json")
    # What was there before the metric came is compared with what came after it.
    text = run(tree, *cli, "compare", "plain.json", "scores.json")
    assert "FVD16" in text and "fmd4: not comparable: plain.json has none" in text
