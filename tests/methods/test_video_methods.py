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
from styleinv.stages.evaluate import load_generator
from styleinv.stages.prepare import prepare_all
from styleinv.stages.setting import Setting
from styleinv.stages.train import train
from tests.project import ROOT

# Every video method as it is, and the variants that are other networks or another training.
METHODS = [name for name in methods.known() if hasattr(methods.get(name), "load_generator")]
METHODS += ["mocogan_hd-ffa_st", "mocogan_hd-cross_domain"]
# These answer at any real time; the others at whole frames from 0 only.
CONTINUOUS = {"styleinv", "digan", "stylegan_v"}


@pytest.fixture(scope="module")
def study(tiny: Setting, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """All video methods and what they build on, trained for some steps."""
    results = tmp_path_factory.mktemp("methods") / "results"
    shutil.copytree(tiny.paths.root, results)
    setting = Setting(tiny.config, Paths(results))
    for name in METHODS:
        for run in lineage(parse_run(f"talking_faces/{name}"), tiny.config.parent):
            if not setting.paths.model(run).exists():
                prepare_all(run, setting)
                train(run, setting)
    return setting


@pytest.fixture(params=METHODS)
def generator(study: Setting, request: pytest.FixtureRequest) -> VideoGenerator:
    return load_generator(parse_run(f"talking_faces/{request.param}"), study)


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
@pytest.mark.parametrize("name", METHODS)
def test_times_between_frames(study: Setting, name: str) -> None:
    made = load_generator(parse_run(f"talking_faces/{name}"), study)
    if name in CONTINUOUS:
        videos = made.videos([1], torch.tensor([4.0, 4.5, 5.0]))[0].float()
        assert (videos[1] - videos[0]).abs().mean() <= 1.5 * (videos[2] - videos[0]).abs().mean() + 1
    else:
        with pytest.raises(ValueError, match="whole frames"):
            made.videos([1], torch.tensor([4.0, 4.5]))


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_scored_by_the_one_protocol(study: Setting, name: str) -> None:
    options = ["--config", str(study.config), "--results", str(study.paths.root)]
    assert main(["evaluate", f"talking_faces/{name}", *options]) == 0
    scores = read_json(study.paths.metrics(parse_run(f"talking_faces/{name}")))
    assert all(scores[metric] >= 0 for metric in ("fid", "fvd4", "fvd16"))
    assert scores["protocol_id"] == read_json(study.paths.metrics(parse_run("talking_faces/styleinv")))["protocol_id"]


@pytest.mark.parametrize("name", sorted({name.partition("-")[0] for name in METHODS}))
def test_the_shipped_configurations_are_valid(name: str) -> None:
    from styleinv.config import load_method
    from styleinv.schema import read_yaml

    variants = read_yaml(ROOT / "config/methods" / f"{name}.yaml").get("variants", {})
    for scale in ("demo", "small", "paper"):
        for variant in ("", *variants):
            run = parse_run(f"talking_faces/{name}" + (f"-{variant}" if variant else ""))
            load_method(run, ROOT / "config" / f"{scale}.yaml", methods.get(name).Config)
