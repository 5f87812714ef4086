"""The command of the ablation without training."""

import pytest

from benchmarks import ablation2d


@pytest.mark.parametrize('words', [[], ['--video', 'walk.mp4']])
def test_who_names_no_data_is_told_what_to_give(words, monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['ablation2d', *words])
    with pytest.raises(SystemExit, match='2'):
        ablation2d.main()
    assert 'give --data, or --video and --labels' in capsys.readouterr().err
