"""No stage but `fetch` opens a network connection: the whole chain runs where every attempt fails."""

import socket
from pathlib import Path
from typing import Any

import pytest

from styleinv.cli import main
from tests.project import TINY, make_project

RUNS = ("stylegan2", "inversion", "styleinv")


def deny(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Make every connection and every look-up of a name fail; returns the list of attempts."""
    attempts: list[Any] = []

    def refuse(*words: Any, **_: Any) -> None:
        attempts.append(words)
        raise OSError("this test has no network")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    return attempts


def test_everything_but_fetch_runs_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = TINY.replace("total_kimg: 0.08", "total_kimg: 0.008").replace("total_kimg: 0.32", "total_kimg: 0.032")
    folder = make_project(tmp_path, short)
    options = ["--config", str(folder / "config" / "tiny.yaml"), "--results", str(folder / "results")]

    def styleinv(*words: str) -> int:
        return main([*words, *options])

    assert styleinv("fetch", "talking_faces") == 0
    attempts = deny(monkeypatch)
    run = "talking_faces/styleinv"
    assert styleinv("crop", "talking_faces") == 0
    assert styleinv("lowres", "talking_faces") == 0
    for method in RUNS:
        assert styleinv("train", f"talking_faces/{method}") == 0
    for stage in ("evaluate", "gallery", "report"):
        assert styleinv(stage, run) == 0
    assert styleinv("table", "table1", run) == 0
    assert styleinv("pca", "talking_faces/mocogan_hd") == 0
    assert styleinv("generate", run, "--out", str(tmp_path / "videos"), "--seeds", "0", "--seconds", "0.2") == 0
    assert not attempts
    # The test can fail: a source that needs the network does.
    (folder / "config/datasets/sky.yaml").write_text(
        "title: sky\nsource: {type: sky, api: 'http://127.0.0.1:9/'}\ncrop: {type: centre}\nresolution: 32\n"
    )
    assert styleinv("data", "doctor", "sky") == 1
    assert attempts
