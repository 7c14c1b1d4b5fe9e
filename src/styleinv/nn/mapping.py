"""The mapping network z -> w, also the conditional embedding of discriminators."""

import torch
from torch import Tensor, nn

from styleinv.nn.layers import FullyConnectedLayer, normalize_2nd_moment


class MappingNetwork(nn.Module):
    """Map latents (and an optional condition) to the intermediate latent space W (Karras et al. 2019).

    Args:
        z_dim: width of z; 0 for none.
        c_dim: width of the condition; 0 for none.
        w_dim: width of w.
        num_ws: how often w is repeated in the result; None gives [N, w_dim].
        num_layers: fully connected layers.
        embed_features, layer_features: default `w_dim`.
        w_avg_beta: decay of the running mean of w; None keeps none.
    """

    w_avg: Tensor
    psi: float = 1.0

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int | None,
        num_layers: int = 8,
        embed_features: int | None = None,
        layer_features: int | None = None,
        activation: str = "lrelu",
        lr_multiplier: float = 0.01,
        w_avg_beta: float | None = 0.995,
    ):
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim, self.num_ws = z_dim, c_dim, w_dim, num_ws
        self.num_layers, self.w_avg_beta = num_layers, w_avg_beta
        embed = (embed_features or w_dim) if c_dim > 0 else 0
        widths = [z_dim + embed] + [layer_features or w_dim] * (num_layers - 1) + [w_dim]
        if c_dim > 0:
            self.embed = FullyConnectedLayer(c_dim, embed)
        for i in range(num_layers):
            layer = FullyConnectedLayer(widths[i], widths[i + 1], activation=activation, lr_multiplier=lr_multiplier)
            setattr(self, f"fc{i}", layer)
        if num_ws is not None and w_avg_beta is not None:
            self.register_buffer("w_avg", torch.zeros([w_dim]))

    def forward(
        self,
        z: Tensor | None,
        c: Tensor | None = None,
        truncation_psi: float | None = None,
        truncation_cutoff: int | None = None,
        skip_w_avg_update: bool = False,
    ) -> Tensor:
        """Map z [N, z_dim] and c [N, c_dim] to [N, num_ws, w_dim] (or [N, w_dim]).

        `truncation_psi` moves w towards its mean: 1 leaves it, 0 is the mean; the default is the network's own `psi`.
        """
        psi = self.psi if truncation_psi is None else truncation_psi
        parts = []
        if z is not None and self.z_dim > 0:
            parts.append(normalize_2nd_moment(z.float()))
        if c is not None and self.c_dim > 0:
            parts.append(normalize_2nd_moment(self.embed(c.float())))
        x = torch.cat(parts, dim=1)
        for i in range(self.num_layers):
            x = getattr(self, f"fc{i}")(x)
        if self.w_avg_beta is not None and self.training and not skip_w_avg_update and hasattr(self, "w_avg"):
            self.w_avg.copy_(x.detach().mean(dim=0).lerp(self.w_avg, self.w_avg_beta))
        if self.num_ws is None:
            return x
        x = x[:, None].repeat(1, self.num_ws, 1)
        if psi != 1:
            cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
            x = torch.cat([self.w_avg.lerp(x[:, :cutoff], psi), x[:, cutoff:]], dim=1)
        return x
