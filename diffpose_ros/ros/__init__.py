"""The only room that imports ROS."""
