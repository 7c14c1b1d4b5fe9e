"""Options and shared fixtures of the whole test suite."""

from collections import Counter

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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with many slow tests first, so that no process starts the longest file when the others are done."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


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
