from diffpose_ros.lift3d.observation import apparent_size, cholesky2, FLOOR, observe
import torch


def window():
    rays = 0.1 * torch.randn(2, 3, 17, 2)
    covariance = 1e-5 * torch.eye(2).expand(2, 3, 17, 2, 2)
    return rays, covariance, torch.ones(2, 3, 17), torch.ones(2, 3, dtype=torch.bool)


def test_a_person_twice_as_far_looks_the_same_but_for_the_size():
    rays, covariance, score, present = window()
    near = observe(rays, covariance, score, present, 1)
    far = observe(rays / 2, covariance / 4, score, present, 1)
    torch.testing.assert_close(near.features[..., :6], far.features[..., :6])
    torch.testing.assert_close(near.size, 2 * far.size)


def test_what_is_absent_or_missing_leaves_no_trace_but_the_size():
    rays, covariance, score, present = window()
    present[:, 0], score[:, 1, 5] = False, 0
    features = observe(rays, covariance, score, present, 1).features
    assert torch.equal(features[:, 0, :, :6], torch.zeros(2, 17, 6))
    assert torch.equal(features[:, 1, 5, :6], torch.zeros(2, 6))


def test_size_is_the_spread_of_the_seen_joints():
    rays = torch.tensor([[[0.0, 0.0], [0.2, 0.0], [5.0, 5.0]]])
    size = apparent_size(rays, torch.tensor([[1.0, 1.0, 0.0]]))
    torch.testing.assert_close(size, torch.tensor([0.1]))


def test_a_frame_without_joints_has_a_finite_size():
    assert torch.isfinite(apparent_size(torch.zeros(1, 17, 2), torch.zeros(1, 17))).all()


def test_factor_of_two_by_two_equals_torchs():
    A = torch.randn(5, 2, 2)
    covariance = A @ A.transpose(1, 2)
    expected = torch.linalg.cholesky(covariance + FLOOR**2 * torch.eye(2))
    torch.testing.assert_close(cholesky2(covariance), expected, atol=1e-4, rtol=1e-4)
