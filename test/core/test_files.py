"""Files that appear whole or not at all."""

from contextlib import suppress

from diffpose_ros.core.files import whole, write_atomically
import pytest


def test_a_written_file_replaces_the_one_of_before_and_leaves_nothing_else(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('before')
    write_atomically(path, b'after')
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [('a.json', 'after')]


def test_the_folder_of_a_file_is_made(tmp_path):
    write_atomically(tmp_path / 'new' / 'a.json', b'after')
    assert (tmp_path / 'new' / 'a.json').read_text() == 'after'


@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt])
def test_a_failure_keeps_the_file_of_before(tmp_path, error):
    path = tmp_path / 'a.json'
    path.write_text('before')
    with suppress(error), whole(path) as partial:
        partial.write_text('half')
        raise error
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [('a.json', 'before')]


def test_the_partial_file_keeps_its_ending_so_that_encoders_know_the_format(tmp_path):
    with whole(tmp_path / 'a.mp4') as partial:
        assert partial.suffix == '.mp4'
        partial.write_bytes(b'')
