"""
Start the pose node, which configures and activates itself, also when it is respawned.

Each parameter of the node is an argument of the same name, for example inference.steps:=2; what is
not given is taken from params_file, and what that file does not name from the node's defaults.
"""

import os

from diffpose_ros.core.config import leaves, PipelineConfig
from diffpose_ros.core.share import find_shared
from diffpose_ros.ros.settings import NodeConfig
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
import yaml

PROFILE_VARIABLES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
ARGUMENTS = {
    'image_topic': ('image', 'images of the camera; /compressed is added by image_transport'),
    'camera_info_topic': ('camera_info', 'calibration of the camera'),
    'depth_topic': ('depth', 'depth registered to the image; taken with depth.enable:=true'),
    'detections_topic': ('detections', 'people found by others; with detector.source:=topic'),
    'namespace': ('', 'namespace of the node'),
    'cameras': ('', 'names of several cameras, front,rear: a node in a namespace for each'),
    'node_name': ('diffpose', 'name of the node, and so of its topics'),
    'params_file': (str(find_shared('config/diffpose.yaml')), 'YAML file with parameters'),
    'use_sim_time': ('false', 'take the time from /clock: simulators and recordings'),
    'log_level': ('info', 'debug, info, warn, error or fatal'),
    'rectify': (
        'false',
        'let image_proc rectify the images, which have camera_info beside them; compressed ones '
        'with the argument image_transport, not params_file',
    ),
    'respawn': ('false', 'start the node again when its process ends'),
    'rviz': ('false', 'start RViz 2 with the view of this package'),
    'camera_frame': (
        'camera_optical_frame',
        'frame_id of the images, which only rviz needs; of several cameras one each, a,b',
    ),
}
OTHER_TOPICS = ('camera_info', 'depth', 'detections')
RECTIFIED = {'rectified': True, 'image_transport': 'raw'}  # what image_proc publishes
VIEWED = ('markers', 'overlay')  # topics in config/diffpose.rviz
SETTINGS = {
    name: (value, meta['description'])
    for config in (PipelineConfig(), NodeConfig())
    for name, value, meta in leaves(config)
}


def generate_launch_description() -> LaunchDescription:
    """Return arguments and the nodes."""
    known = [
        DeclareLaunchArgument(name, default_value=default, description=meaning)
        for name, (default, meaning) in ARGUMENTS.items()
    ]
    passed_on = [
        DeclareLaunchArgument(
            name, default_value='', description=f'{meaning} (default of the node: {default!r})'
        )
        for name, (default, meaning) in SETTINGS.items()
    ]
    return LaunchDescription([*known, *passed_on, OpaqueFunction(function=start)])


def large_images() -> dict[str, str]:
    """Return what lets Fast DDS pass large images, unless somebody chose a profile already."""
    if any(variable in os.environ for variable in PROFILE_VARIABLES):
        return {}
    return dict.fromkeys(PROFILE_VARIABLES, str(find_shared('config/fastdds.xml')))


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the nodes and RViz."""
    settings = given_settings(context)
    spaces = namespaces(context)
    entities: list[LaunchDescriptionEntity] = []
    for namespace in spaces:
        if yaml.safe_load(context.launch_configurations['rectify']):
            entities.append(rectifier(namespace, settings))
            node = pose_node(namespace, settings | RECTIFIED, 'image_rect')
        else:
            node = pose_node(namespace, settings, LaunchConfiguration('image_topic'))
        entities.append(node)
    if yaml.safe_load(context.launch_configurations['rviz']):
        frames = listed(context.launch_configurations['camera_frame'])
        if len(frames) != len(spaces):
            raise ValueError(f'camera_frame names {frames}; name one for each of {spaces}')
        for namespace, frame in zip(spaces, frames, strict=True):
            entities += view(namespace, frame, settings)
    return entities


def namespaces(context: LaunchContext) -> list[str]:
    """Return the namespace of every node: one per camera, or the only one."""
    base = context.launch_configurations['namespace']
    names = listed(context.launch_configurations['cameras'])
    return [f'{base}/{name}' if base else name for name in names] or [base]


def listed(text: str) -> list[str]:
    """Return the parts of a,b."""
    return [part.strip() for part in text.split(',') if part.strip()]


def rectifier(namespace: str, settings: dict[str, object]) -> Node:
    """Return what makes image_rect of the camera's images and of the camera_info beside them."""
    transport = settings.get('image_transport', 'raw')
    return Node(
        package='image_proc',
        executable='rectify_node',
        namespace=namespace,
        remappings=[('image', LaunchConfiguration('image_topic'))],
        parameters=[{'image_transport': transport, **clock(settings)}],
        additional_env=large_images(),
    )


def pose_node(
    namespace: str, settings: dict[str, object], images: str | LaunchConfiguration
) -> LifecycleNode:
    """Return one node; topics without a leading / lie in its namespace."""
    others = [(topic, LaunchConfiguration(f'{topic}_topic')) for topic in OTHER_TOPICS]
    return LifecycleNode(
        package='diffpose_ros',
        executable='diffpose',
        name=LaunchConfiguration('node_name'),
        namespace=namespace,
        parameters=[LaunchConfiguration('params_file'), settings],
        remappings=[('image', images), *others],
        ros_arguments=['--log-level', LaunchConfiguration('log_level')],
        additional_env=large_images(),
        respawn=LaunchConfiguration('respawn'),
        respawn_delay=2.0,
        output='screen',
    )


def view(namespace: str, camera: str, settings: dict[str, object]) -> list[Node]:
    """Return RViz, and a frame in which z is up: in the camera's own, people would lie."""
    name = LaunchConfiguration('node_name')
    upright = f'{camera}_upright'
    turn = ['--qx', '0.5', '--qy', '-0.5', '--qz', '0.5', '--qw', '0.5']
    return [
        Node(
            package='tf2_ros',
            executable='static_transform_publisher',
            arguments=['--frame-id', camera, '--child-frame-id', upright, *turn],
        ),
        Node(
            package='rviz2',
            executable='rviz2',
            namespace=namespace,
            arguments=['-d', str(find_shared('config/diffpose.rviz')), '-f', upright],
            remappings=[(f'diffpose/{topic}', [name, f'/{topic}']) for topic in VIEWED],
            parameters=[clock(settings)],
            additional_env=large_images(),
        ),
    ]


def clock(settings: dict[str, object]) -> dict[str, object]:
    """Return the setting of the clock alone."""
    return {'use_sim_time': settings['use_sim_time']}


def given_settings(context: LaunchContext) -> dict[str, object]:
    """Return the parameters that were given as arguments, with their types."""
    texts = {name: context.launch_configurations[name] for name in SETTINGS}
    given = {
        name: text if isinstance(SETTINGS[name][0], str) else yaml.safe_load(text)
        for name, text in texts.items()
        if text
    }
    use_sim_time = yaml.safe_load(context.launch_configurations['use_sim_time'])
    return {**given, 'use_sim_time': use_sim_time}
