"""Long-Video-GAN (Brooks et al., NeurIPS 2022): a low-resolution generator of long clips."""
