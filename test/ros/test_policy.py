"""The SROS2 policy against the running node."""

from pathlib import Path
from xml.etree import ElementTree

from bystander import wait_for
import pytest

pytestmark = pytest.mark.ros
POLICY = Path(__file__).parents[2] / 'docs' / 'security' / 'policy.xml'


def test_the_policy_allows_what_the_node_has_and_nothing_else(graph):
    node = graph().bring_up().node
    where = ('diffpose', '/')
    has = {
        ('topics', 'publish'): node.get_publisher_names_and_types_by_node,
        ('topics', 'subscribe'): node.get_subscriber_names_and_types_by_node,
        ('services', 'reply'): node.get_service_names_and_types_by_node,
    }
    policy = ElementTree.parse(POLICY)
    for (kind, action), found in has.items():
        (block,) = policy.findall(f'.//{kind}[@{action}="ALLOW"]')
        allowed = sorted(entry.text for entry in block)
        # What a node has spreads through the graph of ROS a little later.
        wait_for(lambda found=found, allowed=allowed: len(found(*where)) >= len(allowed))
        assert sorted(name for name, _ in found(*where)) == allowed
