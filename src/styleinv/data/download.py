"""Downloads of single files: resumed, retried, and complete only when size and hash are right."""

import http.client
import json
import logging
import os
import ssl
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, NoReturn

from styleinv.data.trust import Trust
from styleinv.errors import AccessError, UserError
from styleinv.files import alone
from styleinv.forms import Form

log = logging.getLogger(__name__)

_PIECE = 1 << 20
_SECONDS_WITHOUT_DATA = 60
_SECONDS_BETWEEN_LINES = 10.0
_OVERLAP = 1 << 16  # bytes that are asked for again where no hash would show that two halves do not fit
_WORTH_ANOTHER_TRY = {408, 425, 429}  # and everything from 500 on
_BROKEN_CONNECTION = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)


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
    form: Form | None = None,
) -> Path:
    """Download `url` to `path`, unless the file is there already with the right hash.

    Half a download stays in `<path>.part`, and the next call goes on from there if the hash is known or the server can
    say that its file has not changed.

    Args:
        url: http or https.
        path: where the file goes.
        sha256: its hex hash, or at least the first 8 digits where only those are published.
        lock: the lock file (see `data.trust`) for files without a whole published hash: the first download is trusted
            and written down, every later one must equal it.
        attempts: tries in a row without a single new byte, and beginnings from the first byte, before giving up.
        wait: seconds before the second try, doubled each time.
        key: name in the lock file, for addresses that change from day to day; `url` by default.
        form: what the file must look like to be trusted.

    Returns:
        `path`.

    Raises:
        AccessError: the server demands a login (401, 403).
        UserError: it has no such file, does not answer, or gives something else than the hash demands or first use
            allows; or `url` is no address.
    """
    path = Path(path)
    if not _is_address(url):
        raise UserError("is no address that can be downloaded", file=url, cure="Give an http or https address.")
    trust = Trust(sha256 or "", Path(lock) if lock else None, key or url, form)
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path.parent):
        if path.exists():
            digest = trust.check(path, f"Delete it to download {url} again.")
        else:
            digest = _Transfer(url, path, trust, attempts, wait).run()
    trust.keep(path, digest)
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
        except (ValueError, RecursionError):
            raise UserError("did not answer with JSON", file=url, cure="Try again later.") from None


def probe_url(url: str) -> tuple[bool, str]:
    """Ask whether a file can be downloaded; returns this and the server's answer in words."""
    if not _is_address(url):
        return False, "is no address that can be downloaded"
    for method, headers in (("HEAD", {}), ("GET", {"Range": "bytes=0-0"})):
        request = urllib.request.Request(url, headers={"User-Agent": "styleinv", **headers}, method=method)
        try:
            with _open(request) as reply:
                if _is_web_page(reply):
                    return False, f"HTTP {reply.status}, but with a web page"
                return True, f"HTTP {reply.status}"
        except urllib.error.HTTPError as error:
            error.close()
            if method == "HEAD" and error.code in (400, 403, 405, 501):
                continue  # some servers know no HEAD
            return False, f"HTTP {error.code}"
        except (UserError, urllib.error.URLError, http.client.HTTPException, OSError) as error:
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


