"""Gradients go to the other processes while the backward pass is at work, always in one order."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from styleinv.training import buckets
from styleinv.training.buckets import Buckets
from styleinv.training.method import Parts, Phase
from styleinv.training.update import accumulate


class Pair:
    """Two processes, of which the other has three times this one's gradients."""

    size, rank, device = 2, 0, torch.device("cpu")

    def __init__(self, seen: list[str]):
        self.seen = seen

    def contact(self) -> nullcontext:
        return nullcontext()

    def start_sum(self, tensors: list[Tensor]) -> tuple[Tensor, SimpleNamespace]:
        self.seen.append(f"sent {len(tensors)}")
        return torch.cat([t.flatten() for t in tensors]) * 4, SimpleNamespace(wait=lambda: self.seen.append("waited"))


def study(monkeypatch: pytest.MonkeyPatch, terms: int) -> tuple[list[str], Parts, Phase, nn.Sequential]:
    """Four layers whose gradients are a bucket each, one of them out of use; a phase of so many terms."""
    monkeypatch.setattr(buckets, "SIZE", 16)
    seen: list[str] = []
    torch.manual_seed(0)
    net = nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(3)))
    spare = nn.Linear(4, 4, bias=False)
    net[0].register_full_backward_hook(lambda *_: seen.append("first layer"))

    def loss(real, draws, report):
        for _ in range(terms):
            yield net(real[0].requires_grad_()).square().mean()

    parameters = [*net.parameters(), *spare.parameters()]
    parts = Parts({"G": net}, {"G": torch.optim.SGD(parameters, lr=1)})
    return seen, parts, Phase("Gmain", "G", loss), net


@pytest.mark.parametrize("terms", [1, 2])
def test_buckets_go_during_the_last_pass_and_give_the_mean(monkeypatch: pytest.MonkeyPatch, terms: int) -> None:
    seen, parts, phase, net = study(monkeypatch, terms)
    real = [((group,), (torch.randn(2, 4),)) for group in range(2)]
    step = (parts, phase, real, 2, 0, 0, lambda name, value: None)
    plain = [gradient.clone() for gradient in accumulate(*step)]
    many = Buckets(Pair(seen), [*net.parameters(), *parts.optimizers["G"].param_groups[0]["params"][3:]])
    for _ in range(2):
        seen.clear()
        averaged = accumulate(*step, buckets=many)
        assert len(averaged) == 3
        for ours, alone in zip(averaged, plain, strict=True):
            torch.testing.assert_close(ours, 2 * alone)
        # The spare layer, which has no gradient, is the last parameter and so of the first bucket: nothing precedes it.
        assert seen.count("waited") == 3
    assert parts.optimizers["G"].param_groups[0]["params"][3].grad is None


def test_what_is_complete_is_on_its_way_before_the_pass_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, parts, phase, net = study(monkeypatch, 1)
    parts.optimizers["G"] = torch.optim.SGD(net.parameters(), lr=1)
    many, step = Buckets(Pair(seen), list(net.parameters())), (parts, phase, [((0,), (torch.randn(2, 4),))], 1, 0)
    accumulate(*step, 0, lambda name, value: None, buckets=many)
    # How many passes a group takes is not known yet.
    assert seen == ["first layer", "sent 1", "sent 1", "sent 1", "waited", "waited", "waited"]
    seen.clear()
    accumulate(*step, 1, lambda name, value: None, buckets=many)
    assert seen[:2] == ["sent 1", "sent 1"] and seen[2:4] in (["first layer", "sent 1"], ["sent 1", "first layer"])
    assert seen[4:] == ["waited"] * 3


def test_a_phase_that_changes_its_passes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, parts, phase, net = study(monkeypatch, 1)
    many = Buckets(Pair(seen), list(net.parameters()))
    many.terms = 2
    with pytest.raises(RuntimeError, match="phase Gmain yielded 1 terms, and 2 before"):
        accumulate(parts, phase, [((0,), (torch.randn(2, 4),))], 1, 0, 0, lambda name, value: None, buckets=many)
