"""A file that is no longer what its stage wrote is found."""

import multiprocessing
import os
from pathlib import Path

import pytest
import torch

from styleinv import files
from styleinv.cli import main
from styleinv.data.store import FrameStore
from styleinv.errors import UserError
from styleinv.files import Hashes, sha256, write_json
from styleinv.methods.context import Context
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.stages.setting import Setting

RUN, IMAGES = parse_run("talking_faces/styleinv"), parse_run("talking_faces/stylegan2")


@pytest.fixture
def options(tiny: Setting, tmp_path: Path) -> list[str]:
    """Two trained runs, as far as their files go."""
    paths = Paths(tmp_path / "results")
    for run in (RUN, IMAGES):
        paths.run(run).mkdir(parents=True)
        model = paths.model(run)
        model.write_bytes(b"weights of " + str(run).encode())
        paths.curves(run).write_text("step,kimg\n1,1\n")
        hashes = {f"results/{run}/{file.name}": sha256(file) for file in (model, paths.curves(run))}
        absent = {f"results/{run}/samples.png": "0" * 64}
        record = {"stage": "train", "run": str(run), "outputs": hashes | absent}
        write_json(paths.provenance(paths.run(run), "train"), record)
    return ["--config", str(tiny.config), "--results", str(paths.root)]


def flip(options: list[str], run: str) -> Path:
    model = Paths(Path(options[-1])).model(parse_run(run))
    data = bytearray(model.read_bytes())
    data[3] ^= 1
    model.write_bytes(data)
    return model


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that are read whole for their hash, of which none is too young to be kept."""
    read: list[Path] = []
    monkeypatch.setattr(files, "sha256", lambda path: read.append(path) or sha256(path))
    monkeypatch.setattr(files, "_SETTLED_NS", -1)
    return read


def test_a_hash_is_taken_once_and_again_after_a_change(tmp_path: Path, read: list[Path]) -> None:
    file, hashes = tmp_path / "frames.zip", Hashes(tmp_path / "hashes")
    file.write_bytes(b"one")
    assert [hashes.of(file), Hashes(tmp_path / "hashes").of(file)] == [sha256(file)] * 2 and read == [file]
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    file.write_bytes(b"two")
    assert hashes.of(file) == sha256(file) and len(read) == 2
    file.write_bytes(b"six")
    os.utime(file, ns=times)
    assert hashes.of(file) == sha256(file) and len(read) == 3
    other = tmp_path / "other.zip"
    other.write_bytes(b"six")
    assert hashes.of(other) == hashes.of(file) and read[3:] == [other]
    assert len(list(hashes.folder.iterdir())) == 2


def test_a_hash_of_a_file_just_written_is_not_kept(
    tmp_path: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_SETTLED_NS", 10**15)
    file, hashes = tmp_path / "frames.zip", Hashes(tmp_path / "hashes")
    file.write_bytes(b"one")
    assert hashes.of(file) == hashes.of(file) and len(read) == 2 and not hashes.folder.exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"state": 1}'])
def test_a_damaged_entry_counts_as_absent(tmp_path: Path, read: list[Path], content: str) -> None:
    file, hashes = tmp_path / "frames.zip", Hashes(tmp_path / "hashes")
    file.write_bytes(b"one")
    hashes.of(file)
    (entry,) = hashes.folder.iterdir()
    entry.write_text(content)
    assert [hashes.of(file), hashes.of(file)] == [sha256(file)] * 2 and len(read) == 2


def test_processes_share_one_folder(tmp_path: Path) -> None:
    file, hashes = tmp_path / "frames.zip", Hashes(tmp_path / "hashes")
    file.write_bytes(bytes(1 << 20))
    with multiprocessing.get_context("fork").Pool(4) as workers:
        assert set(workers.map(hashes.of, [file] * 40)) == {sha256(file)}
    assert not hashes.folder.exists() or [path.suffix for path in hashes.folder.iterdir()] == [".json"]


def test_verify_reads_the_bytes_of_a_file_whose_hash_is_kept(options: list[str], read: list[Path]) -> None:
    model = Paths(Path(options[-1])).model(RUN)
    kept = Hashes(Paths(Path(options[-1])).hashes)
    kept.of(model)
    read.clear()
    assert main(["verify", "talking_faces/styleinv", *options]) == 0
    assert model in read


def test_verify_names_the_file(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", *options]) == 0
    assert "4 files are what their stages wrote" in capsys.readouterr().out
    model = flip(options, "talking_faces/styleinv")
    assert main(["verify", *options]) == 2
    said = capsys.readouterr()
    assert f"{model}: is not the file that provenance.json names" in said.out and "1 of 4 files" in said.err
    assert main(["verify", "talking_faces/stylegan2", *options]) == 0
    assert main(["verify", "talking_faces/styleinv", *options]) == 2
    assert main(["verify", "talking_faces/digan", *options]) == 2
    assert "holds no provenance" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "talking_faces/styleinv"],
        ["evaluate", "talking_faces/stylegan2"],
        ["generate", "talking_faces/styleinv", "--out", "videos"],
    ],
)
def test_what_loads_a_changed_model_refuses_it(
    options: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    model = flip(options, words[1])
    assert main([*words, *options]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith(f"styleinv: {model}: is not the file that provenance.json names")


def test_a_training_on_top_of_it_refuses_it(options: list[str], tiny: Setting) -> None:
    model = flip(options, "talking_faces/stylegan2")
    with pytest.raises(UserError, match="is not the file that provenance.json names"):
        Context(FrameStore(tiny.paths.frames("talking_faces")), 0, torch.device("cpu"), upstream={"stylegan2": model})
