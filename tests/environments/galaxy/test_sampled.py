"""Tabulated electron densities and the choice of a model."""

import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.environments.galaxy.frame import SightLine
from diffaxion.environments.galaxy.sampled import (
    TabulatedDensity,
    electron_density,
    ne2001_sightline,
)
from diffaxion.environments.galaxy.ymw16 import YMW16
from diffaxion.errors import ConfigurationError, ValidityError
from tests.conftest import read_csv

L, B = jnp.asarray(0.164), jnp.asarray(-0.061)


def test_linear_between_nodes_and_first_value_below():
    table = TabulatedDensity(jnp.array([1.0, 2.0, 4.0]), jnp.array([0.1, 0.3, 0.5]), norm=2.0)
    values = [float(table(L, B, jnp.asarray(s))) for s in (0.0, 1.0, 1.5, 3.0, 4.0)]
    np.testing.assert_allclose(values, [0.2, 0.2, 0.4, 0.8, 1.0], rtol=1e-14)


@pytest.mark.parametrize("target", ["quintuplet", "wd1"])
def test_bundled_ne2001_reproduces_the_full_sight_line(shared, target):
    """0.3 per cent in density and 0.2 pc cm^-3 in every column: p moves by 0.1 per cent."""
    full = read_csv(shared / f"data/galaxy/ne_los_{target}.csv")
    table = ne2001_sightline(target)
    s = full["s_pc"] / 1e3
    ours = np.asarray(table(L, B, jnp.asarray(s)))
    np.testing.assert_allclose(ours, full["ne_ne2001"], rtol=3.1e-3)

    def column(n):
        return np.cumsum(0.5 * (n[1:] + n[:-1]) * np.diff(full["s_pc"]))

    assert np.max(np.abs(column(ours) - column(full["ne_ne2001"]))) < 0.21
    assert table.s_kpc.size < 100 < full["s_pc"].size


def test_check_accepts_the_target_and_rejects_the_rest():
    table = ne2001_sightline("quintuplet")
    table.check(SightLine(0.164, -0.061, 8.3))
    table.check(SightLine(360.1604, -0.0591, 5.0))
    with pytest.raises(ValidityError, match=r"ends at 8\.3 kpc"):
        table.check(SightLine(0.164, -0.061, 8.4))
    with pytest.raises(ValidityError, match=r"tabulated\s+toward \(0\.164, -0\.061\) deg"):
        table.check(SightLine(339.55, -0.40, 2.6))
    anywhere = TabulatedDensity(jnp.array([0.0, 3.0]), jnp.ones(2))
    anywhere.check(SightLine(120.0, 30.0, 3.0))
    with pytest.raises(ValidityError, match="strictly increasing"):
        TabulatedDensity(jnp.array([1.0, 1.0]), jnp.ones(2)).check(SightLine(0.0, 0.0, 0.5))


def test_factory():
    assert isinstance(electron_density("ymw16", "arches"), YMW16)
    assert isinstance(electron_density("ne2001", "wd1"), TabulatedDensity)
    with pytest.raises(ConfigurationError, match="Use 'ymw16' for this target"):
        electron_density("ne2001", "arches")
    with pytest.raises(ConfigurationError, match="did you mean 'ymw16'"):
        electron_density("ymw17", "wd1")
