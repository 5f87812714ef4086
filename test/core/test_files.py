"""Files that appear whole or not at all."""

from contextlib import suppress

from diffpose_ros.core.files import atomic_path, read_arrays, write_atomically
import numpy as np
import pytest

FEW = {'b': 'integers', 'd': 'integers'}


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
    with suppress(error), atomic_path(path) as partial:
        partial.write_text('half')
        raise error
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [('a.json', 'before')]


def test_the_partial_file_keeps_its_ending_so_that_encoders_know_the_format(tmp_path):
    with atomic_path(tmp_path / 'a.mp4') as partial:
        assert partial.suffix == '.mp4'
        partial.write_bytes(b'')


def test_arrays_come_by_name_and_others_stay_where_they_are(tmp_path):
    np.savez(tmp_path / 'a.npz', a=1, b=2, c=3)
    assert read_arrays(tmp_path / 'a.npz', {'a': 'integers'}, FEW) == {'a': 1, 'b': 2}


def test_a_file_without_an_array_that_is_needed_is_refused(tmp_path):
    np.savez(tmp_path / 'a.npz', a=1)
    with pytest.raises(ValueError, match=r"lacks \['b', 'c'\]"):
        read_arrays(tmp_path / 'a.npz', dict.fromkeys('cab', 'integers'))


@pytest.mark.parametrize(
    ('arrays', 'told'),
    [
        (
            {'a': np.zeros((4, 17, 3))},
            r'a of float64 and shape \(4, 17, 3\); give numbers of shape',
        ),
        ({'a': np.zeros((4, 1, 1, 17, 2))}, r'give numbers of shape \(F, \[P\], 17, 2\)'),
        ({'a': np.full((4, 17, 2), 'x')}, 'a of <U1 and shape'),
        (
            {'b': np.ones((5, 2), bool)},
            r'give booleans of shape \(F, \[P\]\), here F = 4, no \[P\]',
        ),
        ({'b': np.ones(4)}, 'b of float64 .* give booleans'),
        ({'c': [1.5]}, r'give numbers of shape \(\)'),
    ],
)
def test_an_array_of_another_kind_or_shape_is_refused(tmp_path, arrays, told):
    forms = {'a': 'numbers F [P] 17 2', 'b': 'booleans F [P]', 'c': 'numbers'}
    right = {'a': np.zeros((4, 17, 2)), 'b': np.ones(4, bool), 'c': 1.5}
    several = {**right, 'a': np.zeros((4, 2, 17, 2)), 'b': np.ones((4, 2), int)}
    for fitting in (right, several):
        np.savez(tmp_path / 'a.npz', **fitting)
        found = read_arrays(tmp_path / 'a.npz', forms)
        assert found.keys() == forms.keys()
        assert found['b'].dtype == bool
    np.savez(tmp_path / 'a.npz', **{**right, **arrays})
    with pytest.raises(ValueError, match=told):
        read_arrays(tmp_path / 'a.npz', forms)


def test_files_that_hold_no_arrays_are_refused_in_words(tmp_path):
    np.savez(tmp_path / 'whole.npz', a=np.zeros(100))
    data = (tmp_path / 'whole.npz').read_bytes()
    np.save(tmp_path / 'one.npy', np.zeros(3))
    contents = [b'', b'text', data[: len(data) // 2], (tmp_path / 'one.npy').read_bytes()]
    for content in contents:
        (tmp_path / 'a.npz').write_bytes(content)
        with pytest.raises(ValueError, match=r'is not a readable \.npz file'):
            read_arrays(tmp_path / 'a.npz', {'a': 'numbers'})
