"""Results to messages. Flat arrays are copied as bytes: Python never touches single numbers."""

from array import array
import math

from builtin_interfaces.msg import Duration
from diffpose_ros.core.clip import NANOSECONDS
from diffpose_ros.core.people import (
    FrameResult,
    InferenceInfo,
    Person,
    Pose2D,
    Pose3D,
    SCORE_RADIUS,
    TrackState,
)
from diffpose_ros.core.skeleton import Skeleton as JointList
from diffpose_ros.msg import (
    FrameTiming,
    PoseHypothesis,
    Skeleton,
    SkeletonArray,
    SkeletonInfo,
)
from diffpose_ros.msg import (
    InferenceInfo as InferenceInfoMsg,
)
from diffpose_ros.offline.stage_times import STAGES
from diffpose_ros.ros.timing import Timing
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header

COCO_17 = (
    'nose l_eye r_eye l_ear r_ear l_shoulder r_shoulder l_elbow r_elbow'
    ' l_wrist r_wrist l_hip r_hip l_knee r_knee l_ankle r_ankle'
).split()
# hri_msgs/Skeleton2D has the order of OpenPose; its neck is our thorax.
HRI_18 = (
    'nose thorax r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist'
    ' r_hip r_knee r_ankle l_hip l_knee l_ankle l_eye r_eye l_ear r_ear'
).split()


def floats(values: NDArray) -> array:
    """Return the flattened values as a float32[] field."""
    flat = array('f')
    flat.frombytes(np.ascontiguousarray(values, np.float32).tobytes())
    return flat


def duration(seconds: float) -> Duration:
    """Return seconds as a message."""
    sec, nanosec = divmod(round(seconds * NANOSECONDS), NANOSECONDS)
    return Duration(sec=sec, nanosec=nanosec)


def skeleton_array(
    result: FrameResult,
    joints: JointList,
    header: Header,
    size: tuple[int, int],
    frame_seq: int,
    hypotheses: bool,
    camera_frame: str = '',
) -> SkeletonArray:
    """
    Return the people of one image; those lost with it come once more, as TERMINATED.

    header        stamp of the image, frame of the 3D values
    size          (width, height) of the image in pixels
    camera_frame  optical frame of the image; '' = that of the header
    """
    J = len(joints.joints)
    people = [skeleton(person, J, hypotheses) for person in result.people]
    lost = [blank(track_id, TrackState.TERMINATED, J) for track_id in result.lost]
    return SkeletonArray(
        header=header,
        camera_frame_id=camera_frame or header.frame_id,
        image_width=size[0],
        image_height=size[1],
        skeleton_id=joints.name,
        frame_seq=frame_seq,
        inference=inference_info(result.info),
        skeletons=people + lost,
    )


def skeleton(person: Person, joints: int, hypotheses: bool) -> Skeleton:
    """Return one person; joints is their number."""
    box = person.box
    msg = blank(person.track_id, person.track_state, joints)
    msg.age = duration(person.age_s)
    msg.score = float(box.score)
    msg.bbox = np.array([box.x_center, box.y_center, box.width, box.height], np.float32)
    if person.pose2d is not None:
        _fill_2d(msg, person.pose2d)
    if person.pose3d is not None:
        _fill_3d(msg, person.pose3d, hypotheses)
    return msg


def blank(track_id: str, state: TrackState, joints: int) -> Skeleton:
    """Return a track without any estimate."""
    nothing = floats(np.full(joints, np.nan))
    return Skeleton(
        track_id=track_id,
        track_state=int(state),
        x=nothing,
        y=nothing,
        score_2d=floats(np.zeros(joints)),
        root_covariance=np.full(9, np.nan, np.float32),
    )


def inference_info(info: InferenceInfo) -> InferenceInfoMsg:
    """Return what was computed."""
    bits = {getattr(InferenceInfoMsg, f'DEGRADED_{name}') for name in info.degraded}
    return InferenceInfoMsg(
        steps_2d=info.steps,
        ensembles=info.ensembles,
        steps_3d=info.lift_steps,
        hypotheses=info.hypotheses,
        window_2d=info.window,
        window_frames=info.window_frames,
        lookahead_ms=info.lookahead_s * 1000,
        model_id=info.model_id,
        degraded=sum(bits),
    )


def skeleton_info(joints: JointList) -> SkeletonInfo:
    """Return the joint list that the arrays refer to."""
    return SkeletonInfo(
        skeleton_id=joints.name,
        joint_names=list(joints.joints),
        edges=[index for edge in joints.edges for index in edge],
        coco_index=_index_in(COCO_17, joints),
        hri_index=_index_in(HRI_18, joints),
        score_radius=SCORE_RADIUS,
    )


def frame_timing(timing: Timing, header: Header, frame_seq: int, dropped: int) -> FrameTiming:
    """Return where the time of one image went."""
    return FrameTiming(
        header=header,
        frame_seq=frame_seq,
        age_ms=timing.age_ms if timing.age_ms >= 0 else math.nan,
        total_ms=timing.total_ms,
        budget_ms=timing.budget_ms,
        deadline_missed=timing.deadline_missed,
        dropped_since_last=dropped,
        **{f'{stage}_ms': timing.stages_ms.get(stage, 0.0) for stage in STAGES},
    )


def rgb_image(pixels: NDArray[np.uint8], header: Header) -> Image:
    """Return an RGB image (H, W, 3) as a message."""
    height, width = pixels.shape[:2]
    data = array('B')
    data.frombytes(np.ascontiguousarray(pixels).tobytes())
    return Image(
        header=header, height=height, width=width, encoding='rgb8', step=3 * width, data=data
    )


def _fill_2d(msg: Skeleton, pose: Pose2D) -> None:
    msg.x = floats(pose.xy[:, 0])
    msg.y = floats(pose.xy[:, 1])
    msg.score_2d = floats(pose.score)
    msg.covariance_2d = floats(pose.covariance)


def _fill_3d(msg: Skeleton, pose: Pose3D, hypotheses: bool) -> None:
    msg.joint_state = array('B', np.asarray(pose.state, np.uint8).tobytes())
    msg.position = floats(pose.xyz)
    msg.covariance = floats(pose.covariance)
    msg.relative_covariance = floats(pose.relative_covariance)
    msg.root_covariance = np.ravel(pose.root_covariance).astype(np.float32)
    msg.scale_source = int(pose.scale_source)
    if hypotheses:
        msg.hypotheses = [
            PoseHypothesis(weight=float(weight), xyz=floats(xyz))
            for weight, xyz in zip(pose.weights, pose.hypotheses, strict=True)
        ]


def _index_in(names: list[str], joints: JointList) -> list[int]:
    return [names.index(joint) if joint in names else -1 for joint in joints.joints]
