"""The command `diffpose`: what it says when it is not used as it should be."""

import argparse
import logging

from diffpose_ros import __version__, cli
import pytest


def interrupted(name):
    raise KeyboardInterrupt


class Talkative:
    """A command that logs, and so does a library that it uses."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument('video')

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        logging.getLogger('library').info('connected')
        logging.getLogger('diffpose_ros.somewhere').info('wrote %s', args.video)
        return 0


@pytest.mark.parametrize('words', [['-h'], ['--help'], ['evaluate', '-h']])
def test_who_asks_for_the_commands_gets_them(words, capsys):
    assert cli.main(words) == 0
    assert 'diffpose evaluate clip' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('words', 'unknown'),
    [
        ([], []),
        (['vidoe', 'walk.mp4'], ["diffpose: no command 'vidoe'"]),
        (['evaluate', 'clp', '--out'], ["diffpose: no command 'evaluate clp'"]),
        (['evaluate'], ["diffpose: no command 'evaluate'"]),
    ],
)
def test_who_gives_no_command_is_told_which_there_are(words, unknown, capsys):
    assert cli.main(words) == 2
    told = capsys.readouterr().err
    assert told.partition('usage')[0].splitlines() == unknown
    assert 'diffpose evaluate clip' in told


def test_the_version_and_the_defaults_are_told(capsys):
    assert cli.main(['--version']) == 0
    assert capsys.readouterr().out.split() == ['diffpose', __version__]
    with pytest.raises(SystemExit):
        cli.main(['evaluate', 'images2d', '-h'])
    assert 'noise sets (default: 2)' in capsys.readouterr().out


def test_an_interrupt_while_the_command_is_loaded_ends_it_with_code_130(monkeypatch, capsys):
    monkeypatch.setattr(cli, 'import_module', interrupted)
    assert cli.main(['video', 'in.mp4', '-o', 'out.mp4']) == 130
    assert capsys.readouterr().err == 'diffpose video: interrupted\n'


def test_a_part_that_is_not_installed_is_told_in_one_line_with_code_2(monkeypatch, capsys):
    monkeypatch.setitem(cli.COMMANDS, ('bag',), ('no_such_module', ''))
    assert cli.main(['bag']) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("diffpose bag: No module named 'no_such_module'; install it")


@pytest.mark.parametrize(
    'command', [('evaluate', 'mocap'), ('train', 'lift3d'), ('train', 'video2d')], ids=' '.join
)
def test_a_device_that_is_not_there_is_told_with_code_2(command, tmp_path, capsys):
    words = ['--data', 'x.npz', '--out', str(tmp_path / 'out.json'), '--device', 'nosuch']
    assert cli.main([*command, *words]) == 2
    assert "device = 'nosuch'; set it to auto, cpu, cuda or cuda:N" in capsys.readouterr().err


def test_what_a_command_logs_is_heard_and_what_its_libraries_log_is_not(monkeypatch, capsys):
    monkeypatch.setattr(logging.root, 'handlers', [])
    monkeypatch.setattr(cli, 'import_module', lambda name: Talkative)
    assert cli.main(['video', 'walk.mp4']) == 0
    assert capsys.readouterr().err == 'wrote walk.mp4\n'
