"""Bad input of the commands of diffaxion maps: the files, and the rows of test_bad_input."""

import io

import numpy as np
from astropy.io import fits

NSIDE = 8
NPIX = 12 * NSIDE**2


def healpix(values=None, unit="K_CMB", leave_out=(), **keywords):
    """Bytes of a HEALPix FITS file of nside 8; keywords replace those of the header."""
    if values is None:
        values = 1e-4 * np.random.default_rng(1).normal(size=NPIX)
    column = fits.Column(name="MAP", format="D", array=np.asarray(values, float), unit=unit)
    hdu = fits.BinTableHDU.from_columns([column])
    header = {
        "PIXTYPE": "HEALPIX",
        "ORDERING": "RING",
        "COORDSYS": "G",
        "NSIDE": NSIDE,
        "INDXSCHM": "IMPLICIT",
    } | keywords
    for key, value in header.items():
        if key not in leave_out:
            hdu.header[key] = value
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(out)
    return out.getvalue()


def changed(count, value):
    values = 1e-4 * np.ones(NPIX)
    values[:count] = value
    return values


def configuration(temperature="good.fits", more="", extra="", measurement="bin_width = 2"):
    """Text of a configuration of two channels; ``more`` goes into [files]."""
    return f"""
[files]
galaxies = "galaxies.fits"
{more}
[files.temperature]
143 = "{temperature}"
217 = "good.fits"
[channels]
names = ["143", "217"]
fwhm_arcmin = {{ 143 = 600.0, 217 = 500.0 }}
[cleaning]
deprojected = ["cib"]
common_fwhm_arcmin = 100.0
lmax = 16
[measurement]
{measurement}
{extra}
"""


MAPS_FILES = {
    "good.fits": healpix(),
    "galaxies.fits": healpix(0.1 * (-1.0) ** np.arange(NPIX), "1"),
    "counts.fits": healpix(5.0 * np.ones(NPIX), "counts"),
    "noordering.fits": healpix(leave_out=("ORDERING",)),
    "nounit.fits": healpix(unit=None),
    "antenna.fits": healpix(unit="K_RJ"),
    "equatorial.fits": healpix(COORDSYS="C"),
    "unseen.fits": healpix(changed(7, -1.6375e30)),
    "nanmap.fits": healpix(changed(3, np.nan)),
    "nside.fits": healpix(NSIDE=16),
    "cutmap.fits": healpix()[:3000],
    "negative.fits": healpix(changed(2, -0.5), "1"),
    "nothing.fits": healpix(np.zeros(NPIX), "1"),
    "m_good.toml": configuration(),
    "m_missing.toml": configuration("nowhere.fits"),
    "m_text.toml": configuration("good.csv"),
    "m_cut.toml": configuration("cutmap.fits"),
    "m_noordering.toml": configuration("noordering.fits"),
    "m_nounit.toml": configuration("nounit.fits"),
    "m_antenna.toml": configuration("antenna.fits"),
    "m_equatorial.toml": configuration("equatorial.fits"),
    "m_unseen.toml": configuration("unseen.fits"),
    "m_nan.toml": configuration("nanmap.fits"),
    "m_nside.toml": configuration("nside.fits"),
    "m_number.toml": configuration("counts.fits"),
    "m_counts.toml": configuration().replace('"galaxies.fits"', '"counts.fits"'),
    "m_memory.toml": configuration().replace("lmax = 16", "lmax = 16\nmemory_GiB = 0.001"),
    "m_set.toml": configuration().replace("lmax = 16", "lmax = 16\nalso = { fiducial = [] }"),
    "m_column.toml": configuration("good.fits:POLARISATION"),
    "m_negative.toml": configuration(more='galaxy_masks = ["negative.fits"]'),
    "m_nothing.toml": configuration(more='temperature_masks = ["nothing.fits"]'),
    "m_cutmask.toml": configuration(more='temperature_masks = ["cut:ten"]'),
    "m_pole.toml": configuration(more='temperature_masks = ["cut:95"]'),
    "m_bins.toml": configuration(measurement="bin_width = 40"),
    "m_last.toml": configuration(measurement="bin_width = 2\nlmax = 8"),
    "m_lmax.toml": configuration().replace("lmax = 16", "lmax = 40"),
    "m_key.toml": configuration(extra="[cleanin]\nbias = 0.01"),
    "m_component.toml": configuration().replace('["cib"]', '["cbi"]'),
    "m_many.toml": configuration().replace('["cib"]', '["cib", "tsz"]'),
    "m_beam.toml": configuration().replace("143 = 600.0", "143 = -1.0"),
    "m_none.toml": "seed = 1\n",
    "m_both.toml": configuration() + "\n[simulation]\nnside = 32\n",
    "m_power.toml": "[simulation]\nnside = 48\n",
    "m_fault.toml": "[simulation]\nnside = 32\nfault = 'cbi'\n",
    "uncleaned/configuration.json": '{"simulation": {"nside": 32}}',
}

