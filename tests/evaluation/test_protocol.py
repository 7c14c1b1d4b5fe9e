"""The protocol's rules, its record's identity, and the refusal to compare what differs."""

import json

import pydantic
import pytest

from styleinv.errors import UserError
from styleinv.evaluation.evaluate import compare
from styleinv.evaluation.protocol import PROTOCOLS, DetectorRecord, Protocol, ProtocolRecord, differences

RECORD = ProtocolRecord(
    protocol="styleinv",
    dataset="sky",
    real_sha256="ab" * 32,
    image_detector=DetectorRecord(name="inception", sha256="11" * 32, dim=2048),
    video_detector=DetectorRecord(name="i3d", sha256="22" * 32, dim=400),
    stand_in=False,
    resolution=256,
    resize="inside the detectors only",
    mirror=False,
    rounding="truncate",
    codec="jpeg quality 75 4:2:0",
    n_fake=2048,
    clip_length=128,
    fid_items=50_000,
    fid_choice="sampled",
    real_clips=2048,
    clip_choice="random",
    fvd_lengths=[16, 128],
    stride=1,
    counts={"fid_real": 50_000, "fid_fake": 50_000, "fvd16_real": 732, "fvd16_fake": 2048},
    seeds=[0, 1, 2, 3],
    generation_seed=0,
    distance="Frechet",
    device="cpu",
    versions={"torch": "2.14"},
)


def changed(**fields) -> ProtocolRecord:
    return RECORD.model_copy(update=fields)


def test_defaults_are_the_papers() -> None:
    protocol = PROTOCOLS["styleinv"]
    assert (protocol.n_fake, protocol.clip_length, protocol.fid_items, protocol.real_clips) == (2048, 128, 50_000, 2048)
    assert protocol.metrics == ["fid", "fvd16", "fvd128"] and protocol.seeds == [0, 1, 2, 3]
    assert (protocol.rounding, protocol.codec) == ("truncate", "jpeg quality 75 4:2:0")
    assert (PROTOCOLS["clean"].rounding, PROTOCOLS["clean"].codec) == ("round", "none")
    assert Protocol(stride=8, fvd_lengths=(16,)).span(16) == 121


@pytest.mark.parametrize(
    "wrong", [{"n_fakes": 3}, {"clip_length": 100}, {"fvd_lengths": (16, 16)}, {"jpeg_quality": 0}, {"repeats": 0}]
)
def test_wrong_protocols_are_refused(wrong: dict) -> None:
    with pytest.raises(pydantic.ValidationError):
        Protocol(**wrong)


def test_id_ignores_what_does_not_change_the_number() -> None:
    same = changed(
        versions={"torch": "9"},
        protocol="other name",
        dataset="the same bytes under another name",
        device="cuda",
        image_detector=DetectorRecord(name="copy.pt", sha256="11" * 32, dim=2048),
    )
    assert same.id == RECORD.id and differences(RECORD, same) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"codec": "none"}, "codec"),
        ({"rounding": "round"}, "rounding"),
        ({"n_fake": 100}, "n_fake"),
        ({"seeds": [0]}, "seeds"),
        ({"stride": 2}, "stride"),
        ({"real_sha256": "cd" * 32}, "real_sha256"),
        ({"counts": RECORD.counts | {"fvd16_real": 700}}, "counts.fvd16_real"),
        ({"video_detector": DetectorRecord(name="i3d", sha256="33" * 32, dim=400)}, "video_detector"),
    ],
)
def test_id_and_differences_follow_what_does(change: dict, field: str) -> None:
    other = changed(**change)
    assert other.id != RECORD.id
    lines = differences(RECORD, other)
    assert len(lines) == 1 and lines[0].startswith(f"{field}: ")


def test_first_half_of_the_id_spans_data_sets() -> None:
    other = changed(real_sha256="cd" * 32, counts=RECORD.counts | {"fvd16_real": 2048})
    assert other.id.split("-")[0] == RECORD.id.split("-")[0] and other.id.split("-")[1] != RECORD.id.split("-")[1]


def test_id_survives_json() -> None:
    again = ProtocolRecord.model_validate(json.loads(RECORD.model_dump_json()))
    assert again.id == RECORD.id and again == RECORD


def scores(record: ProtocolRecord, fid: float) -> dict:
    return {
        "fid": fid,
        "fvd16": 1.0,
        "fvd128": 2.0,
        "protocol": record.model_dump(mode="json"),
        "protocol_id": record.id,
    }


def test_compare() -> None:
    result = compare(scores(RECORD, 3.0), scores(RECORD, 5.0))
    assert result["fid"] == {"a": 3.0, "b": 5.0, "difference": 2.0} and set(result) == {"fid", "fvd16", "fvd128"}
    other = scores(changed(codec="none", stride=2), 3.0)
    with pytest.raises(UserError, match="mine.*yours.*codec: jpeg quality 75 4:2:0 against none; stride: 1 against 2"):
        compare(scores(RECORD, 3.0), other, ("mine", "yours"))
    with pytest.raises(UserError, match="yours: has no valid protocol record"):
        compare(scores(RECORD, 3.0), {"fid": 2.0}, ("mine", "yours"))
