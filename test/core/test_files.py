"""Files that appear whole or not at all."""

from contextlib import suppress

from diffpose_ros.core.files import read_arrays, whole, write_atomically
import numpy as np
import pytest


def test_a_written_file_replaces_the_one_of_before_and_leaves_nothing_else(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('before')
    write_atomically(path, b'after')
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [('a.json', 'after')]


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


def test_the_folder_of_a_result_is_made(tmp_path):
    write_atomically(tmp_path / 'new' / 'folder' / 'a.json', b'x')
    assert (tmp_path / 'new' / 'folder' / 'a.json').read_bytes() == b'x'


def test_arrays_are_read_by_name(tmp_path):
    np.savez(tmp_path / 'a.npz', x=np.arange(3), y=np.ones(2))
    assert read_arrays(tmp_path / 'a.npz', 'x')['x'].tolist() == [0, 1, 2]


@pytest.mark.parametrize('content', [b'', b'text', b'PK\x03\x04 half an archive'])
def test_a_file_that_holds_no_arrays_is_told(tmp_path, content):
    (tmp_path / 'a.npz').write_bytes(content)
    with pytest.raises(ValueError, match=r'a\.npz is no npz file'):
        read_arrays(tmp_path / 'a.npz')


def test_a_single_array_and_a_lacking_one_are_told(tmp_path):
    np.save(tmp_path / 'a.npy', np.zeros(3))
    with pytest.raises(ValueError, match=r'a\.npy is no npz file'):
        read_arrays(tmp_path / 'a.npy')
    np.savez(tmp_path / 'a.npz', x=np.arange(3))
    with pytest.raises(ValueError, match=r"lacks \['y'\]; give a file that holds \['x', 'y'\]"):
        read_arrays(tmp_path / 'a.npz', 'x', 'y')