MAPS_RUN = {
    "no configuration": ("m_absent.toml", ["m_absent.toml", "cannot be read"]),
    "not TOML": ("broken.toml", ["broken.toml", "not TOML"]),
    "key": ("m_key.toml", ["m_key.toml", "'cleanin'", "'cleaning'"]),
    "no maps": ("m_none.toml", ["m_none.toml", "neither", "[simulation]", "[files]"]),
    "maps and a simulation": ("m_both.toml", ["m_both.toml", "both", "exactly one"]),
    "component": ("m_component.toml", ["'cbi'", "'cib'"]),
    "components and channels": ("m_many.toml", ["2 channels (143, 217)", "3 components"]),
    "beam": ("m_beam.toml", ["'143' = -1", "> 0"]),
    "resolution": ("m_power.toml", ["nside = 48", "power of two"]),
    "fault": ("m_fault.toml", ["'cbi'", "'cib'"]),
    "no file": ("m_missing.toml", ["nowhere.fits", "no such file"]),
    "no FITS": ("m_text.toml", ["good.csv", "FITS"]),
    "truncated": ("m_cut.toml", ["cutmap.fits"]),
    "column": ("m_column.toml", ["good.fits", "POLARISATION", "MAP"]),
    "ordering": ("m_noordering.toml", ["noordering.fits", "ORDERING", "RING", "NESTED"]),
    "unit": ("m_nounit.toml", ["nounit.fits", "TUNIT", "K_CMB"]),
    "no temperature": ("m_number.toml", ["counts.fits", "unit 'counts'", "K_CMB", "files.units"]),
    "counts of galaxies": ("m_counts.toml", ["counts.fits", "below 0", "galaxies_kind"]),
    "memory": ("m_memory.toml", ["memory_GiB = 0.001", "would need", "nside"]),
    "name of a set": ("m_set.toml", ["'fiducial'", "cleaning.also"]),
    "antenna temperature": ("m_antenna.toml", ["antenna.fits", "'K_RJ'", "K_CMB"]),
    "frame": ("m_equatorial.toml", ["equatorial.fits", "equatorial", "galactic"]),
    "nside": ("m_nside.toml", ["nside.fits", "16"]),
    "UNSEEN": ("m_unseen.toml", ["unseen.fits", "7 pixels", "UNSEEN", "files.fill"]),
    "NaN": ("m_nan.toml", ["nanmap.fits", "3 pixels", "NaN", "files.fill"]),
    "weights": ("m_negative.toml", ["negative.fits", "[0, 1]", "-0.5"]),
    "no sky": ("m_nothing.toml", ["nothing.fits"]),
    "cut": ("m_cutmask.toml", ["cut:ten", "cut:DEGREES"]),
    "cut of everything": ("m_pole.toml", ["95", "0 to 90"]),
    "bins": ("m_bins.toml", ["no bin of 40", "skip_bins"]),
    "bins beyond the measurement": ("m_last.toml", ["measurement.lmax = 8", "last_ell"]),
    "multipoles": ("m_lmax.toml", ["lmax = 40", "3 nside - 1 = 23"]),
    "seed": ("m_good.toml --seed -1", ["--seed = -1", ">= 0"]),
    "existing results": ("m_good.toml --out mine", ["mine", "--overwrite"]),
    "foreign folder": ("m_good.toml --out results --overwrite", ["results", "did not write"]),
    "resume elsewhere": ("m_good.toml --out mine --resume", ["mine", "limit", "maps-run"]),
}

MAPS_OTHERS = {
    "maps simulate": {"files": ("m_good.toml", ["[simulation]", "nothing to simulate"])},
    "maps clean": {"component": ("m_component.toml", ["'cbi'", "'cib'"])},
    "maps measure": {
        "nothing": ("", ["FOLDER"]),
        "no folder": ("nowhere", ["nowhere", "maps clean"]),
        "unfinished": ("uncleaned", ["uncleaned", "cleaned.json is missing", "--resume"]),
    },
    "maps robustness": {
        "tests": ("m_good.toml --tests cbi", ["'cbi'", "'cib'"]),
        "existing results": ("m_good.toml --out mine", ["mine", "--overwrite"]),
    },
    "reproduce maps": {
        "resolution": ("--nside 100", ["--nside = 100", "64"]),
        "skies": ("--skies 0", ["--skies = 0", "at least 1"]),
    },
}
