"""What can be counted holds on every machine, and the page of the suite is that of a record."""

import json
import re
from pathlib import Path

import pytest
import torch

from benchmarks import page, suite
from benchmarks.record import HISTORY, machine
from benchmarks.rows import ROWS, Row
from benchmarks.textbook import discriminate, encode, synthesis
from benchmarks.timing import assert_equal
from styleinv.methods.stylegan2.discriminator import Discriminator
from styleinv.methods.stylegan2.synthesis import SynthesisNetwork
from styleinv.methods.styleinv.encoder import ModulatedEncoder

assert suite, "registers the rows"


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row.counted], ids=lambda row: row.name)
def test_counts_hold(row: Row) -> None:
    values = row.run()
    assert len(values) == len(row.figures)
    for figure, value in zip(row.figures, values, strict=True):
        assert value > 0 or figure.must == 0, f"{figure.what}: nothing was counted"
        assert figure.holds(value) is not False, f"{figure.what}: {value:.4g} {figure.unit}, must be {figure.must}"


def test_textbook_forms_give_what_the_networks_give() -> None:
    torch.manual_seed(0)
    width = {"channel_base": 512, "channel_max": 16}
    G, D = SynthesisNetwork(8, 32, **width), Discriminator(32, **width)
    E = ModulatedEncoder(8, 8, (8, 8, 16), (2, 2)).train()
    for module in (G, D, E):
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter)  # noise strengths and biases are zero at first
    ws, styles = torch.randn(4, G.num_ws, 8), torch.randn(6, 8)
    with torch.no_grad():
        images = G(ws, noise_mode="const")
        for grouped in (True, False):
            assert_equal("G", images, synthesis(G, ws, grouped), 1e-5)
        assert_equal("D", D(images), discriminate(D, images), 1e-4)
        assert_equal("E", E(images[:2], styles), encode(E, images[:2], styles), 1e-4)


def test_page_is_that_of_its_records() -> None:
    written = page.PAGE.read_text()
    links = re.findall(r"benchmarks/history/([\w.-]+\.json)", written)
    assert links and page.text([HISTORY / link for link in links]) == written, "run `python -m benchmarks page`"


def test_of_each_row_the_newest_record_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    figure = {"what": "time", "unit": "ms", "must": 1.0, "target": None, "most": True, "value": 7.5, "holds": False}
    record = {"date": "2026-01-01", "commit": "0ld", "dirty": False, "machine": machine()}
    row = {"title": "", "seconds": 1, "figures": [figure]}
    old.write_text(json.dumps(record | {"rows": {"C10": row, "C13": row}}))
    later = {"date": "2026-01-02", "commit": "n3w", "rows": {"C13": row | {"figures": [figure | {"value": 0.5}]}}}
    new.write_text(json.dumps(record | later))
    (tmp_path / "dirty.json").write_text(json.dumps(record | later | {"date": "2026-01-03", "dirty": True}))
    monkeypatch.setattr(page, "HISTORY", tmp_path)
    assert page.newest() == [old, new]
    text = page.text(page.newest())
    assert "[C10](../benchmarks/history/old.json): 2026-01-01, commit `0ld`" in text and "[C13](" in text
    assert text.count("7.5 ms") == 1 and text.count("0.5 ms | ≤ 1 |  | yes") == 1 and "- C9 was not measured." in text
