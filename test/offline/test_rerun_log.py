"""Recordings for Rerun, read back by Rerun itself."""

import builtins
from dataclasses import replace

from diffpose_ros.cli import main
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.offline.rerun_log import TIMELINE, write_rerun
from diffpose_ros.offline.video import VideoWriter
import numpy as np
import pytest

IMAGE = np.full((48, 64, 3), 90, np.uint8)
COMPLETE = {
    '/image',
    *(f'/image/p1/{part}' for part in ('bones', 'joints')),
    *(f'/space/p1/{part}' for part in ('bones', 'sigma')),
}


def logged(path):
    """Return the tables that were written, by entity."""
    chunk = pytest.importorskip('rerun.chunk', reason='Rerun is an extra: pip install rerun-sdk')
    tables = {}
    for part in chunk.RrdReader(path).stream().to_chunks():
        tables.setdefault(part.entity_path, []).append(part.to_record_batch())
    return tables


def column(tables, name):
    """Return the values of the column of that name."""
    return [
        value
        for table in tables
        if name in table.schema.names
        for value in table.column(name).drop_null().to_pylist()
    ]


@pytest.fixture
def written(tmp_path, person):
    pytest.importorskip('rerun', reason='Rerun is an extra: pip install rerun-sdk')
    somebody = person(0)
    moments = [(0.0, IMAGE, (somebody,)), (0.1, IMAGE, (replace(somebody, pose3d=None),))]
    write_rerun(tmp_path / 'out.rrd', moments, H36M_17)
    assert [path.name for path in tmp_path.iterdir()] == ['out.rrd']
    return logged(tmp_path / 'out.rrd')


def test_it_holds_the_image_both_skeletons_and_the_ellipsoids(written):
    assert COMPLETE <= set(written)
    assert sum(len(table.column(TIMELINE)) for table in written['/image']) == 2


def test_ellipsoids_stand_at_the_known_joints_in_metres(written, person):
    (centers,) = column(written['/space/p1/sigma'], 'Ellipsoids3D:centers')
    known = np.isfinite(person(0).pose3d.xyz).all(axis=1)
    np.testing.assert_allclose(centers, person(0).pose3d.xyz[known], atol=1e-6)


def test_who_is_not_known_any_more_is_cleared(written):
    assert len(column(written['/space/p1/bones'], 'Clear:is_recursive')) == 1
    assert not column(written['/image/p1/bones'], 'Clear:is_recursive')


def test_without_rerun_the_command_says_what_to_install(tmp_path, monkeypatch, capsys):
    real = builtins.__import__

    def without(name, *arguments):
        if name == 'rerun':
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, '__import__', without)
    with VideoWriter(tmp_path / 'in.mp4', 64, 48) as writer:
        writer.write(0.0, IMAGE)
    words = [str(tmp_path / 'in.mp4'), '-o', str(tmp_path / 'out.mp4'), '--rerun']
    assert main(['video', *words]) == 2
    assert 'pip install rerun-sdk' in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ['in.mp4']
