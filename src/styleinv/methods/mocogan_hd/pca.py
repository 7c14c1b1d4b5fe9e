"""Principal components of W: where the image generator's latents vary (Tian et al. 2021, section 3.1)."""

import numpy as np
import torch

from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.rng import torch_generator


def principal_components(mean: np.ndarray, second: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """Compute the components of n samples with the given mean [D] and mean of outer products [D, D].

    Returns:
        `components` [D, D] (rows, descending variance; the largest entry of each is positive), `stdev` [D] (n - 1
        normalised), `var_ratio` [D], `mean` [D], `var` [D] (population).
    """
    covariance = second - np.outer(mean, mean)
    values, vectors = np.linalg.eigh(covariance)
    values, components = values[::-1].clip(min=0), vectors[:, ::-1].T
    largest = np.abs(components).argmax(axis=1)
    components = components * np.sign(components[np.arange(len(components)), largest])[:, None]
    return {
        "components": components,
        "stdev": np.sqrt(values * (n / (n - 1))),
        "var_ratio": values / values.sum(),
        "mean": mean,
        "var": np.diag(covariance),
    }


@torch.no_grad()
def components_of(G: Generator, samples: int, batch: int, seed: int) -> dict[str, np.ndarray]:
    """Compute the principal components of `samples` mapped latents, in constant memory."""
    device = G.mapping.w_avg.device
    total = np.zeros(G.w_dim)
    outer = np.zeros((G.w_dim, G.w_dim))
    for start in range(0, samples, batch):
        generator = torch_generator("pca", seed, start)
        z = torch.randn([min(batch, samples - start), G.z_dim], generator=generator)
        w = G.mapping(z.to(device))[:, 0].double().cpu().numpy()
        total += w.sum(axis=0)
        outer += w.T @ w
    return principal_components(total / samples, outer / samples, samples)
