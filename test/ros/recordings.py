"""Recordings of a camera that sees a bright spot, and the pipeline that follows it."""

import cv2
from diffpose_ros.offline.bag import BagWriter
from follower import Follower, picture
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from standin_pipeline import person
from std_msgs.msg import String

IMAGES = 190  # two per second: four segments
BASE_NS = 1_700_000_000_000_000_000
RAW, COMPRESSED, INFO = '/camera/image_raw', '/camera/image_raw/compressed', '/camera/camera_info'
CHATTER = '/chatter'


def stamped(msg, i):
    msg.header.frame_id = 'camera_optical'
    msg.header.stamp.sec, msg.header.stamp.nanosec = BASE_NS // 10**9 + i // 2, i % 2 * 500_000_000
    return msg


def image(i, pixels):
    height, width = pixels.shape[:2]
    data = pixels.tobytes()
    fields = {'height': height, 'width': width, 'step': 3 * width, 'data': data}
    return stamped(Image(encoding='rgb8', **fields), i)


def compressed(i, pixels):
    _, data = cv2.imencode('.png', pixels[..., ::-1])
    return stamped(CompressedImage(format='png', data=data.tobytes()), i)


def calibration(width, height):
    camera = CameraInfo(width=width, height=height, distortion_model='plumb_bob')
    camera.k = [float(width), 0.0, width / 2, 0.0, float(width), height / 2, 0.0, 0.0, 1.0]
    return camera


def spots(i):
    return picture(None if i in (70, 71) else i % 40)


def record(path, kind=image, topic=RAW, count=IMAGES, view=spots, calibrate=calibration):
    """Write a camera's recording; images arrive 20 ms after their stamps."""
    with BagWriter(path) as bag:
        bag.add_topic(INFO, 'sensor_msgs/msg/CameraInfo')
        bag.add_topic(topic, f'sensor_msgs/msg/{type(kind(0, view(0))).__name__}')
        bag.add_topic(CHATTER, 'std_msgs/msg/String')
        height, width = view(0).shape[:2]
        bag.write(INFO, BASE_NS, bytes(serialize_message(calibrate(width, height))))
        for i in range(count):
            received_ns = BASE_NS + i * 500_000_000 + 20_000_000
            bag.write(topic, received_ns, bytes(serialize_message(kind(i, view(i)))))
            bag.write(CHATTER, received_ns, bytes(serialize_message(String(data=f'{i}'))))
    return path


def make(config, interrupt_at=None):
    """Return a pipeline that costs nothing."""
    return Follower(lambda seed: person(seed=seed), interrupt_at)
