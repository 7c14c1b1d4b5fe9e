"""The printed numbers, and the table that puts ours beside them."""

import csv
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from styleinv.errors import UserError
from styleinv.report.cost_table import Stage, write_cost
from styleinv.report.published import published_scores, read_published
from styleinv.report.seeds import over_seeds
from styleinv.report.tables import NO_SCORES, RunResult, make_table, score_text, write_table
from styleinv.runs import Run
from styleinv.training.measure import Cost

PUBLISHED = Path(__file__).parents[2] / "config" / "published.csv"


TITLES = {"sky": "SkyTimelapse", "taichi": "TaiChi", "digan": "DIGAN", "styleinv": "StyleInV"}


def scores(protocol: str = "aa-11", **values: float | None) -> dict:
    """A metrics.json."""
    made = {name: {"title": name.upper()} for name in values if not name.endswith("_std")}
    known = {"protocol_id": protocol, "stand_in": False, "protocol": {"metrics": made}}
    return values | known | {"protocol_ids": {name: f"{name}-{protocol}" for name in made}}


def result(dataset: str, method: str, fid: float, variant: str = "", protocol: str = "aa-11", **more) -> RunResult:
    metrics = scores(protocol, fid=fid, fid_std=0.25, fvd16=fid + 1, fvd16_std=None, fvd128=fid + 2, fvd128_std=1.0)
    title = TITLES.get(method, method) + (f" ({variant})" if variant else "")
    run = Run(dataset=dataset, method=method, variant=variant)
    return RunResult(run, TITLES.get(dataset, dataset), title, metrics | more)


def written(tmp_path: Path, *results: RunResult, **options) -> tuple[list[dict[str, str]], str]:
    shares = options.pop("shares", ())
    table = make_table(results, PUBLISHED, "fvd16", **options)
    write_table(table, tmp_path / "t.csv", tmp_path / "t.md", shares=shares)
    with open(tmp_path / "t.csv", newline="") as file:
        return list(csv.DictReader(file)), (tmp_path / "t.md").read_text()


def test_every_printed_number_is_there() -> None:
    numbers = read_published(PUBLISHED)
    per_table = {table: sum(number.table == table for number in numbers) for table in ("1", "2", "3", "S1", "S2", "S3")}
    # 4 data sets x 5 methods x 3; 3 x 3; 5 x 3; costs of 6 rows, one of them without memory; 3 x 2; 3 x 2 x 2.
    assert per_table == {"1": 60, "2": 9, "3": 15, "S1": 16, "S2": 6, "S3": 12} and len(numbers) == 118
    scores = published_scores(numbers)
    assert scores["deeperforensics", "styleinv", ""] == {"fid": 54.05, "fvd16": 41.58, "fvd128": 53.93}
    assert scores["sky", "mocogan_hd", ""]["fvd128"] == 4116.03
    assert scores["deeperforensics", "digan", "clip128"]["fvd16"] == 87.42
    assert scores["deeperforensics", "styleinv", "no_ffa_st_no_recon"]["fid"] == 52.55
    assert scores["sky", "stylegan2", "no_noise"] == {"fid": 11.8}
    assert scores["taichi", "styleinv", "with_noise"] == {"fvd16": 185.72, "fvd128": 328.9}


def test_tables_of_the_paper_agree_where_they_overlap() -> None:
    seen: dict[tuple[str, str, str, str], float] = {}
    for number in read_published(PUBLISHED):
        key = (number.dataset, number.method, number.variant, number.metric)
        assert seen.setdefault(key, number.value) == number.value, number
        if number.table == "S3":
            used = "no_noise" if number.dataset == "sky" else "with_noise"
            if number.variant == used:
                assert seen[number.dataset, number.method, "", number.metric] == number.value


