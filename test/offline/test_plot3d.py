"""The picture of people in space."""

from dataclasses import replace

import cv2
from diffpose_ros.core.people import ScaleSource
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.offline.draw import distance_m
from diffpose_ros.offline.plot3d import ellipsoid, write_summary
import numpy as np
import pytest

IMAGE = np.full((480, 640, 3), 128, np.uint8)


def test_every_point_of_the_ellipsoid_is_two_sigma_away():
    half = np.random.default_rng(0).normal(size=(3, 3))
    center, covariance = np.array([1.0, 2.0, 3.0]), half @ half.T
    offsets = ellipsoid(center, covariance).reshape(-1, 3) - center
    distance = np.einsum('ni,ij,nj->n', offsets, np.linalg.inv(covariance), offsets)
    np.testing.assert_allclose(np.sqrt(distance), 2)


def test_the_summary_shows_image_and_space_side_by_side(tmp_path, person):
    write_summary(tmp_path / 'summary.png', IMAGE, [person(0), person(1)], H36M_17)
    picture = cv2.imread(str(tmp_path / 'summary.png'))
    assert picture.shape[1] > 1.5 * picture.shape[0]
    assert [path.name for path in tmp_path.iterdir()] == ['summary.png']


def test_a_summary_without_anybody_is_drawn_too(tmp_path, person):
    write_summary(tmp_path / 'a.png', IMAGE, [], H36M_17)
    write_summary(tmp_path / 'b.png', IMAGE, [replace(person(), pose3d=None)], H36M_17)
    nowhere = replace(person().pose3d, xyz=np.full((17, 3), np.nan))
    write_summary(tmp_path / 'c.png', IMAGE, [replace(person(), pose3d=nowhere)], H36M_17)


def test_of_a_camera_without_calibration_no_distance_is_told(person):
    placed = person()
    pose = replace(placed.pose3d, scale_source=ScaleSource.NONE)
    assert distance_m(placed) == pytest.approx(np.linalg.norm(placed.pose3d.xyz[0]))
    assert distance_m(replace(placed, pose3d=pose)) is None
