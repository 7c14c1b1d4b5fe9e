"""The tables that ship, and which runs each comes to."""

from pathlib import Path

import pytest

from styleinv.config import experiments, lineage, load_experiment
from styleinv.errors import UserError
from styleinv.report.published import read_published
from styleinv.runs import parse_run
from tests.project import ROOT

CONFIG = ROOT / "config"


def test_every_run_of_every_experiment_exists() -> None:
    names = experiments(CONFIG)
    assert {"table1", "table2", "table3", "table_s2", "table_s3"} <= set(names)
    for name in names:
        for run in load_experiment(name, CONFIG).rows(["talking_faces"], ["styleinv"]):
            assert lineage(run, CONFIG)[-1] == run


def test_rows_follow_the_data_sets_of_the_paper_where_they_are_listed() -> None:
    table3 = load_experiment("table3", CONFIG)
    assert {run.dataset for run in table3.rows(["taichi", "deeperforensics"], [])} == {"deeperforensics"}
    assert {run.dataset for run in table3.rows(["mine", "yours"], [])} == {"mine", "yours"}
    assert [str(run) for run in load_experiment("table1", CONFIG).rows(["a"], ["digan"])] == ["a/digan"]


def test_the_noise_pairs_build_on_their_own_image_generators() -> None:
    chain = lineage(parse_run("sky/styleinv-no_noise"), CONFIG)
    assert [str(run) for run in chain] == ["sky/stylegan2-no_noise", "sky/inversion-no_noise", "sky/styleinv-no_noise"]


def test_an_unknown_variant_is_one_line() -> None:
    with pytest.raises(UserError, match="styleinv.yaml: variants: no variant 'no_nose'. Known: .*no_noise"):
        lineage(parse_run("sky/styleinv-no_nose"), CONFIG)


@pytest.mark.parametrize(
    ("table", "experiment"), [("2", "table2"), ("3", "table3"), ("S3", "table_s3"), ("S2", "table_s2")]
)
def test_published_numbers_find_their_rows(table: str, experiment: str) -> None:
    numbers = [n for n in read_published(CONFIG / "published.csv") if n.table == table]
    rows = {
        (r.dataset, r.method, r.variant)
        for r in load_experiment(experiment, CONFIG).rows(sorted({n.dataset for n in numbers}), [])
    }
    assert numbers and {(n.dataset, n.method, n.variant) for n in numbers} <= rows


def test_a_misspelt_key_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/mine.yaml").write_text("title: x\nrun: [styleinv]\n")
    with pytest.raises(
        UserError, match="mine.yaml: run: unknown key. Known keys: against, best_by, col.*runs, table, title"
    ):
        load_experiment("mine", tmp_path)
