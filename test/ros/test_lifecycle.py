"""The life of the node: every state can be left and entered again, whatever goes wrong."""

from threading import Timer
import weakref

from bystander import Bystander, rgb_message, wait_for
from diagnostic_msgs.msg import DiagnosticStatus
from diffpose_ros.msg import InferenceInfo, Skeleton
from diffpose_ros.ros import node as node_module
from diffpose_ros.ros.node import DiffposeNode
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import pytest
import rclpy
from rclpy.parameter import Parameter
from standin_pipeline import StandInPipeline

pytestmark = pytest.mark.ros


def test_deactivation_clears_the_scene_and_keeps_the_networks(graph):
    g = graph().bring_up()
    skeletons, markers = g.listen('skeletons'), g.listen('markers')
    g.bystander.show()
    wait_for(lambda: skeletons and markers)
    drawn = {(m.ns, m.id) for m in markers[0].markers}
    pipeline = g.pipeline
    g.node.trigger_deactivate()
    wait_for(lambda: len(skeletons) == 2 and len(markers) == 2)
    assert [s.track_state for s in skeletons[1].skeletons] == [Skeleton.TERMINATED]
    assert {(m.ns, m.id) for m in markers[1].markers} == drawn
    assert {m.action for m in markers[1].markers} == {2}
    assert not g.bystander.images.get_subscription_count()
    assert g.pipeline is pipeline
    g.node.trigger_activate()
    wait_for(g.bystander.images.get_subscription_count)
    g.bystander.show(stamp_s=7)
    assert wait_for(lambda: [m for m in skeletons if m.header.stamp.sec == 7])


def test_cleanup_drops_the_networks_and_the_node_can_be_configured_again(graph):
    g = graph().bring_up()
    g.node.trigger_deactivate()
    g.node.trigger_cleanup()
    assert (g.pipeline, g.state) == (None, 'unconfigured')
    g.bring_up()
    skeletons = g.listen('skeletons')
    g.bystander.show()
    assert wait_for(lambda: skeletons)


@pytest.mark.parametrize('error', [ValueError, FileNotFoundError, RuntimeError, MemoryError])
def test_a_failed_configuration_can_be_repeated(graph, error):
    attempts = []

    def make_pipeline(config):
        attempts.append(config)
        if len(attempts) == 1:
            raise error('no such model')
        return StandInPipeline(config)

    g = graph(make_pipeline)
    g.node.trigger_configure()
    assert g.state == 'unconfigured'
    g.bring_up()
    assert len(attempts) == 2


def test_ids_go_on_after_a_cleanup(graph):
    g = graph().bring_up()
    g.pipeline.ids_given = 7
    g.node.trigger_deactivate()
    g.node.trigger_cleanup()
    assert g.bring_up().pipeline.ids_given == 7


def test_calibrations_of_before_a_cleanup_hold_no_more(graph):
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    g.calibrate()
    g.node.trigger_deactivate()
    g.node.trigger_cleanup()
    g.bring_up()
    g.bystander.show(stamp_s=2)
    wait_for(lambda: [m for m in skeletons if m.header.stamp.sec == 2])
    assert skeletons[-1].inference.degraded & InferenceInfo.DEGRADED_NO_CAMERA_INFO


@pytest.mark.parametrize('wrong', ['configure', 'activate'])
def test_a_node_that_could_not_start_is_an_error_until_it_does(graph, monkeypatch, capfd, wrong):
    g = graph(settings={'diagnostics.silent_s': 100.0})
    name = 'NewestWorker' if wrong == 'activate' else 'Companions'
    monkeypatch.setattr(node_module, name, None)
    g.node.bring_up()
    told = g.wait_for_level('inference', DiagnosticStatus.ERROR)
    assert f'unconfigured: on_{wrong} failed' in told
    assert 'start the node again' in capfd.readouterr().err
    monkeypatch.undo()
    g.bring_up()
    g.wait_for_level('input', DiagnosticStatus.OK)


def test_an_image_that_waits_for_its_depth_does_not_keep_the_node_from_deactivation(graph):
    g = graph(settings={'depth.enable': True, 'sync.timeout_ms': 3200.0}).bring_up()
    networks = g.pipeline
    g.node._companions._depths.put(0, None)  # the topic is alive
    g.bystander.show(stamp_s=5)
    wait_for(lambda: g.worker._waiting is None and g.received)
    g.node.trigger_deactivate()
    assert (g.state, g.pipeline) == ('inactive', networks)


def test_configuration_runs_the_networks_once(graph):
    assert graph().bring_up().pipeline.warm


def test_shutdown_while_active_ends_in_order(graph):
    g = graph().bring_up()
    g.node.trigger_shutdown()
    assert (g.state, g.pipeline) == ('finalized', None)