class _Transfer:
    """One download, which goes on where it stopped for as long as that leads anywhere.

    Where no whole hash is known, nothing but the transfer itself can show that the bytes are the right ones: replies
    must then say how long the file is and of which bytes they are, and overlap.
    """

    def __init__(self, url: str, path: Path, trust: Trust, attempts: int, wait: float):
        self._url, self._path, self._trust, self._attempts, self._wait = url, path, trust, attempts, wait
        self._part, self._tag = (path.with_name(path.name + suffix) for suffix in (".part", ".part.tag"))
        self._first_use = trust.lock is not None and trust.whole is None
        self._beginnings = 0

    def run(self) -> str:
        """Fetch the file and return its SHA-256."""
        resumed = self._part.exists()
        failures = 0
        while True:
            before = _size(self._part)
            try:
                self._continue()
            except _Interrupted as trouble:
                failures = 1 if _size(self._part) > before else failures + 1
                if failures >= self._attempts or self._beginnings > self._attempts:
                    self._give_up(trouble)
                log.warning("%s: %s; trying again", self._url, trouble)
                time.sleep(self._wait * 2 ** (failures - 1))
                continue
            try:
                digest = self._trust.check(self._part, "Look for another source of it.", self._url)
            except UserError:
                self._discard()
                if not resumed:
                    raise
                resumed = False  # the old half may have been the wrong one: once more from the start
                continue
            os.replace(self._part, self._path)
            self._tag.unlink(missing_ok=True)
            return digest

    def _give_up(self, trouble: _Interrupted) -> NoReturn:
        if self._beginnings > self._attempts:
            self._discard()
        cure = "Try again later: it goes on where it stopped." if _size(self._part) else "Try again later."
        raise UserError(f"could not be downloaded ({trouble})", file=self._url, cure=cure) from None

    def _discard(self) -> None:
        self._part.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)

    def _begin_again(self, why: str) -> NoReturn:
        self._discard()
        raise _Interrupted(why) from None

    def _continue(self) -> None:
        """Fetch the missing rest; returns when the file is complete."""
        validator, total_before = self._known()
        if not (self._trust.whole or validator):
            self._discard()  # nobody could tell whether the rest belongs to what is here
        have = _size(self._part)
        # Ask for the rest, provided that the server still has the same file.
        wanted = max(have - _OVERLAP, 0) if self._first_use else have
        headers = {"User-Agent": "styleinv", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={wanted}-"
            if validator:
                headers["If-Range"] = validator
        request = urllib.request.Request(self._url, headers=headers)
        try:
            with _open(request) as reply:
                start, total = self._extent(reply)
                if self._first_use:
                    self._refuse_doubtful(reply, total)
                if start not in (0, wanted):
                    self._begin_again(f"asked for byte {wanted}, got byte {start}")
                if start and total_before is not None and total != total_before:
                    self._begin_again(f"the file has {total} bytes now, it had {total_before}")
                if not start:
                    self._beginnings += 1
                self._write_down(reply, total)
                self._append(reply, start, total)
        # Some refusals pass, the others are for the user.
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and not self._first_use:
                if error.headers.get("Content-Range", "").endswith(f"*/{have}"):
                    return  # nothing is missing: the last call was stopped just before the end
            if error.code == 416:  # no such range: what we have is not a beginning of the file that is there now
                self._begin_again("the server's file is shorter than what was here")
            if error.code in (401, 403):
                cure = "Ask its owner for access."
                raise AccessError(f"needs permission (HTTP {error.code})", file=self._url, cure=cure) from None
            if error.code < 500 and error.code not in _WORTH_ANOTHER_TRY:
                cure = "Check the address."
                raise UserError(f"is not there (HTTP {error.code})", file=self._url, cure=cure) from None
            raise _Interrupted(f"HTTP {error.code}") from None
        except _BROKEN_CONNECTION as error:
            raise _Interrupted(str(getattr(error, "reason", error)) or type(error).__name__) from None
        # A connection that broke looks like the end of a file.
        if total is not None and _size(self._part) < total:
            raise _Interrupted(f"cut after {_size(self._part)} of {total} bytes")
        if total is not None and _size(self._part) > total:
            self._begin_again("more bytes than announced")

    def _extent(self, reply: http.client.HTTPResponse) -> tuple[int, int | None]:
        """Return the first byte that a reply covers and the size of the whole file, None where it does not say."""
        length = _number(reply.headers.get("Content-Length"))
        if reply.status != 206:
            return 0, length
        span, _, total = reply.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        first, last = (_number(end) for end in (*span.split("-", 1), "")[:2])
        if first is None:
            self._begin_again("the reply does not say which bytes it holds")
        if length is not None and last is not None and length != last - first + 1:
            self._begin_again(f"the reply has {length} bytes and says that they are {span}")
        return first, _number(total)

    def _refuse_doubtful(self, reply: http.client.HTTPResponse, total: int | None) -> None:
        """Refuse a reply that could not be trusted, whatever comes.

        Raises:
            UserError: it is a web page or encoded, or its end could not be told from a cut.
        """
        form, encoding = self._trust.form, reply.headers.get("Content-Encoding", "identity")
        cure = "Look for another source of it."
        if _is_web_page(reply):
            what = f"gave a web page{f' instead of {form.name}' if form else ''}"
            raise UserError(what, file=self._url, cure=f"Does this network ask for a login? {cure}")
        if encoding.lower() != "identity":
            raise UserError(f"gave the file encoded ({encoding}), not as it is", file=self._url, cure=cure)
        if total is None and not reply.chunked:
            what = "does not say how long the file is, so a cut would go unnoticed"
            raise UserError(what, file=self._url, cure=cure)

    def _append(self, reply: http.client.HTTPResponse, start: int, total: int | None) -> None:
        """Write a reply to its place in the file; what the file has already must be the same."""
        progress = _Progress(path_name(self._url), start, total)
        with open(self._part, "r+b" if start else "wb") as file:
            file.seek(start)
            known = file.read() if start else b""
            if not known.startswith(reply.read(len(known))):
                self._begin_again("the reply holds other bytes than it says")
            while piece := reply.read(_PIECE):
                file.write(piece)
                progress.add(len(piece))

    def _known(self) -> tuple[str, int | None]:
        """Read what the server said of the part that is here: what tells a changed file, and the size of the whole."""
        validator, _, total = (self._tag.read_text() if self._tag.exists() else "").partition("\n")
        return validator, _number(total)

    def _write_down(self, reply: http.client.HTTPResponse, total: int | None) -> None:
        validator = reply.headers.get("ETag") or reply.headers.get("Last-Modified") or ""
        if validator.startswith("W/"):
            validator = ""  # a weak one does not promise equal bytes
        self._tag.write_text(f"{validator}\n{'' if total is None else total}")


def _is_address(url: str) -> bool:
    """Whether an address can be downloaded from, as far as it shows."""
    try:
        parts = urllib.parse.urlsplit(url)
        named = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    return bool(named) and url.isascii() and url.isprintable() and " " not in url


def _open(request: urllib.request.Request) -> http.client.HTTPResponse:
    """Open an address, or the one that it leads to.

    Raises:
        UserError: it leads to no address.
    """
    try:
        reply = urllib.request.urlopen(request, timeout=_SECONDS_WITHOUT_DATA)
    except (ValueError, OverflowError, http.client.InvalidURL) as error:
        what = f"leads to no address that can be downloaded ({error})"
        raise UserError(what, file=request.full_url, cure="Look for another source.") from None
    if not isinstance(reply, http.client.HTTPResponse):
        reply.close()
        what = "leads to no address that can be downloaded"
        raise UserError(what, file=request.full_url, cure="Look for another source.")
    return reply


def _is_web_page(reply: http.client.HTTPResponse) -> bool:
    return reply.headers.get_content_type() in ("text/html", "application/xhtml+xml")


def _number(text: str | None) -> int | None:
    """Read a number of bytes; None where there is none."""
    return int(text) if text and text.strip().isdecimal() and text.isascii() else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
