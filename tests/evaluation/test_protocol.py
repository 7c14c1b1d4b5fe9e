"""The protocol's rules, its record's identity, and the refusal to compare what differs."""

import json
from pathlib import Path

import pydantic
import pytest

from styleinv.cli import main
from styleinv.errors import UserError
from styleinv.evaluation.comparison import compare_scores
from styleinv.evaluation.metrics import metrics_of
from styleinv.evaluation.protocol import (
    DetectorRecord,
    EvaluationConfig,
    MetricRecord,
    Protocol,
    ProtocolRecord,
    differences,
)

METRICS = {
    "fid": MetricRecord(title="FID", detector="image", rule={"items": 50_000}, real=50_000, fake=50_000),
    "fvd16": MetricRecord(title="FVD16", detector="video", rule={"stride": 1}, real=732, fake=2048),
}
RECORD = ProtocolRecord(
    rules=Protocol(),
    dataset="sky",
    real_sha256="ab" * 32,
    fake="sky/styleinv",
    fake_sha256="ef" * 32,
    detectors={
        "image": DetectorRecord(name="inception", sha256="11" * 32, dim=2048),
        "video": DetectorRecord(name="i3d", sha256="22" * 32, dim=400),
    },
    stand_in=False,
    resolution=256,
    resize="inside the detectors only",
    mirror=False,
    rounding="truncate",
    codec="jpeg quality 75 4:2:0",
    generation_seed=0,
    metrics=METRICS,
    device="cpu",
    versions={"torch": "2.14"},
)


def changed(**fields) -> ProtocolRecord:
    return RECORD.model_copy(update=fields)


def with_metric(name: str, **fields) -> ProtocolRecord:
    return changed(metrics=METRICS | {name: METRICS[name].model_copy(update=fields)})


def with_detector(kind: str, **fields) -> ProtocolRecord:
    return changed(detectors=RECORD.detectors | {kind: RECORD.detectors[kind].model_copy(update=fields)})


def test_defaults_are_the_papers() -> None:
    protocol = Protocol()
    assert (protocol.n_fake, protocol.clip_length, protocol.fid_items, protocol.real_clips) == (2048, 128, 50_000, 2048)
    assert [metric.name for metric in metrics_of(protocol)] == ["fid", "fvd16", "fvd128"]
    assert protocol.seeds == [0, 1, 2, 3] and EvaluationConfig().changed() == protocol
    assert (protocol.rounding, protocol.codec) == ("truncate", "jpeg quality 75 4:2:0")
    lossless = Protocol(protocol="lossless")
    assert (lossless.rounding, lossless.codec) == ("round", "none") and protocol.stored_as("lossless") == lossless
    assert Protocol(protocol="lossless", jpeg_quality=90).codec == "jpeg quality 90 4:2:0"
    assert Protocol(stride=8, fvd_lengths=(16,)).span(16) == 121
    assert [metric.name for metric in metrics_of(protocol.of_stills())] == ["fid"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_fakes": 3},
        {"clip_length": 100},
        {"fvd_lengths": (16, 16)},
        {"jpeg_quality": 0},
        {"repeats": 0},
        {"metrics": ("fid", "fad")},
        {"protocol": "clean"},
    ],
)
def test_wrong_protocols_are_refused(wrong: dict) -> None:
    with pytest.raises(pydantic.ValidationError):
        Protocol(**wrong)


def test_id_ignores_what_does_not_change_the_number() -> None:
    same = with_detector("image", name="copy.pt").model_copy(
        update={
            "versions": {"torch": "9"},
            "rules": Protocol(generation_seed=7),
            "dataset": "the same bytes under another name",
            "device": "cuda",
        }
    )
    assert same.id == RECORD.id and same.metric_id("fid") == RECORD.metric_id("fid")
    assert differences(RECORD, same, "fid") == differences(RECORD, same, "fvd16") == []


@pytest.mark.parametrize(
    ("other", "field"),
    [
        (changed(codec="none"), "codec"),
        (changed(rounding="round"), "rounding"),
        (changed(rules=Protocol(n_fake=100)), "n_fake"),
        (changed(rules=Protocol(repeats=1)), "seeds"),
        (changed(real_sha256="cd" * 32), "real_sha256"),
        (with_metric("fvd16", rule={"stride": 2}), "stride"),
        (with_metric("fvd16", real=700), "real items"),
        (with_detector("video", sha256="33" * 32), "detector"),
    ],
)
def test_ids_and_differences_follow_what_does(other: ProtocolRecord, field: str) -> None:
    assert other.metric_id("fvd16") != RECORD.metric_id("fvd16")
    lines = differences(RECORD, other, "fvd16")
    assert len(lines) == 1 and lines[0].startswith(f"{field}: ")


def test_what_concerns_one_metric_leaves_the_others_comparable() -> None:
    for other in (with_metric("fvd16", rule={"stride": 2}), with_detector("video", sha256="33" * 32)):
        assert other.metric_id("fid") == RECORD.metric_id("fid") and differences(RECORD, other, "fid") == []


def test_a_further_metric_leaves_every_id_as_it_is() -> None:
    more = METRICS | {"kvd16": METRICS["fvd16"].model_copy(update={"title": "KVD16", "rule": {"distance": "MMD"}})}
    other = changed(metrics=more, rules=Protocol(metrics=("fid", "fvd", "kvd")))
    assert other.id == RECORD.id and all(other.metric_id(name) == RECORD.metric_id(name) for name in METRICS)


