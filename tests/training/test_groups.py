"""Several groups of samples in one pass make what they make one after another, up to rounding, in fewer operations."""

import copy
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmarks.counting import counted
from styleinv.cli import main
from styleinv.config import lineage
from styleinv.errors import UserError
from styleinv.nn import groups
from styleinv.nn.discriminator import MinibatchStdLayer
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.stages.cost import untrained
from styleinv.stages.setting import Setting
from styleinv.training.distribution import World
from styleinv.training.draws import Draws
from styleinv.training.method import Method, Parts, Phase, Report
from styleinv.training.update import accumulate
from tests.project import TINY, make_project

GROUPS = 4
# Four groups a step, in every method.
SCALE = (
    TINY.replace("batch: 4, group_size: 4", "batch: 16, group_size: 4")
    .replace("batch: 4, group_size: 2", "batch: 8, group_size: 2")
    .replace("    sparse:\n", "    sparse:\n      lambda_mutual: 0.1\n")
)
# Of what all networks of a phase get, or of the largest value of a tensor: what rounding in float32 makes of the sums.
ROUNDING = 1e-4


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    folder = make_project(tmp_path_factory.mktemp("groups"), SCALE)
    return Setting(folder / "config/tiny.yaml", Paths(folder / "results"))


def built(run: str, setting: Setting) -> Method:
    """Build a method on untrained networks of what it builds on."""
    world = World("cpu")
    return [untrained(part, setting, setting, world) for part in lineage(parse_run(run), setting.config.parent)][-1]


@dataclass
class Made:
    """What a phase has made: gradients, means of reports, and the state of all networks; in how many operations."""

    gradients: list[Tensor]
    reports: dict[str, float]
    state: dict[str, Tensor]
    operations: float


def make(method: Method, phase: Phase, together: int) -> Made:
    """Accumulate the gradients of four groups, so many at once, and leave the method as it was."""
    modules, tensors = method.parts.modules, method.parts.tensors
    before = {name: copy.deepcopy(module.state_dict()) for name, module in modules.items()}
    means = {name: tensor.clone() for name, tensor in tensors.items()}
    reports: dict[str, list[float]] = {}

    def report(name: str, value: Tensor) -> None:
        reports.setdefault(name, []).append(float(value.detach().double().mean()))

    numbers = [tuple(range(first, first + together)) for first in range(0, GROUPS, together)]
    batches = [[method.real_batch(number, method.training.group) for number in some] for some in numbers]
    real = [tuple(torch.cat(parts) for parts in zip(*some, strict=True)) for some in batches]
    gradients: list[Tensor] = []
    passes = zip(numbers, real, strict=True)
    counts = counted(lambda: gradients.extend(accumulate(method.parts, phase, passes, GROUPS, 0, 0, report)))
    state = {f"{name}.{k}": v.clone() for name, module in modules.items() for k, v in module.state_dict().items()}
    state |= {name: tensor.clone() for name, tensor in tensors.items()}
    totals = {name: sum(values) / len(values) for name, values in reports.items()}
    made = Made([gradient.clone() for gradient in gradients], totals, state, counts.operations)
    for name, module in modules.items():
        module.load_state_dict(before[name])
    for name, tensor in tensors.items():
        tensor.copy_(means[name])
    return made


@pytest.mark.parametrize(
    "run,operations",
    [
        ("talking_faces/stylegan2", 0.31),
        ("talking_faces/inversion", 0.38),  # its normalisations see group after group
        ("talking_faces/styleinv", 0.31),
        ("talking_faces/stylegan_v", 0.31),
        ("talking_faces/digan", 0.31),
        ("talking_faces/mocogan_hd", 0.46),  # small discriminators that are normalisations for the most part
        ("talking_faces/mocogan_hd-ffa_st", 0.31),
        ("talking_faces/long_video_gan_lr", 0.31),
        ("talking_faces/long_video_gan", 0.31),
        ("drawings/style_transfer-unaligned", 0.31),
    ],
)
def test_groups_at_once_make_what_each_makes_alone(study: Setting, run: str, operations: float) -> None:
    method = built(run, study)
    many = few = 0.0
    for phase in method.phases:
        alone = make(method, phase, 1)
        for together in (2, 4):
            made = make(method, phase, together)
            largest = max(float(gradient.abs().max()) for gradient in alone.gradients)
            for one, several in zip(alone.gradients, made.gradients, strict=True):
                torch.testing.assert_close(several, one, rtol=ROUNDING, atol=ROUNDING * largest)
            assert made.reports == pytest.approx(alone.reports, rel=ROUNDING, abs=1e-6)
            for name, tensor in alone.state.items():
                torch.testing.assert_close(
                    made.state[name], tensor, rtol=1e-5, atol=1e-6, msg=lambda m, n=name: f"{n} {m}"
                )
        many, few = many + alone.operations / phase.interval, few + made.operations / phase.interval
    assert few < operations * many


