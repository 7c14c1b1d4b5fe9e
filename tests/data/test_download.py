"""Downloads from a server that misbehaves in every way we know."""

import hashlib
import json
import logging
import threading
from pathlib import Path

import pytest

from styleinv.data import download as downloads
from styleinv.data.download import download, download_json, probe_url
from styleinv.errors import AccessError, UserError
from tests.data.server import CONTENT, DIGEST, Server


def get(server: Server, path: Path, **options) -> Path:
    return download(server.url, path, attempts=options.pop("attempts", 3), wait=0.001, **options)


def test_plain_and_not_twice(server: Server, tmp_path: Path) -> None:
    path = get(server, tmp_path / "deep" / "w.pth", sha256=DIGEST)
    assert path.read_bytes() == CONTENT
    get(server, path, sha256=DIGEST[:8])
    assert server.requests == [None]
    assert [file.name for file in path.parent.iterdir()] == ["w.pth"]


@pytest.mark.parametrize("etag", ['"v1"', ""])
def test_cuts_are_resumed(server: Server, tmp_path: Path, etag: str) -> None:
    server.cut, server.etag = [300_000, 0, 200_000], etag
    assert get(server, tmp_path / "w.pth", sha256=DIGEST).read_bytes() == CONTENT
    assert server.requests == [None, "bytes=300000-", "bytes=300000-", "bytes=500000-"]


def test_a_later_call_goes_on_and_a_finished_part_is_taken(server: Server, tmp_path: Path) -> None:
    server.cut = [400_000]
    with pytest.raises(UserError, match="goes on where it stopped"):
        get(server, tmp_path / "w.pth", attempts=1)
    assert (tmp_path / "w.pth.part").stat().st_size == 400_000 and not (tmp_path / "w.pth").exists()
    assert get(server, tmp_path / "w.pth").read_bytes() == CONTENT
    assert server.requests[-1] == "bytes=400000-"
    (tmp_path / "x.pth.part").write_bytes(CONTENT)
    assert get(server, tmp_path / "x.pth", sha256=DIGEST).read_bytes() == CONTENT
    assert server.requests[-1] == f"bytes={len(CONTENT)}-"


def test_a_server_without_ranges_starts_again(server: Server, tmp_path: Path) -> None:
    server.cut, server.ranges = [300_000], False
    assert get(server, tmp_path / "w.pth", sha256=DIGEST).read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_not_mixed(server: Server, tmp_path: Path) -> None:
    server.cut = [300_000]
    with pytest.raises(UserError):
        get(server, tmp_path / "w.pth", attempts=1)
    server.content, server.etag = CONTENT[::-1], '"v2"'
    assert get(server, tmp_path / "w.pth").read_bytes() == CONTENT[::-1]
    server.etag = ""  # and a server that cannot say so is not trusted with half a file
    (tmp_path / "x.pth.part").write_bytes(CONTENT[:1000])
    assert get(server, tmp_path / "x.pth").read_bytes() == CONTENT[::-1]
    (tmp_path / "y.pth.part").write_bytes(b"?" * 1000)  # a wrong half costs one more try
    digest = hashlib.sha256(CONTENT[::-1]).hexdigest()
    assert get(server, tmp_path / "y.pth", sha256=digest).read_bytes() == CONTENT[::-1]
    (tmp_path / "z.pth.part").write_bytes(b"?" * (len(CONTENT) + 5))  # longer than the file
    assert get(server, tmp_path / "z.pth", sha256=digest).read_bytes() == CONTENT[::-1]


def test_wrong_bytes_are_refused(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"SHA-256 {DIGEST}, expected 0123456789"):
        get(server, tmp_path / "w.pth", sha256="0123456789" + "a" * 54)
    assert not list(tmp_path.iterdir())
    (tmp_path / "w.pth").write_bytes(b"spoilt")
    with pytest.raises(UserError, match="w.pth: has SHA-256"):
        get(server, tmp_path / "w.pth", sha256=DIGEST)


