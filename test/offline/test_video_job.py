"""`diffpose video`: every frame, whatever interrupts."""

import argparse
import json

import av
from diffpose_ros.cli import main
from diffpose_ros.core.config import DetectorConfig, PipelineConfig
from diffpose_ros.core.share import find_shared
from diffpose_ros.offline import video_job
from diffpose_ros.offline.jobs import Job, Settings, Task, Worker
from diffpose_ros.offline.schedule import run_one
from diffpose_ros.offline.video import VideoReader, VideoWriter
from diffpose_ros.offline.video_job import VideoRecording
from follower import Follower, picture
import pytest

FRAMES = 190  # at two per second: four segments


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('video') / 'spot.mp4'
    with VideoWriter(path, 64, 48, fps=2) as writer:
        for i in range(FRAMES):
            writer.write(i / 2, picture(None if i in (70, 71) else i % 40))
    return path


@pytest.fixture
def job(video, tmp_path):
    recording = VideoRecording.open(
        video, None, tmp_path / 'out.mp4', frozenset({'.json', '.csv'})
    )
    return Job(recording, Settings(PipelineConfig()))


@pytest.fixture
def make(person):
    return lambda config: Follower(person)


@pytest.fixture
def undisturbed(job, make):
    run_one(job, make)
    return contents(job)


def contents(job):
    """Return the results."""
    folder = job.recording.out.parent
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    for path in list(folder.iterdir()):
        path.unlink()
    return found


def test_every_frame_is_drawn_and_told_at_its_own_time(job, make, video):
    run_one(job, make)
    files = job.recording.out.parent
    times = [time_s for time_s, _ in VideoReader(files / 'out.mp4')]
    assert times == pytest.approx([i / 2 for i in range(FRAMES)], abs=1e-3)
    told = json.loads((files / 'out.json').read_text())['frames']
    assert [frame['time_ns'] for frame in told] == [i * 500_000_000 for i in range(FRAMES)]
    assert {p.name for p in files.iterdir()} == {'out.mp4', 'out.json', 'out.csv'}


def test_people_keep_their_ids_until_they_are_lost(undisturbed):
    frames = json.loads(undisturbed['out.json'])['frames']
    ids = [[p['track_id'] for p in frame['people']] for frame in frames]
    assert ids == [['b0001']] * 70 + [[]] * 2 + [['b0002']] * (FRAMES - 72)
    assert [i for i, frame in enumerate(frames) if frame['lost']] == [70]
    assert frames[-1]['people'][0]['age_s'] == pytest.approx((FRAMES - 1 - 72) / 2)


@pytest.mark.parametrize(('step', 'done'), [(1, 0), (61, 1), (100, 1)])
def test_an_interrupted_run_goes_on_and_gives_the_same_files(
    job, make, person, undisturbed, step, done
):
    with pytest.raises(KeyboardInterrupt):
        run_one(job, lambda config: Follower(person, interrupt_at=step))
    assert not job.recording.out.exists()
    assert len(job.start()) == 4 - done
    run_one(job, make)
    assert contents(job) == undisturbed


def test_the_order_of_the_segments_and_who_does_them_change_nothing(job, make, undisturbed):
    for segment in reversed(job.start()):
        Worker(make, job.settings).do(Task(job, segment), lambda: None)
    run_one(job, pytest.fail)
    assert contents(job) == undisturbed


def test_a_run_that_was_killed_while_it_tidied_up_does_not_stand_in_the_way(job, make):
    left = job.folder.with_suffix('.done')
    left.mkdir()
    (left / '000000.jsonl.gz').touch()
    run_one(job, make)
    assert not left.exists()
    assert job.recording.out.is_file()


def test_parts_of_another_job_are_not_mixed_in(video, job, make):
    (segment, *_) = job.start()
    Worker(make, job.settings).do(Task(job, segment), lambda: None)
    assert len(job.start()) == 3
    other = Job(job.recording, Settings(PipelineConfig(joint_threshold=0.5)))
    assert len(other.start()) == 4


