"""Videos of YouTube by their ids, fetched by yt-dlp; each answer is recorded, and a final one not asked twice."""

import logging
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Protocol

from styleinv import files
from styleinv.errors import UserError

Status = Literal["ok", "private", "removed", "members", "geo", "error"]
FINAL = frozenset({"ok", "private", "removed", "members"})  # the others may pass
ID = re.compile(r"[A-Za-z0-9_-]{11}\Z")

# What YouTube says, in yt-dlp's words, from the most to the least particular.
_SAYS: tuple[tuple[Status, str], ...] = (
    ("members", r"members-only|members only|join this channel"),
    ("private", r"private video|video is private"),
    ("geo", r"in your country|geo.?restrict|from your location|HTTP Error 451"),
    ("error", r"not a bot|rate.?limit|captcha|try again later|Too Many Requests"),
    ("removed", r"removed|terminated|no longer available|video unavailable|does not exist|isn't available"),
)

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

log = logging.getLogger(__name__)


class Unavailable(Exception):
    """A video cannot be had."""

    def __init__(self, status: Status, detail: str):
        self.status = status
        self.detail = " ".join(_COLOUR.sub("", detail).split())[:200]
        super().__init__(f"{status}: {self.detail}")


class Extractor(Protocol):
    """What can fetch a video; tests put a stand-in here."""

    def probe(self, video: str) -> None:
        """Ask whether a video is there.

        Raises:
            Unavailable: it is not.
        """

    def download(self, video: str, folder: Path) -> Path:
        """Download a video into `folder` and return its path, `<video>.<suffix>`; a half-finished one is continued.

        Raises:
            Unavailable: it cannot be had.
        """


class YtDlp:
    """YouTube through yt-dlp.

    Args:
        format: yt-dlp's choice of a format.
        cookies: a cookies.txt for what only a signed-in browser sees.
    """

    def __init__(self, format: str, cookies: str | None = None):
        self._options = {"format": format, "quiet": True, "noprogress": True, "no_warnings": True, "logger": log}
        self._options |= {"retries": 3, "fragment_retries": 3, "continuedl": True, "noplaylist": True}
        if cookies:
            self._options["cookiefile"] = cookies

    def probe(self, video: str) -> None:
        """See `Extractor`."""
        self._ask(video, {"simulate": True})

    def download(self, video: str, folder: Path) -> Path:
        """See `Extractor`."""
        return Path(self._ask(video, {"outtmpl": str(folder / "%(id)s.%(ext)s")})["requested_downloads"][0]["filepath"])

    def _ask(self, video: str, more: dict[str, Any]) -> dict[str, Any]:
        from yt_dlp import YoutubeDL
        from yt_dlp.utils import YoutubeDLError

        try:
            with YoutubeDL(self._options | more) as client:
                found = client.extract_info(f"https://www.youtube.com/watch?v={video}", download="simulate" not in more)
                return client.sanitize_info(found)
        except YoutubeDLError as error:
            raise Unavailable(classify(str(error)), str(error)) from None


def classify(message: str) -> Status:
    """Classify a refusal of YouTube by its words."""
    for status, words in _SAYS:
        if re.search(words, message, re.IGNORECASE):
            return status
    return "error"


def fetch_videos(
    ids: Iterable[str], folder: Path, extractor: Extractor, attempts: int, pause: float
) -> dict[str, dict[str, Any]]:
    """Fetch every video that is available, in the order of `ids`.

    What became of each is written to `status.json` in `folder` after every video, so that a stopped call goes on; a
    later one asks again only for what may have passed (`geo`, `error`). Delete that file to ask for everything.

    Args:
        ids: YouTube ids.
        folder: gets `<id>.<suffix>`.
        extractor: what fetches one.
        attempts: tries per video where the failure may pass.
        pause: seconds between two videos, doubled after each failure.

    Returns:
        id -> {"status", "detail", "file"}; `file` is a name in `folder`, None unless the status is `ok`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    book = folder / "status.json"
    known = _read_book(book) if book.exists() else {}
    wanted = list(dict.fromkeys(ids))
    for number, video in enumerate(wanted, 1):
        before = known.get(video)
        if before and before["status"] in FINAL and (not before["file"] or (folder / before["file"]).exists()):
            continue
        known[video] = _fetch_one(video, folder, extractor, attempts, pause)
        files.write_json(book, known)
        log.info("%d of %d: %s: %s %s", number, len(wanted), video, known[video]["status"], known[video]["detail"])
        if number < len(wanted):
            time.sleep(pause)
    return {video: known[video] for video in wanted}


def _read_book(book: Path) -> dict[str, dict[str, Any]]:
    cure = "Delete it to ask for all videos again."
    known = files.read_json(book, cure)
    answers = known.values() if isinstance(known, dict) else [None]
    if not all(isinstance(answer, dict) and {"status", "detail", "file"} <= answer.keys() for answer in answers):
        raise UserError('must hold {id: {"status", "detail", "file"}}', file=book, cure=cure)
    return known  # type: ignore[no-any-return]


def _fetch_one(video: str, folder: Path, extractor: Extractor, attempts: int, pause: float) -> dict[str, Any]:
    for attempt in range(1, attempts + 1):
        try:
            path = extractor.download(video, folder)
            return {"status": "ok", "detail": "", "file": path.name}
        except Unavailable as refusal:
            answer = {"status": refusal.status, "detail": refusal.detail, "file": None}
            if refusal.status != "error" or attempt == attempts:
                return answer
            time.sleep(pause * 2**attempt)
    raise AssertionError("attempts is at least 1")
