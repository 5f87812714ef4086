"""The command `diffpose`: what it says when it is not used as it should be."""

from diffpose_ros import cli
import pytest


def interrupted(name):
    raise KeyboardInterrupt


@pytest.mark.parametrize('words', [['-h'], ['--help'], ['evaluate', '-h']])
def test_who_asks_for_the_commands_gets_them(words, capsys):
    assert cli.main(words) == 0
    assert 'diffpose evaluate clip' in capsys.readouterr().out


@pytest.mark.parametrize('words', [[], ['vidoe'], ['evaluate']])
def test_who_gives_no_command_is_told_which_there_are(words, capsys):
    assert cli.main(words) == 2
    assert 'diffpose evaluate clip' in capsys.readouterr().err


def test_an_interrupt_while_the_command_is_loaded_ends_it_with_code_130(monkeypatch, capsys):
    monkeypatch.setattr(cli, 'import_module', interrupted)
    assert cli.main(['video', 'in.mp4', '-o', 'out.mp4']) == 130
    assert capsys.readouterr().err == 'diffpose video: interrupted\n'


def test_a_part_that_is_not_installed_is_told_in_one_line_with_code_2(monkeypatch, capsys):
    monkeypatch.setitem(cli.COMMANDS, ('bag',), ('no_such_module', ''))
    assert cli.main(['bag']) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("diffpose bag: No module named 'no_such_module'; install it")
