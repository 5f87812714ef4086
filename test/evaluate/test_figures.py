"""Figures of an evaluation: in a file for programs, on the terminal for people."""

import json

from diffpose_ros.evaluate.figures import columns, write_figures


def test_every_number_is_told_and_all_is_in_the_file(tmp_path, capsys):
    figures = {'model': 'a@1', 'pck': 0.94321, 'per_joint': {'l_knee': 1.0}, 'doubled': None}
    write_figures(tmp_path / 'out.json', figures)
    assert json.loads((tmp_path / 'out.json').read_text()) == figures
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows == [['pck', '0.9432'], ['per_joint.l_knee', '1']]


def test_columns_stand_in_line():
    told = columns([{'steps': 2, 'mpjpe_mm': 66.71}, {'steps': 10, 'mpjpe_mm': 7}], ['mpjpe_mm'])
    assert told == 'mpjpe_mm\n   66.71\n       7\n'
