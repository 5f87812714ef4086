"""Human pose from video with two diffusion models, for ROS 2."""

# The generated messages (diffpose_ros.msg) may lie in another folder of the path.
__path__ = __import__('pkgutil').extend_path(__path__, __name__)
__version__ = '0.1.0'
