"""Long-Video-GAN (Brooks et al., NeurIPS 2022), first half: a generator of long clips at a quarter of the size."""
