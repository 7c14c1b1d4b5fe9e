"""Bad input: one line naming file, field and cure, the right exit code, nothing half-written."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from styleinv.cli import main
from styleinv.data.video import write_video
from styleinv.stages.setting import Setting
from styleinv.training.checkpoint import save_model
from styleinv.training.lock import run_lock
from tests.workflow.clone import environment


@pytest.fixture
def study(tiny: Setting, tmp_path: Path) -> Path:
    """A private copy of the miniature study."""
    shutil.copytree(tiny.config.parent, tmp_path / "config")
    shutil.copytree(tiny.paths.root, tmp_path / "results")
    return tmp_path


def run(folder: Path, capsys: pytest.CaptureFixture, *words: str) -> tuple[int, str]:
    """Exit code and what was printed to stderr."""
    code = main([*words, "--config", str(folder / "config/tiny.yaml"), "--results", str(folder / "results")])
    return code, capsys.readouterr().err


def refused(result: tuple[int, str], *parts: str, code: int = 2) -> None:
    assert result[0] == code, result
    lines = [line for line in result[1].strip().splitlines() if line.startswith("styleinv: ")]
    assert len(lines) == 1 and "Traceback" not in result[1], result[1]
    for part in parts:
        assert part in lines[0], lines[0]


def films(folder: Path, *lengths: int) -> Path:
    """A folder of small videos."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i, length in enumerate(lengths):
        write_video(folder / f"film {i}.mp4", rng.integers(0, 255, (length, 48, 64, 3), dtype=np.uint8), 25)
    return folder


def with_dataset(study: Path, folder: Path) -> None:
    (study / "config/datasets/mine.yaml").write_text(
        f"title: mine\nsource: {{type: folder, path: '{folder}'}}\n"
        "crop: {type: centre}\nresolution: 32\nmin_frames: 16\n"
    )


def test_own_videos_become_a_data_set(study: Path, capsys: pytest.CaptureFixture) -> None:
    folder = films(study / "videos", 20, 24)
    assert run(study, capsys, "dataset", str(folder), "--name", "mine", "--resolution", "32")[0] == 0
    config = study / "config/datasets/mine.yaml"
    config.write_text(config.read_text().replace("min_frames: 128", "min_frames: 16"))
    assert run(study, capsys, "fetch", "mine")[0] == 0
    assert run(study, capsys, "crop", "mine")[0] == 0
    assert (study / "results/data/mine/frames.zip").exists() and (study / "results/data/mine/census.json").exists()
    refused(run(study, capsys, "dataset", str(folder), "--name", "mine"), "mine.yaml", "exists already")
    refused(run(study, capsys, "dataset", str(folder), "--name", "My set"), "--name")


def test_a_folder_without_videos(study: Path, capsys: pytest.CaptureFixture) -> None:
    (study / "empty").mkdir()
    refused(run(study, capsys, "dataset", str(study / "empty"), "--name", "mine"), "empty")
    refused(run(study, capsys, "check", str(study / "nowhere")), "nowhere")
    with_dataset(study, study / "empty")
    refused(run(study, capsys, "fetch", "mine"), "empty")
    assert not (study / "results/data/mine/raw.json").exists()


