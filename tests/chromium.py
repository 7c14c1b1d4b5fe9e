"""Pages of files in headless Chromium: what they show at a width of the window, and whether their videos run."""

import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Said to a server of this process by a page about another one, which it shows in a frame of the wanted width: the
# own window of Chromium has a least width, and what it prints of a page it prints before a video has played.
LOOK = """
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const frame = document.querySelector("iframe");
frame.addEventListener("load", async () => {
  const page = frame.contentDocument, videos = [...page.querySelectorAll("video")];
  const times = [];
  for (const video of videos) {  // they play where they are seen
    video.scrollIntoView({block: "center", inline: "center"});
    for (let i = 0; i < 50 && !video.currentTime; i++) await sleep(100);
    const sooner = video.currentTime;
    for (let i = 0; i < 50 && video.currentTime === sooner; i++) await sleep(100);
    times.push([sooner, video.currentTime]);
  }
  const links = [...page.querySelectorAll("a")].map((a) => a.getAttribute("href"));
  const said = {
    inner: frame.contentWindow.innerWidth,
    scroll: page.documentElement.scrollWidth,
    videos: videos.map((v, i) =>
      ({sooner: times[i][0], later: times[i][1], error: v.error && v.error.code, shown: v.clientWidth})),
    images: [...page.querySelectorAll("img")].filter((i) => i.complete && !i.naturalWidth).map((i) => i.alt),
    links: links.map((href) => ({href, there: !href.startsWith("#") || !!page.getElementById(href.slice(1))})),
  };
  fetch("http://127.0.0.1:PORT/", {method: "POST", mode: "no-cors", body: JSON.stringify(said)});
});
"""


def inspect(page: Path, width: int, height: int, picture: Path | None = None) -> dict[str, Any]:
    """Show a page of a file in a window of some width, and tell what is there: overflow, videos and links.

    Args:
        page: the file.
        width, height: of the window in pixels.
        picture: where a picture of its beginning goes, if one is wanted.
    """
    with _ear() as (port, heard, said):
        around = page.with_name("around.html")
        frame = f'<iframe src="{page.name}" width="{width}" height="{height}" style="border:0;display:block"></iframe>'
        script = LOOK.replace("PORT", str(port))
        around.write_text(f'<!doctype html><body style="margin:0">{frame}<script>{script}</script>')
        with tempfile.TemporaryDirectory() as profile:
            command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
            # Files may look into each other here, as the page around must.
            command += ["--disable-dev-shm-usage", "--allow-file-access-from-files"]
            command += [f"--user-data-dir={profile}", f"--window-size={max(width, 500)},{height}"]
            open_for_us = [*command, "--remote-debugging-port=0", around.as_uri()]
            browser = subprocess.Popen(open_for_us, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                assert heard.wait(60), "the page has said nothing"
            finally:
                browser.terminate()
                browser.wait()
            if picture is not None:
                shot = [*command, "--virtual-time-budget=3000", f"--screenshot={picture}", around.as_uri()]
                subprocess.run(shot, capture_output=True, check=True, timeout=120)
        around.unlink()
        return said


@contextmanager
def _ear() -> Iterator[tuple[int, threading.Event, dict[str, Any]]]:
    """A server that hears one thing: its port, an event, and what was heard once that is set."""
    heard, said = threading.Event(), dict[str, Any]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            heard.set()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, heard, said
    finally:
        server.shutdown()
        server.server_close()
