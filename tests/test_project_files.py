"""What strangers look for first: licence, citation, changes, how to contribute."""

import re
import tomllib

import yaml

from styleinv.cli import main
from tests.project import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_version_is_the_same_everywhere(capsys) -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+) \((\S+)\)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert (PROJECT["version"], citation["version"]) == (newest[1], newest[1])
    assert str(citation["date-released"]) == newest[2]
    try:
        main(["--version"])
    except SystemExit as stop:
        assert stop.code == 0
    assert capsys.readouterr().out.strip() == f"styleinv {PROJECT['version']}"


def test_the_licence_is_named_where_tools_look() -> None:
    assert (ROOT / "LICENSE").read_text().startswith("MIT License") and PROJECT["license"] == "MIT"
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["license"] == "MIT"


def test_forges_and_hooks_call_what_the_project_has() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make ([\w-]+)", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE):
        assert f"\n{target}:" in makefile, target
    assert "bash .ci/run" in (ROOT / ".github/workflows/ci.yml").read_text()
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    lint = makefile.partition("\nlint:")[2].partition("\n\n")[0]
    assert all(hook["entry"].split()[0].removeprefix(".venv/bin/") in lint for hook in hooks)


def test_links_of_the_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "results/README.md"]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"
