from diffpose_ros.core.share import find_shared

from benchmarks.mediapipe_pose import film


def test_a_labelled_video_is_asked_frame_by_frame():
    people = film(find_shared('demo/walk.mp4'), find_shared('demo/walk.npz'))
    assert len(people) == len(people.pictures) == 164
    assert people.labelled.all()
