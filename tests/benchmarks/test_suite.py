"""What can be counted holds on every machine, and the page of the suite is that of a record."""

import re

import pytest
import torch

from benchmarks import page, suite
from benchmarks.record import HISTORY
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


def test_page_is_that_of_its_record() -> None:
    written = page.PAGE.read_text()
    link = re.search(r"benchmarks/history/([\w.-]+\.json)", written)
    assert link and page.text(HISTORY / link[1]) == written, "run `python -m benchmarks page`"
