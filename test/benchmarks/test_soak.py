"""The figures of the soak, on made-up samples, and the people it makes up."""

from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.core.people import Frame
import numpy as np
import pytest

pytest.importorskip('rclpy')
from benchmarks.crowd import CrowdPipeline, HEIGHT, WIDTH
from benchmarks.soak import CURVES, summarise


def rows(growth_mb_per_hour: float) -> list[dict[str, float]]:
    """Return an hour of samples; the first minutes are a warm-up that grows fast."""
    other = dict.fromkeys(('threads', 'files', 'total_ms', 'answered', 'dropped'), 2.0)
    ends = dict.fromkeys(('sent', 'accepted', 'refused', 'cpu_s'), 7.0)
    return [
        {**dict.fromkeys(CURVES, 3.0), **other, **ends, 'minute': float(minute)}
        | {'rss_mb': 400 + growth_mb_per_hour * minute / 60 - 100 * (minute < 10)}
        for minute in range(61)
    ]


@pytest.mark.parametrize('growth', [0.0, 40.0])
def test_drift_is_the_slope_after_warm_up_in_percent_of_the_mean(growth):
    drift = summarise(rows(growth))['rss_mb_drift_percent_per_hour']
    assert drift == pytest.approx(100 * growth / (400 + growth * 35 / 60), abs=0.01)


def test_answers_are_added_up():
    assert summarise(rows(0.0))['answered'] == 2.0 * 61


def test_a_node_that_never_answers_is_told_in_words():
    silent = [row | {'answered': 0.0} for row in rows(0.0)]
    with pytest.raises(ChildProcessError, match='answered no image'):
        summarise(silent)


def test_the_crowd_stands_in_for_the_networks_of_the_main_path():
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pipeline = CrowdPipeline(PipelineConfig())
    pipeline.warm_up()  # as the node does
    people = pipeline.step(Frame(picture, 0)).people
    assert len(people) == 4
    assert all(person.pose3d is not None for person in people)
