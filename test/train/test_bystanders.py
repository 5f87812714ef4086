import tarfile

from diffpose_ros.data.frames import Frames, Picture
from diffpose_ros.offline.video import VideoReader
from diffpose_ros.train.bystanders import apart, Search, search
from diffpose_ros.train.synthetic.backgrounds import add_file, encoded
import numpy as np
import pytest
import torch

DEMO = 'demo/crossing'
BODY = np.array([100.0, 100, 160, 300])


@pytest.fixture(scope='module')
def searching():
    return Search(torch.device('cpu'))


@pytest.fixture(scope='module')
def two_people(request):
    """Return the first picture of the packaged crossing, and the joints of its two people."""
    path = request.config.rootpath / DEMO
    with np.load(path.with_suffix('.npz')) as truth:
        names, joints = truth['joint_names'].tolist(), truth['joints_px'][0].astype(float)
    limbs = [name for name in names if name[:2] in ('l_', 'r_')]
    people = [{name: xy[names.index(name)] for name in limbs} for xy in joints]
    _, image = next(iter(VideoReader(path.with_suffix('.mp4'))))
    return image, people


def share_near(found, true):
    torso = np.linalg.norm(true['r_shoulder'] - true['l_hip'])
    return np.mean([np.linalg.norm(found[name] - xy) < 0.3 * torso for name, xy in true.items()])


@pytest.mark.parametrize('labelled', [0, 1])
def test_the_person_beside_the_labelled_one_is_found_and_nobody_else(
    searching, two_people, labelled
):
    image, people = two_people
    (found,) = searching.bystanders(Picture(image, people[labelled]))
    joints = dict(zip(searching.joint_names, found.joints, strict=True))
    assert share_near(joints, people[1 - labelled]) > 0.6


def test_found_people_come_back_with_their_picture(searching, two_people, tmp_path):
    image, (first, second) = two_people
    with tarfile.open(tmp_path / 'lsp_extended_frames.tar', 'w') as tar:
        for name in ('im00003.webp', 'im00004.webp'):
            add_file(tar, name, encoded(image if name == 'im00003.webp' else 0 * image))
    names, xy = list(first), [list(first.values())] * 2
    np.savez(
        tmp_path / 'lsp_extended_frames.npz', filenames=['im00003.webp', 'im00004.webp'],
        joints_px=xy, labelled=np.ones((2, len(names)), bool), joint_names=names,
    )  # fmt: skip
    (tmp_path / 'lsp_extended_duplicate_ids.txt').write_text('')
    np.savez(tmp_path / 'found.npz', **search(Frames(tmp_path), searching))
    crossing, empty = Frames(tmp_path, bystanders=tmp_path / 'found.npz')
    assert share_near(crossing.others[0].joints, second) > 0.6
    assert not empty.others


@pytest.mark.parametrize(
    ('box', 'somebody_else'),
    [
        (np.add(BODY, [5, 10, 5, -10]), False),  # the same body
        (np.array([105.0, 100, 155, 180]), False),  # its upper part
        (np.add(BODY, [60, 0, 60, 0]), True),  # beside it
    ],
)
def test_a_part_of_a_body_is_not_another_person(box, somebody_else):
    assert apart(box, [BODY]) == somebody_else