def test_a_transition_that_the_state_forbids_is_refused_and_the_node_lives(graph):
    g = graph()
    for transition, allowed in (('ACTIVATE', False), ('CONFIGURE', True)):
        wanted = Transition(id=getattr(Transition, f'TRANSITION_{transition}'))
        answer = g.call(ChangeState, 'change_state', transition=wanted)
        assert answer.success is allowed


def test_cleanup_leaves_nothing_that_holds_the_networks(graph):
    g = graph().bring_up()
    timing = g.listen('timing')
    g.bystander.show()
    wait_for(lambda: timing)
    networks = weakref.ref(g.pipeline)
    g.node.trigger_deactivate()
    g.node.trigger_cleanup()
    assert networks() is None


def test_networks_that_answer_nonsense_are_not_taken_into_service(graph, capfd):
    def make_pipeline(config):
        pipeline = StandInPipeline(config)
        pipeline.failures = 1
        return pipeline

    g = graph(make_pipeline)
    g.node.bring_up()
    assert g.state == 'unconfigured'
    assert 'not finite' in capfd.readouterr().err


def break_activation(g, monkeypatch):
    g.node.trigger_configure()
    monkeypatch.setattr(node_module, 'NewestWorker', None)
    g.node.trigger_activate()
    monkeypatch.undo()


def break_deactivation(g, monkeypatch):
    g.bring_up()
    monkeypatch.setattr(g.pipeline, 'reset', None)
    g.node.trigger_deactivate()


def hang_in_deactivation(g, monkeypatch):
    monkeypatch.setattr(node_module, 'PAUSE_TIMEOUT_S', 0.1)
    pipeline = g.bring_up().pipeline
    pipeline.go.clear()
    g.bystander.show()
    wait_for(lambda: pipeline.frames)
    g.node.trigger_deactivate()
    pipeline.go.set()


@pytest.mark.parametrize('break_it', [break_activation, break_deactivation, hang_in_deactivation])
def test_after_a_transition_that_breaks_the_node_can_be_configured_again(
    graph, monkeypatch, break_it
):
    g = graph()
    break_it(g, monkeypatch)
    assert (g.state, g.pipeline) == ('unconfigured', None)
    skeletons = g.bring_up().listen('skeletons')
    g.bystander.show()
    assert wait_for(lambda: skeletons)


def test_a_node_that_ends_while_an_image_is_still_in_the_networks_knows_it(context, monkeypatch):
    monkeypatch.setattr(node_module, 'PAUSE_TIMEOUT_S', 0.1)
    node = DiffposeNode(StandInPipeline, context=context)
    node.bring_up()
    pipeline = node._pipeline
    pipeline.go.clear()
    node._on_image(rgb_message())
    wait_for(lambda: pipeline.frames)
    node.trigger_deactivate()
    assert node.close() is False
    pipeline.go.set()


def test_a_deactivation_waits_for_a_slow_image(graph):
    g = graph().bring_up()
    pipeline = g.pipeline
    pipeline.go.clear()
    g.bystander.show()
    wait_for(lambda: pipeline.frames)
    Timer(node_module.STOP_TIMEOUT_S + 1, pipeline.go.set).start()
    g.node.trigger_deactivate()
    assert (g.state, g.pipeline) == ('inactive', pipeline)


@pytest.mark.parametrize('attempts', [1, 3])
def test_a_configuration_that_fails_amid_the_topics_leaves_none_behind(graph, attempts):
    wrong = 'qos_overrides./diffpose/timing.publisher.reliability'
    g = graph(settings={wrong: 'banana'})
    for _ in range(attempts):
        g.node.trigger_configure()
    assert g.state == 'unconfigured'
    assert not [p for p in g.node.publishers if p.topic_name == '/diffpose/skeletons']


@pytest.fixture
def onlooker():
    """Return a node that sees the graph as another process does."""
    context = rclpy.Context()
    rclpy.init(context=context)
    onlooker = Bystander(context=context)
    yield onlooker
    onlooker.destroy_node()
    context.try_shutdown()


def test_a_closed_node_has_left_the_graph_with_all_its_services(context, onlooker):
    def services():
        names = (name for name, _ in onlooker.get_service_names_and_types())
        return {name for name in names if name.startswith('/diffpose/')}

    node = DiffposeNode(StandInPipeline, context=context)
    wait_for(lambda: '/diffpose/change_state' in services())
    node.close()
    wait_for(lambda: not services())


def test_a_node_that_is_refused_at_its_start_has_left_the_graph(context):
    onlooker = Bystander(context=context)
    wrong = Parameter('inference.steps', value=0)
    with pytest.raises(ValueError, match='steps'):
        DiffposeNode(StandInPipeline, context=context, parameter_overrides=[wrong])
    assert 'diffpose' not in onlooker.get_node_names()
    assert not onlooker.count_services('/diffpose/change_state')
    onlooker.destroy_node()
