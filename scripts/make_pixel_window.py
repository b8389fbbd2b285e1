"""Make the bundled table of the HEALPix pixel window from its definition.

    python scripts/make_pixel_window.py [--out diffaxion/data/tables]

w_l^2 is the mean over pixels of the double mean of P_l(n . n') over the pixel. Pixels are images
of squares under an equal-area map, so that Gauss-Legendre nodes in the square give means over the
pixel. Their shape depends on latitude around the equator (2/3 of the sky), on latitude and on the
place in the quadrant in the polar caps (1/3). For small pixels P_l(cos th) = J_0(u th nside) with
u = sqrt(l(l+1))/nside: the window depends on u alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from astropy.table import Table

NSIDE = 2**14  # pixels are flat, the window that of the limit
PLACES = 24  # nodes in latitude, and in the place in the quadrant
NODES = 8  # on a side of a pixel
STEP, LAST = 0.05, 4.0


def directions(ring: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Unit vectors of points of a quadrant of the northern sky.

    ``ring`` is 0 at the pole, 1 at sin b = 2/3, 2 at the equator; ``across`` is -ring to ring in
    the cap, -1 to 1 beyond.
    """
    row = np.where(ring < 1.0, ring, 1.0)
    z = np.where(ring < 1.0, 1.0 - row**2 / 3.0, (2.0 - ring) * 2.0 / 3.0)
    phi = 0.25 * np.pi * across / row
    s = np.sqrt(1.0 - z**2)
    return np.stack([s * np.cos(phi), s * np.sin(phi), z], axis=-1)


def pixels_with_weights() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres (ring, across) of pixels and their share of the sky."""
    t, w = np.polynomial.legendre.leggauss(PLACES)
    t, w = 0.5 * (t + 1.0), 0.5 * w
    ring, place = (v.ravel() for v in np.meshgrid(t, 2.0 * t - 1.0, indexing="ij"))
    ring = np.concatenate([ring, 1.0 + t])
    across = np.concatenate([ring[: place.size] * place, 0.0 * t])
    cap = np.outer(2.0 * t * w, w).ravel() / 3.0
    return ring, across, np.concatenate([cap, 2.0 / 3.0 * w])


def window_squared(u: np.ndarray) -> np.ndarray:
    """w^2 at u = sqrt(l(l+1))/nside, shape (u,)."""
    from scipy.special import j0

    t, w = np.polynomial.legendre.leggauss(NODES)
    # Coordinates along the sides of a pixel; ring and across run along its diagonals.
    x, y = (0.5 * v.ravel() / NSIDE for v in np.meshgrid(t, t))
    weight = np.outer(0.5 * w, 0.5 * w).ravel()
    ring, across, share = pixels_with_weights()
    vectors = directions(ring[:, None] - x - y, across[:, None] + x - y)
    first, second = np.triu_indices(weight.size, 1)
    pair = 2.0 * weight[first] * weight[second]
    chord = np.linalg.norm(vectors[:, first] - vectors[:, second], axis=-1) * NSIDE
    return np.array([np.sum(weight**2) + share @ (j0(value * chord) @ pair) for value in u])


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--out", type=Path, default=root / "diffaxion" / "data" / "tables")
    out = parser.parse_args().out
    u = STEP * np.arange(round(LAST / STEP) + 1)
    window = np.sqrt(window_squared(u))
    table = Table(
        {"ell_over_nside": np.round(u, 10), "window": [float(f"{w:.9f}") for w in window]}
    )
    table.meta = {
        "description": (
            "HEALPix pixel window: square root of the mean over pixels of the double mean of "
            "P_l(n.n') over the pixel, against sqrt(l(l+1))/nside"
        ),
        "source": "diffaxion, scripts/make_pixel_window.py; geometry of Gorski et al. 2005, "
        "astro-ph/0409513",
        "licence": "BSD-3-Clause",
        "nature": "derived",
    }
    table.write(out / "pixel_window.ecsv", format="ascii.ecsv", overwrite=True)
    print(f"pixel_window.ecsv: {len(table)} rows")


if __name__ == "__main__":
    main()
