"""Make the toy tables behind forecasts of the CMB half.

    python scripts/make_forecast_tables.py [--shared ../shared] [--out diffaxion/data/tables]
                                           [--galaxy CSV]

``toy_ilc_noise.ecsv``: total spectra of toy screening maps, thinned to the nodes that a cubic
spline of ln C in ln l needs for 0.03 per cent at every multipole from 2 to 2500.

``toy_bandpower_variance.ecsv``, with ``--galaxy``: variances of the eleven default bandpowers for
each deprojection. The CSV has the columns ``ell,cl_gg`` [sr] without shot noise, at four or more
multipoles around 302 to 1951, and its comment lines go into the table's source.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from astropy.table import Table

from diffaxion.likelihoods.bandpower_covariance import (
    DEPROJECTIONS,
    FORECAST_SKY_FRACTION,
    UNWISE_BLUE_SHOT_NOISE_SR,
    forecast_covariance,
)
from diffaxion.observables.cmb.bandpowers import spline_matrix, top_hat_windows

TOLERANCE = 3e-4
COLUMNS = tuple(f"cl_{name.replace('-', '_')}" for name in DEPROJECTIONS)
MODEL = (
    "analytic Planck-like sky: 8 channels of 30-545 GHz with white noise and Gaussian beams, "
    "lensed LCDM CMB, power-law tSZ, CIB (5% decorrelated), dust and synchrotron, cleaned by a "
    "constrained harmonic ILC; no measurement enters"
)


def greedy_nodes(ell: np.ndarray, log_cl: np.ndarray) -> np.ndarray:
    """Indices of the nodes to keep: a node is added where the spline is most wrong."""
    kept = {0, *np.searchsorted(ell, np.geomspace(3, 2000, 12)).tolist(), ell.size - 1}
    while True:
        nodes = np.array(sorted(kept))
        error = np.abs(spline_matrix(ell[nodes], ell) @ log_cl[nodes] - log_cl).max(axis=1)
        if error.max() < TOLERANCE:
            return nodes
        kept.add(int(error.argmax()))


def noise_table(path: Path) -> Table:
    """Thinned toy spectra of the map."""
    full = Table.read(path, format="ascii.csv", comment="#")
    ell = np.asarray(full["ell"], float)
    values = np.stack([np.asarray(full[name], float) for name in COLUMNS], axis=1)
    nodes = greedy_nodes(ell, np.log(values))
    table = Table({"ell": ell[nodes], **dict(zip(COLUMNS, values[nodes].T))})
    for name in COLUMNS:
        table[name].unit = "uK2"
    table.meta = {
        "description": (
            "TOY: total spectra [uK^2, thermodynamic, screening normalised at 353 GHz, beam "
            "deconvolved] of cleaned screening maps with nothing, tSZ, tSZ+CIB or tSZ+CIB+dCIB/"
            f"dbeta deprojected; {nodes.size} nodes for a cubic spline of ln C in ln l "
            f"({100 * TOLERANCE:g} per cent); not the noise of a published analysis"
        ),
        "source": f"derived from an {MODEL}",
        "licence": "BSD-3-Clause",
        "nature": "derived",
    }
    return table


def variance_table(galaxy: Path) -> Table:
    """Variances of the default bandpowers for a galaxy spectrum."""
    lines = galaxy.read_text().splitlines()
    origin = " ".join(x.lstrip("# ").strip() for x in lines if x.startswith("#"))
    if not origin:
        raise SystemExit(f"{galaxy}: say in a comment line where the spectrum comes from")
    given = Table.read(galaxy, format="ascii.csv", comment="#")
    windows = top_hat_windows()
    table = Table({"ell_lo": np.asarray(windows.ell_lo), "ell_hi": np.asarray(windows.ell_hi)})
    for name in DEPROJECTIONS:
        covariance = forecast_covariance(windows, given["ell"], given["cl_gg"], deprojection=name)
        column = f"var_{name.replace('-', '_')}"
        table[column] = [float(f"{v:.6e}") for v in np.diagonal(covariance)]
        table[column].unit = "uK2"
    table.meta = {
        "description": (
            "TOY: variances of the (2l+1)-weighted bandpowers of C_l^Tg without signal, "
            f"f_sky = {FORECAST_SKY_FRACTION}, shot noise {UNWISE_BLUE_SHOT_NOISE_SR:.4e} sr, map "
            "spectra of toy_ilc_noise; not the errors of a published analysis"
        ),
        "source": f"derived from an {MODEL}; galaxy spectrum: {origin}",
        "licence": "BSD-3-Clause",
        "nature": "derived",
    }
    return table


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--shared", type=Path, default=root.parent / "shared")
    parser.add_argument("--out", type=Path, default=root / "diffaxion" / "data" / "tables")
    parser.add_argument("--galaxy", type=Path, help="CSV with ell,cl_gg [sr]")
    arguments = parser.parse_args()
    noise = noise_table(arguments.shared / "data" / "screening" / "toy_ilc_noise.csv")
    noise.write(arguments.out / "toy_ilc_noise.ecsv", format="ascii.ecsv", overwrite=True)
    print(f"toy_ilc_noise.ecsv: {len(noise)} rows")
    if arguments.galaxy is not None:
        variance = variance_table(arguments.galaxy)
        name = "toy_bandpower_variance.ecsv"
        variance.write(arguments.out / name, format="ascii.ecsv", overwrite=True)
        print(f"{name}: {len(variance)} rows")


if __name__ == "__main__":
    main()
