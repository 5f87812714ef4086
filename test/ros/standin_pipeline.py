"""A pipeline that sees made-up people at once; alone it runs the node with them."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from threading import Event

from diffpose_ros.core.people import Frame, FrameResult, InferenceInfo
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.evaluate.made_up import somebody

J = len(H36M_17.joints)
H = 3

person = partial(somebody, hypotheses=H, lost=('l_wrist',))


class StandInPipeline:
    """Answers every frame with `people`; what it was given is kept for the tests."""

    skeleton = H36M_17
    model_id = 'standin@000000000000'
    device = 'cpu'

    def __init__(self, config):
        self.config = config
        self.people = [person()]
        self.frames: list[Frame] = []
        self.go = Event()  # cleared: every step waits until it is set
        self.go.set()
        self.failures = 0
        self.warm = False
        self.spend: Callable[[float], None] = lambda ms: None  # of a device that takes time
        self.unit_ms = 0.0  # what a network costs per person and pass
        self.resets = 0
        self.ids_given = 0
        self._before: set[str] = set()

    def step(self, frame, stage=lambda name: nullcontext()):
        self.frames.append(frame)
        inference = self.config.inference
        people = self.people[: self.config.max_people]
        with stage('pose2d'):
            self.go.wait(30)
            passes = inference.window + inference.steps * inference.ensembles
            self.spend(self.unit_ms * len(people) * passes)
        with stage('lift3d'):
            self.spend(self.unit_ms * len(people) * inference.lift_steps)
        if self.failures:
            self.failures -= 1
            raise RuntimeError('the stand-in was told to fail')
        ids = {p.track_id for p in people}
        lost, self._before = tuple(sorted(self._before - ids)), ids
        degraded = {
            'NO_CAMERA_INFO': frame.camera is None,
            'PEOPLE_CUT': len(people) < len(self.people),
        }
        info = InferenceInfo(
            inference.steps,
            inference.ensembles,
            inference.lift_steps,
            inference.hypotheses,
            27,
            self.model_id,
            degraded=frozenset(name for name, true in degraded.items() if true),
            window=inference.window,
        )
        return FrameResult(frame.stamp_ns, tuple(people), info, lost)

    def reset(self):
        self.resets += 1
        lost, self._before = tuple(sorted(self._before)), set()
        return lost

    def reconfigure(self, config):
        self.config = config

    def warm_up(self, stage=lambda name: nullcontext()):
        for name in ('detect', 'pose2d', 'lift3d'):
            with stage(name):
                self.warm = True
        if self.failures:
            raise ValueError('the stand-in answers with numbers that are not finite')


if __name__ == '__main__':
    from diffpose_ros.ros.node import main

    main(make_pipeline=StandInPipeline)
