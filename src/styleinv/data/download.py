"""Downloads of single files: resumed, retried, and complete only when size and hash are right."""

import contextlib
import fcntl
import http.client
import json
import logging
import os
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from styleinv import files
from styleinv.errors import AccessError, UserError

log = logging.getLogger(__name__)

_PIECE = 1 << 20
_SECONDS_WITHOUT_DATA = 60
_SECONDS_BETWEEN_LINES = 10.0
_WORTH_ANOTHER_TRY = {408, 425, 429}  # and everything from 500 on


class _Interrupted(Exception):
    """The connection broke or the server is in trouble: try again."""


def download(
    url: str,
    path: str | Path,
    sha256: str | None = None,
    lock: str | Path | None = None,
    attempts: int = 5,
    wait: float = 1.0,
    key: str | None = None,
) -> Path:
    """Download `url` to `path`, unless the file is there already with the right hash.

    Half a download stays in `<path>.part`, and the next call goes on from there if the hash is known or the server can
    say that its file has not changed.

    Args:
        url: http or https.
        path: where the file goes.
        sha256: its hex hash, or at least the first 8 digits where only those are published.
        lock: JSON file {url: {"sha256", "size"}} for files without a published hash: the first download is trusted and
            written down, every later one must equal it.
        attempts: tries in a row without a single new byte before giving up.
        wait: seconds before the second try, doubled each time.
        key: name in the lock file, for addresses that change from day to day; `url` by default.

    Returns:
        `path`.

    Raises:
        AccessError: the server demands a login (401, 403).
        UserError: it has no such file, does not answer, or gives something else than the hash demands.
    """
    path = Path(path)
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise UserError("only http and https addresses can be downloaded", file=url)
    if sha256 is not None and (len(sha256) < 8 or set(sha256.lower()) - set("0123456789abcdef")):
        raise UserError(f"{sha256!r} is no SHA-256", file=url)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.parent):
        expected = sha256.lower() if sha256 else _locked(key or url, lock)
        if not path.exists():
            _fetch(url, path, expected, attempts, wait)
        actual = files.sha256(path)
        if expected and not actual.startswith(expected):
            cure = f"Delete it to download {url} again."
            raise UserError(f"has SHA-256 {actual}, expected {expected}", file=path, cure=cure)
    if lock is not None:
        write_lock(key or url, Path(lock), actual, path.stat().st_size)
    return path


def download_json(url: str, attempts: int = 5, wait: float = 1.0) -> Any:
    """Ask a service for JSON. It is retried as `download` does, and not stored.

    Raises:
        AccessError, UserError: as `download`, or the answer is no JSON.
    """
    with tempfile.TemporaryDirectory() as folder:
        reply = download(url, Path(folder) / "reply.json", attempts=attempts, wait=wait)
        try:
            return json.loads(reply.read_bytes())
        except ValueError:
            raise UserError("did not answer with JSON", file=url, cure="Try again later.") from None


def probe_url(url: str) -> tuple[bool, str]:
    """Ask whether a file can be downloaded; returns this and the server's answer in words."""
    for method, headers in (("HEAD", {}), ("GET", {"Range": "bytes=0-0"})):
        request = urllib.request.Request(url, headers={"User-Agent": "styleinv", **headers}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS_WITHOUT_DATA) as reply:
                return True, f"HTTP {reply.status}"
        except urllib.error.HTTPError as error:
            error.close()
            if method == "HEAD" and error.code in (400, 403, 405, 501):
                continue  # some servers know no HEAD
            return False, f"HTTP {error.code}"
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            return False, str(getattr(error, "reason", error)) or type(error).__name__
    raise AssertionError("the second request returns")


class _Progress:
    """Logs a line every few seconds while a download runs."""

    def __init__(self, name: str, start: int, total: int | None):
        self._name, self._start, self._done, self._total = name, start, start, total
        self._began = self._said = time.monotonic()

    def add(self, size: int) -> None:
        self._done += size
        now = time.monotonic()
        if now - self._said < _SECONDS_BETWEEN_LINES:
            return
        self._said = now
        rate = (self._done - self._start) / (now - self._began)
        if self._total:
            rest = (self._total - self._done) / rate
            log.info(
                "%s: %.1f of %.1f MB, %.1f MB/s, %.0f min left",
                *(self._name, self._done / 1e6, self._total / 1e6, rate / 1e6, rest / 60),
            )
        else:
            log.info("%s: %.1f MB, %.1f MB/s", self._name, self._done / 1e6, rate / 1e6)


def path_name(url: str) -> str:
    """Return the last part of an address's path, without its query."""
    return urllib.parse.urlsplit(url).path.rpartition("/")[2] or url


