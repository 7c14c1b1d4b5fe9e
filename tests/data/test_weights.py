"""Published weights: several addresses, files of one's own, and always the hash."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from styleinv.data import weights
from styleinv.data.download import download
from styleinv.errors import UserError
from styleinv.forms import Form
from tests.data.server import CONTENT, DIGEST, Server


@pytest.fixture
def served(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """`i3d` on a server without it, with a mirror that has it; `inception` without a published hash."""
    gone, there = "http://127.0.0.1:9/i3d.pt?dl=1", f"{server.root}/mirror/any_name.pt"
    i3d = replace(weights.WEIGHTS["i3d"], url=gone, mirrors=(there,), sha256=DIGEST, size=len(CONTENT))
    inception = replace(weights.WEIGHTS["inception"], sha256=None, size=None, url="http://127.0.0.1:9/inception.pt")
    inception = replace(inception, form=Form("anything", lambda path: True))
    monkeypatch.setattr(weights, "WEIGHTS", {"i3d": i3d, "inception": inception})
    monkeypatch.setattr(weights, "download", lambda *a, **k: download(*a, **k, attempts=1, wait=0.001))
    return server


def test_the_next_address_is_asked(served: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lock = tmp_path / "lock.json"
    assert weights.fetch_weights(["i3d"], tmp_path, lock) == [tmp_path / "i3d.pt"]
    assert (tmp_path / "i3d.pt").read_bytes() == CONTENT and "Asking the next address" in caplog.text
    assert not lock.exists()
    (tmp_path / "i3d.pt").unlink()
    served.content = CONTENT[::-1]
    with pytest.raises(UserError, match=f"expected {DIGEST}"):
        weights.fetch_weights(["i3d"], tmp_path, lock)
    assert not (tmp_path / "i3d.pt").exists()


def test_a_mirror_of_ones_own(served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "lock.json"
    with pytest.raises(UserError, match="could not be downloaded"):
        weights.fetch_weights(["inception"], tmp_path, lock)
    monkeypatch.setenv("STYLEINV_WEIGHTS_MIRROR", f"{served.root}/files/")
    weights.fetch_weights(["inception"], tmp_path, lock)
    # The lock names the published address, so that every mirror must give the same.
    assert json.loads(lock.read_text()) == {"http://127.0.0.1:9/inception.pt": {"sha256": DIGEST, "size": len(CONTENT)}}
    (tmp_path / "inception.pt").unlink()
    served.content = b"other"
    with pytest.raises(UserError, match=f"expected {DIGEST}"):
        weights.fetch_weights(["inception"], tmp_path, lock)


def test_a_file_of_ones_own(served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, own = tmp_path / "lock.json", tmp_path / "own.pt"
    own.write_bytes(CONTENT)
    monkeypatch.setenv("STYLEINV_WEIGHTS_I3D", str(own))
    monkeypatch.setenv("STYLEINV_WEIGHTS_INCEPTION", "$HOME/own.pt")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert weights.where("i3d", tmp_path) == own and weights.verify("i3d", tmp_path, lock) == DIGEST
    with pytest.raises(UserError, match="no SHA-256.*weights fetch inception"):
        weights.verify("inception", tmp_path, lock)
    assert weights.fetch_weights(["i3d", "inception"], tmp_path, lock) == [own, own]
    assert not served.requests and list(json.loads(lock.read_text())) == ["http://127.0.0.1:9/inception.pt"]
    own.write_bytes(CONTENT[:-1])
    for name in ("i3d", "inception"):
        with pytest.raises(UserError, match=f"own.pt: has SHA-256.*STYLEINV_WEIGHTS_{name.upper()}"):
            weights.fetch_weights([name], tmp_path, lock)
    own.unlink()
    with pytest.raises(UserError, match="STYLEINV_WEIGHTS_I3D: does not exist"):
        weights.where("i3d", tmp_path)
