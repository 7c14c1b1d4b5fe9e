"""A web server that misbehaves in every way we know."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

CONTENT = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` by their paths and `content` everywhere else.

    `cut`: bytes sent before the connection breaks; `failures`: status codes to give first; `lie`: added to the length
    that is announced; `shift`: added to the place that a range is read from; `headers`: sent in the place of those that
    are right, None leaves one out; `redirect`: where everything else is; `ranges`, `etag`, ...
    """

    content = CONTENT
    files: dict[str, bytes]
    cut: list[int]
    failures: list[int]
    headers: dict[str, str | None]
    lie = shift = 0
    redirect = ""
    ranges = True
    etag = '"v1"'
    requests: list[str | None]

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self.root}/weights.pth"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self.do_GET(body_too=False)

    def do_GET(self, body_too: bool = True) -> None:
        server, wanted = self.server, self.headers["Range"]
        server.requests.append(wanted)
        if server.failures:
            return self.send_error(server.failures.pop(0))
        if server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            return self.end_headers()
        content = server.files.get(self.path.partition("?")[0], server.content)
        span = wanted.removeprefix("bytes=").partition("-") if wanted and server.ranges else ("0", "-", "")
        start, end = int(span[0]), int(span[2]) + 1 if span[2] else len(content)
        if self.headers["If-Range"] not in (None, server.etag):
            start, end = 0, len(content)
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        partial = start > 0 or end < len(content)
        body = content[start + server.shift :] if partial and server.shift else content[start:end]
        self.send_response(206 if partial else 200)
        right = {"Content-Length": str(len(body) + server.lie), "ETag": server.etag or None}
        right["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}" if partial else None
        for name, value in (right | server.headers).items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if body_too:
            self.wfile.write(body[: server.cut.pop(0)] if server.cut else body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    """A running server."""
    server = Server(("127.0.0.1", 0), Handler)
    server.cut, server.failures, server.requests, server.files, server.headers = [], [], [], {}, {}
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
