"""Topics and services: names, and quality of service as functions, because overrides change it."""

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

IMAGE = 'image'
COMPRESSED_SUFFIX = '/compressed'  # added after remapping, as image_transport does
CAMERA_INFO = 'camera_info'
DEPTH = 'depth'
DETECTIONS = 'detections'

SKELETONS = '~/skeletons'
SKELETON_INFO = '~/skeleton_info'
MARKERS = '~/markers'
TIMING = '~/timing'
OVERLAY = '~/overlay'
POINTS = '~/points'
DIAGNOSTICS = '/diagnostics'

ENABLE = '~/enable'
RESET_TRACKS = '~/reset_tracks'
SELF_TEST = '~/self_test'


def sensor_data() -> QoSProfile:
    """
    Return what sensors offer at least: lost messages are not sent again.

    A few may wait in the middleware, so that a busy moment of the executor loses none: the node
    itself keeps only the newest and counts the others.
    """
    return _profile(5, ReliabilityPolicy.BEST_EFFORT)


def results(depth: int = 5) -> QoSProfile:
    """Return what tools expect of results: every message arrives."""
    return _profile(depth, ReliabilityPolicy.RELIABLE)


def latched() -> QoSProfile:
    """Return what late subscribers need: the last message is kept for them."""
    return _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)


def overridable() -> QoSOverridingOptions:
    """Let parameters qos_overrides.<topic>.… change history, depth and reliability."""
    return QoSOverridingOptions.with_default_policies()


def _profile(
    depth: int,
    reliability: ReliabilityPolicy,
    durability: DurabilityPolicy = DurabilityPolicy.VOLATILE,
) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=reliability,
        durability=durability,
    )
