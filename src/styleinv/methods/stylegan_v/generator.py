"""StyleGAN-V's generator: one w for a video, a motion code for each of its times beside the constant 4x4 input."""

from typing import Any

from torch import Tensor, nn

from styleinv.methods.stylegan2.synthesis import SynthesisNetwork
from styleinv.nn.mapping import MappingNetwork
from styleinv.nn.motion import MotionMappingNetwork


class Generator(nn.Module):
    """Generate frames [B * F, 3, R, R], video-major, from z [B, z_dim], times [B, F] and noise [B, L, motion z_dim].

    Args:
        motion: options of `MotionMappingNetwork`, without `first_frame_aware`.
        synthesis: options of StyleGAN2's `SynthesisNetwork`; there are no noise inputs.
    """

    def __init__(
        self,
        z_dim: int,
        w_dim: int,
        img_resolution: int,
        mapping_layers: int = 2,
        motion: dict[str, Any] | None = None,
        synthesis: dict[str, Any] | None = None,
    ):
        super().__init__()
        self.z_dim, self.w_dim, self.img_resolution = z_dim, w_dim, img_resolution
        self.motion_encoder = MotionMappingNetwork(**(motion or {}), first_frame_aware=False)
        self.synthesis = SynthesisNetwork(
            w_dim, img_resolution, use_noise=False, input_dim=self.motion_encoder.dim, **(synthesis or {})
        )
        self.num_ws = self.synthesis.num_ws
        self.mapping = MappingNetwork(z_dim, 0, w_dim, self.num_ws, mapping_layers)

    def frames(self, ws: Tensor, t: Tensor, motion_z: Tensor, force_fp32: bool = False) -> Tensor:
        """Generate frames [B * F, 3, R, R] from ws [B, num_ws, w_dim] at times t [B, F], any real frames >= 0."""
        codes = self.motion_encoder(t, motion_z)
        return self.synthesis(ws.repeat_interleave(t.shape[1], dim=0), force_fp32=force_fp32, inputs=codes)

    def forward(self, z: Tensor, t: Tensor, motion_z: Tensor, truncation_psi: float = 1.0) -> Tensor:
        return self.frames(self.mapping(z, truncation_psi=truncation_psi), t, motion_z)
