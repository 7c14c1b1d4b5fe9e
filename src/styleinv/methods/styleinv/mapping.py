"""The temporal style s_t: motion code v_t and initial latent w_0, concatenated and mapped (paper section 3.2)."""

import torch
from torch import Tensor, nn

from styleinv.nn import groups
from styleinv.nn.layers import FullyConnectedLayer
from styleinv.nn.motion import MotionMappingNetwork


class MappingFuse(nn.Module):
    """Map w_0, motion noise and times to temporal styles s_t.

    Args:
        motion: keyword arguments of `MotionMappingNetwork`.
        content_dim: width of w_0; `concat_content=False` leaves it out.
        w_dim: width of the styles.
    """

    def __init__(
        self,
        motion: dict,
        content_dim: int = 512,
        w_dim: int = 512,
        layers_after_fuse: int = 2,
        concat_content: bool = True,
        lr_multiplier: float = 0.01,
    ):
        super().__init__()
        self.motion_encoder = MotionMappingNetwork(**motion)
        self.concat_content, self.layers = concat_content, layers_after_fuse
        width = self.motion_encoder.dim + (content_dim if concat_content else 0)
        for i in range(layers_after_fuse):
            layer = FullyConnectedLayer(
                width if i == 0 else w_dim, w_dim, activation="lrelu", lr_multiplier=lr_multiplier
            )
            setattr(self, f"fcf{i}", layer)

    def forward(self, w0: Tensor, motion_z: Tensor, t: Tensor) -> Tensor:
        """Map w0 [B, content_dim], motion_z [B, L, z_dim], t [B, F] frames to [F * B, w_dim].

        Rows are (frame, video), group after group.
        """
        v = self.motion_encoder(t, motion_z).unflatten(0, t.shape)
        v = groups.split(v).transpose(1, 2).flatten(0, 2)
        x = torch.cat([groups.repeated(w0, t.shape[1]), v], dim=1) if self.concat_content else v
        for i in range(self.layers):
            x = getattr(self, f"fcf{i}")(x)
        return x
