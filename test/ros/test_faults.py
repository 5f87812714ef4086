"""Every stage breaks: one ERROR in the diagnostics, and the next image is answered."""

from dataclasses import replace
from pathlib import Path
import signal
import subprocess
import sys
from unittest.mock import Mock

from bystander import Bystander, PATIENCE_S, wait_for
from diffpose_ros.core.people import JointState
from diffpose_ros.msg import Skeleton, SkeletonArray
import numpy as np
import pytest
from standin_pipeline import J, person
import torch

pytestmark = pytest.mark.ros
ERROR = b'\x02'
START_S, END_S = 120, 30  # on a busy machine; the node itself allows its worker 3 s
ERRORS = (
    RuntimeError('a broken layer'),
    MemoryError(),
    torch.OutOfMemoryError('CUDA out of memory'),
    FloatingPointError('the lifter returned NaN'),
    SystemExit(1),  # ends the thread
)
STUCK_S = 13  # an image of this time never ends
NODE = f"""
import time
from diffpose_ros.ros.node import main
from standin_pipeline import StandInPipeline

class Pipeline(StandInPipeline):
    def step(self, frame, *arguments):
        if frame.stamp_ns == {STUCK_S} * 10**9:
            time.sleep(3600)
        return super().step(frame, *arguments)

main(make_pipeline=Pipeline)
"""
STAGES = {
    'decode': 'diffpose_ros.ros.frames.to_rgb',
    'convert': 'diffpose_ros.ros.outputs.skeleton_array',
    'markers': 'diffpose_ros.ros.markers.MarkerBoard.draw',
    'timing': 'diffpose_ros.ros.outputs.frame_timing',
    'overlay': 'diffpose_ros.ros.outputs.draw_overlay',
    'networks': 'standin_pipeline.StandInPipeline.step',
    'reset': 'standin_pipeline.StandInPipeline.reset',
}
CASES = [
    *(('networks', error) for error in ERRORS),
    *((stage, ERRORS[0]) for stage in STAGES if stage != 'networks'),
]


@pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')
@pytest.mark.parametrize(('stage', 'error'), CASES)
def test_a_stage_that_breaks_is_one_error_and_the_next_image_is_answered(
    graph, monkeypatch, stage, error
):
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    g.listen('markers')
    g.listen('overlay')
    broken = []

    def fail(*arguments, **named):
        broken.append(stage)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(STAGES[stage], fail)
        g.pipeline.failures = stage == 'reset'
        g.bystander.show(stamp_s=1)
        wait_for(lambda: broken)
        if isinstance(error, SystemExit):  # which ends the thread, a little later
            wait_for(lambda: not g.worker._thread.is_alive())
    g.bystander.show(stamp_s=2)
    g.wait_for_level('inference', ERROR)
    g.bystander.show(stamp_s=3)
    wait_for(lambda: [msg for msg in skeletons if msg.header.stamp.sec == 3])


def test_who_is_lost_while_an_image_fails_is_told_to_have_left(graph, monkeypatch):
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    g.bystander.show(stamp_s=1)
    wait_for(lambda: skeletons)
    g.pipeline.people = []
    with monkeypatch.context() as patch:
        patch.setattr(STAGES['convert'], Mock(side_effect=RuntimeError))
        g.bystander.show(stamp_s=2)
        g.wait_for_level('inference', ERROR)
    g.bystander.show(stamp_s=3)
    wait_for(lambda: len(skeletons) == 2)
    told = [(s.track_id, s.track_state) for s in skeletons[1].skeletons]
    assert told == [('p1', Skeleton.TERMINATED)]


def test_who_was_shown_by_an_image_that_then_failed_is_told_to_have_left(graph, monkeypatch):
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    g.listen('markers')
    with monkeypatch.context() as patch:
        patch.setattr(STAGES['markers'], Mock(side_effect=RuntimeError))
        g.bystander.show(stamp_s=1)
        g.wait_for_level('inference', ERROR)
    g.pipeline.people = []
    g.bystander.show(stamp_s=2)
    wait_for(lambda: len(skeletons) == 2)
    shown, told = ([(s.track_id, s.track_state) for s in msg.skeletons] for msg in skeletons)
    assert [track_id for track_id, _ in shown] == ['p1']
    assert told == [('p1', Skeleton.TERMINATED)]


def test_an_error_that_repeats_is_logged_once(graph, monkeypatch, capfd):
    monkeypatch.setattr('diffpose_ros.ros.frames.REPEAT_S', 1000.0)
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    g.pipeline.failures = 5
    for left in (4, 3, 2, 1, 0):
        g.bystander.show(stamp_s=1)
        wait_for(lambda left=left: g.pipeline.failures == left)
    g.bystander.show(stamp_s=2)
    wait_for(lambda: skeletons)
    assert capfd.readouterr().err.count('failed, going on with the next') == 1