def test_first_download_is_trusted_and_later_ones_compared(server: Server, tmp_path: Path) -> None:
    lock = tmp_path / "weights.lock.json"
    get(server, tmp_path / "w.pth", lock=lock)
    assert json.loads(lock.read_text()) == {server.url: {"sha256": DIGEST, "size": len(CONTENT)}}
    (tmp_path / "w.pth").unlink()
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(UserError, match="expected " + DIGEST):
        get(server, tmp_path / "w.pth", lock=lock)
    server.content = CONTENT
    get(server, tmp_path / "w.pth", lock=lock)


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [(404, UserError, "HTTP 404"), (410, UserError, "HTTP 410"), (403, AccessError, "permission")],
)
def test_final_answers_are_not_asked_again(server: Server, tmp_path: Path, code: int, kind: type, says: str) -> None:
    server.failures = [code]
    with pytest.raises(kind, match=says):
        get(server, tmp_path / "w.pth")
    assert len(server.requests) == 1 and not (tmp_path / "w.pth").exists()


def test_troubled_servers_are_asked_again(server: Server, tmp_path: Path) -> None:
    server.failures = [503, 429]
    assert get(server, tmp_path / "w.pth").read_bytes() == CONTENT
    server.failures = [500] * 9
    with pytest.raises(UserError, match="could not be downloaded .HTTP 500"):
        get(server, tmp_path / "x.pth")
    assert len(server.failures) == 6


def test_no_server_and_no_address(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="could not be downloaded"):
        download("http://127.0.0.1:9/x", tmp_path / "x", attempts=2, wait=0.001)
    with pytest.raises(UserError, match="http"):
        download("ftp://example.org/x", tmp_path / "x")
    with pytest.raises(UserError, match="no SHA-256"):
        download("http://127.0.0.1:9/x", tmp_path / "x", sha256="xyz")


def test_two_at_once_fetch_once(server: Server, tmp_path: Path) -> None:
    threads = [threading.Thread(target=get, args=(server, tmp_path / "w.pth"), kwargs={"sha256": DIGEST}) for _ in "12"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.requests == [None] and (tmp_path / "w.pth").read_bytes() == CONTENT


def test_addresses_that_change_are_locked_by_a_name(server: Server, tmp_path: Path) -> None:
    lock = tmp_path / "data.lock.json"
    get(server, tmp_path / "w.pth", lock=lock, key="https://disk.example/public")
    assert list(json.loads(lock.read_text())) == ["https://disk.example/public"]
    (tmp_path / "w.pth").write_bytes(b"other")
    with pytest.raises(UserError, match=f"expected {DIGEST}"):
        download("http://127.0.0.1:9/elsewhere", tmp_path / "w.pth", lock=lock, key="https://disk.example/public")


def test_a_length_that_is_a_lie(server: Server, tmp_path: Path) -> None:
    server.lie = 100_000  # the rest is asked for, and the server then says that there is none
    assert get(server, tmp_path / "w.pth").read_bytes() == CONTENT
    server.lie = -100_000
    with pytest.raises(UserError, match=f"expected {DIGEST}"):
        get(server, tmp_path / "x.pth", sha256=DIGEST)
    assert not (tmp_path / "x.pth").exists()


def test_services_and_probes(server: Server) -> None:
    server.files["/api"] = b'{"href": "x"}'
    server.failures = [503]
    assert download_json(f"{server.root}/api", wait=0.001) == {"href": "x"}
    server.files["/api"] = b"<html>"
    with pytest.raises(UserError, match="did not answer with JSON"):
        download_json(f"{server.root}/api", wait=0.001)
    assert probe_url(server.url) == (True, "HTTP 200")
    server.failures = [405]
    assert probe_url(server.url)[0] and server.requests[-1] == "bytes=0-0"
    server.failures = [404]
    assert probe_url(server.url) == (False, "HTTP 404")
    assert not probe_url("http://127.0.0.1:9/x")[0]


def test_progress_is_said(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(downloads, "_SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level(logging.INFO):
        get(server, tmp_path / "w.pth")
    assert "weights.pth: 1.0 of 1.0 MB" in caplog.text
