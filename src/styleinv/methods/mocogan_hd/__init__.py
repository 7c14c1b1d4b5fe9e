"""MoCoGAN-HD (Tian et al., ICLR 2021): a recurrent walk in the latent space of a frozen image generator."""
