"""HEALPix files with headers as distributed, for the tests of readers; their content is made up."""

import numpy as np
from astropy.io import fits

UNSEEN = -1.6375e30
DIPOLE_K = 3.362e-3
DIPOLE_LON_LAT = (264.02, 48.25)


def toy_sky(nside, dipole=False, seed=1):
    """White noise of 70 uK, float64, RING [K]; the solar dipole if asked for."""
    import healpy

    values = 7e-5 * np.random.default_rng(seed).standard_normal(12 * nside**2)
    if dipole:
        axis = healpy.ang2vec(*DIPOLE_LON_LAT, lonlat=True)
        values += DIPOLE_K * axis @ np.array(healpy.pix2vec(nside, np.arange(values.size)))
    return values


def write_map(path, columns, *, nside, ordering="NESTED", coordsys="GALACTIC", width=1, **extra):
    """A table of HEALPix columns, (name, unit, values in the order of the file) each.

    Keywords that are None are left out, as some releases do.
    """
    made = []
    for name, unit, values in columns:
        values = np.asarray(values)
        code = {"f4": "E", "f8": "D", "i4": "J", "u1": "B", "i2": "I"}[values.dtype.str[1:]]
        form, rows = (code, values) if width == 1 else (f"{width}{code}", values.reshape(-1, width))
        made.append(fits.Column(name=name, format=form, unit=unit, array=rows))
    hdu = fits.BinTableHDU.from_columns(made)
    head = {
        "EXTNAME": "FREQ-MAP",
        "PIXTYPE": "HEALPIX",
        "COORDSYS": coordsys,
        "ORDERING": ordering,
        "NSIDE": nside,
        "FIRSTPIX": 0,
        "LASTPIX": 12 * nside**2 - 1,
        "INDXSCHM": "IMPLICIT",
        "BAD_DATA": UNSEEN,
        "POLCCONV": "COSMO",
    }
    for key, value in (head | extra).items():
        if value is not None:
            hdu.header[key] = value
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return path


def write_planck(path, values, *, unit="K_CMB", **extra):
    """A frequency map as Planck distributes it: NESTED, float32, I, Q, U and hits."""
    import healpy

    nested = healpy.reorder(values, r2n=True).astype(np.float32)
    zeros = np.zeros_like(nested)
    columns = [
        ("I_STOKES", unit, nested),
        ("Q_STOKES", unit, zeros),
        ("U_STOKES", unit, zeros),
        ("HITS", None, np.ones(nested.size, np.int32)),
    ]
    nside = round((values.size / 12) ** 0.5)
    return write_map(path, columns, nside=nside, **extra)
