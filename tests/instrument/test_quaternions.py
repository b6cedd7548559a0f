import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_st
from scipy.spatial.transform import Rotation

from mxtvhf.instrument.quaternions import mean_quaternion, rotation_matrices, slerp

elements = st.floats(-1.0, 1.0)
columns = numpy_st.arrays(float, st.tuples(st.integers(1, 6), st.just(4)), elements=elements).filter(
    lambda q: (np.linalg.norm(q, axis=1) > 0.1).all()
)


@given(columns)
def test_matrices_are_those_of_scipy_times_the_squared_length(quaternion):
    length = np.linalg.norm(quaternion, axis=1)
    expected = Rotation.from_quat(quaternion).as_matrix() * (length**2)[:, None, None]
    np.testing.assert_allclose(np.moveaxis(rotation_matrices(quaternion), -1, 0), expected, atol=1e-14)


@given(columns, st.integers(0, 99))
def test_the_mean_of_attitudes_near_each_other_is_that_of_scipy(quaternion, seed):
    rng = np.random.default_rng(seed)
    near = Rotation.from_quat(quaternion[0]) * Rotation.from_rotvec(rng.normal(0.0, 0.01, (5, 3)))
    weights = rng.uniform(0.1, 1.0, 5)
    signs = rng.choice([-1.0, 1.0], (5, 1))
    found = Rotation.from_quat(mean_quaternion(signs * near.as_quat(), weights))
    assert (found.inv() * near.mean(weights)).magnitude() < 1e-12


@given(columns, st.floats(0.0, 1.0))
def test_without_rotation_the_attitude_is_unchanged(quaternion, part):
    unit = quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)
    step = np.arange(len(unit))
    found = slerp(unit, -unit, step, np.full(len(unit), part))
    np.testing.assert_allclose(found, unit, rtol=0, atol=1e-15)
