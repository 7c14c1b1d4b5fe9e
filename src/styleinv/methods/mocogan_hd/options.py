"""Options of MoCoGAN-HD (config/methods/mocogan_hd.yaml)."""

from typing import Literal

from pydantic import Field

from styleinv.methods.mocogan_hd.sparse import SparseConfig
from styleinv.schema import Strict
from styleinv.training.method import TrainingConfig


class MotionConfig(Strict):
    """Sizes of the motion generator, whose width is that of w."""

    h_dim: int = Field(384, ge=1)
    n_pca: int = Field(384, ge=1)
    w_residual: float = Field(0.2, gt=0)


class PCAConfig(Strict):
    """How many mapped latents the principal components are computed from, and how many at once."""

    samples: int = Field(1_000_000, ge=2)
    batch: int = Field(4000, ge=1)


class CrossDomainConfig(Strict):
    """The cross-domain mode.

    Attributes:
        ch: width of the image discriminator.
        proj_dim: of the projections that are contrasted.
        memory: how many earlier ones are kept.
        lambda_match: weight of the match between first and later frames.
    """

    ch: int = Field(96, ge=1)
    proj_dim: int = Field(256, ge=1)
    memory: int = Field(4096, ge=1)
    lambda_match: float = Field(1, ge=0)


class Config(Strict):
    """config/methods/mocogan_hd.yaml.

    Attributes:
        parent: data set whose image generator is moved, by default the videos' own; needs `cross_domain`.
        epochs: length in passes over the videos instead of `total_kimg`; null for the latter.
        frame_size: side of the frames that the discriminators see.
        G_steps: updates of the motion generator per batch of real clips.
    """

    training: TrainingConfig
    epochs: float | None = Field(100, gt=0)
    motion: MotionConfig = MotionConfig()
    pca: PCAConfig = PCAConfig()
    discriminator: Literal["patch", "sparse", "cross_domain"] = "patch"
    parent: str | None = Field(None, pattern=r"^[a-z0-9_]+$")
    nframes: int = Field(16, ge=2)
    stride: int = Field(1, ge=1)
    frame_size: int = Field(128, ge=8)
    ndf: int = Field(64, ge=1)
    num_D: int = Field(2, ge=1)
    norm_D_3d: Literal["instance", "batch"] = "instance"
    G_steps: int = Field(5, ge=1)
    lr: float = Field(1e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.999)
    lambda_mutual: float = Field(1, ge=0)
    noise_mode: Literal["random", "const", "none"] = "random"
    mirror: bool = False
    sparse: SparseConfig = SparseConfig()
    cross_domain: CrossDomainConfig = CrossDomainConfig()
