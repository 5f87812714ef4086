"""The video estimator: crops of people in, joints as distributions out."""

from collections.abc import Sequence
import copy
from dataclasses import dataclass
from typing import Any

from diffpose_ros.core.checkpoint import building, Checkpoint, restore
from diffpose_ros.core.replay import Replayed, slots_to_take
from diffpose_ros.core.skeleton import Skeleton
from diffpose_ros.diffusion.schedule import sample
from diffpose_ros.video2d.calibration import Calibration
from diffpose_ros.video2d.decoder import take_turns
from diffpose_ros.video2d.heatmap import decode, HEAT_STRIDE, project
from diffpose_ros.video2d.layers import fold_batch_norms, in_precision, to_channels_last
from diffpose_ros.video2d.network import NetworkConfig, PoseNetwork
from diffpose_ros.video2d.views import draws, VIEWS
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

MAX_ENSEMBLES = 32


@dataclass(frozen=True)
class Pose2DBatch:
    """
    Joints of B people in their crops.

    xy          (B, J, 2)     crop pixels, pixel centres at integers
    covariance  (B, J, 2, 2)  crop pixels squared
    score       (B, J)        probability of lying within the PCK radius
    """

    xy: NDArray[np.float64]
    covariance: NDArray[np.float64]
    score: NDArray[np.float64]


