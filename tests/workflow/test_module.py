"""The workflow as a part of another one, as config/README.md shows it, and in the image of containers/."""

import re
import shutil
import subprocess
from pathlib import Path

from tests.project import ROOT
from tests.workflow.clone import call, clone


def test_its_rules_run_as_a_module(tmp_path: Path) -> None:
    project = clone(tmp_path / "project")
    other = tmp_path / "other"
    shutil.copytree(project / "config", other / "config")
    shown = re.findall(r"```python\n(.*?)```", (ROOT / "config/README.md").read_text(), re.DOTALL)
    snakefile, count = re.subn(r"snakefile: github\(.*", f'snakefile: "{project / "Snakefile"}"', shown[0])
    assert count == 1
    (other / "Snakefile").write_text(snakefile)
    text = call(other, "snakemake", "-n", "--cores", "1", "--config", "methods=[digan]")
    counts = dict(re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE))
    jobs = ("styleinv_fetch", "styleinv_crop", "styleinv_train_digan", "styleinv_evaluate", "styleinv_table1", "mine")
    assert counts == dict.fromkeys(jobs, "1") | {"total": "6"}
    call(other, "snakemake", "--cores", "1", "results/data/talking_faces/frames.zip")
    assert (other / "results/data/talking_faces/frames.zip").exists()
    assert not (project / "results").exists()


def test_both_recipes_install_what_is_committed() -> None:
    """As far as it can be seen without a container engine."""
    apptainer, docker = ((ROOT / "containers" / name).read_text() for name in ("styleinv.def", "Dockerfile"))
    for recipe in (apptainer, docker):
        assert "debian:bookworm-slim" in recipe and "/opt/styleinv/.git" in recipe and "sh /opt/install.sh" in recipe
        assert "PATH=/opt/styleinv/.venv/bin:$PATH" in recipe
    assert (ROOT / "Snakefile").read_text().count('container: "containers/styleinv.sif"') == 1
    subprocess.run(["sh", "-n", ROOT / "containers/install.sh"], check=True)