def test_a_zip_cut_in_the_middle(study: Path, capsys: pytest.CaptureFixture) -> None:
    store = study / "results/data/talking_faces/frames.zip"
    store.write_bytes(store.read_bytes()[: store.stat().st_size // 2])
    refused(run(study, capsys, "train", "talking_faces/stylegan2"), "frames.zip", "cut")
    assert not (study / "results/talking_faces/stylegan2/model.safetensors").exists()


def test_a_checkpoint_of_another_resolution(study: Path, capsys: pytest.CaptureFixture) -> None:
    from styleinv.methods.stylegan2.method import NetworkConfig, build_generator

    net = NetworkConfig(z_dim=16, w_dim=16, mapping_layers=2, channel_base=128, channel_max=8, num_fp16_res=0)
    image = {"networks": net.model_dump(mode="json"), "resolution": 16}
    model = study / "results/talking_faces/stylegan2/model.safetensors"
    save_model(model, {"G_ema": build_generator(net, 16)}, {"method": "stylegan2", "image_generator": image, "fps": 25})
    refused(run(study, capsys, "train", "talking_faces/inversion"), "model.safetensors", "16x16", "32x32")
    model.write_bytes(model.read_bytes()[:5000])
    refused(run(study, capsys, "train", "talking_faces/inversion"), "model.safetensors", "cut or broken")
    model.unlink()
    refused(run(study, capsys, "train", "talking_faces/inversion"), "model.safetensors", "does not exist")


def test_unknown_names_and_typos(study: Path, capsys: pytest.CaptureFixture) -> None:
    refused(run(study, capsys, "fetch", "tachi"), "tachi.yaml", "talking_faces")
    refused(run(study, capsys, "train", "talking_faces/stylegan3"), "stylegan3", "stylegan2")
    refused(run(study, capsys, "train", "talking_faces"), "<dataset>/<method>")
    scale = study / "config/tiny.yaml"
    scale.write_text(scale.read_text().replace("n_fake", "n_fakes"))
    refused(run(study, capsys, "fetch", "talking_faces"), "tiny.yaml", "evaluation.n_fakes", "n_fake")


def test_impossible_batches_are_refused_before_the_first_step(study: Path, capsys: pytest.CaptureFixture) -> None:
    scale = study / "config/tiny.yaml"
    scale.write_text(scale.read_text().replace("batch: 4, group_size: 2", "batch: 4, group_size: 3", 1))
    refused(run(study, capsys, "train", "talking_faces/stylegan2"), "stylegan2.yaml", "batch 4", "group_size 3")


def test_two_runs_in_one_folder(study: Path, capsys: pytest.CaptureFixture) -> None:
    with run_lock(study / "results/talking_faces/stylegan2/state"):
        refused(run(study, capsys, "train", "talking_faces/stylegan2"), "stylegan2", "is being trained by process")


def test_methods_without_videos_cannot_be_evaluated(study: Path, capsys: pytest.CaptureFixture) -> None:
    refused(run(study, capsys, "evaluate", "talking_faces/inversion"), "makes no videos")
    refused(run(study, capsys, "evaluate"), "--real DIR and --fake DIR")
    refused(run(study, capsys, "evaluate", "talking_faces/styleinv"), "model.safetensors", "does not exist")


def test_weights_that_were_not_fetched(study: Path, capsys: pytest.CaptureFixture) -> None:
    refused(run(study, capsys, "weights", "where", "i3d"), "i3d", "styleinv weights fetch i3d")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.parametrize("stage", ["fetch", "crop", "train"])
def test_a_full_disk(study: Path, stage: str) -> None:
    """Each stage on a disk too small for it: one line, nothing half-written."""
    disk = study / "disk"
    disk.mkdir()
    size = {"fetch": "20k", "crop": "1m", "train": "2m"}[stage]
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine does not let tests mount a disk")
    try:
        results = disk / "results"
        wanted = {"fetch": [], "crop": ["raw.json", "raw"], "train": ["frames.zip"]}[stage]
        for name in wanted:
            source = study / "results/data/talking_faces" / name
            (results / "data/talking_faces").mkdir(parents=True, exist_ok=True)
            (results / "data/talking_faces" / name).symlink_to(source)
        what = "talking_faces/stylegan2" if stage == "train" else "talking_faces"
        if stage == "crop":
            (disk / "filler").write_bytes(bytes(900_000))
        if stage == "train":
            (disk / "filler").write_bytes(bytes(1_800_000))
        command = ["styleinv", stage, what, "--config", str(study / "config/tiny.yaml"), "--results", str(results)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment())
        assert done.returncode in (1, 2), done.stderr
        assert "Traceback" not in done.stderr and "space" in done.stderr.strip().splitlines()[-1], done.stderr
        outputs = {"fetch": "data/talking_faces/raw.json", "crop": "data/talking_faces/frames.zip"}
        assert not (results / outputs.get(stage, "talking_faces/stylegan2/model.safetensors")).exists()
        assert not [p for p in results.rglob(".*") if p.is_file()]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_gated_data_say_how_to_get_them(
    study: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STYLEINV_DEEPERFORENSICS", raising=False)
    refused(run(study, capsys, "fetch", "deeperforensics"), "STYLEINV_DEEPERFORENSICS", "docs.google.com", code=3)
    assert not (study / "results/data/deeperforensics/raw.json").exists()


def test_the_doctor_answers_in_lines_and_by_its_exit_code(
    study: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (study / "arcane").mkdir()
    (study / "arcane/0.png").touch()
    monkeypatch.setenv("STYLEINV_ARCANE", str(study / "arcane"))
    monkeypatch.setenv("STYLEINV_METFACES", str(study / "nowhere"))
    options = ["--config", str(study / "config/tiny.yaml"), "--results", str(study / "results")]
    assert main(["data", "doctor", "arcane", "talking_faces", *options]) == 0
    good = capsys.readouterr().out.splitlines()
    assert len(good) == 2 and re.match(r"20\d\d-\d\d-\d\d arcane: ok: ", good[0])
    refused(run(study, capsys, "data", "doctor", "arcane", "metfaces"), "1 of 2 sources", "metfaces", code=1)
    refused(run(study, capsys, "data", "doctor", "tachi"), "tachi.yaml", "taichi")


def test_folders_are_scored_by_the_protocols_counts_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not by those of a scale, and without a checkout around."""
    from styleinv.files import read_json

    rng = np.random.default_rng(0)
    for side in ("real", "fake"):
        (tmp_path / side).mkdir()
        for i in range(3):
            frames = rng.integers(0, 255, (130, 32, 32, 3), dtype=np.uint8)
            write_video(tmp_path / side / f"{i}.mp4", frames, 25)
    monkeypatch.chdir(tmp_path)
    words = ["evaluate", "--real", "real", "--fake", "fake", "--detectors", "stand-in", "--out", "scores.json"]
    assert main(words) == 0
    scores = read_json(tmp_path / "scores.json")
    rules = scores["protocol"]["rules"]
    assert (rules["n_fake"], rules["fid_items"], rules["real_clips"]) == (2048, 50_000, 2048)
    assert scores["protocol"]["fake"] == "fake" and len(scores["protocol"]["fake_sha256"]) == 64
    assert scores["protocol"]["codec"] == "video file .mp4"
    assert "3 generated videos; the protocol has 2048" in caplog.text
    assert scores["signatures"] == [] and scores["diagnostics"]["loopiness"] and scores["diagnostics_real"]["loopiness"]
    assert scores["scored"]["date"] and not (tmp_path / "results").exists()
    assert main([*words, "--n", "2", "--lengths", "16"]) == 0
    scores = read_json(tmp_path / "scores.json")
    assert scores["protocol"]["metrics"]["fvd16"]["fake"] == 2 and "fvd128" not in scores
    assert "2 of 3 generated videos are scored" in caplog.text
    shutil.rmtree(tmp_path / "fake")
    (tmp_path / "fake").mkdir()
    for i in range(2):
        write_video(tmp_path / "fake" / f"{i}.mp4", frames[:16, ::2, ::2], 25)
    assert main([*words, "--lengths", "16"]) == 2
    assert main([*words, "--lengths", "16", "--resize", "bicubic"]) == 0
    assert read_json(tmp_path / "scores.json")["protocol"]["resize"] == "generated 16 to 32 pixels, bicubic"


def test_options_that_would_do_nothing_are_refused(study: Path, capsys: pytest.CaptureFixture) -> None:
    for words in (["--protocol", "lossless"], ["--detectors", "official"], ["--out", "x.json"], ["--real", "."]):
        refused(run(study, capsys, "evaluate", "talking_faces/styleinv", *words), words[0], "is for folders")
    refused(run(study, capsys, "evaluate", "--real", ".", "--fake", ".", "--keep", "x"), "--keep", "is for runs")
    refused(run(study, capsys, "evaluate", "--real", ".", "--fake", ".", "--lengths", "0"), "--lengths", "positive")