@pytest.mark.parametrize(
    ('words', 'complaint'),
    [
        (['nowhere.mp4', '-o', 'out.mp4'], 'nowhere.mp4'),
        (['{video}', '-o', 'out.avi'], 'NAME.mp4'),
        (['{video}', '-o', '{video}'], 'name another output'),
        (['{video}', '-o', '{folder}/a.mp4'], 'is a folder'),
        (['{folder}/pin.png', '-o', '{folder}/pin.mp4', '--plot3d'], 'pin.png is the input'),
        (['{video}', '-o', 'c.mp4', '--json', '--camera', 'c.json'], 'c.json is the input'),
        (['{video}', '-o', '{folder}/b.mp4', '--csv'], 'b.csv is a folder'),
        (['nowhere.mp4', '-o', 'new/out.mp4'], 'nowhere.mp4'),
        (['{video}', '-o', 'out.mp4', '--seed', '-1'], 'seed'),
        (['{video}', '-o', 'out.mp4', '--camera', 'nowhere.yaml'], 'nowhere.yaml'),
        (['{video}', '-o', 'out.mp4', '--device', 'tpu'], 'set it to auto, cpu, cuda or cuda:N'),
        (['{video}', '-o', 'out.mp4', '--set', 'inference.ensemble=4'], 'inference.ensembles'),
        (['{video}', '-o', 'out.mp4', '--set', 'inference.steps=many'], 'give a whole number'),
        (['{video}', '-o', 'out.mp4', '--set', 'inference.steps=0'], 'inference.steps = 0'),
        (['{video}', '-o', 'out.mp4', '--set', 'detector.source=topic'], 'is for the node'),
        (['{video}', '-o', 'out.mp4', '--set', 'inference.budget_ms=50'], 'is for the node'),
    ],
)
def test_a_mistake_of_the_user_is_told_in_one_line_with_code_2(
    words, complaint, video, tmp_path, tmp_path_factory, monkeypatch, capsys
):
    folder = tmp_path_factory.mktemp('elsewhere')
    for name in ('a.mp4', 'b.csv'):
        (folder / name).mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(['video', *(word.format(video=video, folder=folder) for word in words)]) == 2
    told = capsys.readouterr().err
    assert complaint in told
    assert told.count('\n') == 1
    assert list(tmp_path.iterdir()) == []


def test_parameters_of_the_node_hold_for_a_recording(video, tmp_path, person):
    parser = argparse.ArgumentParser()
    video_job.add_arguments(parser)
    words = ['--set', 'inference.ensembles=4', '--set', 'joint_threshold=0.5', '--seed', '3']
    given = []

    def make(config):
        given.append(config)
        return Follower(person)

    video_job.run(parser.parse_args([str(video), '-o', str(tmp_path / 'out.mp4'), *words]), make)
    (config,) = given
    assert (config.inference.ensembles, config.joint_threshold, config.inference.seed) == (
        4,
        0.5,
        3,
    )


def test_the_last_image_lasts_as_long_as_the_others(job, make):
    run_one(job, make)
    with av.open(str(job.recording.out)) as container:
        lengths = {packet.duration for packet in container.demux(video=0) if packet.duration}
    assert lengths == {45_000}  # ticks of 1/90,000 s: the video has two images per second


def test_an_interrupt_ends_the_command_with_code_130(video, tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr('diffpose_ros.offline.video_job.run_one', interrupted)
    assert main(['video', str(video), '-o', str(tmp_path / 'out.mp4')]) == 130


def test_the_real_networks_find_the_person_of_the_packaged_clip(tmp_path):
    clip = tmp_path / 'clip.mp4'
    reader = VideoReader(find_shared('demo/walk.mp4'))
    with VideoWriter(clip, reader.width, reader.height) as writer:
        for (time_s, image), _ in zip(reader, range(6), strict=False):
            writer.write(time_s, image)
    out = tmp_path / 'out.mp4'
    camera = str(find_shared('demo/walk.yaml'))
    assert (
        main(['video', str(clip), '-o', str(out), '--json', '--plot3d', '--camera', camera]) == 0
    )
    frames = json.loads(out.with_suffix('.json').read_text())['frames']
    assert len(frames) == len(list(VideoReader(out))) == 6
    (person,) = frames[-1]['people']
    assert person['pose3d']['xyz'][0][2] > 1
    assert out.with_suffix('.png').is_file()


def test_the_result_depends_on_the_files_of_another_detector(tmp_path):
    def state(model):
        detector = DetectorConfig(source='transformers', model=str(model))
        return Settings(PipelineConfig(detector=detector)).describe()

    weights = tmp_path / 'model.safetensors'
    weights.write_bytes(b'one')
    before = state(tmp_path)
    weights.write_bytes(b'other')
    assert state(tmp_path) != before
    assert state('PekingU/rtdetr_r18vd') != state('PekingU/rtdetr_r50vd')  # ids on the hub
