"""People for the tests of this folder."""

from collections.abc import Callable
from pathlib import Path
import sys

from diffpose_ros.core.people import Person
from diffpose_ros.evaluate.made_up import somebody
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for follower.py


@pytest.fixture
def person() -> Callable[[int], Person]:
    """Return the function that makes people, by number; their left wrist is lost."""
    return lambda seed=0: somebody(seed=seed, lost=('l_wrist',))
