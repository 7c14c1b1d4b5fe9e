"""Known ways to fail, recognised by numbers: each function gives one line of text, or None where its sign is absent.

Thresholds of videos are relative to the real ones, which are watched alike (`evaluation.diagnostics`); those of a
training are in the units of its curves. A signature is a reason to look at the videos, not a proof.
"""

from collections.abc import Callable

import pandas as pd

# Motion below this share of the real one has collapsed.
COLLAPSED = 0.25
# A video has switched identity where it drifts half again as far as 95 % of the real ones, and MARGIN; a quarter may.
QUANTILE, FURTHER, MARGIN, MANY = 0.95, 1.5, 0.05, 0.25
# Half the squared distance of unrelated latents: a video has left its own.
LEFT_W = 0.5
# A regulariser of w that grows by this factor from the middle third of a training to its last tenth runs away.
GROWTH = 2.0
# Columns of curves.csv: the regulariser of Eq. 5, and what the discriminator gives.
W_REG, SCORES = "loss_g_wreg", ("loss_scores_real", "loss_scores_fake")
# Mean scores beyond this on both sides: the discriminator errs on less than 2 % (sigmoid(4) = 0.98).
SURE = 4.0


def motion_collapse(real: pd.DataFrame, generated: pd.DataFrame) -> str | None:
    """Find motion that is missing, over 1 or 16 frames, or dies away along the video (StyleInV, section 4.2)."""
    for name in ("motion_energy", "motion_energy_16", "motion_kept"):
        share = generated[name].median() / real[name].median()
        if share < COLLAPSED:
            return f"motion collapse: the median {name} is {share:.0%} of the real videos'"
    return None


def identity_switch(real: pd.DataFrame, generated: pd.DataFrame) -> str | None:
    """Find videos that end on another subject than they began with (StyleInV, section 3.4)."""
    limit = FURTHER * real["identity_drift"].quantile(QUANTILE) + MARGIN
    far = generated["identity_drift"] > limit
    if far.mean() <= MANY:
        return None
    return f"identity switch: {far.sum()} of {len(far)} videos have a drift above {limit:.2f}, far beyond real ones"


def drift_of_w(generated: pd.DataFrame, curves: pd.DataFrame) -> str | None:
    """Find latents that leave where they started: by the generator where it tells, else by the regulariser's curve."""
    if "w_drift" in generated:
        drift = generated["w_drift"].median()
        text = f"drift of W: w ends {drift:.0%} as far from w_0 as unrelated latents (squared distance)"
        return text if drift > LEFT_W else None
    if W_REG not in curves:
        return None
    values = curves[W_REG].dropna()
    third, tenth = len(values) // 3, max(1, len(values) // 10)
    growth = values[-tenth:].median() / values[third : 2 * third].median()
    return f"drift of W: {W_REG} grew {growth:.1f} times since the middle of the training" if growth > GROWTH else None


def unbalanced_discriminator(curves: pd.DataFrame) -> str | None:
    """Find a discriminator that is sure of all, or prefers what is generated, in the last tenth of a training."""
    if not set(SCORES) <= set(curves):
        return None
    last = curves[-max(1, len(curves) // 10) :]
    real, fake = (float(last[name].mean()) for name in SCORES)
    scores = f"mean scores of {real:+.1f} for real and {fake:+.1f} for generated samples"
    if real > SURE and fake < -SURE:
        return f"unbalanced discriminator: it has won, with {scores}"
    return f"unbalanced discriminator: it prefers generated samples, with {scores}" if real < fake else None


def signatures(watched: pd.DataFrame, curves: pd.DataFrame | None = None) -> list[str]:
    """List the failure signatures of a run, a line each; empty where there is none.

    Args:
        watched: rows of `diagnostics.watch_store` and `watch_generator` of both sides.
        curves: the training's curves.csv; None where there is none.
    """
    real, generated = (watched[watched["side"] == side] for side in ("real", "generated"))
    curves = pd.DataFrame() if curves is None else curves
    found = [drift_of_w(generated, curves), unbalanced_discriminator(curves)]
    of_videos: list[Callable[[pd.DataFrame, pd.DataFrame], str | None]] = [motion_collapse, identity_switch]
    if len(real) and len(generated):
        found = [function(real, generated) for function in of_videos] + found
    return [line for line in found if line]
