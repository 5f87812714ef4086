"""The table of parameters in docs/ says what the code does."""

from pathlib import Path

from diffpose_ros.ros.reference import table

PAGE = Path(__file__).parents[2] / 'docs' / 'parameters.md'


def test_the_page_is_what_the_code_says():
    assert PAGE.read_text() == table(), 'python -m diffpose_ros.ros.reference > docs/parameters.md'


def test_ranges_and_live_parameters_are_told():
    rows = {line.split('|')[1].strip(' `'): line for line in table().splitlines() if '| `' in line}
    assert '| 1 to 32 | yes |' in rows['inference.ensembles']
    assert '`raw`, `compressed` |  |' in rows['image_transport']
    assert '0 to 2,147,483,647' in rows['inference.seed']
