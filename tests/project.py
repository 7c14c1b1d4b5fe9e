"""A miniature study in a temporary folder: the real configuration files at a scale of seconds."""

import json
import shutil
from pathlib import Path

import numpy as np

from styleinv.schema import merge, read_yaml

ROOT = Path(__file__).parent.parent


def alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether uint8 frames are the same but for rounding: in other batches, sums have other last bits."""
    far = np.abs(a.astype(int) - b.astype(int)) if a.shape == b.shape else np.array([256])
    return bool(far.max() <= 1 and far.mean() < 1e-3)


SHORT = {"batch": 4, "group_size": 2, "total_kimg": 0.08, "ema_kimg": 0.05, "tick_kimg": 0.02, "checkpoint_minutes": 0}
TINY = """\
seed: 0
device: cpu
datasets:
  talking_faces:
    source: {videos: 6, identities: 3, frames: 20, size: 64}
    resolution: 32
    min_frames: 16
  talking_faces_ffhq:
    source: {videos: 6, identities: 3, frames: 20, size: 64}
    resolution: 32
    min_frames: 16
  talking_faces_unseen:
    source: {videos: 3, identities: 3, size: 64}
    resolution: 32
  drawings:
    source: {videos: 6, identities: 6, size: 64}
    resolution: 32
methods:
  stylegan2:
    training: {batch: 4, group_size: 2, total_kimg: 0.08, ema_kimg: 0.05, tick_kimg: 0.02, checkpoint_minutes: 0}
    networks: {z_dim: 16, w_dim: 16, mapping_layers: 2, channel_base: 256, channel_max: 16, num_fp16_res: 0,
               conv_clamp: null, mbstd_group_size: 2}
    ada: {p: 0.2, kimg: 1}
  inversion:
    training: {batch: 4, group_size: 4, total_kimg: 0.08, tick_kimg: 0.02, checkpoint_minutes: 0}
    encoder: {widths: [8, 8, 8, 16, 16], units: [1, 1, 2, 1]}
    init: random
    lr: 0.001
    lpips_lambda: 0
    id_lambda: 0
  styleinv:
    training: {batch: 4, group_size: 2, total_kimg: 0.32, ema_kimg: 0.05, tick_kimg: 0.08, checkpoint_minutes: 0}
    motion: {z_dim: 16, v_dim: 16, motion_z_distance: 8, time_dim: 8}
    style_dim: 16
    discriminator: {channel_base: 256, channel_max: 16, num_fp16_res: 0, conv_clamp: null, mbstd_group_size: 2}
    sampling: {max_num_frames: 16, max_dist: 8}
    ada: {p: 0.2, kimg: 1}
  stylegan_v:
    training: {batch: 4, group_size: 2, total_kimg: 0.24, ema_kimg: 0.05, tick_kimg: 0.06, checkpoint_minutes: 0}
    generator: {z_dim: 16, w_dim: 16, channel_base: 256, channel_max: 16, num_fp16_res: 0, conv_clamp: null}
    motion: {z_dim: 16, v_dim: 16, motion_z_distance: 8, kernel_size: 5, time_dim: 8}
    discriminator: {channel_base: 256, channel_max: 16, num_fp16_res: 0, conv_clamp: null, mbstd_group_size: 2}
    sampling: {max_num_frames: 16, max_dist: 8}
    ada: {p: 0.2, kimg: 1}
  mocogan_hd:
    training: {batch: 4, group_size: 2, total_kimg: 0.08, tick_kimg: 0.02, checkpoint_minutes: 0}
    epochs: null
    motion: {h_dim: 8, n_pca: 8}
    pca: {samples: 500, batch: 200}
    nframes: 6
    ndf: 4
    sparse:
      discriminator: {channel_base: 256, channel_max: 16, num_fp16_res: 0, conv_clamp: null, mbstd_group_size: 2}
      max_num_frames: 16
      max_dist: 8
      ada: {p: 0.2, kimg: 1}
    cross_domain: {ch: 4, proj_dim: 8, memory: 12}
  mocogan_hd-cross_domain: {epochs: null}
  mocogan_hd-long: {epochs: 8}
  mocogan_hd-ffa_st:
    training: {batch: 4, group_size: 2, total_kimg: 0.32, ema_kimg: 0.05, tick_kimg: 0.08}
  digan:
    training: {batch: 4, group_size: 2, total_kimg: 0.08, ema_kimg: 0.05, tick_kimg: 0.02, checkpoint_minutes: 0}
    networks: {z_dim: 16, w_dim: 16, channel_base: 256, channel_max: 16, input_resolution: 16, num_extra_convs: {32: 1},
               rank: 2, emb_size: 8}
    discriminator: {channel_base: 256, channel_max: 16, num_fp16_res: 0, conv_clamp: null, mbstd_group_size: 2}
    nframes: 8
  digan-clip128: {nframes: 16}
  digan-released: {nframes: 4, stride: 4}
  long_video_gan_lr:
    training: {batch: 4, group_size: 2, total_kimg: 0.08, tick_kimg: 0.02, checkpoint_minutes: 0}
    generator: {temporal_emb_dim: 8, latent_w_dim: 8, channels: [8, 8, 8, 4],
                embedding: {blur_widths: 4, max_sampling_rate: 400}}
    discriminator: {channels: [4, 4, 8, 8, 8], epilogue_channels: 8}
    seq_length: 8
  long_video_gan:
    training: {batch: 4, group_size: 2, total_kimg: 0.08, tick_kimg: 0.02, checkpoint_minutes: 0}
    generator: {z_dim: 8, w_dim: 8, cond_context: 2, margin_size: 4, channel_base: 256, channel_max: 8, num_layers: 4,
                num_fp16_res: 0, recompute: false}
    discriminator: {channel_base: 256, channel_max: 8, num_fp16_res: 0}
    seq_length: 3
    ada: {p: 0.2, kimg: 1}
  style_transfer:
    training: {batch: 4, group_size: 2, total_kimg: 0.02, ema_kimg: 0.01, tick_kimg: 0.01, checkpoint_minutes: 0}
    finetune_g_res: 16
    perceptual_weight: 0
    identity_weight: 0
    ada: {p: 0.2, kimg: 1}
evaluation:
  detectors: stand-in
  n_fake: 6
  clip_length: 16
  fvd_lengths: [4, 16]
  fid_items: 40
  repeats: 2
  batch: 2
"""

# Every method that trains on videos, each after what it builds on.
CHAIN = [
    "stylegan2",
    "inversion",
    "styleinv",
    "stylegan_v",
    "digan",
    "mocogan_hd",
    "long_video_gan_lr",
    "long_video_gan",
]


def make_project(folder: Path, scale: str = TINY) -> Path:
    """Copy the shipped configuration into `folder`, add config/tiny.yaml; returns `folder`.

    Methods that the scale does not know have the sizes that their YAML gives for the demo, and train for some steps.
    """
    shutil.copytree(ROOT / "config", folder / "config")
    file = folder / "config" / "tiny.yaml"
    file.write_text(scale)
    known = read_yaml(file).get("methods", {})
    for method in sorted((folder / "config/methods").glob("*.yaml")):
        if method.stem not in known:
            block = merge(read_yaml(method).get("scales", {}).get("demo", {}), {"training": SHORT})
            line = f"  {method.stem}: {json.dumps(block)}\n"
            file.write_text(file.read_text().replace("evaluation:\n", f"{line}evaluation:\n"))
    return folder
