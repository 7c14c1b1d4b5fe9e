"""Long-Video-GAN (Brooks et al., NeurIPS 2022), second half: super-resolution, and both halves together."""
