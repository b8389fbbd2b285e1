"""Maps of several channels in one array; changes of resolution only when asked for."""

import healpy
import numpy as np
import pytest

from diffaxion.data.channel_maps import change_nside, read_channel_maps
from diffaxion.data.healpix_maps import UNSEEN, HealpixMap
from diffaxion.errors import ConfigurationError, DataError
from tests.data.healpix_files import toy_sky, write_planck


def test_stack_of_channels(tmp_path):
    """Units by header and by name, order as given, one report each."""
    a, b = toy_sky(8, seed=2), toy_sky(8, seed=3)
    b[4] = UNSEEN
    paths = {
        "545": write_planck(tmp_path / "545.fits", a * 58.0, unit="MJy/sr"),
        "143": write_planck(tmp_path / "143.fits", b, unit=None),
    }
    found = read_channel_maps(paths, units={"143": "K_CMB"}, bands_factors={"545": 58.0})
    assert (found.names, found.nside, found.coordinates) == (("545", "143"), 8, "galactic")
    np.testing.assert_allclose(found.maps_K[0], a, rtol=1e-6)
    np.testing.assert_allclose(found.maps_K[1][found.valid[1]], b[found.valid[1]], rtol=1e-6)
    assert found.valid.sum() == 2 * 768 - 1
    assert found.reports["143"]["unseen_pixels"] == 1


def test_different_resolutions_are_refused_unless_asked_for(tmp_path):
    paths = {
        "070": write_planck(tmp_path / "070.fits", toy_sky(8)),
        "143": write_planck(tmp_path / "143.fits", toy_sky(16)),
    }
    with pytest.raises(DataError, match=r"different nside: 143 .*143\.fits\) 16; expected 8"):
        read_channel_maps(paths)
    with pytest.raises(DataError, match="expected 4 for all"):
        read_channel_maps(paths, nside=4)
    found = read_channel_maps(paths, nside=8, change="mean")
    assert found.maps_K.shape == (2, 768)
    np.testing.assert_allclose(
        found.maps_K[1], healpy.ud_grade(toy_sky(16).astype(np.float32).astype(float), 8)
    )
    assert found.reports["143"]["changed_from_nside"] == 16


def test_frames_and_units_must_agree(tmp_path):
    paths = {
        "100": write_planck(tmp_path / "100.fits", toy_sky(8)),
        "143": write_planck(tmp_path / "143.fits", toy_sky(8), coordsys="C"),
    }
    with pytest.raises(DataError, match="100 galactic, 143 equatorial"):
        read_channel_maps(paths)
    with pytest.raises(DataError, match="channel 100 in unit '1'"):
        read_channel_maps({"100": paths["100"]}, units={"100": "1"})


def smooth_map(nside):
    """A few low multipoles, the same field at any resolution."""
    alm = np.zeros(healpy.Alm.getsize(8), complex)
    alm[[3, 12, 20]] = [1e-5, 2e-5 + 1e-5j, -1e-5j]
    values = healpy.alm2map(alm, nside, lmax=8)
    return HealpixMap(values, np.ones(values.size, bool), nside, "K_CMB", "galactic", "toy")


@pytest.mark.parametrize(("old", "new"), [(16, 8), (8, 16)])
def test_harmonic_change_keeps_low_multipoles(old, new):
    """Three iterations invert the quadrature to 1e-5 at l <= 8 of nside 8."""
    found = change_nside(smooth_map(old), new, "harmonic")
    np.testing.assert_allclose(found.values, smooth_map(new).values, atol=2e-9)
    assert found.nside == new


def test_means_leave_out_missing_pixels():
    """A coarse pixel is valid if half of its parts are, and their mean is over those."""
    sky = smooth_map(4)
    values = np.arange(192.0)
    nested = healpy.reorder(values, r2n=True)
    nested[[0, 1, 4, 5, 6]] = UNSEEN
    values = healpy.reorder(nested, n2r=True)
    sky = HealpixMap(values, values > -1.0, 4, "K_CMB", "galactic", "toy")
    found = change_nside(sky, 2, "mean")
    coarse = healpy.reorder(found.values, r2n=True)
    assert coarse[0] == nested[2:4].mean()
    assert coarse[1] == UNSEEN
    assert found.valid.sum() == 47
    with pytest.raises(DataError, match="5 pixels hold no data"):
        change_nside(sky, 2, "harmonic")
    with pytest.raises(DataError, match="cannot be raised to 8"):
        change_nside(sky, 8, "mean")
    with pytest.raises(DataError, match=r"nside = 3"):
        change_nside(sky, 3, "mean")
    with pytest.raises(ConfigurationError, match="method = 'bilinear'"):
        change_nside(sky, 2, "bilinear")
