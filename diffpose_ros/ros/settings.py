"""Settings of the node itself, in the form of core.config: each field is one ROS parameter."""

from dataclasses import dataclass, field

from diffpose_ros.core.config import Checked, setting

REPEAT_S = 10.0  # the same trouble is logged again after so long


@dataclass(frozen=True)
class MarkersConfig(Checked):
    """What RViz shows."""

    sigma: float = setting(
        2.0, 'size of the ellipsoids in standard deviations; 0 = none', low=0, high=5, dynamic=True
    )
    lifetime_s: float = setting(
        1.0,
        'seconds until RViz drops what is not renewed; 0 = never',
        low=0,
        high=10,
        dynamic=True,
    )
    hypotheses: bool = setting(False, 'draw every hypothesis as thin lines', dynamic=True)


@dataclass(frozen=True)
class DiagnosticsConfig(Checked):
    """When /diagnostics warns."""

    warn_ms: float = setting(
        300.0, 'p95 of the total latency that is a WARN, ms', low=1, high=60000, dynamic=True
    )
    error_ms: float = setting(
        1000.0, 'p95 of the total latency that is an ERROR, ms', low=1, high=60000, dynamic=True
    )
    min_fps: float = setting(
        2.0, 'processed images per second below which it WARNs', low=0, high=1000, dynamic=True
    )
    silent_s: float = setting(
        1.0, 'seconds without an image that are an ERROR', low=0.1, high=3600, dynamic=True
    )


@dataclass(frozen=True)
class DepthConfig(Checked):
    """Distance from a depth camera."""

    enable: bool = setting(
        False, 'take distances from the depth image on depth, registered to the image'
    )


@dataclass(frozen=True)
class DetectionsConfig(Checked):
    """What to take from another detector; detector.source says whether."""

    person_classes: str = setting(
        'person,0',
        'class_id values that mean a person, with commas; empty = every detection is one',
        dynamic=True,
    )


@dataclass(frozen=True)
class SyncConfig(Checked):
    """How depth, detections and transforms are found for an image."""

    tolerance_ms: float = setting(
        15.0,
        'largest difference of stamps of what belongs together, ms',
        low=0,
        high=1000,
        dynamic=True,
    )
    timeout_ms: float = setting(
        100.0, 'an image waits so long for what belongs to it, ms', low=0, high=5000, dynamic=True
    )


@dataclass(frozen=True)
class HriConfig(Checked):
    """People for ROS4HRI."""

    enable: bool = setting(
        False,
        'publish people as REP 155 says, on /humans/bodies and /tf; needs hri_msgs and tf2_ros',
    )


@dataclass(frozen=True)
class NodeConfig(Checked):
    """All settings that only the node knows."""

    autostart: bool = setting(
        True, 'configure and activate at start; false = a lifecycle manager or launch file does'
    )
    image_transport: str = setting(
        'raw',
        'raw = sensor_msgs/Image; compressed = CompressedImage on image/compressed',
        choices=('raw', 'compressed'),
    )
    rectified: bool = setting(
        False, 'the images are rectified: camera_info.p holds, without distortion'
    )
    max_age_ms: float = setting(
        0.0,
        'images older than this are dropped, ms by the ROS clock; 0 = never',
        low=0,
        high=60000,
        dynamic=True,
    )
    publish_hypotheses: bool = setting(
        False, 'put every hypothesis into ~/skeletons', dynamic=True
    )
    target_frame: str = setting('', 'frame of all 3D values, by tf2; empty = that of the camera')
    publish_tf: bool = setting(
        False,
        'publish a frame of every person on /tf: body_<track_id>, NAMESPACE/body_<track_id> of a '
        'node in a namespace',
    )
    hri: HriConfig = field(default_factory=HriConfig)
    depth: DepthConfig = field(default_factory=DepthConfig)
    detections: DetectionsConfig = field(default_factory=DetectionsConfig)
    sync: SyncConfig = field(default_factory=SyncConfig)
    markers: MarkersConfig = field(default_factory=MarkersConfig)
    diagnostics: DiagnosticsConfig = field(default_factory=DiagnosticsConfig)
