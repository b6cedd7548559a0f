import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import simpson

from mxtvhf.analysis.powerlaw import decay_integral


@given(first=st.floats(1.0, 1e4), ratio=st.floats(1.01, 100.0), decay=st.floats(0.0, 6.0))
def test_fluence_is_the_integral_of_the_decay(first, ratio, decay):
    steps = np.geomspace(first, first * ratio, 2001)
    assert decay_integral(first, first * ratio, decay) == pytest.approx(
        simpson(steps * steps**-decay, x=np.log(steps)), rel=1e-6
    )
    assert decay_integral(first, first * ratio, 1.0 + 1e-12) == pytest.approx(np.log(ratio), rel=1e-6)