def test_first_half_of_the_id_spans_data_sets() -> None:
    other = with_metric("fvd16", real=2048).model_copy(update={"real_sha256": "cd" * 32})
    for a, b in ((other.id, RECORD.id), (other.metric_id("fvd16"), RECORD.metric_id("fvd16"))):
        assert a.split("-")[0] == b.split("-")[0] and a.split("-")[1] != b.split("-")[1]


def test_what_differs_from_the_paper_is_told() -> None:
    assert RECORD.unlike_paper == []
    other = changed(rules=Protocol(n_fake=512, fid_items=10_000), resolution=128, stand_in=True, codec="none")
    assert other.unlike_paper == [
        "n fake 512 instead of 2048",
        "fid items 10000 instead of 50000",
        "codec none instead of jpeg quality 75 4:2:0",
        "resolution 128 instead of 256",
        "stand-in detectors",
    ]
    stills = changed(metrics={"fid": METRICS["fid"]}, rules=Protocol().of_stills())
    assert stills.unlike_paper == []


def test_fewer_items_than_asked_for_and_a_resize_are_told() -> None:
    few = with_metric("fvd16", fake=100).model_copy(update={"resize": "generated 128 to 256 pixels, bilinear"})
    assert few.unlike_paper == [
        "FVD16 of 100 generated items instead of 2048",
        "resized: generated 128 to 256 pixels, bilinear",
    ]


def test_ids_of_stored_scores_stay() -> None:
    """They stand in tables and MLflow, and tell which rows compare."""
    assert RECORD.id == "63e6f9c9-39fe588d"
    assert (RECORD.metric_id("fid"), RECORD.metric_id("fvd16")) == ("e33f117a-17c47bd5", "0de951f8-c4b262ec")
    # A kernel that had nothing to resize changed no number.
    assert changed(rules=Protocol(resize="bilinear")).id == RECORD.id
    assert changed(resize="generated 128 to 256 pixels, bilinear").id != RECORD.id


def test_id_survives_json() -> None:
    again = ProtocolRecord.model_validate(json.loads(RECORD.model_dump_json()))
    assert again.id == RECORD.id and again == RECORD


def scores(record: ProtocolRecord, fid: float) -> dict:
    values = {"fid": fid} | dict.fromkeys(set(record.metrics) - {"fid"}, 1.0)
    return values | {"protocol": record.model_dump(mode="json"), "protocol_id": record.id}


def test_compare() -> None:
    result = compare_scores(scores(RECORD, 3.0), scores(RECORD, 5.0))
    assert {name: (pair.title, pair.a.mean, pair.b.mean) for name, pair in result.scores.items()} == {
        "fid": ("FID", 3.0, 5.0),
        "fvd16": ("FVD16", 1.0, 1.0),
    }
    assert result.refused == {} and not result.stand_in and result.scores["fid"].told_apart is None
    other = scores(changed(codec="none", rules=Protocol(n_fake=7)), 3.0)
    with pytest.raises(UserError, match="mine.*yours.*codec: jpeg quality 75 4:2:0 against none; n_fake: 2048 again"):
        compare_scores(scores(RECORD, 3.0), other, ("mine", "yours"))
    with pytest.raises(UserError, match="yours: has no valid protocol record"):
        compare_scores(scores(RECORD, 3.0), {"fid": 2.0}, ("mine", "yours"))


def test_compare_says_whether_intervals_are_apart(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Official scores with their digits, those of stand-ins without any that mean nothing."""
    a, b = scores(RECORD, 54.321), scores(RECORD, 58.123)
    a |= {"fid_std": 0.25, "fid_low": 52.0, "fid_high": 57.0, "fvd16_low": 0.5, "fvd16_high": 1.5}
    b |= {"fid_std": 0.5, "fid_low": 56.0, "fid_high": 60.0}

    def text() -> str:
        for name, content in (("a", a), ("b", b)):
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
        assert main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 0
        return capsys.readouterr().out

    lines = text().splitlines()
    assert "54.321 ± 0.250 [52.000, 57.000]" in lines[1] and lines[1].endswith("+3.802  intervals overlap")
    assert lines[2].endswith("+0.000") and "stand-in" not in text()
    b["fid_low"] = 57.5
    assert text().splitlines()[1].endswith("intervals apart")
    for one in (a, b):
        one["protocol"]["stand_in"] = True
    lines = text().splitlines()
    assert lines[0].startswith("Scores of a stand-in") and "with nothing published" in lines[0]
    assert "54 ± 0.25 [52, 57]" in lines[2] and "+3.8  intervals apart" in lines[2]


def test_stored_frames_compare_with_the_codec_they_went_through() -> None:
    """How floats became 8 bit before somebody stored them is not known, and no reason to refuse."""
    stored = changed(rounding="as stored", generation_seed=None, fake="folder")
    assert differences(RECORD, stored, "fid") == []
    other = changed(rounding="as stored", codec="jpeg quality 90 4:2:0")
    assert differences(RECORD, other, "fid") == ["codec: jpeg quality 75 4:2:0 against jpeg quality 90 4:2:0"]


def test_a_metric_that_only_one_of_them_has_is_said_and_not_guessed() -> None:
    alone = changed(metrics={"fid": METRICS["fid"]})
    result = compare_scores(scores(RECORD, 3.0), scores(alone, 5.0), ("mine", "yours"))
    assert list(result.scores) == ["fid"] and result.refused == {"fvd16": "yours has none"}
    other = with_metric("fvd16", rule={"stride": 2})
    assert compare_scores(scores(RECORD, 3.0), scores(other, 5.0)).refused == {"fvd16": "stride: 1 against 2"}
