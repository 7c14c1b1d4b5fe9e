"""Options and shared fixtures of the whole test suite."""

import pytest
import torch

from styleinv import rng
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


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The keys that the device's generators get; torch's device without data has none of its own."""
    seen: list[int] = []

    def device_generator(number: int, device: torch.device) -> torch.Generator:
        seen.append(number)
        return torch.Generator()

    monkeypatch.setattr(rng, "_device_generator", device_generator)
    return seen
