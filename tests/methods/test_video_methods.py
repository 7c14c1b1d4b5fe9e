"""What every video method must do: train, make videos by seed whatever is made with them, be scored."""

import shutil

import pytest
import torch

from styleinv import methods
from styleinv.cli import main
from styleinv.config import lineage
from styleinv.files import read_json
from styleinv.generator import VideoGenerator
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.stages.model import load_generator_of
from styleinv.stages.prepare import prepare_all
from styleinv.stages.setting import Setting
from styleinv.stages.train import train
from tests.project import ROOT

# Every video method as it is, and the variants that are other networks or another training.
METHODS = [name for name in methods.known() if hasattr(methods.get(name), "load_generator")]
METHODS += ["mocogan_hd-ffa_st", "mocogan_hd-cross_domain"]
# These must answer at any real time; others may refuse all but whole frames.
CONTINUOUS = {"styleinv", "digan", "stylegan_v"}


@pytest.fixture(scope="module")
def study(tiny: Setting, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """A results folder of its own, in which the methods are trained as they are asked for."""
    results = tmp_path_factory.mktemp("methods") / "results"
    shutil.copytree(tiny.paths.root, results)
    return Setting(tiny.config, Paths(results))


@pytest.fixture(params=METHODS)
def name(study: Setting, request: pytest.FixtureRequest) -> str:
    """A method that has been trained for some steps, and what it builds on."""
    for run in lineage(parse_run(f"talking_faces/{request.param}"), study.config.parent):
        if not study.paths.model(run).exists():
            prepare_all(run, study)
            train(run, study)
    return request.param


@pytest.fixture
def generator(study: Setting, name: str) -> VideoGenerator:
    run = parse_run(f"talking_faces/{name}")
    return load_generator_of(run, study.paths.model(run), torch.device("cpu"))


@pytest.mark.slow
def test_a_video_depends_on_its_seed_alone(generator: VideoGenerator) -> None:
    times = torch.arange(12)
    together = generator.videos([3, 7, 4], times)
    assert together.dtype == torch.uint8 and together.shape == (3, 12, 3, 32, 32)
    assert torch.equal(generator.videos([7], times)[0], together[1])
    assert not torch.equal(together[0], together[1])


@pytest.mark.slow
def test_a_video_may_be_asked_for_in_parts_and_goes_on(generator: VideoGenerator) -> None:
    whole = generator.videos([5], torch.arange(70))[0]
    for part in (torch.arange(12), torch.arange(40, 70), torch.tensor([3, 66, 20])):
        difference = (generator.videos([5], part)[0].int() - whole[part].int()).abs()
        # Another order of sums may move a value over a step of the 8-bit scale.
        assert difference.max() <= 1 and difference.float().mean() < 0.01


@pytest.mark.slow
def test_times_between_frames(generator: VideoGenerator, name: str) -> None:
    try:
        videos = generator.videos([1], torch.tensor([4.0, 4.5, 5.0]))[0].float()
    except ValueError as error:
        assert "whole frames" in str(error) and name not in CONTINUOUS
    else:
        assert (videos[1] - videos[0]).abs().mean() <= 1.5 * (videos[2] - videos[0]).abs().mean() + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["styleinv-released", "digan-released", "mocogan_hd-long", "mocogan_hd-stride2"], indirect=True
)
def test_released_recipes_train(generator: VideoGenerator) -> None:
    assert generator.videos([0], torch.arange(2)).shape == (1, 2, 3, 32, 32)


@pytest.fixture(scope="module")
def protocols() -> set[str]:
    """The protocols of all methods scored so far."""
    return set()


@pytest.mark.slow
def test_scored_by_the_one_protocol(study: Setting, name: str, protocols: set[str]) -> None:
    options = ["--config", str(study.config), "--results", str(study.paths.root)]
    assert main(["evaluate", f"talking_faces/{name}", *options]) == 0
    scores = read_json(study.paths.metrics(parse_run(f"talking_faces/{name}")))
    assert all(scores[metric] >= 0 for metric in ("fid", "fvd4", "fvd16"))
    protocols.add(scores["protocol_id"])
    assert len(protocols) == 1


@pytest.mark.parametrize("method", sorted({name.partition("-")[0] for name in METHODS}))
def test_the_shipped_configurations_are_valid(method: str) -> None:
    from styleinv.config import load_method
    from styleinv.schema import read_yaml

    variants = read_yaml(ROOT / "config/methods" / f"{method}.yaml").get("variants", {})
    for scale in ("demo", "laptop", "small", "paper"):
        for variant in ("", *variants):
            run = parse_run(f"talking_faces/{method}" + (f"-{variant}" if variant else ""))
            load_method(run, ROOT / "config" / f"{scale}.yaml", methods.get(method).Config)
