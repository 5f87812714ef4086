"""The SROS2 policy against the running node."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.ros
POLICY = Path(__file__).parents[2] / 'docs' / 'security' / 'policy.xml'


def test_the_policy_allows_what_the_node_has_and_nothing_else(graph):
    node = graph().bring_up().node
    where = ('diffpose', '/')
    has = {
        ('topics', 'publish'): node.get_publisher_names_and_types_by_node(*where),
        ('topics', 'subscribe'): node.get_subscriber_names_and_types_by_node(*where),
        ('services', 'reply'): node.get_service_names_and_types_by_node(*where),
    }
    policy = ElementTree.parse(POLICY)
    for (kind, action), found in has.items():
        (block,) = policy.findall(f'.//{kind}[@{action}="ALLOW"]')
        assert sorted(entry.text for entry in block) == sorted(name for name, _ in found)
