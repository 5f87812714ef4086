"""The video estimator of Feng et al., ICCV 2023: 2D pose as conditional heatmap generation."""
