"""Style transfer: what is tuned, what stays fixed, and the decoding of unchanged motion latents (section 3.5)."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from styleinv import methods
from styleinv.cli import main
from styleinv.config import lineage, load_method
from styleinv.data.store import FrameStore
from styleinv.data.video import read_frames
from styleinv.errors import UserError
from styleinv.methods.context import Context
from styleinv.methods.style_transfer.loss import tuned_parameters
from styleinv.methods.style_transfer.method import load_decoder
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.stages.model import Model
from styleinv.stages.setting import Setting
from styleinv.stages.train import inputs_of, train, upstream_of
from styleinv.training.checkpoint import read_model
from tests.copies import first_step
from tests.project import make_project
from tests.styled import RUN, SCALE, STYLE, STYLED, make_styled_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """Both data sets, the parent's stages and the tuned generator."""
    return make_styled_study(tmp_path_factory.mktemp("style"))


def test_the_upstream_run_is_of_the_parent(tmp_path: Path) -> None:
    folder = make_project(tmp_path, SCALE)
    (folder / "config/datasets/drawings.yaml").write_text(STYLE)
    setting = Setting(folder / "config/tiny.yaml", Paths(folder / "results"))
    assert [str(run) for run in lineage(STYLED, setting.config.parent)] == ["talking_faces/stylegan2", str(STYLED)]
    assert str(upstream_of(STYLED, setting)) == "talking_faces/stylegan2"
    assert inputs_of(STYLED, setting) == [
        setting.paths.frames("drawings"),
        setting.paths.model(parse_run("talking_faces/stylegan2")),
    ]
    (folder / "config/datasets/drawings.yaml").write_text(STYLE.replace("parent: talking_faces", "parent: ../x"))
    with pytest.raises(UserError, match="is no run"):
        upstream_of(STYLED, setting)


def test_a_scale_must_not_change_the_parent(study: Setting, tmp_path: Path) -> None:
    folder = make_project(tmp_path, SCALE.replace("finetune_g_res: 16", "finetune_g_res: 16\n    parent: elsewhere"))
    (folder / "config/datasets/drawings.yaml").write_text(STYLE)
    with pytest.raises(UserError, match="parent: must not change with the scale"):
        train(STYLED, replace(study, config=folder / "config/tiny.yaml"))


def test_only_high_resolutions_move(study: Setting) -> None:
    """The tuned model equals its parent's averaged generator but for the blocks from 16 up and the mean of w."""
    _, parent = read_model(study.paths.model(parse_run("talking_faces/stylegan2")))
    description, tuned = read_model(study.paths.model(STYLED))
    assert description["method"] == "style_transfer" and description["parent"] == "talking_faces"
    for name in ("G", "G_ema"):
        moved = {
            key.removeprefix("G_ema.")
            for key, value in parent.items()
            if key.startswith("G_ema.") and not torch.equal(value, tuned[key.replace("G_ema.", f"{name}.", 1)])
        }
        assert {".".join(key.split(".")[:2]) for key in moved} == {"synthesis.b16", "synthesis.b32", "mapping.w_avg"}
        assert "synthesis.b32.torgb.weight" in moved and "synthesis.b16.conv0.affine.weight" in moved
    assert any(not torch.equal(value, tuned[key]) for key, value in parent.items() if key.startswith("D."))


@pytest.mark.parametrize("variant, moves", [("all_blocks", {"synthesis"}), ("with_mapping", {"synthesis", "mapping"})])
def test_a_variant_moves_all_blocks_and_the_mapping_where_it_says_so(
    study: Setting, variant: str, moves: set[str]
) -> None:
    run = parse_run(f"{STYLED}-{variant}")
    train(run, study)
    tuned = read_model(study.paths.model(run))[1]
    parent = read_model(study.paths.model(parse_run("talking_faces/stylegan2")))[1]
    moved = {key for key in parent if key.startswith("G_ema.") and not torch.equal(parent[key], tuned[key])}
    assert {key.split(".")[1] for key in moved - {"G_ema.mapping.w_avg"}} == moves
    assert {key.split(".")[2] for key in moved if ".synthesis." in key} == {"b4", "b8", "b16", "b32"}


