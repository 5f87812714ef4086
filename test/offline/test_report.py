"""The report, opened in a real browser."""

import json
from pathlib import Path
import re
import shutil
import subprocess

from diffpose_ros.core.people import FrameResult, InferenceInfo
from diffpose_ros.offline.recording import RecordedFrame, Recording, TIMES
from diffpose_ros.offline.report import write_report
import numpy as np
import pytest

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
INFO = InferenceInfo(1, 1, 2, 5, 14, '</script>@1')
# what a mouse does to the view: the pixels before, after a drag, after a double click
GESTURES = """
<script>
const space = document.getElementById('space'), see = () => space.toDataURL();
const mouse = (kind, x) => new PointerEvent(kind, { clientX: x, clientY: 100, bubbles: true });
const before = see();
space.dispatchEvent(mouse('pointerdown', 100));
dispatchEvent(mouse('pointermove', 180));
dispatchEvent(mouse('pointerup', 180));
const turned = see();
space.dispatchEvent(new MouseEvent('dblclick'));
document.body.dataset.turned = turned !== before;
document.body.dataset.home = see() === before;
</script>
"""


def recording(person, timing=True, count=20):
    stages = dict.fromkeys(TIMES, 5.0) | {'total': 40.0} if timing else {}
    return Recording(
        tuple(
            RecordedFrame(
                FrameResult(i * 100_000_000, (person(0),), INFO), i, i * 100_000_000, stages, 0
            )
            for i in range(count)
        )
    )


def images(found):
    for i, frame in enumerate(found.frames):
        yield i / 10, np.full((480, 640, 3), 90, np.uint8), frame.result.people


def page_data(path: Path) -> dict:
    (data,) = re.findall(r'<script id="data".*?>(.*?)</script>', path.read_text(), re.DOTALL)
    return json.loads(data)


@pytest.fixture(scope='module')
def browser():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f'none of {BROWSERS} is installed')
    return found


def opened(browser, path):
    """Return the attributes of the body after the scripts have run, without any network."""
    command = [
        browser,
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--host-resolver-rules=MAP * ~NOTFOUND',
        '--virtual-time-budget=5000',
        f'--user-data-dir={path.parent / "profile"}',
        '--dump-dom',
        path.as_uri(),
    ]
    dom = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
    return dom, dict(re.findall(r'data-(\w+)="(.*?)"', re.search(r'<body.*?>', dom)[0]))


def test_the_page_holds_what_was_found(person, tmp_path):
    found = recording(person)
    write_report(tmp_path / 'a.html', found, images(found))
    data = page_data(tmp_path / 'a.html')
    pose = person(0).pose3d
    (shown,) = data['frames'][7]['people']
    assert data['frames'][7]['t'] == 0.7
    assert data['frames'][7]['ms'] == 40.0
    np.testing.assert_allclose(shown['xyz'][0], pose.xyz[0], atol=1e-3)
    np.testing.assert_allclose(shown['sd'][0], np.sqrt(np.diag(pose.covariance[0])), atol=1e-3)
    body = pose.relative_covariance[0]
    np.testing.assert_allclose(shown['shape'][0], body[np.triu_indices(3)], atol=1e-5)
    assert data['video'].startswith('data:video/mp4;base64,')


@pytest.mark.parametrize('size', [(1, 1), (2, 6000), (48, 1)])
def test_images_of_hardly_any_pixels_are_shown(person, tmp_path, size):
    found = recording(person, count=2)
    film = ((i / 10, np.full((*size, 3), 90, np.uint8), ()) for i in range(2))
    write_report(tmp_path / 'a.html', found, film)
    assert page_data(tmp_path / 'a.html')['video'].startswith('data:video/mp4;base64,')


def test_the_page_loads_nothing_from_elsewhere(person, tmp_path):
    write_report(tmp_path / 'a.html', recording(person), None)
    assert not re.search(
        r'(src|href)\s*=\s*["\']|https?://|@import|fetch\(', (tmp_path / 'a.html').read_text()
    )


def test_a_recording_without_skeletons_is_refused(tmp_path):
    with pytest.raises(ValueError, match='holds no skeletons'):
        write_report(tmp_path / 'a.html', Recording(()), None)


@pytest.mark.parametrize('whole', [True, False])
def test_a_browser_shows_it_and_the_mouse_turns_it(person, tmp_path, browser, whole):
    found = recording(person, timing=whole)
    path = tmp_path / 'a.html'
    write_report(path, found, images(found) if whole else None)
    path.write_text(path.read_text().replace('</body>', GESTURES + '</body>'))
    dom, body = opened(browser, path)
    assert 'error' not in body
    assert body == {'ready': '20 images, 1 people', 'turned': 'true', 'home': 'true'}
    assert ('<video' in dom) is whole
    (latency,) = re.findall(r'id="late">(.*?)<', dom)
    assert ('Median 40 ms' if whole else 'holds no timing') in latency
