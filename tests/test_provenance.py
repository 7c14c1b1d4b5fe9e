"""What records say of the code."""

import subprocess
from pathlib import Path

import pytest

from styleinv import provenance


def test_only_a_change_of_the_package_makes_its_commit_dirty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study that is recorded by DVC changes dvc.yaml, and no code."""

    def git(*words: str) -> str:
        who = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"]
        return subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    package = tmp_path / "src/styleinv"
    package.mkdir(parents=True)
    monkeypatch.setattr(provenance, "__file__", str(package / "provenance.py"))
    assert provenance.code_commit() == (None, None)
    for file in (tmp_path / "dvc.yaml", package / "provenance.py"):
        file.write_text("a")
    git("init")
    git("add", "-A")
    git("commit", "-m", "first")
    commit = git("rev-parse", "HEAD").strip()
    (tmp_path / "dvc.yaml").write_text("b")
    (tmp_path / "more").write_text("b")
    assert provenance.code_commit() == (commit, False) and provenance.commit_name() == commit
    (package / "rng.py").write_text("b")
    assert provenance.commit_name() == f"{commit}-dirty"