def test_samples_show_parent_and_tuned_side_by_side(study: Setting) -> None:
    config = load_method(STYLED, study.config, methods.get("style_transfer").Config)
    upstream = {"stylegan2": study.paths.model(parse_run("talking_faces/stylegan2"))}
    context = Context(FrameStore(study.paths.frames("drawings")), 0, torch.device("cpu"), 1, upstream)
    method = methods.get("style_transfer").create(config, context)
    assert [phase.name for phase in method.phases] == ["Gmain", "Dmain", "Dreg"]
    grid = method.sample_images()
    assert grid.shape == (4, 8, 32, 32, 3)
    assert np.array_equal(grid[:, ::2], grid[:, 1::2])  # nothing is tuned yet
    tuned = method.parts.optimizers["G"].param_groups[0]["params"]
    with torch.no_grad():
        for param, average in zip(tuned, tuned_parameters(method.parts.modules["G_ema"], 16), strict=True):
            assert param.shape == average.shape
            average.add_(0.5)
    assert not np.array_equal(method.sample_images()[:, ::2], method.sample_images()[:, 1::2])
    with pytest.raises(ValueError, match="finetune_g_res 64"):
        tuned_parameters(method.loss.G, 64)
    whole = methods.get("style_transfer").create(config.model_copy(update={"finetune_g_res": None}), context)
    assert [phase.name for phase in whole.phases] == ["Gmain", "Greg", "Dmain", "Dreg"]
    free = methods.get("style_transfer").create(config.model_copy(update={"finetune_mapping": True}), context)
    theirs = {id(parameter) for parameter in free.parts.optimizers["G"].param_groups[0]["params"]}
    assert {id(parameter) for parameter in free.loss.G.mapping.parameters()} <= theirs and len(theirs) > len(tuned)
    with pytest.raises(ValueError, match="identity_weight must be 0 at 32x32"):
        methods.get("style_transfer").create(config.model_copy(update={"identity_weight": 1.0}), context)


def test_styled_videos_decode_the_same_latents(study: Setting, tmp_path: Path) -> None:
    model = Model(RUN, study.paths)
    generator, other = model.generator, model.stylize(STYLED).generator
    times = torch.arange(4)
    raw, tuned = generator.videos([3], times), other.videos([3], times)
    assert raw.shape == tuned.shape and not torch.equal(raw, tuned)
    w0, initial = other.first_frame(3)
    assert torch.equal(initial, generator.first_frame(3)[1])
    w = generator.latents(w0, initial, generator.motion_noise(3, 3.0), times)
    assert torch.equal(w, other.latents(w0, initial, other.motion_noise(3, 3.0), times))

    words = ["stylize", str(RUN), "--style", str(STYLED), "--out", str(tmp_path), "--seeds", "3"]
    folders = ["--config", str(study.config), "--results", str(study.paths.root)]
    assert main([*words, *folders, "--seconds", "0.16"]) == 0
    frames = list(read_frames(tmp_path / "000003.mp4"))
    assert len(frames) == 4 and frames[0].shape == (32, 64, 3)
    left, right = (frames[1][:, half].astype(float) for half in (slice(0, 32), slice(32, 64)))
    for shown, drawn in ((left, generator), (right, other)):
        wanted = drawn.videos([3], times, "round")[0, 1].permute(1, 2, 0).numpy()
        assert np.abs(shown - wanted).mean() < 12  # H.264


def test_what_does_not_belong_together_is_refused(study: Setting) -> None:
    generator = methods.get("styleinv").load_generator(study.paths.model(RUN), torch.device("cpu"))
    foreign = load_decoder(study.paths.model(STYLED), torch.device("cpu"))
    foreign.mapping.fc0.weight.add_(1)
    with pytest.raises(ValueError, match="another image generator"):
        generator.styled(foreign)
    assert generator.styled(foreign, same_w=False).decoder is foreign
    with pytest.raises(UserError, match="do not go together"):
        Model(RUN, study.paths).stylize("talking_faces/stylegan2")


def test_a_step_reads_nothing_from_its_device(study: Setting, tmp_path: Path, keys: list[int]) -> None:
    first_step(STYLED, study, tmp_path)
