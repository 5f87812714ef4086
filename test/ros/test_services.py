"""Services: pause, go on, forget everybody, test the networks; never in the midst of an image."""

from threading import current_thread

from bystander import wait_for, wait_for_answer
from diffpose_ros.msg import Skeleton
import pytest
from standin_pipeline import person, StandInPipeline
from std_srvs.srv import SetBool, Trigger

pytestmark = pytest.mark.ros
OK = b'\x00'
CONFIRMED, TERMINATED = Skeleton.CONFIRMED, Skeleton.TERMINATED


def states(msg):
    return [skeleton.track_state for skeleton in msg.skeletons]


def enable(g, wanted):
    answer = g.call(SetBool, 'enable', data=wanted)
    assert answer.success
    return answer


def test_a_pause_clears_the_scene_once_and_stops_inference(graph):
    g = graph().bring_up()
    skeletons, markers = g.listen('skeletons'), g.listen('markers')
    points = g.listen('points')
    g.bystander.show(stamp_s=1)
    wait_for(lambda: skeletons and markers and points)
    drawn = {(m.ns, m.id) for m in markers[0].markers}
    assert enable(g, False).message == 'inference is paused'
    enable(g, False)
    g.bystander.show(stamp_s=2)
    wait_for(lambda: g.received == 2)
    enable(g, True)
    g.bystander.show(stamp_s=3)
    wait_for(lambda: len(skeletons) == 3)
    assert g.state == 'active'
    assert [states(msg) for msg in skeletons] == [[CONFIRMED], [TERMINATED], [CONFIRMED]]
    assert [(m.header.stamp.sec, m.frame_seq) for m in skeletons] == [(1, 1), (1, 1), (3, 3)]
    assert skeletons[1].image_width == skeletons[0].image_width
    assert points[1].width == 0
    assert [frame.stamp_ns for frame in g.pipeline.frames] == [1 * 10**9, 3 * 10**9]
    assert {(m.ns, m.id) for m in markers[1].markers} == drawn
    assert {m.action for m in markers[1].markers} == {2}


def test_a_pause_waits_for_the_image_at_work_and_drops_the_one_that_waits(graph):
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    g.pipeline.go.clear()
    g.bystander.show(stamp_s=1)
    wait_for(lambda: g.pipeline.frames)
    g.bystander.show(stamp_s=2)
    wait_for(lambda: g.received == 2)
    request = g.ask(SetBool, 'enable', data=False)
    wait_for(lambda: g.worker._errands)
    g.pipeline.go.set()
    assert wait_for_answer(request).success
    wait_for(lambda: len(skeletons) == 2)
    assert [states(msg) for msg in skeletons] == [[CONFIRMED], [TERMINATED]]
    assert len(g.pipeline.frames) == 1


def test_a_pause_is_told_as_such_by_the_diagnostics(graph):
    g = graph().bring_up()
    enable(g, False)
    assert g.wait_for_level('inference', OK) == 'paused by ~/enable'


def test_activation_ends_a_pause(graph):
    g = graph().bring_up()
    enable(g, False)
    g.node.trigger_deactivate()
    g.node.trigger_activate()
    wait_for(g.bystander.images.get_subscription_count)
    skeletons = g.listen('skeletons')
    g.bystander.show()
    assert wait_for(lambda: skeletons)


def test_reset_tracks_ends_every_track_and_the_next_result_says_so(graph):
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    g.bystander.show(stamp_s=1)
    wait_for(lambda: skeletons)
    assert g.call(Trigger, 'reset_tracks').success
    g.pipeline.people = [person('p2')]
    g.bystander.show(stamp_s=2)
    wait_for(lambda: len(skeletons) == 2)
    told = [(s.track_id, s.track_state) for s in skeletons[1].skeletons]
    assert told == [('p2', Skeleton.CONFIRMED), ('p1', Skeleton.TERMINATED)]


@pytest.mark.parametrize('active', [False, True])
def test_a_self_test_tells_device_and_time_of_every_stage(graph, active):
    g = graph()
    g.bring_up() if active else g.node.trigger_configure()
    answer = g.call(Trigger, 'self_test')
    assert answer.success
    assert 'on cpu: detect ' in answer.message
    assert answer.message.count(' ms') == 3


@pytest.mark.parametrize('active', [False, True])
def test_only_the_worker_keeps_a_pool_of_pytorch(graph, active):
    at_work = []

    class Pipeline(StandInPipeline):
        def __init__(self, config):
            super().__init__(config)
            at_work.append(current_thread())

        def warm_up(self, *stage):
            super().warm_up(*stage)
            at_work.append(current_thread())

    g = graph(Pipeline)
    g.bring_up() if active else g.node.trigger_configure()
    assert g.call(Trigger, 'self_test').success
    assert len(at_work) == 3
    alive = [thread for thread in at_work if thread.is_alive()]
    assert alive == ([g.worker._thread] if active else [])


def test_a_self_test_that_fails_says_why_and_images_go_on(graph):
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    g.pipeline.failures = 1
    answer = g.call(Trigger, 'self_test')
    assert (answer.success, 'not finite' in answer.message) == (False, True)
    g.pipeline.failures = 0
    g.bystander.show()
    assert wait_for(lambda: skeletons)


def test_networks_that_hang_do_not_hang_the_node(graph, monkeypatch):
    monkeypatch.setattr('diffpose_ros.ros.node.ERRAND_TIMEOUT_S', 0.1)
    g = graph().bring_up()
    g.pipeline.go.clear()
    g.bystander.show()
    wait_for(lambda: g.pipeline.frames)
    answer = g.call(Trigger, 'reset_tracks')
    g.pipeline.go.set()
    assert (answer.success, 'try again' in answer.message) == (False, True)


@pytest.mark.parametrize(
    ('kind', 'service', 'remedy'),
    [
        (SetBool, 'enable', 'activate it first'),
        (Trigger, 'reset_tracks', 'activate it first'),
        (Trigger, 'self_test', 'configure the node first'),
    ],
)
def test_what_the_state_does_not_allow_is_refused_with_the_remedy(graph, kind, service, remedy):
    answer = graph().call(kind, service)
    assert not answer.success
    assert remedy in answer.message
