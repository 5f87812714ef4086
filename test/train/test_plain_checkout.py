"""Training runs on any GPU machine, from the sources and a few packages alone."""

import subprocess
import sys

# What the library needs besides torch, numpy, OpenCV, transformers, safetensors and tqdm.
OTHERS = 'av matplotlib PIL rclpy rosbags scipy yaml'.split()
TRAININGS = 'video2d export2d lift3d lift3d_calibrate detector bystanders'.split()
IMPORT = f"""
import importlib, sys
sys.modules.update(dict.fromkeys({OTHERS}))  # importing one of them fails
for name in {TRAININGS}:
    importlib.import_module(f'diffpose_ros.train.{{name}}')
"""


def test_trainings_need_few_packages():
    command = [sys.executable, '-c', IMPORT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
