from dataclasses import replace

from diffpose_ros.core.checkpoint import Checkpoint
from diffpose_ros.train.loop import Budget, Ema, RunFolder
from diffpose_ros.train.pose_trainer import (
    draw_steps,
    FIRST_SHARE,
    HEAD_ALONE,
    Learner,
    pose_loss,
    ROBUST_FROM,
    spread_out,
    Trainer,
    WARM_UP,
)
from diffpose_ros.video2d.heatmap import encode
from diffpose_ros.video2d.network import PoseNetwork
import pytest
import torch

LATE = 0.9  # share of the run


def heat(x: float) -> torch.Tensor:
    return encode(torch.tensor([[[x, 60.0]]]), 48, 36)


@pytest.mark.parametrize(('predicted', 'cost'), [(heat(40), 0), (0 * heat(40), 1)])
def test_nothing_costs_one_and_the_truth_costs_nothing(predicted, cost):
    assert float(pose_loss(predicted, heat(40), torch.ones(1, 1), ROBUST_FROM)) == pytest.approx(
        cost
    )


def test_a_sure_answer_elsewhere_costs_two_and_later_loses_weight():
    both = torch.cat([heat(40), heat(40)], dim=1)
    answer = torch.cat([heat(40), heat(110)], dim=1)
    weight = torch.ones(1, 2)
    before = float(pose_loss(answer, both, weight, ROBUST_FROM))
    assert before == pytest.approx((0 + 2) / 2, rel=0.01)
    late = float(pose_loss(answer, both, weight, LATE))
    trust = (1.2 / 2) ** 2
    assert late == pytest.approx(2 * trust / (1 + trust), rel=0.01)


def test_unlabelled_joints_cost_nothing():
    assert float(pose_loss(heat(40), heat(110), torch.zeros(1, 1), LATE)) == 0


def test_early_on_a_missed_joint_costs_more_than_heat_in_the_background():
    missed = float(pose_loss(0 * heat(40), heat(40), torch.ones(1, 1), 0.0))
    assert missed > 2


def test_the_first_step_of_all_samplers_is_drawn_most_and_noisier_steps_more_than_others():
    t = draw_steps(20000, 1000, torch.device('cpu'))
    first = t == 999
    assert int(t.min()) >= 0
    assert float(first.float().mean()) == pytest.approx(FIRST_SHARE, abs=0.02)
    assert float((t[~first] >= 500).float().mean()) == pytest.approx(0.75, abs=0.02)


def test_frames_land_in_their_slots_and_holes_stay_empty(small_config):
    network = PoseNetwork(small_config).eval()
    frames = torch.randint(0, 256, (2, 5, 3, 64, 48), dtype=torch.uint8)
    present = torch.tensor([[1, 0, 1, 1, 0], [0, 0, 1, 0, 0]]) > 0
    window = spread_out(network, frames, present)
    assert (window[~present] == 0).all()
    alone = network.features(frames[0, 3][None].float())
    torch.testing.assert_close(window[0, 3], alone[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(('slots', 'start'), [(1, 0.0), (1, WARM_UP), (5, WARM_UP)])
def test_a_small_network_learns_one_batch_by_heart(slots, start, small_config):
    trainer = Trainer(Learner(PoseNetwork(small_config)), torch.device('cpu'), 1e-2, bf16=False)
    present = torch.zeros(4, slots, dtype=torch.bool)
    present[:, slots // 2] = True
    batch = {
        'frames': torch.randint(0, 256, (4, slots, 3, 64, 48), dtype=torch.uint8),
        'present': present,
        'xy': 40 * torch.rand(4, 15, 2),
        'weight': torch.ones(4, 15),
    }
    budget = Budget(steps=10_000, step=int(10_000 * start))
    losses = []
    for _ in range(40):
        losses.append(trainer.step(batch, budget))
        budget.advance()
    assert losses[-1] < 0.8 * losses[5]


def test_the_backbone_alone_is_taught_first(small_config):
    trainer = Trainer(Learner(PoseNetwork(small_config)), torch.device('cpu'), 1e-2, bf16=False)
    network = trainer.learner.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    batch = {
        'frames': torch.randint(0, 256, (4, 1, 3, 64, 48), dtype=torch.uint8),
        'present': torch.ones(4, 1, dtype=torch.bool),
        'xy': 40 * torch.rand(4, 15, 2),
        'weight': torch.ones(4, 15),
    }
    trainer.step(batch, Budget(steps=100))
    changed = {
        name.split('.')[0]
        for name, value in network.named_parameters()
        if not torch.equal(value, before[name])
    }
    assert changed == {'backbone'}


def test_a_run_that_goes_on_from_another_teaches_all_of_it_from_the_first_step(
    tmp_path, small_config
):
    former, present = Learner(PoseNetwork(small_config)), torch.ones(4, 1, dtype=torch.bool)
    RunFolder(tmp_path).save(
        former, Ema(former), torch.optim.AdamW(former.parameters()), Budget(steps=1)
    )
    learner = Learner(PoseNetwork(small_config))
    learner.continue_run(tmp_path)
    pictures = torch.randint(0, 256, (4, 3, 64, 48), dtype=torch.uint8)
    torch.testing.assert_close(
        learner.eval().plain(pictures.float()), former.eval().plain(pictures.float())
    )
    xy, weight = 40 * torch.rand(4, 15, 2), torch.ones(4, 15)
    batch = {'frames': pictures[:, None], 'present': present, 'xy': xy, 'weight': weight}
    learner.train().loss(batch, progress=0.0).backward()
    assert all(p.grad is not None for p in learner.network.decoder.head.parameters())


def test_a_run_of_another_network_cannot_be_continued(tmp_path, small_config):
    former = Learner(PoseNetwork(replace(small_config, dim=2 * small_config.dim)))
    RunFolder(tmp_path).save(
        former, Ema(former), torch.optim.AdamW(former.parameters()), Budget(steps=1)
    )
    with pytest.raises(ValueError, match='trained another network'):
        Learner(PoseNetwork(small_config)).continue_run(tmp_path)


def test_the_new_head_of_a_checkpoint_disturbs_nothing_at_first(small_config):
    trained = PoseNetwork(small_config)
    checkpoint = Checkpoint('small', 'pose2d', {}, trained.state_dict(), '', {})
    batch = {
        'frames': torch.randint(0, 256, (4, 1, 3, 64, 48), dtype=torch.uint8),
        'present': torch.ones(4, 1, dtype=torch.bool),
        'xy': 40 * torch.rand(4, 15, 2),
        'weight': torch.ones(4, 15),
    }

    def lessons(head: int, progress: float) -> torch.Tensor:
        """Return what the backbone learns beside a head drawn by this seed."""
        torch.manual_seed(head)
        learner = Learner(PoseNetwork(small_config))
        learner.continue_checkpoint(checkpoint)
        torch.manual_seed(0)
        learner.loss(batch, progress).backward()
        assert any(weights.grad.any() for weights in learner.plain_head.parameters())
        return torch.cat([w.grad.flatten() for w in learner.network.backbone.parameters()])

    assert lessons(1, 0.0).any()  # by the diffusion model
    torch.testing.assert_close(lessons(1, 0.0), lessons(2, 0.0))
    assert not torch.allclose(lessons(1, HEAD_ALONE), lessons(2, HEAD_ALONE))
