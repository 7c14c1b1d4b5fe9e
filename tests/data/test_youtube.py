"""Videos of YouTube: what each refusal means, and that nothing is asked for twice. No network."""

from pathlib import Path
from typing import Any

import pytest

from styleinv.data import youtube
from styleinv.data.youtube import Unavailable, YtDlp, classify, fetch_videos
from styleinv.files import read_json
from tests.data.miniatures import StandIn

IDS = ["aaaaaaaaaaa", "bbbbbbbbbbb", "ccccccccccc"]


@pytest.mark.parametrize(
    ("says", "status"),
    [
        ("[youtube] x: Private video. Sign in if you've been granted access to this video", "private"),
        ("[youtube] x: Video unavailable. This video has been removed by the uploader", "removed"),
        ("[youtube] x: Video unavailable", "removed"),
        ("[youtube] x: This video is no longer available because the account has been terminated", "removed"),
        ("Join this channel to get access to members-only content like this video", "members"),
        (
            "This video is available to this channel's members on level: Gold. Join this channel to get access",
            "members",
        ),
        ("Video unavailable. The uploader has not made this video available in your country", "geo"),
        ("HTTP Error 451: Unavailable For Legal Reasons", "geo"),
        ("Sign in to confirm you're not a bot", "error"),
        ("Video unavailable. This content isn't available, try again later", "error"),
        ("HTTP Error 503: Service Unavailable", "error"),
        ("Unable to download webpage: timed out", "error"),
    ],
)
def test_refusals_in_youtubes_words(says: str, status: str) -> None:
    assert classify(says) == status


def test_a_refusal_is_one_short_line() -> None:
    refusal = Unavailable("error", "\x1b[0;31mERROR:\x1b[0m it\nfailed " + "x" * 500)
    assert refusal.detail.startswith("ERROR: it failed xx") and len(refusal.detail) == 200


def test_what_became_of_each_is_remembered(tmp_path: Path, clip: Path) -> None:
    extractor = StandIn(
        {"aaaaaaaaaaa": clip}, {"bbbbbbbbbbb": [("geo", "not here")], "ccccccccccc": [("private", "no")]}
    )
    found = fetch_videos([*IDS, IDS[0]], tmp_path, extractor, attempts=2, pause=0)
    assert {video: answer["status"] for video, answer in found.items()} == dict(
        zip(IDS, ("ok", "geo", "private"), strict=True)
    )
    assert found["aaaaaaaaaaa"]["file"] == "aaaaaaaaaaa.mp4" and read_json(tmp_path / "status.json") == found
    assert extractor.asked == IDS  # in order, each once; only `error` is tried again at once
    fetch_videos(IDS, tmp_path, extractor, attempts=2, pause=0)
    assert extractor.asked == [*IDS, "bbbbbbbbbbb"]  # what may have passed
    (tmp_path / "aaaaaaaaaaa.mp4").unlink()
    fetch_videos(IDS, tmp_path, extractor, attempts=2, pause=0)
    assert extractor.asked[4:] == ["aaaaaaaaaaa", "bbbbbbbbbbb"] and (tmp_path / "aaaaaaaaaaa.mp4").exists()


def test_passing_failures_are_waited_for(tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(youtube.time, "sleep", waits.append)
    extractor = StandIn({"aaaaaaaaaaa": clip}, {"aaaaaaaaaaa": [("error", "HTTP Error 503"), ("error", "timed out")]})
    found = fetch_videos(["aaaaaaaaaaa"], tmp_path, extractor, attempts=3, pause=1)
    assert found["aaaaaaaaaaa"]["status"] == "ok" and waits == [2, 4]
    extractor.refusals = {"bbbbbbbbbbb": [("error", "timed out")]}
    found = fetch_videos(["bbbbbbbbbbb"], tmp_path, extractor, attempts=3, pause=1)
    assert found["bbbbbbbbbbb"] == {"status": "error", "detail": "timed out", "file": None}


def test_a_stopped_call_goes_on(tmp_path: Path, clip: Path) -> None:
    class Stopping(StandIn):
        def download(self, video: str, folder: Path) -> Path:
            if len(self.asked) == 1:
                raise KeyboardInterrupt
            return super().download(video, folder)

    stopping = Stopping(dict.fromkeys(IDS, clip))
    with pytest.raises(KeyboardInterrupt):
        fetch_videos(IDS, tmp_path, stopping, attempts=1, pause=0)
    going_on = StandIn(dict.fromkeys(IDS, clip))
    fetch_videos(IDS, tmp_path, going_on, attempts=1, pause=0)
    assert going_on.asked == IDS[1:]


def test_yt_dlp_is_called_as_it_wants_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import yt_dlp

    asked: list[Any] = []

    def extract_info(self: Any, url: str, download: bool = True) -> dict[str, Any]:
        asked.append((url, download, self.params["outtmpl"]["default"], self.params["cookiefile"]))
        if "bbbbbbbbbbb" in url:
            self.report_error("[youtube] bbbbbbbbbbb: Private video. Sign in")  # raises, as for a real refusal
        return {"id": "aaaaaaaaaaa", "requested_downloads": [{"filepath": str(tmp_path / "aaaaaaaaaaa.mp4")}]}

    monkeypatch.setattr(yt_dlp.YoutubeDL, "extract_info", extract_info)
    client = YtDlp("best", str(tmp_path / "cookies.txt"))
    assert client.download("aaaaaaaaaaa", tmp_path) == tmp_path / "aaaaaaaaaaa.mp4"
    address = "https://www.youtube.com/watch?v=aaaaaaaaaaa"
    assert asked[0] == (address, True, str(tmp_path / "%(id)s.%(ext)s"), str(tmp_path / "cookies.txt"))
    client.probe("aaaaaaaaaaa")
    assert asked[1][:2] == (address, False)
    with pytest.raises(Unavailable, match="private: .*Private video") as refusal:
        client.probe("bbbbbbbbbbb")
    assert refusal.value.status == "private"


def test_yt_dlp_without_a_network_is_an_error_of_the_video(tmp_path: Path) -> None:
    """The real library, its real request: nothing answers at this proxy."""
    client = YtDlp("best")
    client._options |= {"proxy": "http://127.0.0.1:9", "extractor_retries": 0, "retries": 0}
    with pytest.raises(Unavailable) as refusal:
        client.download("aaaaaaaaaaa", tmp_path)
    assert refusal.value.status == "error" and not list(tmp_path.glob("*.mp4"))
