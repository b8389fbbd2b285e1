"""Small simulated observations and responses that the tests of the readers share."""

import numpy as np
from astropy.io import fits

from diffaxion.data import AncillaryResponse, EventList, ImageStack, Redistribution, nustar_grid

CENTRE = (266.558, -28.830)
LOW, HIGH = np.array([10.0, 15.0]), np.array([15.0, 20.0])
EDGES = np.arange(1.6, 21.6001, 0.04)


def stack(side=120, seed=1, **changes):
    """Two modules of one observation, pointed some pixels apart."""
    rng = np.random.default_rng(seed)
    shape = (2, 2, side, side)
    background = np.full(shape, 0.5)
    fields = {
        "counts": rng.poisson(background).astype(float),
        "exposure": np.full(shape, 3e4),
        "background": background,
        "low_keV": LOW,
        "high_keV": HIGH,
        "grids": (
            nustar_grid(CENTRE[0], CENTRE[1], side),
            nustar_grid(CENTRE[0] + 0.003, CENTRE[1] - 0.002, side),
        ),
        "exposure_s": np.array([3e4, 2.9e4]),
        "modules": ("FPMA", "FPMB"),
        "obs_ids": ("40010005001", "40010005001"),
        "nature": "simulated, seed 1",
    }
    return ImageStack(**(fields | changes))


def events(n=4000, seed=2, side=120, **changes):
    """Events all over an image, some outside of the good time and of the good grades."""
    rng = np.random.default_rng(seed)
    fields = {
        "time_s": np.sort(rng.uniform(0.0, 1e4, n)),
        "pi": rng.integers(0, 700, n),
        "x": rng.integers(0, side, n).astype(float),
        "y": rng.integers(0, side, n).astype(float),
        "grade": rng.integers(0, 32, n),
        "grid": nustar_grid(*CENTRE, side),
        "gti_s": np.array([[0.0, 4e3], [5e3, 1e4]]),
        "exposure_s": 8e3,
        "module": "FPMA",
        "obs_id": "40010005001",
        "nature": "simulated",
    }
    return EventList(**(fields | changes))


def arf():
    """An area that falls with energy, on 500 rows."""
    return AncillaryResponse(EDGES[:-1], EDGES[1:], 300.0 - 10.0 * EDGES[1:], "FPMA")


def rmf(first_channel=0, scale=1.0):
    """Rows of two groups: neighbouring channels, and a tail eight channels below."""
    n = EDGES.size - 1
    row = np.repeat(np.arange(n), 4)
    channel = row + np.tile([-8, -1, 0, 1], n)
    value = scale * np.tile([0.05, 0.25, 0.4, 0.25], n)
    keep = (channel >= 0) & (channel < n)
    return Redistribution(
        EDGES[:-1],
        EDGES[1:],
        row[keep],
        channel[keep],
        value[keep],
        EDGES[:-1],
        EDGES[1:],
        first_channel,
    )


def first(folder, kind):
    """The first file of a kind."""
    return sorted(folder.glob(f"*_{kind}.img*"))[0]


def change(path, **cards):
    """Change keywords of an image; None removes one, ``pixels`` is applied to the data."""
    pixels = cards.pop("pixels", None)
    with fits.open(path, mode="update") as file:
        for key, value in cards.items():
            if value is None:
                del file[0].header[key]
            else:
                file[0].header[key] = value
        if pixels is not None:
            file[0].data = pixels(file[0].data)