def test_damaged_numbers(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_published(tmp_path / "p.csv")
    (tmp_path / "p.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="has columns"):
        read_published(tmp_path / "p.csv")
    (tmp_path / "p.csv").write_text(
        "table,dataset,method,variant,metric,value,source,note,rank\n1,sky,digan,,fid,many,x,,\n"
    )
    with pytest.raises(UserError, match="p.csv: is damaged"):
        read_published(tmp_path / "p.csv")


def test_columns_and_values(tmp_path: Path) -> None:
    rows, text = written(
        tmp_path,
        result("sky", "styleinv", 14.0, fid_low=13.5, fid_high=14.5),
        result("sky", "styleinv", 99.5, variant="unheard_of"),
    )
    assert list(rows[0]) == (
        "dataset,method,fid,fvd16,fvd128,fid_std,fvd16_std,fvd128_std,fid_low,fvd16_low,fvd128_low,"
        "fid_high,fvd16_high,fvd128_high,fid_published,fvd16_published,fvd128_published,"
        "fid_verdict,fvd16_verdict,fvd128_verdict,published_note,"
        "fvd16_best,fvd16_best_of,trainings,protocol,stand_in,unlike_paper"
    ).split(",")
    values = "sky,styleinv,14,15,16,0.25,,1,13.5,,,14.5,,,14.32,77.04,194.25,"
    values += "reproduced within 5 %,outside (-81 %),outside (-92 %),,,,1,aa-11,false,"
    assert list(rows[0].values()) == values.split(",")
    assert rows[1]["method"] == "styleinv-unheard_of" and rows[1]["fid_published"] == ""
    assert "**14.00 ± 0.25 [13.50, 14.50]** | 14.32" in text and "| <u>99.50 ± 0.25</u> |" in text
    assert "± standard deviation over evaluation seeds" in text and "bootstrap interval over real and generated" in text
    assert "StyleInV (unheard_of)" in text and "Note" not in text


def test_warnings(tmp_path: Path) -> None:
    stand_in = result("sky", "digan", 3.0, stand_in=True)
    _, text = written(
        tmp_path, stand_in, result("sky", "styleinv", 4.0, protocol="bb-11"), result("taichi", "digan", 5.0)
    )
    notes = [line for line in text.splitlines() if line.startswith("> **Note.**")]
    assert len(notes) == 2 and "not comparable with published numbers" in notes[0]
    assert "SkyTimelapse: rows made by different rules are **not comparable** in FID, FVD16, FVD128" in notes[1]


def test_published_numbers_of_other_rules_stand_in_brackets(tmp_path: Path) -> None:
    """A score of 512 videos at 128 pixels is not set beside the paper's as if it were made like it."""
    reduced = result(
        "taichi", "styleinv", 30.0, unlike_paper=["n fake 512 instead of 2048", "resolution 128 instead of 256"]
    )
    _, text = written(tmp_path, reduced)
    assert "**Note.** published numbers in brackets were made by other rules: n fake 512 instead of 2048; resol" in text
    assert "| 30.00 ± 0.25 | (41.55) |" in text
    _, text = written(tmp_path, result("taichi", "styleinv", 30.0))
    assert "brackets" not in text and "| 30.00 ± 0.25 | 41.55 |" in text
    # Without a published number there is nothing to say.
    _, text = written(tmp_path, result("toy", "styleinv", 30.0, unlike_paper=["n fake 512 instead of 2048"]))
    assert "brackets" not in text


def test_less_than_the_papers_data_is_another_rule_too(tmp_path: Path) -> None:
    partly = replace(result("taichi", "styleinv", 30.0), share="TaiChi: 71 % of the paper's videos")
    rows, text = written(tmp_path, partly)
    assert rows[0]["unlike_paper"] == "TaiChi: 71 % of the paper's videos"
    assert "made by other rules: TaiChi: 71 % of the paper's videos." in text and "(41.55)" in text


def test_printed_numbers_that_were_made_otherwise_are_marked(tmp_path: Path) -> None:
    results = [result("sky", method, 99.0) for method in ("mocogan_hd", "long_video_gan", "styleinv")]
    rows, text = written(tmp_path, *results)
    assert "| 251.81<sup>a</sup> |" in text and "| 25.41 |" in text and "| 116.50<sup>b</sup> |" in text
    assert "\na: the official 128 x 128 model, not retrained.\n" in text and "\nb: coincides with" in text
    assert [row["published_note"][:12] for row in rows] == ["the official", "coincides wi", ""]
    assert "<sup>" not in written(tmp_path, results[-1])[1]


def test_what_the_best_does_not_beat_is_marked_like_it(tmp_path: Path) -> None:
    def row(method: str, fid: float, low: float | None, high: float | None) -> RunResult:
        metrics = scores(fid=fid) | {"fid_low": low, "fid_high": high}
        return RunResult(Run(dataset="toy", method=method), "Toy", method, metrics)

    ends = [(10.0, 9.0, 11.0), (10.9, 10.5, 12.0), (13.0, 11.5, 14.0), (13.5, 13.0, 14.0), (20.0, 19.0, 21.0)]
    rows = [row(f"m{i}", *each) for i, each in enumerate(ends)]
    table = make_table(rows, PUBLISHED, "fvd16")
    assert table.best == {(0, "fid"), (1, "fid")} and table.second == {(2, "fid"), (3, "fid")}
    # Without an interval the number itself decides.
    table = make_table([*rows[:1], row("m1", 10.9, None, None), row("m2", 10.9, 10.0, 12.0)], PUBLISHED, "fvd16")
    assert table.best == {(0, "fid"), (2, "fid")} and table.second == {(1, "fid")}
    assert make_table(rows[:1], PUBLISHED, "fvd16").second == set()


def test_rows_of_a_protocol_that_was_asked_for_are_no_warning(tmp_path: Path) -> None:
    one, other = result("sky", "digan", 3.0), result("sky", "digan", 2.0, protocol="bb-11")
    for row, name in ((one, "styleinv"), (other, "lossless")):
        row.metrics["protocol"]["rules"] = {"protocol": name}
    assert "not comparable" not in written(tmp_path, one, other)[1]


def test_bold_only_among_comparable_rows(tmp_path: Path) -> None:
    results = [
        result("sky", "digan", 3.0),
        result("sky", "styleinv", 2.0),
        result("sky", "stylegan_v", 1.0, protocol="bb-11"),
        result("taichi", "digan", 0.5),
    ]
    assert make_table(results, PUBLISHED, "fvd16").best == {(1, "fid"), (1, "fvd16"), (1, "fvd128")}
    assert make_table([], PUBLISHED, "fvd16").best == set()


def test_rows_that_differ_in_one_metric_are_compared_in_the_others(tmp_path: Path) -> None:
    one, other = result("sky", "digan", 3.0), result("sky", "styleinv", 2.0)
    other.metrics["protocol_ids"]["fvd16"] = "another rule"
    assert make_table([one, other], PUBLISHED, "fvd16").best == {(1, "fid"), (1, "fvd128")}
    _, text = written(tmp_path, one, other)
    assert "**not comparable** in FVD16;" in text


def test_columns_are_what_was_measured(tmp_path: Path) -> None:
    toy = RunResult(Run(dataset="toy", method="digan"), "Toy", "DIGAN", scores(fid=1.0, fvd8=2.5, fvd8_std=0.5))
    rows, text = written(tmp_path, toy)
    assert (rows[0]["fid"], rows[0]["fvd8"], rows[0]["fvd8_std"]) == ("1", "2.5", "0.5") and "fvd16" not in rows[0]
    assert "| data set | method | FID | paper | FVD8 | paper | protocol |" in text


def test_an_experiment_may_ask_for_further_metrics_and_for_motion(tmp_path: Path) -> None:
    metrics = scores(fid=1.0, fvd16=3.0, kvd16=0.125) | {"diagnostics": {"motion_energy": 0.0123}}
    toy = RunResult(Run(dataset="toy", method="digan"), "Toy", "DIGAN", metrics)
    rows, text = written(tmp_path, toy, columns=["kvd16", "motion_energy", "fid"])
    assert list(rows[0])[2:5] == ["kvd16", "motion_energy", "fid"] and "fvd16" not in rows[0]
    assert (rows[0]["kvd16"], rows[0]["motion_energy"]) == ("0.125", "0.0123")
    assert "| KVD16 | paper | motion energy | FID | paper |" in text
    with pytest.raises(UserError, match="mine.yaml: columns: 'kvd8' is in none.*have fid, fvd16, kvd16, motion_energy"):
        make_table([toy], PUBLISHED, "fvd16", ["kvd8"], "mine.yaml")


def test_texts() -> None:
    assert score_text(None, None) == "" and score_text(41.577, None) == "41.58"
    assert score_text(0.01234, 0.0001) == "0.0123 ± 0.0001"


def test_the_best_of_k_stands_beside_the_last(tmp_path: Path) -> None:
    watched = result("sky", "styleinv", 40.0)
    rows, text = written(tmp_path, replace(watched, along=[60.0, 40.5, 41.0]), result("sky", "digan", 50.0))
    assert [(row["fvd16"], row["fvd16_best"], row["fvd16_best_of"]) for row in rows] == [
        ("41", "40.5", "3"),
        ("51", "", ""),
    ]
    assert "40.50 (of 3)" in text and "knows the test data" in text
    _, text = written(tmp_path, watched)
    assert "best of k" not in text


def test_how_much_of_the_data_was_there_stands_under_the_table(tmp_path: Path) -> None:
    shares = ["TaiChi: 71 % of the paper's videos, 70 % of its frames", "SkyTimelapse: 100 % of the paper's videos"]
    assert written(tmp_path, result("taichi", "digan", 5.0), shares=shares)[1].endswith(
        f"\n\nData: {shares[0]}; {shares[1]}.\n"
    )
    assert "Data:" not in written(tmp_path, result("taichi", "digan", 5.0))[1]


def test_trainings_of_several_seeds_are_one_row(tmp_path: Path) -> None:
    def trained(seed: int | None, fid: float, **more) -> RunResult:
        made = result("sky", "styleinv", fid, fid_low=fid - 1, fid_high=fid + 1, diagnostics={"loopiness": fid}, **more)
        return replace(made, run=made.run.seeded(seed), along=(fid + 3, fid))

    three = [trained(None, 10.0), trained(1, 12.0), trained(2, 14.0)]
    (row, other), page = written(
        tmp_path, *over_seeds([*three, result("sky", "digan", 30.0)]), columns=["fid", "loopiness"]
    )
    assert (row["method"], row["trainings"], other["trainings"]) == ("styleinv", "3", "1")
    assert [float(row[name]) for name in ("fid", "fid_std", "fid_low", "fid_high", "loopiness")] == [12, 2, 9, 15, 12]
    assert float(row["fvd16_best"]) == 12 and float(row["fid_published"]) > 0
    assert "StyleInV (n = 3) | **12.00 ± 2.00 [9.00, 15.00]**" in page and "over the trainings" in page
    # What was scored by other rules stays apart.
    apart = over_seeds([trained(None, 10.0), trained(1, 12.0, protocol_ids={"fid": "other"})])
    assert [made.run.seed for made in apart] == [None, 1]
    assert "over the trainings" not in written(tmp_path, result("sky", "digan", 30.0))[1]


def test_every_printed_number_has_a_verdict(tmp_path: Path) -> None:
    here = result("sky", "styleinv", 14.0)
    partly = replace(result("sky", "digan", 32.83 * 1.07), share="SkyTimelapse: 71 % of the paper's videos")
    absent = replace(here, run=Run(dataset="sky", method="stylegan_v"), method="StyleGAN-V", metrics=dict(NO_SCORES))
    rows, text = written(tmp_path, here, partly, absent, printed_table="1")
    assert [row["fid_verdict"] for row in rows] == [
        "reproduced within 5 %",
        "not comparable: SkyTimelapse: 71 % of the paper's videos",
        "not run",
    ]
    assert rows[2]["fid"] == "" and rows[2]["fid_published"] == "16.95"
    assert "| FID: reproduced within 5 %; FVD16, FVD128: outside" not in text  # another distance each
    assert "| not comparable | `aa-11` |" in text and "| not run |  |" in text
    rows, _ = written(tmp_path, result("sky", "digan", 32.83 * 1.07), within=(1, 8))
    assert rows[0]["fid_verdict"] == "reproduced within 8 %"
    assert "verdict" not in written(tmp_path, result("toy", "digan", 3.0))[1]


def test_printed_numbers_are_marked_as_they_are_printed(tmp_path: Path) -> None:
    """Also where the paper underlines another number than the second best: TaiChi's FVD16."""
    methods = ("digan", "stylegan_v", "long_video_gan", "styleinv")
    rows, text = written(tmp_path, *(result("taichi", method, 99.0) for method in methods), printed_table="1")
    assert [row["fvd16_rank_published"] for row in rows] == ["", "", "second", "best"]
    assert "| 196.77 |" in text and "| <u>248.55</u> |" in text and "| **185.72** |" in text
    assert "as the paper marks them" in text
    rows, text = written(tmp_path, result("taichi", "styleinv", 99.0))
    assert "fvd16_rank_published" not in rows[0] and "**185.72**" not in text
    numbers = [number for number in read_published(PUBLISHED) if number.table == "1"]
    for dataset, metric in {(n.dataset, n.metric) for n in numbers}:
        group = [n for n in numbers if (n.dataset, n.metric) == (dataset, metric)]
        assert [n.value for n in group if n.rank == "best"] == [min(n.value for n in group)]
        assert sum(n.rank == "second" for n in group) == 1


def test_extended_rows_say_whether_they_are_better(tmp_path: Path) -> None:
    plain = result("deeperforensics", "digan", 190.0)
    clip = replace(result("deeperforensics", "digan", 200.0, variant="clip128"))
    clip.metrics["fvd128"] = 90.0
    rows, text = written(tmp_path, plain, clip, against={"digan-clip128": "digan"})
    assert [rows[1][f"{name}_change"] for name in ("fid", "fvd16", "fvd128")] == ["(+)", "(+)", "(-)"]
    assert [rows[1][f"{name}_change_published"] for name in ("fid", "fvd16", "fvd128")] == ["(-)", "(+)", "(-)"]
    assert rows[0]["fid_change"] == "" and "| (+), paper (-) |" in text and "| FID | change | paper |" in text
    clip.metrics["protocol_ids"]["fid"] = "another rule"
    assert written(tmp_path, plain, clip, against={"digan-clip128": "digan"})[0][1]["fid_change"] == ""


def test_latex_holds_the_same_and_compiles(tmp_path: Path) -> None:
    odd = result("sky", "digan", 3.0, variant="50%_of_&", unlike_paper=["n_fake 2 & 3"])
    rows = [result("sky", "styleinv", 14.0), result("sky", "mocogan_hd", 99.0), odd, result("taichi", "digan", 5.0)]
    written(tmp_path, *rows, printed_table="1", shares=["SkyTimelapse: 100 % of the paper's videos"])
    text = (tmp_path / "t.tex").read_text()
    body = text.partition(r"\midrule")[2].partition(r"\bottomrule")[0].strip().splitlines()
    heads = text.partition(r"\toprule")[2].partition(r"\midrule")[0]
    assert len(body) == len(rows) + 1 and body[3] == r"\midrule"
    assert {line.count(" & ") for line in body if line != r"\midrule"} == {heads.count(" & ")} == {9}
    assert r"\textbf{3.00 $\pm$ 0.25}" in body[2] and r"DIGAN (50\%\_of\_\&)" in body[2]
    assert r"\textbf{14.32}" in body[0] and r"\textsuperscript{a}" in body[1]
    assert r"100 \% of the paper's videos" in text and text.count("{") == text.count("}")
    assert text.startswith(r"\documentclass") and r"\usepackage{booktabs" in text
    if compiler := shutil.which("pdflatex"):
        done = subprocess.run([compiler, "-halt-on-error", "t.tex"], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0 and (tmp_path / "t.pdf").exists(), done.stdout[-2000:]


def test_the_table_of_costs_judges_what_compares(tmp_path: Path) -> None:
    chains = {
        "sky/digan": [Stage("sky/digan", Cost(1_000_000, 0, 2, 1.32e9, 25000, None, 8, 1, 8.64))],
        "sky/styleinv": [Stage("sky/styleinv", Cost(1_000_000, 0, 3, 4e9, 25000, None, 8, 1, 8.64))],
    }
    titles = {run: run for run in chains}
    for scale, on_gpu, memory in (("paper", True, "reproduced within 5 %"), ("demo", False, "not comparable")):
        write_cost(chains, titles, scale, "a GPU", on_gpu, PUBLISHED, tmp_path / "c.csv", tmp_path / "c.md")
        first, second = (tmp_path / "c.md").read_text().splitlines()[2:4]
        assert f"frames per video: reproduced; GB: {memory}" in first and "days: not comparable" in first
        assert "frames per video: outside (3 against 4)" in second
        assert r"\begin{tabular}" in (tmp_path / "c.tex").read_text()
