"""The lifter of Gong et al., CVPR 2023: 3D pose as reverse diffusion."""
