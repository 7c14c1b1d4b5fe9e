"""What a user of `mlflow ui` sees: the runs, and their artifacts after the checkout was moved."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from styleinv.tracking.sync import LOCAL_SERVER, sync
from tests.chromium import CHROMIUM
from tests.mlflow_server import Server, browse
from tests.test_tracking import provenance, write_metrics

RUNS = {"digan": 30.25, "digan-seed1": 32.75, "styleinv": 20.5, "styleinv-seed1": 21.5}


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    """Two seeds of two methods in a checkout that was moved after the import; a server there and the pages."""
    old = tmp_path_factory.mktemp("checkouts") / "old"
    for number, (name, fid) in enumerate(RUNS.items()):
        run = old / "results" / "sky" / name
        run.mkdir(parents=True)
        model = {f"results/sky/{name}/model.safetensors": f"{number}" * 64}
        (run / "model.safetensors").write_bytes(b"weights of " + name.encode())
        (run / "samples.png").write_bytes(b"samples of " + name.encode())
        (run / "curves.csv").write_text("step,kimg,seconds,loss\n1,1,1,0.5\n")
        own = {"seed": number % 2, "inputs": {"results/data/sky/frames.zip": "ab" * 32}}
        (run / "provenance.json").write_text(provenance("train", f"sky/{name}", outputs=model, **own))
        (run / "evaluate.provenance.json").write_text(provenance("evaluate", f"sky/{name}", **own))
        write_metrics(run, fid=fid)
    pages = sync(old / "results", f"sqlite:///{old}/mlflow.db", published=None).pages
    server = Server(old.rename(old.parent / "new"))
    yield server, {name: page.replace(LOCAL_SERVER, server.uri) for name, page in pages.items()}
    server.stop()


def test_a_moved_checkout_shows_its_artifacts(moved: tuple[Server, dict[str, str]]) -> None:
    server, _ = moved
    runs = {run.info.run_name: run.info.run_id for run in server.runs("sky")}
    for name in RUNS:
        assert server.artifact(runs[f"{name}/train"], "samples.png") == b"samples of " + name.encode()
    listed = MlflowClient(tracking_uri=server.uri).list_artifacts(runs["digan/evaluate"])
    assert [file.path for file in listed] == ["evaluate.provenance.json", "metrics.json"]


def test_a_moved_checkout_hands_out_its_models(
    moved: tuple[Server, dict[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", moved[0].uri)
    for version, name in ("1", "digan"), ("2", "digan-seed1"):
        place = tmp_path / version
        place.mkdir()
        got = Path(download_artifacts(f"models:/sky.digan/{version}", dst_path=str(place)))
        assert (got / "model.safetensors").read_bytes() == b"weights of " + name.encode()


def test_the_import_goes_on_after_a_move(moved: tuple[Server, dict[str, str]]) -> None:
    server, _ = moved
    done = sync(server.folder / "results", f"sqlite:///{server.folder}/mlflow.db", published=None)
    assert (done.new, done.known) == (0, 2 * len(RUNS))


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_printed_address_opens_on_the_runs(moved: tuple[Server, dict[str, str]]) -> None:
    page = browse(moved[1]["sky"])
    text = re.sub(r"<[^>]+>", " ", page)
    assert "No data available" not in text and "Traces" in text
    assert "shared view" in text and "tags.latest = 'true'" in page
    for word in (*RUNS, *map(str, RUNS.values()), "fvd16", "seed"):
        assert word in text, word
    # Stages are folded into their runs.
    assert "digan/train" not in text


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_seeds_are_grouped(moved: tuple[Server, dict[str, str]]) -> None:
    text = re.sub(r"<[^>]+>", " ", browse(moved[1]["sky"].replace("=scores", "=seeds")))
    assert "Means over seeds" in text
    for word in ("Group: digan", "Group: styleinv", "31.5", "21"):
        assert word in text, word


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_two_seeds_of_two_methods_are_compared(moved: tuple[Server, dict[str, str]]) -> None:
    server, _ = moved
    chosen = [run.info.run_id for run in server.runs("sky") if run.info.run_name in RUNS]
    text = re.sub(r"<[^>]+>", " ", browse(server.compared("sky", chosen)))
    assert "Comparing 4 Runs" in text
    for word in RUNS:
        assert word in text, word
