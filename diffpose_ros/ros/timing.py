"""Where the time of a frame goes; the clock that the pipeline does not have."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
import time

from diffpose_ros.offline.stage_times import clocked


@dataclass
class Timing:
    """
    Times of one image, milliseconds.

    age_ms     from stamp to reception by the ROS clock; NaN: no stamp, < 0: the clocks disagree
    received   time.perf_counter() at reception, seconds
    stages_ms  by name; a stage that was not run is missing
    """

    age_ms: float
    received: float
    stages_ms: dict[str, float] = field(default_factory=dict)
    total_ms: float = 0.0
    budget_ms: float = 0.0

    @property
    def deadline_missed(self) -> bool:
        """Whether the results came later than the budget allows."""
        return 0 < self.budget_ms < self.total_ms

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Add the time spent inside to a stage."""

        def add(spent_ms: float) -> None:
            self.stages_ms[name] = self.stages_ms.get(name, 0.0) + spent_ms

        return clocked(add)

    def start(self) -> None:
        """Note that work begins: until now the image waited."""
        self.stages_ms['queue'] = self.since_reception_ms()

    def finish(self) -> None:
        """Note that the results are sent."""
        self.total_ms = self.since_reception_ms()

    def since_reception_ms(self) -> float:
        """Return the milliseconds since the image was received."""
        return (time.perf_counter() - self.received) * 1000
