"""`diffpose report`: from a recording to the page."""

import argparse

from diffpose_ros.cli import main
from diffpose_ros.offline.bag import BagWriter, open_bag
from diffpose_ros.offline.rerun_log import TIMELINE
from diffpose_ros.ros import bag_job
import pytest
from recordings import image, make, RAW, record


def processed(folder, *options, kind=image):
    """Return what `diffpose bag` made of three images."""
    return answered(record(folder / 'in.mcap', kind, count=3), *options)


def answered(bag, *options):
    """Return what `diffpose bag` made of a bag."""
    out = bag.with_name('people.mcap')
    parser = argparse.ArgumentParser()
    bag_job.add_arguments(parser)
    bag_job.run(parser.parse_args([str(bag), '-o', str(out), *options]), make)
    return out


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    return processed(tmp_path_factory.mktemp('people'))


def test_the_page_shows_the_images_of_the_recording(people, tmp_path):
    assert main(['report', str(people), '-o', str(tmp_path / 'people.html')]) == 0
    page = (tmp_path / 'people.html').read_text()
    assert 'people: 3 of 3 images' in page
    assert '"video":"data:video/mp4;base64,' in page
    assert [path.name for path in tmp_path.iterdir()] == ['people.html']


@pytest.mark.parametrize('options', [[], ['--timing']])
def test_the_page_tells_the_times_that_the_bag_was_processed_with(options, tmp_path):
    page = tmp_path / 'people.html'
    assert main(['report', str(processed(tmp_path, *options)), '-o', str(page)]) == 0
    assert page.read_text().count('"ms":null') == (0 if options else 3)


def test_where_the_clock_of_the_camera_goes_back_the_film_goes_on_later(tmp_path):
    def restarted(i, pixels):
        msg = image(i % 2, pixels)
        msg.header.stamp.nanosec += i // 2
        return msg

    page = tmp_path / 'people.html'
    assert main(['report', str(processed(tmp_path, kind=restarted)), '-o', str(page)]) == 0
    assert 'people: 3 of 3 images' in page.read_text()


def test_an_image_that_is_cut_off_is_left_out(tmp_path):
    whole, page = tmp_path / 'whole.mcap', tmp_path / 'people.html'
    record(whole, count=3)
    with open_bag(whole) as reader, BagWriter(tmp_path / 'in.mcap') as bag:
        for connection in reader.connections:
            bag.copy_topic(connection)
        for n, (connection, time_ns, cdr) in enumerate(reader.messages()):
            bag.write(connection.topic, time_ns, cdr[:100] if n == 3 else cdr)
    assert main(['report', str(answered(tmp_path / 'in.mcap')), '-o', str(page)]) == 0
    assert 'people: 2 of 2 images' in page.read_text()


def test_images_without_stamps_are_shown_as_they_were_received(tmp_path):
    def unstamped(i, pixels):
        msg = image(i, pixels)
        msg.header.stamp.sec = msg.header.stamp.nanosec = 0
        return msg

    page, bag = tmp_path / 'people.html', processed(tmp_path, '--timing', kind=unstamped)
    assert main(['report', str(bag), '-o', str(page)]) == 0
    assert 'people: 3 of 3 images' in page.read_text()
    assert '"video":"data:video/mp4;base64,' in page.read_text()
    assert '"ms":null' not in page.read_text()


def test_without_skeletons_nothing_is_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr('diffpose_ros.ros.report_job.rerun_sdk', lambda: None)
    bag = record(tmp_path / 'in.mcap', count=1)
    words = ['report', str(bag), '-o', str(tmp_path / 'a.html'), '--rerun']
    assert main(words) == 2
    assert 'holds no skeletons' in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ['in.mcap']


def test_rerun_gets_every_image_and_its_people(people, tmp_path):
    chunk = pytest.importorskip('rerun.chunk', reason='Rerun is an extra: pip install rerun-sdk')
    assert main(['report', str(people), '-o', str(tmp_path / 'people.html'), '--rerun']) == 0
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ['.html', '.rrd']
    times = {}
    for part in chunk.RrdReader(tmp_path / 'people.rrd').stream().to_chunks():
        table = part.to_record_batch()
        if TIMELINE in table.schema.names:
            stamps = (time.total_seconds() for time in table.column(TIMELINE).to_pylist())
            times.setdefault(part.entity_path, set()).update(stamps)
    assert times['/image'] == {0.0, 0.5, 1.0}
    assert any(entity.startswith('/space/') for entity in times)


def test_rerun_without_images_is_a_mistake_of_the_user(people, tmp_path, capsys):
    pytest.importorskip('rerun', reason='Rerun is an extra: pip install rerun-sdk')
    with open_bag(people) as whole, BagWriter(tmp_path / 'blind.mcap') as blind:
        kept = [c for c in whole.connections if c.topic != RAW]
        for connection in kept:
            blind.copy_topic(connection)
        for connection, time_ns, cdr in whole.messages(kept):
            blind.write(connection.topic, time_ns, cdr)
    words = [str(tmp_path / 'blind.mcap'), '-o', str(tmp_path / 'a.html')]
    assert main(['report', *words]) == 0
    (tmp_path / 'a.html').unlink()
    assert main(['report', *words, '--rerun']) == 2
    assert 'holds no images' in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ['blind.mcap']


@pytest.mark.parametrize(
    ('words', 'complaint'),
    [
        (['{people}', '-o', 'page.pdf'], 'NAME.html'),
        (['{people}', '-o', 'page.html', '--topic', '/other'], RAW),
        (['nowhere.mcap', '-o', 'page.html'], 'nowhere.mcap'),
    ],
)
def test_a_mistake_of_the_user_is_told_with_code_2(
    words, complaint, people, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(['report', *(word.format(people=people) for word in words)]) == 2
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
