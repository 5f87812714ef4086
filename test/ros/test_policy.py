"""The SROS2 policy against the running node."""

from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

from bystander import wait_for
import pytest

pytestmark = pytest.mark.ros
POLICY = Path(__file__).parents[2] / 'docs' / 'security' / 'policy.xml'
NAME = 'policed'  # of its own: the graph still knows killed nodes by the default name


def test_the_policy_allows_what_the_node_has_and_nothing_else(graph):
    node = graph(cli_args=['--ros-args', '-r', f'__node:={NAME}']).bring_up().node
    has = {
        ('topics', 'publish'): node.get_publisher_names_and_types_by_node,
        ('topics', 'subscribe'): node.get_subscriber_names_and_types_by_node,
        ('services', 'reply'): node.get_service_names_and_types_by_node,
    }
    policy = ElementTree.parse(POLICY)
    for (kind, action), find in has.items():

        def found(find=find):
            names = (name for name, _ in find(NAME, '/'))
            return sorted(name.replace(f'/{NAME}/', '/diffpose/') for name in names)

        (block,) = policy.findall(f'.//{kind}[@{action}="ALLOW"]')
        allowed = sorted(entry.text for entry in block)
        # What a node has spreads through the graph of ROS a little later.
        with suppress(AssertionError):
            wait_for(lambda found=found, allowed=allowed: found() == allowed)
        assert found() == allowed