class VideoEstimator:
    """
    Runs the network: STRL once per window, the pose decoder once per step and set of noise.

    The sets of noise are drawn once from the seed and serve every person and frame, so results
    neither flicker nor depend on the order of the batch. They look in turn at views of the crop,
    which is why several are better than one: other noise alone changes hardly anything.
    What the decoder reads in the sets at the first step is the same for everybody, too.
    """

    def __init__(
        self,
        network: PoseNetwork,
        calibration: Calibration,
        device: torch.device,
        precision: torch.dtype = torch.float32,
        seed: int = 0,
    ) -> None:
        config = network.config
        network = copy.deepcopy(network).eval().requires_grad_(False)
        fold_batch_norms(network)
        self._network = in_precision(to_channels_last(network), precision).to(device)
        self._calibration = calibration
        self._device = device
        self.crop_size = config.crop_size
        self.past, self.future, self.slots = config.past, config.future, config.slots
        self.skeleton: Skeleton = config.joints
        columns, rows = (n // HEAT_STRIDE for n in config.crop_size)
        shape = (max(draws(MAX_ENSEMBLES)) + 1, len(self.skeleton.joints), rows, columns)
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(shape, generator=generator).to(device)
        self._first_step = len(network.schedule) - 1
        self._first = (noise, *self._masks(noise, self._first_step))  # (draws, …) each
        self._backbone, self._joints = Replayed(self._see), Replayed(self._read)

    @classmethod
    def from_checkpoint(
        cls,
        checkpoint: Checkpoint,
        device: torch.device,
        precision: torch.dtype = torch.float32,
        seed: int = 0,
    ) -> 'VideoEstimator':
        """Return the estimator that a checkpoint of kind pose2d describes."""
        with building(checkpoint):
            config = NetworkConfig.from_dict(checkpoint.config | {'pretrained': ''})
            network = PoseNetwork(config)
            restore(network, checkpoint)
            calibration = Calibration.from_dict(checkpoint.extras['calibration'], config.joints)
            return cls(network, calibration, device, precision, seed)

    @staticmethod
    def views(ensembles: int) -> int:
        """Return how many views V of a crop so many sets look at."""
        return min(ensembles, len(VIEWS))

    @torch.inference_mode()
    def features(self, crops: NDArray[np.uint8], views: int) -> Tensor:
        """Return backbone features (B, V, C, h/16, w/16) of crops (B, h, w, 3), uint8 RGB."""
        width, height = self.crop_size
        if crops.shape[1:] != (height, width, 3):
            raise ValueError(
                f'crops have shape {crops.shape}, expected (any, {height}, {width}, 3); '
                'cut them with Crop at crop_size'
            )
        given = torch.from_numpy(crops).to(self._device)
        if given.is_cuda:  # a recording for every number of crops would cost more
            given = to_power_of_two(given)
        (found,) = self._backbone(given, views=views)
        return found[: len(crops)]

    def _see(self, crops: Tensor, *, views: int) -> tuple[Tensor]:
        pictures = crops.permute(0, 3, 1, 2).float()
        shown = torch.cat([view.show(pictures) for view in VIEWS[:views]])
        return (self._network.features(shown).unflatten(0, (views, -1)).transpose(0, 1),)

    @torch.inference_mode()
    def estimate(
        self, features: Tensor, present: Tensor, steps: int, ensembles: int
    ) -> Pose2DBatch:
        """
        Return the joints in the key frames.

        features   (B, T, V, C, h/16, w/16)  of the window's frames, the key at index past
        present    (B, T)                    bool, False = hole
        steps      DDIM steps S
        ensembles  noise sets M whose heatmaps are averaged, at most MAX_ENSEMBLES
        """
        given, settings = self._asked(features, present, steps, ensembles)
        joints = self._joints(*given, **settings)
        xy, covariance, peak = (x.double().cpu().numpy() for x in joints)
        calibration = self._calibration
        return Pose2DBatch(
            xy,
            covariance * calibration.covariance[:, None, None],
            calibration.scores(peak, covariance),
        )

    @torch.inference_mode()
    def heatmaps(self, features: Tensor, present: Tensor, steps: int, ensembles: int) -> Tensor:
        """Return the mean heatmaps (B, J, rows, columns), 0 to 1; arguments as of estimate."""
        given, settings = self._asked(features, present, steps, ensembles)
        return self._heatmaps(*given, **settings)

    def _asked(
        self, features: Tensor, present: Tensor, steps: int, ensembles: int
    ) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
        """Return tensors and settings for _heatmaps; whatever looks into present is done here."""
        if not 1 <= ensembles <= MAX_ENSEMBLES:
            raise ValueError(f'ensembles = {ensembles}; set it between 1 and {MAX_ENSEMBLES}')
        used = slots_to_take(present, self._device)
        whole = bool(present[:, used].all())
        given = tuple(x.to(self._device) for x in (features, present, used))
        return given, {'whole': whole, 'steps': steps, 'ensembles': ensembles}

    def _read(self, *given: Tensor, **settings: Any) -> tuple[Tensor, Tensor, Tensor]:
        return decode(self._heatmaps(*given, **settings))

    def _heatmaps(
        self,
        features: Tensor,
        present: Tensor,
        used: Tensor,
        *,
        whole: bool,
        steps: int,
        ensembles: int,
    ) -> Tensor:
        network, views, B = self._network, features.shape[2], len(present)
        windows = features.permute(2, 0, 1, 3, 4, 5).flatten(0, 1)
        F = network.strl(windows, present.repeat(views, 1), used, whole)  # (V * B, dim, h, w)
        scales = take_turns(network.decoder.scales(F), views, ensembles)
        drawn = draws(ensembles)
        x_T, *first = (
            torch.stack([x[n] for n in drawn]).repeat_interleave(B, dim=0) for x in self._first
        )  # (M * B, …)

        def answer(x_t: Tensor, t: int) -> Tensor:
            masks = first if t == self._first_step else self._masks(x_t, t)
            return network.decoder.answer(masks, scales).float().clamp(0, 1)

        def denoise(x_t: Tensor, t: int) -> Tensor:
            return network.to_signal(project(answer(x_t, t)))

        *earlier, (t, _) = network.schedule.steps(steps)
        x_t = sample(denoise, x_T, network.schedule, earlier)
        heat = answer(x_t, t).unflatten(0, (ensembles, B))
        of_crop = [VIEWS[n % views].back(one, self.skeleton) for n, one in enumerate(heat)]
        return torch.stack(of_crop).mean(dim=0)

    @torch.inference_mode()
    def _masks(self, x_t: Tensor, t: int) -> Sequence[Tensor]:
        return self._network.decoder.masks(x_t, torch.full((len(x_t),), t, device=x_t.device))


def to_power_of_two(rows: Tensor) -> Tensor:
    """Return rows (n, ...) and as many empty ones as make n a power of two."""
    more = (1 << (len(rows) - 1).bit_length()) - len(rows)
    return torch.cat([rows, rows.new_zeros(more, *rows.shape[1:])])
