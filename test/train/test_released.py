"""Importing made-up files of the published kinds."""

from argparse import Namespace
from itertools import islice

from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.core.people import Frame
from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.core.share import find_shared
from diffpose_ros.lift3d.mixste import MixSTE
from diffpose_ros.lift3d.released import released_denoiser, released_lifter
from diffpose_ros.offline.video import VideoReader
from diffpose_ros.train.released import KIND, run
import numpy as np
import pytest
import torch


@pytest.fixture
def files(tmp_path):
    for name, network in (('gcn.pth', released_lifter()), ('diff.pth', released_denoiser())):
        state = {f'module.{key}': value for key, value in network.state_dict().items()}
        torch.save([state], tmp_path / name)
    return tmp_path


def options(folder, lifter='gcn.pth', denoiser='diff.pth', preset='frame_cpn'):
    return Namespace(
        lifter=folder / lifter,
        denoiser=folder / denoiser,
        preset=preset,
        out=folder / 'frame_cpn.safetensors',
    )


def test_both_networks_end_up_in_one_checkpoint(files):
    assert run(options(files)) == 0
    checkpoint = load_checkpoint(str(files / 'frame_cpn.safetensors'), KIND)
    assert checkpoint.config == {'preset': 'frame_cpn'}
    original = torch.load(files / 'gcn.pth', weights_only=True)[0]
    for name, value in original.items():
        assert torch.equal(checkpoint.tensors['gcnpose/' + name.removeprefix('module.')], value)


def test_video_lifter_and_denoiser_end_up_in_one_checkpoint(files):
    video = MixSTE(frames=9, C=16, depth=2, hidden=32)
    state = {f'module.{key}': value for key, value in video.state_dict().items()}
    torch.save({'epoch': 3, 'model_pos': state}, files / 'mixste.bin')
    run(options(files, lifter='mixste.bin', preset='video_cpn'))
    checkpoint = load_checkpoint(str(files / 'frame_cpn.safetensors'), KIND)
    for name, value in video.state_dict().items():
        assert torch.equal(checkpoint.tensors[f'mixste/{name}'], value)


def test_an_output_of_another_name_is_refused_before_the_work(files):
    wrong = options(files)
    wrong.out = files / 'mine.pth'
    with pytest.raises(ValueError, match=r'name it NAME\.safetensors'):
        run(wrong)
    assert not list(files.glob('mine*'))


def test_exchanged_files_are_told(files):
    with pytest.raises(ValueError, match='exchange the files'):
        run(options(files, lifter='diff.pth', denoiser='gcn.pth'))


def test_a_preset_of_the_other_kind_is_told(files):
    with pytest.raises(ValueError, match='choose another preset'):
        run(options(files, preset='video_gt'))


def test_imported_weights_lift_in_the_pipeline(files):
    run(options(files))
    lifter = str(files / 'frame_cpn.safetensors')
    pipeline = PosePipeline.from_config(PipelineConfig(device='cpu', lifter_model=lifter))
    video = VideoReader(find_shared('demo/walk.mp4'))
    results = [pipeline.step(Frame(i, round(1e9 * s))) for s, i in islice(video, 15, 21)]
    poses = [p.pose3d for result in results for p in result.people if p.pose3d]
    assert 'frame_cpn@' in results[-1].info.model_id
    assert poses
    assert all(np.isfinite(pose.covariance).all() for pose in poses)


def test_detector_is_no_lifter():
    with pytest.raises(ValueError, match='give one of kind lift3d or lift3d_released'):
        PosePipeline.from_config(PipelineConfig(device='cpu', lifter_model='detector_compact'))
