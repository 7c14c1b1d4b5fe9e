"""StyleGAN-V (Skorokhodov et al., CVPR 2022): StyleGAN2 with motion codes of continuous time."""
