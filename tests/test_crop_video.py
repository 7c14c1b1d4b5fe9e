"""`styleinv crop FILE`: one video for itself."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from styleinv.cli import main
from styleinv.data.synthetic import make_talking_faces
from styleinv.data.video import count_frames, probe, read_frames, write_video
from styleinv.files import read_json
from tests.crop.faces import lose


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    make_talking_faces(folder, videos=1, frames=30, size=96, fps=25, seed=3)
    return folder


@pytest.fixture
def film(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private copy, in a folder without any configuration: the command needs none."""
    shutil.copytree(made, tmp_path / "faces")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "faces/original/face_0000.mp4"


def run(capsys: pytest.CaptureFixture, *words: str) -> tuple[int, str, str]:
    code = main(["crop", *words, *(["--device", "cpu"] if "." in words[0] else [])])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


RENDERED = ("--set", "landmarks=rendered", "--set", "jitters=3", "--resolution", "64", "--out", "out")


def test_crop_and_report(film: Path, capsys: pytest.CaptureFixture) -> None:
    code, out, _ = run(capsys, str(film), "--align", "ffhq", "--report", *RENDERED)
    assert code == 0
    first, second, third = out.splitlines()
    assert first.startswith("out/face_0000_ffhq.mp4: ours jerks by") and "comparison.mp4: single jerks by" in second
    assert "stand in for RetinaFace and FAN" in third
    assert (probe("out/face_0000_ffhq.mp4").width, count_frames("out/face_0000_ffhq.mp4")) == (64, 30)
    pair = probe("out/face_0000_comparison.mp4")
    assert (pair.width, pair.height, pair.fps) == (128, 64, 25)
    record = read_json("out/face_0000_shake.json")
    ours, single = record["clips"]["face_0000_ffhq.mp4"], record["compared_with"]["clips"][0]
    assert 5 * ours["jerkiness"]["size_px"] < single["jerkiness"]["size_px"]
    assert record["compared_with"]["itf_gain_db"] > 0 and record["settings"]["jitters"] == 3
    assert (record["source_frames"], record["detected"], record["dropped"]) == (30, 30, 0)


def test_without_a_report_and_with_a_gap(film: Path, capsys: pytest.CaptureFixture) -> None:
    lose(film.parent.parent / "landmarks/face_0000.npz", slice(10, 20))
    assert run(capsys, str(film), "--preset", "naruniec", *RENDERED)[0] == 0
    names = sorted(path.name for path in Path("out").iterdir())
    assert names == ["face_0000_ffhq_1.mp4", "face_0000_ffhq_2.mp4", "face_0000_shake.json"]
    assert count_frames("out/face_0000_ffhq_2.mp4") == 10
    record = read_json("out/face_0000_shake.json")
    assert record["splits"] == 1 and record["dropped"] == 10 and record["settings"]["preset"] == "naruniec"


def test_odd_sizes_and_frames_decided_one_by_one(film: Path, capsys: pytest.CaptureFixture) -> None:
    write_video("faces/original/odd.mp4", [frame[:93, :95] for frame in read_frames(film)], 30000 / 1001)
    shutil.copy("faces/landmarks/face_0000.npz", "faces/landmarks/odd.npz")
    words = [*RENDERED[:5], "33", *RENDERED[6:], "--set", "shrink_and_pad=frame", "--report"]
    assert run(capsys, "faces/original/odd.mp4", *words)[0] == 0
    found = probe("out/odd_ffhq.mp4")
    assert (found.width, found.height) == (33, 33) and found.fps == pytest.approx(29.97, abs=0.01)
    assert (probe("out/odd_comparison.mp4").width, count_frames("out/odd_comparison.mp4")) == (66, 30)


def test_bad_input_is_one_line(film: Path, capsys: pytest.CaptureFixture) -> None:
    landmarks = film.parent.parent / "landmarks/face_0000.npz"

    def refused(*words: str, says: str) -> None:
        code, out, err = run(capsys, *words)
        lines = [line for line in err.splitlines() if line.startswith("styleinv: ")]
        assert code == 2 and not out and len(lines) == 1 and "Traceback" not in err, err
        assert says in lines[0], lines[0]

    refused(str(film), "--out", "out", says="styleinv weights fetch retinaface_resnet50")
    refused(str(film), *RENDERED, "--out", str(film), says="face_0000.mp4: is not a folder")
    refused("nowhere.mp4", *RENDERED, says="nowhere.mp4: does not exist")
    refused(str(landmarks), *RENDERED, says="face_0000.npz: cannot be decoded")
    refused(str(film), *RENDERED, "--set", "jitter=3", says="--set: jitter: unknown key. Known keys:")
    refused(str(film), *RENDERED, "--set", "jitters", says="'jitters' sets nothing")
    refused(str(film), *RENDERED, "--set", "radius=7", says="--set: radius")
    refused(str(film), *RENDERED[:4], "--out", "out", "--resolution", "0", says="--resolution")
    write_video("plain.mp4", [np.zeros((32, 32, 3), np.uint8)] * 4, 25)
    refused("plain.mp4", *RENDERED, says="nothing is known of the landmarks of plain")
    points = np.load(landmarks)["landmarks"]
    np.savez(landmarks, landmarks=points[:20])
    refused(str(film), *RENDERED, says="face_0000.mp4: has more frames than exact landmarks")
    np.savez(landmarks, landmarks=points)
    lose(landmarks, slice(5, None))
    refused(str(film), *RENDERED, says="shows a face in 5 of 30 frames, never in 8 in a row")
    lose(landmarks, slice(None))
    refused(str(film), *RENDERED, says="face_0000.mp4: shows no face in any of 30 frames")
    refused(
        "talking_faces", "--preset", "single", says="--preset: is for a video file, not for the data set talking_faces"
    )
    assert not Path("out").exists() or not any(Path("out").iterdir())
