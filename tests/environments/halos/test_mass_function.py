"""Fits of Tinker et al.: printed values, normalisation, and colossus and hmf as referees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from diffaxion.environments.cosmology import matter_fraction, planck_cosmology
from diffaxion.environments.halos import (
    MassFunction,
    tinker08_multiplicity,
    tinker10_amplitude,
    tinker10_bias,
    tinker10_multiplicity,
    virial_overdensity,
)
from diffaxion.errors import ConfigurationError

Z = jnp.array([0.0, 0.5, 1.0, 1.5, 1.9])


@pytest.mark.parametrize(
    ("normalisation", "expected"),
    [
        ("truncated", [0.36860, 0.33991, 0.31794, 0.29957, 0.28654]),
        ("from-zero", [0.36841, 0.33951, 0.31722, 0.29842, 0.28493]),
    ],
)
def test_amplitude(normalisation, expected):
    found = jax.jit(tinker10_amplitude, static_argnums=2)(Z, 200.0, normalisation)
    np.testing.assert_allclose(found, expected, rtol=0, atol=5.1e-6)


@pytest.mark.parametrize(("z", "delta"), [(0.0, 200.0), (1.9, 200.0), (0.0, 328.0), (3.0, 3200.0)])
def test_matter_is_unbiased(z, delta):
    """int b f dnu = 1 by an adaptive rule in ln nu."""
    delta = jnp.array(delta)

    @jax.jit
    def integrand(ln_nu):
        f = tinker10_multiplicity(ln_nu, jnp.array(z), delta)
        return f * tinker10_bias(ln_nu, delta) * jnp.exp(ln_nu)

    # Below exp(-30) only the power is left: b f nu = constant * nu^(1 + 2 eta).
    start = -30.0
    power = float(jnp.log(integrand(start) / integrand(start - 1.0)))
    total = float(integrand(start)) / power
    total += sum(
        quad(integrand, a, b, epsabs=1e-13)[0] for a, b in [(start, -8), (-8, -2), (-2, 3)]
    )
    # b -> 1 only as nu^a with a >= 0.13, which the closed form below exp(-30) does not know.
    assert total * float(tinker10_amplitude(z, delta)) == pytest.approx(1.0, abs=2e-3)
    if power > 0.5:
        assert total * float(tinker10_amplitude(z, delta)) == pytest.approx(1.0, abs=1e-7)


def test_bias():
    nu = jnp.array([0.5, 1.0, 2.0, 3.0, 4.0])
    expected = [0.6551, 0.9655, 2.4118, 5.1362, 9.3241]
    np.testing.assert_allclose(tinker10_bias(jnp.log(nu), jnp.array(200.0)), expected, atol=5.1e-5)


def test_evolution_stops_at_redshift_three():
    at = [tinker10_multiplicity(jnp.array(0.3), z, jnp.array(200.0)) for z in (3.0, 5.0)]
    assert at[0] == at[1]


def test_overdensities():
    """Tabulated parameters at the nodes; the consistent choice follows the virial overdensity."""
    sigma = jnp.array(1.3)
    for delta, (a0, a, b, c) in {
        400.0: (0.212, 1.56, 2.05, 1.34),
        3200.0: (0.260, 2.66, 1.41, 2.44),
    }.items():
        expected = a0 * ((1.3 / b) ** -a + 1.0) * np.exp(-c / 1.3**2)
        found = tinker08_multiplicity(sigma, jnp.array(0.0), jnp.array(delta))
        assert found == pytest.approx(expected, rel=1e-12)
    cosmology = planck_cosmology()
    assert np.all(MassFunction().mean_overdensity(cosmology, Z) == 200.0)
    found = MassFunction(overdensity="consistent").mean_overdensity(cosmology, Z)
    fraction = matter_fraction(cosmology, Z)
    wanted = np.maximum(virial_overdensity(fraction) / fraction, 200.0)
    np.testing.assert_allclose(found, wanted, rtol=1e-14)
    assert 320.0 < found[0] < 335.0
    assert found[-1] == 200.0


@pytest.mark.parametrize(
    "choice", [{"fit": "tinker11"}, {"overdensity": "200c"}, {"normalisation": "one"}]
)
def test_unknown_choices(choice):
    with pytest.raises(ConfigurationError, match=r"did you mean|known names"):
        MassFunction(**choice)


@pytest.fixture(scope="module")
def colossus():
    cosmology = pytest.importorskip("colossus.cosmology.cosmology", reason="colossus is absent")
    parameters = {"flat": True, "H0": 67.32, "Om0": 0.31443, "Ob0": 0.0494, "sigma8": 0.82}
    cosmology.setCosmology("planck-like", ns=0.966, persistence="", **parameters)
    return cosmology


@pytest.mark.parametrize("z", [0.0, 0.8])
def test_colossus_has_the_same_fits(colossus, z):
    from colossus.lss import bias, mass_function

    sigma = np.array([0.5, 0.9, 1.7, 3.0])
    found = tinker08_multiplicity(jnp.asarray(sigma), z, jnp.array(200.0))
    np.testing.assert_allclose(found, mass_function.modelTinker08(sigma, z, "200m"), rtol=1e-12)
    # At Delta = 800 a node of the table is hit: both interpolations agree.
    found = tinker08_multiplicity(jnp.asarray(sigma), z, jnp.array(800.0))
    np.testing.assert_allclose(found, mass_function.modelTinker08(sigma, z, "800m"), rtol=1e-12)
    nu = 1.686 / sigma
    for delta in (200.0, 400.0):
        found = tinker10_bias(jnp.log(nu), jnp.array(delta))
        theirs = bias.modelTinker10(nu, z, f"{delta:.0f}m")
        # Their collapse threshold is 1.68647.
        np.testing.assert_allclose(found, theirs, rtol=5e-5)


def test_amplitudes_at_redshift_zero_are_those_of_the_table():
    """alpha of Tinker et al. 2010, Table 4, which the integral over the bias reproduces."""
    delta = jnp.array([200.0, 300, 400, 600, 800, 1200, 1600, 2400, 3200])
    table = [0.368, 0.363, 0.385, 0.389, 0.393, 0.365, 0.379, 0.355, 0.327]
    found = jax.jit(tinker10_amplitude)(jnp.zeros(9), delta)
    np.testing.assert_allclose(found, table, rtol=0.03)


@pytest.mark.parametrize("z", [0.0, 1.2, 4.0])
def test_hmf_has_the_same_multiplicity(z):
    """hmf normalises over nu without the bias, so that only the shape is compared."""
    fits = pytest.importorskip("hmf.mass_function.fitting_functions", reason="hmf is absent")
    from hmf.halos.mass_definitions import SOMean

    nu = np.array([0.4, 1.0, 2.2, 4.0])
    theirs = fits.Tinker10(nu2=nu**2, z=z, mass_definition=SOMean(overdensity=200))
    found = tinker10_multiplicity(jnp.log(nu), jnp.array(z), jnp.array(200.0)) * nu
    np.testing.assert_allclose(found, theirs.fsigma / theirs.normalise, rtol=1e-10)
