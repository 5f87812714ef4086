"""`diffpose report`: from a recording to the page."""

import argparse

from diffpose_ros.cli import main
from diffpose_ros.ros import bag_job
import pytest
from recordings import make, RAW, record


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    """Return what `diffpose bag` made of three images."""
    folder = tmp_path_factory.mktemp('people')
    out = folder / 'people.mcap'
    parser = argparse.ArgumentParser()
    bag_job.add_arguments(parser)
    bag = record(folder / 'in.mcap', count=3)
    bag_job.run(parser.parse_args([str(bag), '-o', str(out)]), make)
    return out


def test_the_page_shows_the_images_of_the_recording(people, tmp_path):
    assert main(['report', str(people), '-o', str(tmp_path / 'people.html')]) == 0
    page = (tmp_path / 'people.html').read_text()
    assert 'people: 3 of 3 images' in page
    assert '"video":"data:video/mp4;base64,' in page
    assert [path.name for path in tmp_path.iterdir()] == ['people.html']


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
