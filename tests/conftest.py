"""Options and shared fixtures of the whole test suite."""

import pytest

from styleinv.paths import Paths
from styleinv.stages.crop import crop
from styleinv.stages.fetch import fetch
from styleinv.stages.setting import Setting
from tests.project import make_project


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="append", help="a folder of golden cases (repeatable)")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """A miniature study whose talking faces are fetched and cropped."""
    folder = make_project(tmp_path_factory.mktemp("study"))
    setting = Setting(folder / "config" / "tiny.yaml", Paths(folder / "results"))
    fetch("talking_faces", setting)
    crop("talking_faces", setting)
    return setting