def _fetch(url: str, path: Path, expected: str | None, attempts: int, wait: float) -> None:
    part, tag = path.with_name(path.name + ".part"), path.with_name(path.name + ".part.tag")
    resumed = part.exists()
    failures = 0
    while True:
        before = _size(part)
        try:
            _continue(url, part, tag, expected)
        except _Interrupted as trouble:
            failures = 1 if _size(part) > before else failures + 1
            if failures >= attempts:
                cure = "Try again later: it goes on where it stopped." if _size(part) else "Try again later."
                raise UserError(f"could not be downloaded ({trouble})", file=url, cure=cure) from None
            log.warning("%s: %s; trying again", url, trouble)
            time.sleep(wait * 2 ** (failures - 1))
            continue
        actual = files.sha256(part)
        if not expected or actual.startswith(expected):
            os.replace(part, path)
            tag.unlink(missing_ok=True)
            return
        part.unlink()
        tag.unlink(missing_ok=True)
        if not resumed:
            cure = "The file there has changed: look for another source."
            raise UserError(f"gave a file with SHA-256 {actual}, expected {expected}", file=url, cure=cure)
        resumed = False  # the old half may have been the wrong one: once more from the start


def _continue(url: str, part: Path, tag: Path, expected: str | None) -> None:
    """Fetch the missing rest of `part`; returns when the file is complete."""
    known = tag.read_text() if tag.exists() else ""
    if part.exists() and not (expected or known):
        part.unlink()  # nobody could tell whether the rest belongs to it
    have = _size(part)
    # Ask for the rest, provided that the server still has the same file.
    headers = {"User-Agent": "styleinv", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if known:
            headers["If-Range"] = known
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS_WITHOUT_DATA) as reply:
            start, total = _extent(reply)
            if start not in (0, have):
                part.unlink()
                raise _Interrupted(f"asked for byte {have}, got byte {start}")
            if total is None and not expected and not reply.chunked:
                log.warning("%s: the server does not say how long the file is, so a cut would go unnoticed", url)
            validator = reply.headers.get("ETag") or reply.headers.get("Last-Modified") or ""
            # A weak validator does not promise equal bytes.
            tag.write_text("" if validator.startswith("W/") else validator)
            with open(part, "r+b" if start else "wb") as file:
                file.seek(start)
                progress = _Progress(path_name(url), start, total)
                while piece := reply.read(_PIECE):
                    file.write(piece)
                    progress.add(len(piece))
    # Some refusals pass, the others are for the user.
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and error.headers.get("Content-Range", "").endswith(f"*/{have}"):
            return  # nothing is missing: the last call was stopped just before the end
        if error.code == 416:  # no such range: what we have is not a beginning of the file that is there now
            part.unlink(missing_ok=True)
            raise _Interrupted("the server's file is shorter than what was here") from None
        if error.code in (401, 403):
            cure = "Ask its owner for access."
            raise AccessError(f"needs permission (HTTP {error.code})", file=url, cure=cure) from None
        if error.code < 500 and error.code not in _WORTH_ANOTHER_TRY:
            raise UserError(f"is not there (HTTP {error.code})", file=url, cure="Check the address.") from None
        raise _Interrupted(f"HTTP {error.code}") from None
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _Interrupted(str(getattr(error, "reason", error)) or type(error).__name__) from None
    # A connection that broke looks like the end of a file.
    if total is not None and _size(part) < total:
        raise _Interrupted(f"cut after {_size(part)} of {total} bytes")
    if total is not None and _size(part) > total:
        part.unlink()
        raise _Interrupted("more bytes than announced")


def _extent(reply: http.client.HTTPResponse) -> tuple[int, int | None]:
    """Return the first byte that a reply covers and the size of the whole file, None where it does not say."""
    length = reply.headers.get("Content-Length")
    if reply.status != 206:
        return 0, int(length) if length else None
    span, _, total = reply.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    start = span.partition("-")[0]
    if not start.isdigit():
        raise _Interrupted("the reply does not say which bytes it holds")
    return int(start), int(total) if total.isdigit() else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _locked(url: str, lock: str | Path | None) -> str | None:
    if lock is None or not Path(lock).exists():
        return None
    entry = files.read_json(lock).get(url)
    return entry["sha256"] if entry else None


def write_lock(url: str, lock: Path, sha256: str, size: int) -> None:
    """Record the hash of a file for which no hash is published."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with _alone(lock.parent):
        entries = files.read_json(lock) if lock.exists() else {}
        entry = {"sha256": sha256, "size": size}
        if entries.get(url) != entry:
            files.write_json(lock, dict(sorted((entries | {url: entry}).items())))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a lock, so that one process of this machine at a time downloads into a folder; it leaves no file behind."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
