"""Simulated skies with the halo model's own spectra."""

import numpy as np
import pytest

from diffaxion.analyses.screening_reference import GALAXY_SPECTRA
from diffaxion.analyses.sky_model import halo_sky_spectra, halo_spectra
from diffaxion.errors import ConfigurationError
from diffaxion.sky import SkySettings, planck_passbands, simulate_sky
from diffaxion.sky.toy_sky import screening_template

LMAX = 100


@pytest.mark.slow
def test_spectra_of_the_halo_model_reach_the_sky():
    """Against the bundled template, made at other multipoles: u^1 and u^2; the sky can be drawn."""
    sky = halo_sky_spectra(LMAX, 1e-12, 0.5e-11)
    cross, auto = screening_template(LMAX)
    tg, tt = sky.cross("screening", "galaxies"), sky.cross("screening", "screening")
    np.testing.assert_allclose(tg[2:], 0.25 * cross[2:], rtol=1e-3)
    np.testing.assert_allclose(tt[2:], 0.0625 * auto[2:], rtol=1e-3)
    gg = sky.cross("galaxies", "galaxies")
    # `parity`, another calculation; the configurations differ by 3 % here.
    assert gg[100] == pytest.approx(sum(GALAXY_SPECTRA[0]), rel=0.06)
    correlation = tg[2:] / np.sqrt(tt[2:] * gg[2:])
    assert np.all((correlation > -1.0) & (correlation < 0.0))
    made = simulate_sky(sky, planck_passbands(), SkySettings(32), seed=1)
    assert "m_a = 1e-12 eV" in made.nature
    with pytest.raises(ConfigurationError, match="no halo converts"):
        halo_spectra(LMAX, 1e-10)


def test_a_negative_coupling_is_refused():
    with pytest.raises(ConfigurationError, match="g = -1"):
        halo_sky_spectra(LMAX, 3e-13, -1.0)
