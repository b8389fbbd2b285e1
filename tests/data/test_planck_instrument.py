"""Passbands and beams in FITS as users of the releases describe them; file names."""

import numpy as np
import pytest
from astropy.io import fits

from diffaxion.constants import C_CM_S
from diffaxion.data.beam_table import read_beam_table
from diffaxion.data.planck_files import planck_file_names, release_files
from diffaxion.data.planck_instrument import read_beam_fits, read_rimo_passband
from diffaxion.errors import ConfigurationError, DataError
from diffaxion.sky import Spectra, component_response, passbands_from_tables

NU = np.concatenate([[0.0], np.arange(0.5, 60.0, 0.5), np.arange(60.0, 200.0, 0.25)])
BAND = np.exp(-0.5 * ((NU - 100.0) / 9.0) ** 2) + 1e-6


def rimo(path, unit, scale, name="BANDPASS_F100", column="WAVENUMBER"):
    made = [
        fits.Column(name=column, format="D", array=NU * scale, unit=unit),
        fits.Column(name="TRANSMISSION", format="D", array=BAND),
        fits.Column(name="FLAG", format="A", array=np.full(NU.size, "F")),
    ]
    other = fits.BinTableHDU.from_columns(made[1:2], name="BANDPASS_F143")
    hdu = fits.BinTableHDU.from_columns(made, name=name)
    fits.HDUList([fits.PrimaryHDU(), other, hdu]).writeto(path)
    return path


@pytest.mark.parametrize(
    ("unit", "scale", "name"),
    [
        ("cm-1", 1e9 / C_CM_S, "BANDPASS_F100"),
        ("cm^{-1}", 1e9 / C_CM_S, "BANDPASS_F100"),
        ("GHz", 1.0, "BANDPASS_100"),
    ],
)
def test_passband_of_an_instrument_model(tmp_path, unit, scale, name):
    """Wavenumbers or frequencies; the row at 0 goes; usable as a passband."""
    nu, t = read_rimo_passband(rimo(tmp_path / "rimo.fits", unit, scale, name), "100")
    np.testing.assert_allclose(nu, NU[1:], rtol=1e-14)
    np.testing.assert_array_equal(t, BAND[1:])
    bands = passbands_from_tables([(nu, t)], ("100",), exponent=-2.0, lowest_GHz=40.0)
    tsz = float(component_response("tsz", bands, Spectra())[0])
    assert -4.3 < tsz < -4.0


def test_unusable_instrument_models(tmp_path):
    """The unit that is not there, the wrong one, the channel, the column."""
    none = rimo(tmp_path / "none.fits", None, 1.0)
    with pytest.raises(DataError, match=r"BANDPASS_F100: WAVENUMBER has no unit; expected GHz"):
        read_rimo_passband(none, "100")
    assert read_rimo_passband(none, "100", unit="GHz")[0][0] == 0.5
    with pytest.raises(DataError, match=r"mean at 29.. GHz; expected about 100"):
        read_rimo_passband(none, "100", unit="cm-1")
    with pytest.raises(DataError, match=r"no HDU BANDPASS_F217 or BANDPASS_217.*BANDPASS_F"):
        read_rimo_passband(none, "217")
    with pytest.raises(DataError, match="no column WAVENUMBER; found TRANSMISSION"):
        read_rimo_passband(none, "143")
    with pytest.raises(DataError, match="no such file"):
        read_rimo_passband(tmp_path / "absent.fits", "100")


def beam(path, columns, name="WINDOW FUNCTION", vector=False):
    made = [
        fits.Column(
            name=n,
            format=f"{len(v)}E" if vector else "E",
            array=[v] if vector else v,
        )
        for n, v in columns.items()
    ]
    hdu = fits.BinTableHDU.from_columns(made, name=name)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return path


@pytest.mark.parametrize("vector", [False, True])
def test_beam_files(tmp_path, vector):
    """One value per row, or all in one row; normalised at l = 0, zero beyond the table."""
    ell = np.arange(101)
    b = 0.99 * np.exp(-(ell**2) / 2e3)
    path = beam(tmp_path / "Bl.fits", {"GRAD": b, "TEMPERATURE": b}, vector=vector)
    found = read_beam_fits(path, 120)
    np.testing.assert_allclose(found[:101], b / 0.99, rtol=1e-6)
    assert np.all(found[101:] == 0.0)
    np.testing.assert_array_equal(read_beam_table(path, 120), found)
    np.testing.assert_array_equal(read_beam_table(f"{path}:WINDOW FUNCTION", 120), found)
    np.testing.assert_array_equal(read_beam_fits(path, 50, column="grad"), found[:51])


def test_unusable_beams(tmp_path):
    path = beam(tmp_path / "w.fits", {"TT_2_TT": np.ones(4)})
    with pytest.raises(DataError, match=r"columns TT_2_TT; expected TEMPERATURE or .*column="):
        read_beam_fits(path, 3)
    with pytest.raises(DataError, match=r"no HDU BEAMWF_030X030.*hdu="):
        read_beam_fits(path, 3, hdu="BEAMWF_030X030")
    bad = beam(tmp_path / "bad.fits", {"T": np.array([1.0, 2.0, np.nan])})
    with pytest.raises(DataError, match="at l = 2; expected B_l"):
        read_beam_fits(bad, 3)
    two = fits.HDUList([fits.PrimaryHDU()])
    two += [fits.BinTableHDU.from_columns([fits.Column("T", "E", array=[1.0])])] * 2
    two.writeto(tmp_path / "two.fits")
    with pytest.raises(DataError, match="2 tables"):
        read_beam_fits(tmp_path / "two.fits", 3)


def test_names_of_files_are_marked_as_unverified():
    for release in ("PR3", "PR4", "unWISE"):
        found = release_files(release)
        assert not found.verified
        assert found.notes
    assert planck_file_names()["143"] == "HFI_SkyMap_143_2048_R4.00_full.fits"
    assert planck_file_names("PR3")["030"].startswith("LFI_SkyMap_030")
    assert len(planck_file_names("PR4")) == 9
    with pytest.raises(ConfigurationError, match=r"unknown Planck release 'PR5'"):
        planck_file_names("PR5")
    with pytest.raises(ConfigurationError, match="unknown release"):
        release_files("WMAP")
