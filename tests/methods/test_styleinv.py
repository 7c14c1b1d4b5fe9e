"""Equations 1 to 6 of the paper on networks small enough to compute by hand.

An image is one number: G(w) = 3 w. The encoder says E(G(w_0), s_t) = t + 1/2, so that w_t = w_0 + t + 1/2. The
discriminator adds up the frames that it sees and divides by 10. All is computed for w_0 = 1 and times 0, 2 and 4.
"""

import math

import pytest
import torch
from torch import Tensor, nn

from styleinv.config import lineage, load_method
from styleinv.methods.inversion.encoder import PSP
from styleinv.methods.sparse_video import ClipInputs
from styleinv.methods.styleinv.loss import StyleInVLoss
from styleinv.methods.styleinv.method import Config, StyleInVMethod
from styleinv.methods.styleinv.model import StyleInV
from styleinv.runs import parse_run
from styleinv.schema import merge
from tests.project import ROOT

TRUNK = {"widths": (4, 4, 4, 4, 4), "units": (1, 1, 1, 1)}


class Stub(nn.Module):
    """A network given as a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs) -> Tensor:
        return self.function(*inputs)


class ThreeW:
    """G(w) = 3 w, with z = w."""

    num_ws = 1

    def mapping(self, z: Tensor) -> Tensor:
        return z[:, None]

    def synthesis(self, ws: Tensor, **options) -> Tensor:
        return 3 * ws[:, 0, :, None, None]


def styleinv_of(w0: Tensor, t: Tensor) -> Tensor:
    return w0.repeat(t.shape[1], 1) + t.t().reshape(-1, 1) + 0.5


class Tenth(nn.Module):
    """D(y) = sum(y) / 10; remembers the frames and times that it was shown."""

    def forward(self, clips: Tensor, t: Tensor) -> Tensor:
        self.frames, self.t = clips.flatten().tolist(), t.flatten().tolist()
        return clips.flatten(1).sum(dim=1) / 10


def loss(**options) -> StyleInVLoss:
    model = Stub(lambda x, w0, motion_z, t: styleinv_of(w0, t))
    return StyleInVLoss(ThreeW(), model, Tenth(), **options)  # type: ignore[arg-type]


def fake(*t: float) -> ClipInputs:
    return ClipInputs(z=torch.ones(1, 1), motion_z=torch.zeros(1, 1, 1), t=torch.tensor([t]))


def reports(terms_of, *inputs) -> tuple[dict[str, float], list[float]]:
    """The means of what a phase reports, and its terms."""
    seen: dict[str, float] = {}
    terms = list(terms_of(*inputs, lambda name, value: seen.__setitem__(name, float(value.detach().mean()))))
    return seen, [float(term.detach()) for term in terms]


def softplus(x: float) -> float:
    return math.log(1 + math.exp(x))


def test_equation_1_inversion_adds_the_mean_latent() -> None:
    psp = PSP(16, 2, **TRUNK)
    psp.encoder = Stub(lambda x: x.mean(dim=[1, 2, 3])[:, None] * torch.tensor([1.0, 2.0]))  # type: ignore[assignment]
    psp.latent_avg.copy_(torch.tensor([10.0, 20.0]))
    assert psp(torch.full((1, 3, 16, 16), 3.0)).tolist() == [[[13, 26]] * 6]  # E(x) + w_avg for all 6 rows


def test_equation_2_the_encoder_tells_the_way_from_the_first_latent() -> None:
    model = StyleInV({"motion": {"z_dim": 2, "v_dim": 2, "time_dim": 1}, "content_dim": 1, "w_dim": 1}, TRUNK)
    model.mapping = Stub(lambda w0, motion_z, t: 100 * t.t().reshape(-1, 1) + w0.repeat(t.shape[1], 1))  # type: ignore
    model.encoder = Stub(lambda x, s: x.mean(dim=[1, 2, 3])[:, None].repeat(2, 1) * s)  # type: ignore[assignment]
    w0, x = torch.tensor([[1.0], [2]]), torch.tensor([5.0, 7])[:, None, None, None].expand(2, 3, 8, 8)
    w = model(x, w0, torch.zeros(2, 1, 2), torch.tensor([[0.0, 1], [0, 3]]))
    # E(x, s) = x s and s = 100 t + w_0; rows are time 0 of both videos, then the later times.
    assert w.flatten().tolist() == [5 * 1 + 1, 7 * 2 + 2, 5 * 101 + 1, 7 * 302 + 2]


def test_equation_3_generator() -> None:
    made = loss(lambda_adv=2)
    seen, _ = reports(made.generator_main, fake(0, 2, 4))
    assert made.D.frames == [3, 10.5, 16.5] and made.D.t == [0, 2, 4]  # G(w_0), and not the generated 4.5
    assert seen["Loss/scores/fake"] == pytest.approx(3)
    assert seen["Loss/G/adv"] == pytest.approx(2 * softplus(-3))


def test_equation_3_discriminator() -> None:
    made, real, t = loss(), torch.tensor([1.0, 2, 1])[None, :, None, None, None], torch.tensor([[0.0, 1, 5]])
    seen, terms = reports(made.discriminator_main, fake(0, 2, 4), real, t, None)
    assert terms == pytest.approx([softplus(3), softplus(-0.4)]) and made.D.t == [0, 1, 5]
    assert seen["Loss/D/loss"] == pytest.approx(softplus(3) + softplus(-0.4))
    seen, terms = reports(loss(r1_gamma=8).discriminator_reg, real, t, None)
    assert seen["Loss/r1_penalty"] == pytest.approx(3 * 0.1**2) and terms == pytest.approx([4 * 0.03])


@pytest.mark.parametrize(
    "first_frame, times, frames",
    [
        ("replace", (0, 2, 4), [3, 10.5, 16.5]),
        ("append", (2, 4), [3, 10.5, 16.5]),
        ("remove", (0, 2, 4), [10.5, 16.5]),
        ("generated", (0, 2, 4), [4.5, 10.5, 16.5]),
    ],
)
def test_equation_3_what_is_seen_of_the_first_frame(first_frame: str, times: tuple, frames: list[float]) -> None:
    made = loss(first_frame=first_frame, first_frame_recon=first_frame != "append", add_0=times[0] == 0)
    shown, t = made.generated_clips(fake(*times))
    assert shown.flatten().tolist() == frames and t[0].tolist() == ([2, 4] if first_frame == "remove" else [0, 2, 4])
    reports(made.generator_main, fake(*times))
    assert made.D.frames == frames and made.D.t == t[0].tolist()


def test_equation_4_reconstructs_the_first_frame() -> None:
    assert reports(loss(lambda_recon=10).generator_main, fake(0, 2, 4))[0]["Loss/G/recon"] == 10 * (4.5 - 3) ** 2
    # Negative weights compare latents, 1.5 and 1.
    assert reports(loss(lambda_recon=-10).generator_main, fake(0, 2, 4))[0]["Loss/G/recon"] == 10 * 0.5**2
    assert "Loss/G/recon" not in reports(loss(first_frame_recon=False).generator_main, fake(0, 2, 4))[0]


def test_equation_5_is_the_length_of_what_the_encoder_says() -> None:
    seen, _ = reports(loss(lambda_w_reg=0.2).generator_main, fake(0, 2, 4))
    assert seen["Loss/G/wreg"] == pytest.approx(0.2 * (0.5 + 2.5 + 4.5) / 3)  # the mean over times where Eq. 5 sums


def test_equation_6_adds_all_up() -> None:
    _, (total,) = reports(loss(lambda_adv=2, lambda_recon=10, lambda_w_reg=0.2).generator_main, fake(0, 2, 4))
    assert total == pytest.approx(2 * softplus(-3) + 10 * 1.5**2 + 0.2 * 2.5)


def test_rows_of_table_3_are_variants() -> None:
    rows = {}
    for variant in ("no_inversion", "no_ffa_ape", "no_ffa_st_no_recon", "no_ffa_st"):
        c = load_method(parse_run(f"talking_faces/styleinv-{variant}"), ROOT / "config/paper.yaml", Config)
        rows[variant] = (c.skip_encoder, c.motion.first_frame_aware, c.first_frame, c.first_frame_recon)
    assert rows == {
        "no_inversion": (True, True, "replace", True),
        "no_ffa_ape": (False, False, "replace", True),
        "no_ffa_st_no_recon": (False, True, "remove", False),
        "no_ffa_st": (False, True, "remove", True),
    }


def test_released_values_by_data_set() -> None:
    """Specification of this stage, section 11, where it differs from the paper."""
    said = {
        "faceforensics": {"ada": {"mode": "none"}},
        "taichi": {"lambda_adv": 0.1, "lambda_w_reg": 0},
        "sky": {"noise_mode": "none"},
    }
    said["sky_original"] = said["sky"]
    noise = {"taichi": "-no_noise", "sky": "-with_noise", "sky_original": "-with_noise"}
    for dataset in sorted((ROOT / "config/datasets").glob("*.yaml")):
        name, run = dataset.stem, parse_run(f"{dataset.stem}/styleinv-released")
        released = load_method(run, ROOT / "config/paper.yaml", Config).model_dump()
        plain = load_method(parse_run(f"{name}/styleinv"), ROOT / "config/paper.yaml", Config).model_dump()
        assert released == merge(plain, {"initial_noise_mode": "random"}, said.get(name, {})) != plain
        below = [f"{name}/stylegan2{noise.get(name, '')}", f"{name}/inversion{noise.get(name, '')}"]
        assert [str(part) for part in lineage(run, ROOT / "config")] == [*below, str(run)]


@pytest.mark.parametrize(
    "settings, says",
    [
        ({"first_frame": "append"}, "first_frame_recon must be false"),
        ({"first_frame": "remove", "discriminator": {"variant": "ffc"}}, "cannot be remove"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(settings: dict, says: str) -> None:
    training = {"batch": 4, "group_size": 4, "total_kimg": 1}
    with pytest.raises(ValueError, match=says):
        StyleInVMethod(Config(training=training, **settings), context=None)  # type: ignore[arg-type]


def test_ablations_take_as_many_steps_as_the_full_model() -> None:
    """Also those that show one frame less: kimg count the first frame of every video."""
    from styleinv.training.schedule import total_steps

    steps = {}
    for variant in ("", "-no_inversion", "-no_ffa_ape", "-no_ffa_st", "-no_ffa_st_no_recon"):
        run = parse_run(f"deeperforensics/styleinv{variant}")
        config = load_method(run, ROOT / "config/paper.yaml", Config)
        counted = StyleInVMethod.frames_counted(config)
        steps[variant] = total_steps(config.training.total_kimg, config.training.batch * counted)
    assert set(steps.values()) == {97_657}, steps