def test_joints_that_are_no_numbers_are_invalid_in_every_message(graph):
    g = graph().bring_up()
    skeletons, markers = g.listen('skeletons'), g.listen('markers')
    whole = person()
    xyz, covariance, xy = (
        np.array(values) for values in (whole.pose3d.xyz, whole.pose3d.covariance, whole.pose2d.xy)
    )
    xyz[3], covariance[5], xy[7] = np.nan, np.inf, np.nan
    state = np.full(J, JointState.MEASURED, np.uint8)
    sick = replace(
        whole,
        pose2d=replace(whole.pose2d, xy=xy),
        pose3d=replace(whole.pose3d, xyz=xyz, covariance=covariance, state=state),
    )
    g.pipeline.people = [sick]
    g.bystander.show()
    (got,) = wait_for(lambda: skeletons)[0].skeletons
    valid = np.array(got.joint_state) != Skeleton.JOINT_INVALID
    assert not valid[[3, 5]].any()
    assert np.isfinite(np.reshape(got.position, (J, 3))[valid]).all()
    assert np.isfinite(np.reshape(got.covariance, (J, 9))[valid]).all()
    assert got.score_2d[7] == 0
    drawn = [p for m in wait_for(lambda: markers)[0].markers for p in m.points]
    assert drawn
    assert all(np.isfinite([p.x, p.y, p.z]).all() for p in drawn)


def test_an_image_that_hangs_is_an_error_until_it_is_done(graph):
    g = graph(settings={'diagnostics.error_ms': 200.0}).bring_up()
    skeletons = g.listen('skeletons')
    g.pipeline.go.clear()
    g.bystander.show(stamp_s=1)
    wait_for(lambda: g.pipeline.frames)
    assert 'in work for' in g.wait_for_level('inference', ERROR)
    g.pipeline.go.set()
    g.bystander.show(stamp_s=2)
    wait_for(lambda: skeletons and skeletons[-1].header.stamp.sec == 2)


def test_a_dead_worker_is_replaced_with_the_next_image(graph, monkeypatch):
    monkeypatch.setattr('threading.excepthook', lambda arguments: None)
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    worker = g.worker
    monkeypatch.setattr(worker, '_work', None)
    g.bystander.show(stamp_s=1)
    wait_for(lambda: not worker._thread.is_alive())
    monkeypatch.undo()
    g.bystander.show(stamp_s=2)
    wait_for(lambda: skeletons and skeletons[-1].header.stamp.sec == 2)
    assert 'worker thread had ended' in g.wait_for_level('inference', ERROR)


class Watched:
    """A node in a process of its own and a bystander who sees what it does."""

    def __init__(self, context):
        self.bystander = Bystander(context=context)
        self.skeletons = []
        self.bystander.create_subscription(
            SkeletonArray, '/diffpose/skeletons', self.skeletons.append, 10
        )
        self.start()

    def start(self):
        self.child = subprocess.Popen([sys.executable, '-c', NODE], cwd=Path(__file__).parent)

    def kill(self):
        self.child.kill()
        self.child.wait()

    def wait_for_poses(self):
        """Show images until one is answered."""
        self.skeletons.clear()

        def answered():
            self.bystander.show()
            return self.skeletons

        wait_for(answered, START_S)


@pytest.fixture
def watched(context, executor):
    """Return a running node that answers images."""
    watched = Watched(context)
    executor.add_node(watched.bystander)
    watched.wait_for_poses()
    yield watched
    watched.kill()
    watched.bystander.destroy_node()


def test_a_killed_node_is_missed_and_a_respawned_one_goes_on(watched):
    watched.kill()
    wait_for(lambda: not watched.bystander.count_publishers('/diffpose/skeletons'), 60)
    told = len(watched.bystander.diagnostics)
    watched.skeletons.clear()
    with pytest.raises(AssertionError, match='not within'):
        wait_for(lambda: watched.skeletons or watched.bystander.diagnostics[told:], 3)
    watched.start()
    watched.wait_for_poses()
    assert wait_for(lambda: watched.bystander.diagnostics[told:], PATIENCE_S)


@pytest.mark.parametrize('busy', [False, True], ids=['idle', 'busy'])
def test_an_interrupt_ends_the_node_with_0(watched, busy):
    if busy:
        watched.bystander.show(stamp_s=STUCK_S)
        watched.bystander.wait_for_level('inference', ERROR)
    watched.child.send_signal(signal.SIGINT)
    assert watched.child.wait(END_S) == 0
