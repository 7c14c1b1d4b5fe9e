"""What a study will take, from measured costs."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from styleinv.cli import main
from styleinv.config import Study, figure_names, lineage, load_figure, load_question, load_scale, question_names
from styleinv.runs import parse_run
from styleinv.schema import Layer, parse, read_layer
from styleinv.stages.plan import Training, wall_days
from tests.project import make_project
from tests.workflow.clone import call, clone


def trainings(*rows: tuple[str, str | None, float]) -> dict:
    found = [Training(parse_run(f"d/{run}"), below and parse_run(f"d/{below}"), days, 0) for run, below, days in rows]
    return {training.run: training for training in found}


def test_wall_time_follows_what_builds_on_what() -> None:
    study = trainings(("a", None, 2), ("b", "a", 3), ("c", None, 4), ("d", None, 1))
    assert wall_days(study, 1) == 10
    assert wall_days(study, 2) == 5  # a, b beside c, d
    assert wall_days(study, 9) == 5


def test_trainings_on_several_gpus_wait_for_as_many() -> None:
    study = {run: replace(one, gpus=2) for run, one in trainings(("a", None, 2), ("b", "a", 2), ("c", None, 4)).items()}
    assert wall_days(study, 2) == 4  # one after the other, each in half its time
    assert wall_days(study, 3) == 4  # the third is of no use
    assert wall_days(study, 4) == 2


def test_the_plan_of_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_project(tmp_path)
    options = ["--config", str(folder / "config/tiny.yaml"), "--results", str(folder / "results")]
    runs = [f"talking_faces/{name}" for name in ("styleinv", "styleinv-no_ffa_st", "long_video_gan")]
    assert main(["plan", *runs, *options]) == 2
    line = capsys.readouterr().err.strip()
    assert "has no cost of talking_faces/stylegan2" in line and "styleinv cost" in line
    table = folder / "results/tables/cost.csv"
    table.parent.mkdir(parents=True)
    head = "scale,method,stage,trained_parameters,frozen_parameters,days,device"
    names = ("stylegan2", "inversion", "styleinv", "styleinv-no_ffa_st", "long_video_gan_lr", "long_video_gan")
    rows = [f"tiny,x,talking_faces/{name},1000000,0,{days},a GPU" for days, name in enumerate(names, 1)]
    table.write_text("\n".join([head, *rows]) + "\n")
    assert main(["plan", *runs, "--gpus", "2", *options]) == 0
    text = capsys.readouterr().out
    for line in ("train_styleinv                   2         7.00", "lowres                           1", "evaluate"):
        assert line in text
    assert "in all                          12        21.00" in text and "with 2 at once   11.00 days" in text
    assert main(["plan", *runs, "--gpus", "0", *options]) == 2


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone(tmp_path_factory.mktemp("project"))


PAPER = ["deeperforensics", "faceforensics", "taichi", "sky"]


@pytest.mark.parametrize(
    ("targets", "scale", "datasets", "seeds"),
    [
        (["table1"], "tiny", ["talking_faces"], ["0"]),
        (["all"], "tiny", ["talking_faces"], ["0", "3"]),
        (["table1", "report"], "paper", PAPER, ["0"]),
        (["table2", "table_s2", "table_s3"], "paper", PAPER, ["1", "2"]),
        (["figure9", "figure_s4"], "tiny", ["talking_faces"], ["0"]),
        (["questions"], "tiny", ["talking_faces"], ["0", "3"]),
    ],
)
def test_the_plan_counts_what_snakemake_makes(
    project: Path, targets: list[str], scale: str, datasets: list[str], seeds: list[str]
) -> None:
    words = [f"scale={scale}", f"datasets=[{','.join(datasets)}]", f"seeds=[{','.join(seeds)}]"]
    text = call(project, "snakemake", *targets, "-n", "--quiet", "rules", "--config", *words)
    made = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE)}
    file = project / "config" / f"{scale}.yaml"
    said = Layer("here", {"datasets": datasets, "seeds": seeds})
    study, folder = parse(Study, read_layer(project / "config/config.yaml"), said), project / "config"
    tables = study.tables(file)
    drawn = [study.shown(load_figure(name, folder), load_scale(file), folder) for name in figure_names(folder)]
    drawn += [study.asked(load_question(name, folder), load_scale(file), folder) for name in question_names(folder)]
    runs = [run for rows in (*tables.values(), *((*one.runs, *one.styles) for one in drawn)) for run in rows]
    chains = {part for run in runs for part in lineage(run, folder)}
    rows = [f"{scale},x,{part},1000000,0,1,a GPU" for part in sorted(map(str, chains))]
    (project / "results/tables").mkdir(parents=True, exist_ok=True)
    head = "scale,method,stage,trained_parameters,frozen_parameters,days,device"
    (project / "results/tables/cost.csv").write_text("\n".join([head, *rows]) + "\n")
    options = ["--config", f"config/{scale}.yaml", "--datasets", *datasets, "--seeds", *seeds]
    text = call(project, "styleinv", "plan", *targets, *options)
    planned = {stage: int(count) for stage, count in re.findall(r"^(\w+) +(\d+)(?: |$)", text, re.MULTILINE)}
    assert planned == {rule: count for rule, count in made.items() if rule != "total"}
    assert re.search(rf"^in all +{made['total']} ", text, re.MULTILINE)
    if targets == ["table1", "report"]:
        assert made["total"] == 91 and planned["progress"] == 20 and "(5 a training)" in text


def test_several_gpus_a_training_and_models_along_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_project(tmp_path)
    table = folder / "results/tables/cost.csv"
    table.parent.mkdir(parents=True)
    head = "scale,method,stage,trained_parameters,frozen_parameters,days,device"
    table.write_text(f"{head}\npaper,x,sky/digan,1000000000,0,8,a GPU\n")
    options = ["--config", str(folder / "config/paper.yaml"), "--results", str(folder / "results")]
    assert main(["plan", "sky/digan", "sky/digan-seed1", "--gpus", "8", "--each", "8", *options]) == 0
    text = capsys.readouterr().out
    # 16 bytes to go on from and five models of 8 bytes, for each of two seeds.
    assert "16.00" in text and "with 8 at once   " in text and "112.0 GB of models (5 a training)" in text
    days = float(re.search(r"at once +(\S+) days", text)[1])  # type: ignore[index]
    assert days == 2 * 8 / 8
    assert main(["plan", "table9", *options]) == 2
    assert (
        "Known: report, table1, table2, table3, table_s2, table_s3, table_s1, figure2, figure6,"
        in capsys.readouterr().err
    )
