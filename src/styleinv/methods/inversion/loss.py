"""Loss of the inversion encoder (paper section 3.1; pSp): pixels, LPIPS and identity."""

import torch.nn.functional as F
from torch import Tensor

from styleinv.methods.inversion.encoder import PSP
from styleinv.methods.stylegan2.synthesis import SynthesisNetwork
from styleinv.nn.groups import Source
from styleinv.nn.identity import IDLoss
from styleinv.nn.perceptual import LPIPS
from styleinv.nn.precision import Precision, computing


class InversionLoss:
    """l2 * MSE + lpips * LPIPS(alex) + id * identity between an image and its inversion; a weight of 0 skips a term.

    Args:
        precision: of the encoder; generator and losses are not touched by it.
    """

    def __init__(
        self,
        psp: PSP,
        synthesis: SynthesisNetwork,
        l2_lambda: float = 1.0,
        lpips_lambda: float = 0.8,
        id_lambda: float = 0.1,
        lpips: LPIPS | None = None,
        identity: IDLoss | None = None,
        noise_mode: str = "const",
        precision: Precision = "float32",
    ):
        self.psp, self.synthesis, self.noise_mode, self.precision = psp, synthesis, noise_mode, precision
        self.l2_lambda, self.lpips_lambda, self.id_lambda = l2_lambda, lpips_lambda, id_lambda
        self.lpips, self.identity = lpips, identity

    def __call__(self, x: Tensor, noise: Source | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the total and its terms without weights for images x [N, 3, R, R] in [-1, 1].

        Args:
            noise: of the synthesis in `random` mode.
        """
        with computing(self.precision, x.device):
            ws = self.psp(x)
        y_hat = self.synthesis(ws, noise_mode=self.noise_mode, generator=noise)
        terms = {"l2": F.mse_loss(y_hat, x)}
        total = terms["l2"] * self.l2_lambda
        if self.lpips_lambda > 0:
            assert self.lpips is not None
            terms["lpips"] = self.lpips(y_hat, x).mean()
            total = total + terms["lpips"] * self.lpips_lambda
        if self.id_lambda > 0:
            assert self.identity is not None
            terms["id"] = self.identity(y_hat, x)
            total = total + terms["id"] * self.id_lambda
        return total, terms
