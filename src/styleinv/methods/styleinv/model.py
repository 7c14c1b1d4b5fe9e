"""StyleInV (Eq. 2): w_t = E(G(w_0), s_t) + w_0."""

import torch
from torch import Tensor, nn

from styleinv.methods.styleinv.encoder import ModulatedEncoder
from styleinv.methods.styleinv.mapping import MappingFuse
from styleinv.nn import groups
from styleinv.nn.precision import in_float32


class StyleInV(nn.Module):
    """The motion generator: latents in W from the initial frame, its latent, motion noise and times.

    Args:
        mapping: keyword arguments of `MappingFuse`.
        encoder: keyword arguments of `ModulatedEncoder`.
        skip_encoder: the ablation "w/o inversion encoder" (Table 3 #1): w_t = s_t + w_0.
        input_residual: False adds `latent_avg` (Eq. 1) instead of w_0.
    """

    latent_avg: Tensor

    def __init__(self, mapping: dict, encoder: dict, skip_encoder: bool = False, input_residual: bool = True):
        super().__init__()
        self.skip_encoder, self.input_residual = skip_encoder, input_residual
        self.mapping = MappingFuse(**mapping)
        if not skip_encoder:
            self.encoder = ModulatedEncoder(**encoder)
        if not input_residual:
            self.register_buffer("latent_avg", torch.zeros([mapping.get("w_dim", 512)]))

    def forward(self, x: Tensor, w0: Tensor, motion_z: Tensor, t: Tensor) -> Tensor:
        """Compute w_t [F * B, w_dim] from x = G(w0) [B, 3, R, R], w0 [B, w_dim], motion_z [B, L, z_dim], t [B, F].

        Rows are ordered (frame, video), group after group.
        """
        # Waves of late times would not survive fewer bits than float32's; the encoder may have them (`computing`).
        with in_float32(x.device):
            s = self.mapping(w0, motion_z, t)
        if self.skip_encoder:
            return s + groups.repeated(w0, t.shape[1])
        residual = self.encoder(x, s)
        return residual + (groups.repeated(w0, t.shape[1]) if self.input_residual else self.latent_avg)

    def load_inversion(self, encoder_state: dict[str, Tensor]) -> None:
        """Initialise the trunk from a raw inversion encoder (section 3.2): every tensor of it, AdaIN blocks excepted.

        Raises:
            ValueError: if the encoder was built with other widths.
        """
        if self.skip_encoder:
            return
        missing, unexpected = self.encoder.load_state_dict(encoder_state, strict=False)
        wrong = [name for name in missing if not name.startswith("adains.")] + unexpected
        if wrong:
            raise ValueError(f"the inversion encoder has another architecture: {', '.join(wrong[:5])}")