def test_a_normalisation_across_groups_is_refused() -> None:
    net = nn.BatchNorm2d(3)

    def loss(real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        yield net(real[0]).square().mean()

    parts = Parts({"G": net}, {"G": torch.optim.SGD(net.parameters(), lr=1)})
    with pytest.raises(RuntimeError, match="BatchNorm2d mixes groups"):
        accumulate(parts, Phase("Gmain", "G", loss), [((0, 1), (torch.randn(4, 3, 2, 2),))], 2, 0, 0, lambda *_: None)
    assert net.running_mean is not None and net.running_mean.shape == (3,)


def test_each_group_draws_what_it_draws_alone() -> None:
    several, alone = Draws(7, 3, "Gmain", (4, 5)), [Draws(7, 3, "Gmain", (number,)) for number in (4, 5)]
    assert torch.equal(several.randn("z", 4, 3), torch.cat([one.randn("z", 2, 3) for one in alone]))
    steps = [one.randn("e", 5, 2, 3, dim=1) for one in alone]
    assert torch.equal(several.randn("e", 5, 4, 3, dim=1), torch.cat(steps, dim=1))
    assert [one.python("t").random() for one in several.each] == [one.python("t").random() for one in alone]


def test_minibatch_std_stays_within_a_group() -> None:
    """Whose sub-groups are samples as far apart as there are sub-groups."""
    layer, x = MinibatchStdLayer(2), torch.randn(8, 3, 4, 4)
    with groups.at_once(2):
        together = layer(x)
    assert torch.equal(together, torch.cat([layer(part) for part in x.chunk(2)]))
    assert not torch.allclose(together, layer(x))


@pytest.mark.parametrize(
    "settings,line",
    [
        ("groups_at_once: 3", "groups_at_once 3 does not divide the 4 groups of a process"),
        ("groups_at_once: 2, batch_gpu: 1", "batch_gpu 1 is for less than a group, groups_at_once 2 for more"),
    ],
)
def test_what_cannot_be_is_one_line(
    study: Setting, capsys: pytest.CaptureFixture[str], settings: str, line: str
) -> None:
    built("talking_faces/stylegan2", study)
    scale = study.config.with_name("wrong.yaml")
    scale.write_text(SCALE.replace("batch: 8, group_size: 2", f"batch: 8, group_size: 2, {settings}"))
    command = ["train", "talking_faces/stylegan2", "--config", str(scale), "--results", str(study.paths.root)]
    assert main(command) == 2
    error = capsys.readouterr().err.strip()
    assert line in error and "\n" not in error


def test_a_method_whose_groups_follow_each_other_says_so(study: Setting) -> None:
    """Spectral norms and the memory of the cross-domain discriminator move with each group."""
    scale = study.config.with_name("across.yaml")
    scale.write_text(SCALE.replace("cross_domain: {epochs: null}", "cross_domain: {training: {groups_at_once: 2}}"))
    with pytest.raises(UserError, match="groups_at_once must be 1"):
        built("talking_faces/mocogan_hd-cross_domain", Setting(scale, study.paths))


def test_a_training_goes_on_with_more_groups_at_once(study: Setting, tmp_path: Path) -> None:
    """Its state is the same training's, whose end differs by rounding."""
    run = parse_run("talking_faces/inversion")
    built(str(run), study)
    half = SCALE.replace("total_kimg: 0.08", "total_kimg: 0.048")
    models = []
    for name, scales in (
        ("one", [half, SCALE]),
        (
            "more",
            [half, SCALE.replace("inversion:\n    training: {", "inversion:\n    training: {groups_at_once: 4, ")],
        ),
    ):
        results = tmp_path / name
        shutil.copytree(study.paths.root, results)
        for scale in scales:
            file = study.config.with_name("goes_on.yaml")
            file.write_text(scale)
            command = ["train", str(run), "--config", str(file), "--results", str(results)]
            assert main(command) == 0
        assert [path.name for path in (results / "talking_faces/inversion").glob("state*")] == ["state"]
        models.append(load_file(results / "talking_faces/inversion/model.safetensors"))
    one, more = models
    assert any(not torch.equal(one[name], more[name]) for name in one)
    for name, tensor in one.items():
        torch.testing.assert_close(more[name], tensor, rtol=1e-3, atol=1e-4)
