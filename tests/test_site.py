"""The pages of docs/ as a site, and the notebook."""

import contextlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

from tests.project import ROOT
from tests.styled import make_styled_study


@pytest.mark.slow
def test_the_site_is_built_without_a_network(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr  # a link that leads nowhere is an error there
    pages = {page.name: page.read_text() for page in tmp_path.glob("*.html")}
    written = {page.stem for page in (ROOT / "docs").glob("*.md")} | {"index", "notebook", "contributing", "changelog"}
    assert written | {"404"} == {name.removesuffix(".html") for name in pages}
    for name, text in pages.items():
        asked = re.findall(r'<(?:link|script|img|source)[^>]+(?:href|src)="(https?:[^"]*)"', text)
        assert not asked, f"{name} asks others for {asked}"
    assert "styleinv.stages.model.Model.generate" in pages["api.html"]
    assert "styleinv generate talking_faces/styleinv" in re.sub("<[^>]*>", "", pages["apply.html"])


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_styled_study(tmp_path)
    monkeypatch.chdir(tmp_path)
    matplotlib.use("agg")
    cells = json.loads((ROOT / "docs/notebook.ipynb").read_text())["cells"]
    assert all(not cell.get("outputs") for cell in cells)
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()) as said:
        for cell in cells:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)
    assert re.search(r"off by \d+\.\d of 255 a pixel", said.getvalue())
