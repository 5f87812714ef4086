"""The keystore of docs/security/make_keystore, made by the real sros2 and read by openssl."""

import os
from pathlib import Path
import stat
import subprocess
from xml.etree import ElementTree

import pytest

pytest.importorskip('sros2', reason='sros2 is not installed: it comes with ROS, not pip')
pytestmark = pytest.mark.ros

SECURITY = Path(__file__).parents[2] / 'docs' / 'security'
DOMAIN = '7'
PREFIXES = {  # of DDS, by the kind of name and what the node does with it
    ('topics', 'publish', 'publish'): 'rt{}',
    ('topics', 'subscribe', 'subscribe'): 'rt{}',
    ('services', 'reply', 'publish'): 'rr{}Reply',
    ('services', 'reply', 'subscribe'): 'rq{}Request',
}


def make(keystore: Path) -> str:
    """Return what the script says."""
    done = subprocess.run(
        [str(SECURITY / 'make_keystore'), str(keystore)],
        env=os.environ | {'ROS_DOMAIN_ID': DOMAIN},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def openssl(*words: str) -> str:
    done = subprocess.run(['openssl', *words], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope='module')
def keystore(tmp_path_factory):
    keystore = tmp_path_factory.mktemp('keystore of a robot')
    assert f"ROS_SECURITY_KEYSTORE='{keystore}'" in make(keystore)
    return keystore


@pytest.fixture
def enclave(keystore):
    return keystore / 'enclaves' / 'diffpose'


@pytest.fixture
def permissions(enclave, keystore):
    """Return what is signed with the keystore's key."""
    signed, authority = enclave / 'permissions.p7s', keystore / 'public/permissions_ca.cert.pem'
    text = openssl('smime', '-verify', '-text', '-in', str(signed), '-CAfile', str(authority))
    return ElementTree.fromstring(text)


def test_the_identity_of_the_node_is_signed_by_the_keystore(enclave):
    certificate = str(enclave / 'cert.pem')
    openssl('verify', '-CAfile', str(enclave / 'identity_ca.cert.pem'), certificate)
    assert '/diffpose' in openssl('x509', '-in', certificate, '-noout', '-subject')


@pytest.mark.parametrize('action', ['publish', 'subscribe'])
def test_the_signed_rights_are_those_of_the_policy_and_no_others(permissions, action):
    policy = ElementTree.parse(SECURITY / 'policy.xml')
    rights = {'ros_discovery_info'}  # of every node
    for (kind, allowed, does), form in PREFIXES.items():
        if does == action:
            (block,) = policy.findall(f'.//{kind}[@{allowed}="ALLOW"]')
            rights |= {form.format(entry.text) for entry in block}
    signed = permissions.findall(f'.//allow_rule/{action}/topics/topic')
    assert {topic.text for topic in signed} == rights
    assert [rule.text for rule in permissions.iter('default')] == ['DENY']


def test_the_rights_hold_in_the_domain_of_the_environment(permissions):
    assert {domain.text for domain in permissions.iter('id')} == {DOMAIN}


def test_nobody_else_can_read_the_private_keys(keystore):
    keys = list(keystore.rglob('*key.pem'))
    assert keys
    assert not any(key.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) for key in keys)


def test_made_again_the_keystore_keeps_its_keys(keystore, enclave):
    before = (enclave / 'key.pem').read_bytes()
    make(keystore)
    assert (enclave / 'key.pem').read_bytes() == before


def test_a_keystore_that_was_interrupted_is_completed(tmp_path):
    make(tmp_path)
    for half in ('enclaves/governance.p7s', 'enclaves/diffpose/permissions.p7s'):
        (tmp_path / half).unlink()
    make(tmp_path)
    assert (tmp_path / 'enclaves/diffpose/permissions.p7s').exists()
