"""Every setting of the pipeline once: name, default, range and meaning; ROS parameters follow."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

Config = TypeVar('Config')

NODE = '/diffpose'  # who has these settings in a ROS graph, unless renamed
MIN_HEIGHT_M = 0.5  # nobody is shorter
PRECISIONS = ('auto', 'float32', 'bfloat16')
KINDS = {int: 'a whole number', float: 'a number', bool: 'true or false', str: 'text'}


def setting(
    default: Any,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
    dynamic: bool = False,
) -> Any:
    """Declare one field: its default, its meaning, its range, and whether it may change live."""
    meta = {
        'description': description,
        'low': low,
        'high': high,
        'choices': choices,
        'dynamic': dynamic,
    }
    return field(default=default, metadata=meta)


class Checked:
    """Dataclasses whose fields are checked against their declared range."""

    def __post_init__(self) -> None:
        for spec in fields(self):  # type: ignore[arg-type]
            if not is_dataclass(getattr(self, spec.name)):
                check_setting(spec.name, getattr(self, spec.name), dict(spec.metadata))


def check_setting(name: str, value: Any, meta: dict[str, Any]) -> None:
    """Raise ValueError when a value is outside its declared range or choices."""
    low, high, choices = meta.get('low'), meta.get('high'), meta.get('choices')
    if choices is not None and value not in choices:
        raise ValueError(f'{name} = {value!r}; set it to one of {list(choices)}')
    if low is not None and not low <= value <= (float('inf') if high is None else high):
        raise ValueError(f'{name} = {value}; set it between {low} and {high}')


@dataclass(frozen=True)
class DetectorConfig(Checked):
    """How people are found."""

    source: str = setting(
        'embedded',
        'embedded = our detector; transformers = an RT-DETR or D-FINE of Hugging Face; '
        'topic = vision_msgs/Detection2DArray on detections; '
        'full_frame = one person fills the image',
        choices=('embedded', 'transformers', 'topic', 'full_frame'),
    )
    model: str = setting(
        '',
        'embedded: checkpoint of the person detector, empty = the packaged one; '
        'transformers: id on the hub, downloaded once, or local folder',
    )
    longer_side: int = setting(
        288,
        'embedded: pixels of the largest view of the picture; 576 finds people twice as far away '
        'and takes four times as long',
        low=144,
        high=1152,
    )
    score_threshold: float = setting(
        0.4, 'lowest score of a detection that may start a track', low=0, high=1, dynamic=True
    )
    period: int = setting(
        10,
        'frames between two detections while everybody is tracked; 0.7 s at the most',
        low=1,
        high=30,
        dynamic=True,
    )


@dataclass(frozen=True)
class TrackConfig(Checked):
    """How long people are remembered."""

    min_hits: int = setting(
        2, 'frames with a pose until a track is confirmed', low=1, high=30, dynamic=True
    )
    timeout_s: float = setting(
        1.0, 'seconds without a pose until a track ends', low=0, high=10, dynamic=True
    )


@dataclass(frozen=True)
class InferenceConfig(Checked):
    """How much is computed per frame; more is better and slower."""

    steps: int = setting(1, 'denoising steps of the 2D model', low=1, high=100, dynamic=True)
    ensembles: int = setting(
        2,
        'sets of noise whose 2D estimates are combined; each of the first four looks at a view of '
        'the crop of its own (mirrored, enlarged), which is what helps; the second pays most',
        low=1,
        high=32,
        dynamic=True,
    )
    window: int = setting(
        3,
        'images that the 2D model looks at, the newest and earlier ones, 0.09 s apart where they '
        'come faster, and in recordings as many later ones as earlier; no more than its '
        'checkpoint has room for. 1 = the newest alone',
        low=1,
        high=9,
        dynamic=True,
    )
    lift_steps: int = setting(2, 'denoising steps of the 3D model', low=1, high=50, dynamic=True)
    hypotheses: int = setting(5, '3D poses drawn per person', low=1, high=100, dynamic=True)
    seed: int = setting(0, 'seed of all noise', low=0, high=2**31 - 1)
    budget_ms: float = setting(
        0.0,
        'ms from reception to result that 95 % of the images may take: window, steps, '
        'ensembles, hypotheses and at last people are cut to hold it; 0 = no limit',
        low=0,
        high=5000,
        dynamic=True,
    )


@dataclass(frozen=True)
class PipelineConfig(Checked):
    """All settings of the main path; each field is one ROS parameter of the same name."""

    device: str = setting('auto', 'auto, cpu, cuda or cuda:N; auto takes a GPU if one works')
    precision: str = setting(
        'auto',
        'numbers of the detector and of the 2D model; auto = bfloat16 where the device is made '
        'for it (NVIDIA Ampere and newer, Intel AMX, AVX512_BF16)',
        choices=PRECISIONS,
    )
    pose2d_model: str = setting('', 'checkpoint of the video estimator; empty = the packaged one')
    lifter_model: str = setting('', 'checkpoint of the lifter; empty = the packaged one')
    max_people: int = setting(10, 'people tracked at once', low=1, high=50, dynamic=True)
    joint_threshold: float = setting(
        0.3, 'score from which a 2D joint counts as measured', low=0.01, high=1, dynamic=True
    )
    person_height_m: float = setting(
        0.0,
        'height of the people, metres, from 0.5 on: fixes size and distance; 0 = an adult',
        low=0,
        high=2.5,
        dynamic=True,
    )
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    track: TrackConfig = field(default_factory=TrackConfig)
    inference: InferenceConfig = field(default_factory=InferenceConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0 < self.person_height_m < MIN_HEIGHT_M:
            raise ValueError(
                f'person_height_m = {self.person_height_m}; set it from {MIN_HEIGHT_M} to 2.5, or '
                'to 0 where it is not known'
            )


def leaves(config: Any, prefix: str = '') -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield dotted name, value and metadata of every setting, nested ones too."""
    for spec in fields(config):
        value = getattr(config, spec.name)
        if is_dataclass(value):
            yield from leaves(value, f'{prefix}{spec.name}.')
        else:
            yield prefix + spec.name, value, dict(spec.metadata)


def build(kind: Callable[[], Config], values: Mapping[str, Any], prefix: str = '') -> Config:
    """Return the configuration that the dotted values describe; ValueError if they are wrong."""
    default = kind()
    arguments = {}
    for spec in fields(default):  # type: ignore[arg-type]
        name, before = prefix + spec.name, getattr(default, spec.name)
        if is_dataclass(before):
            arguments[spec.name] = build(type(before), values, f'{name}.')
        else:
            arguments[spec.name] = _typed(name, values[name], type(before))
            # again when the dataclass is made, but here with the name that users know
            check_setting(name, arguments[spec.name], dict(spec.metadata))
    return type(default)(**arguments)


def _typed(name: str, value: Any, kind: type) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f'{name} = {value!r}; give {KINDS[kind]}')
    return value
