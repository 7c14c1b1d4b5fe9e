"""The motion generator: an LSTM that walks through W along principal components (Tian et al. 2021, section 3.1)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MotionGenerator(nn.Module):
    """Walk from w_0 by one noise vector per step; every step is bounded and goes along the principal components.

    Args:
        z_dim: width of w and of the noise.
        h_dim: width of the recurrent state.
        n_pca: how many components are used.
        w_residual: length of a step in standard deviations.
    """

    directions: Tensor

    def __init__(self, z_dim: int = 512, h_dim: int = 384, n_pca: int = 384, w_residual: float = 0.2):
        super().__init__()
        if n_pca > z_dim:
            raise ValueError(f"n_pca {n_pca} is more than the {z_dim} dimensions of w")
        self.z_dim, self.h_dim, self.n_pca, self.w_residual = z_dim, h_dim, n_pca, w_residual
        self.enc_cell, self.cell = nn.LSTMCell(z_dim, h_dim), nn.LSTMCell(z_dim, h_dim)
        self.w = nn.Parameter(torch.randn([h_dim, n_pca]) * 0.02)
        self.b = nn.Parameter(torch.zeros([n_pca]))
        self.fc1, self.fc2 = nn.Linear(2 * h_dim, z_dim), nn.Linear(z_dim, z_dim)
        self.register_buffer("directions", torch.zeros([n_pca, z_dim]))
        for cell in (self.enc_cell, self.cell):
            for weight in (cell.weight_ih, cell.weight_hh):
                for gate in weight.data.chunk(4):
                    nn.init.orthogonal_(gate)
            nn.init.zeros_(cell.bias_ih)
            nn.init.zeros_(cell.bias_hh)
        for layer in (self.fc1, self.fc2):
            nn.init.orthogonal_(layer.weight)

    def set_components(self, components: Tensor, stdev: Tensor) -> None:
        """Take principal components [z_dim, z_dim] (rows) and their standard deviations [z_dim]; the first are used.

        Signs of components are arbitrary: a trained network belongs to the very components it was trained with.
        """
        self.directions.copy_(components[: self.n_pca] * stdev[: self.n_pca, None])

    def start(self, w0: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the recurrent state of a video that begins at w_0 [B, z_dim]."""
        return self.enc_cell(w0)

    def step(self, w: Tensor, e: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Step from w_{i-1} by noise e_i, both [B, z_dim], to w_i and the next state."""
        state = self.cell(e, state)
        return w + self.w_residual * (torch.tanh(state[0] @ self.w + self.b) @ self.directions), state

    def forward(self, w0: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
        """Walk from w_0 [B, z_dim] by noise [T - 1, B, z_dim].

        Returns:
            w [B, T, z_dim], and the noise as it is recovered from the states, [B, T - 1, z_dim].
        """
        state, path, states = self.start(w0), [w0], []
        for noise in e:
            w, state = self.step(path[-1], noise, state)
            path.append(w)
            states.append(torch.cat(state, dim=1))
        recovered = self.fc2(F.relu(self.fc1(torch.stack(states, dim=1))))
        return torch.stack(path, dim=1), recovered


def mutual_information_loss(recovered: Tensor, e: Tensor) -> Tensor:
    """Compute minus the mean cosine similarity of rows, so that the noise can be recovered from the motion."""
    return -F.cosine_similarity(recovered, e, dim=1, eps=1e-8).mean()
