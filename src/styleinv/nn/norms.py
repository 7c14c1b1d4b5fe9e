"""torch's normalisations over a batch, with the statistics of each group of samples (`nn/groups.py`)."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from styleinv.nn import groups


class _OfGroups(_NormBase):
    """Normalise each group of a batch for itself.

    Where a batch has several, running statistics become [groups, C]: each group moves its own. Who makes the pass puts
    them in order afterwards (`training/running_statistics.py`).
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or groups.count() == 1:
            return self.one_group(x)
        outputs, means, variances = [], self._rows(self.running_mean), self._rows(self.running_var)
        for number, part in enumerate(x.chunk(groups.count())):
            self.running_mean, self.running_var = means[number], variances[number]
            outputs.append(self.one_group(part))
            # A normalisation may have moved what it was given, or put other tensors in its place.
            means[number], variances[number] = self.running_mean, self.running_var
        self.running_mean, self.running_var = torch.stack(means), torch.stack(variances)
        return torch.cat(outputs)

    def one_group(self, x: Tensor) -> Tensor:
        """Normalise a batch that is one group."""
        return super().forward(x)

    @staticmethod
    def _rows(statistics: Tensor | None) -> list[Tensor]:
        """Give the statistics of every group, copied where they are still those of all."""
        assert statistics is not None
        return list((statistics if statistics.ndim == 2 else statistics.repeat(groups.count(), 1)).unbind())


class BatchNorm2d(_OfGroups, nn.BatchNorm2d):
    """Batch normalisation of images [N, C, H, W]."""


class BatchNorm3d(_OfGroups, nn.BatchNorm3d):
    """Batch normalisation of clips [N, C, T, H, W]."""


class InstanceNorm2d(_OfGroups, nn.InstanceNorm2d):
    """Instance normalisation of images [N, C, H, W], whose running statistics are means over a batch."""


class InstanceNorm3d(_OfGroups, nn.InstanceNorm3d):
    """Instance normalisation of clips [N, C, T, H, W], whose running statistics are means over a batch."""
