"""The 3D lifter: graph, context, denoiser, placement (Gong et al., CVPR 2023)."""
