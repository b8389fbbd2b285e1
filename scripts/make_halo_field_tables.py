"""Re-encode the IllustrisTNG magnetic-field profiles of halos as bundled ECSV tables.

    python scripts/make_halo_field_tables.py [--shared ../shared] [--out diffaxion/data/tables]

Two tables: the quintics of the mean profiles, and the profiles themselves with the Cholesky factor
of the covariance of each bin's mean, as offsets of log10 B [dex]. Nothing of the covariance is
truncated. The bin of the most massive halos holds two of them at z >= 1, so that its covariance
has rank one and underrates the error: 30% of B is added there in quadrature at every radius.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import Table

SOURCE = (
    "Goldstein et al. 2024, arXiv:2409.10514 (mean profiles of halos in their public data); "
    "simulations TNG100-1 (log10 M200c < 14) and TNG300-1 (above): Nelson et al. 2019, "
    "Computational Astrophysics and Cosmology 6, 2, arXiv:1812.05609"
)
LICENCE = "bin averages of the public IllustrisTNG data release; cite Nelson et al. 2019"
POOR_BIN = 2  # halos
POOR_BIN_ERROR = 0.3  # of B


def quintic_table(path: Path) -> Table:
    """Coefficients of log10 B [G] in powers of log10(r/R200c), one row per bin."""
    table = Table.read(path, format="ascii.csv", comment="#")
    if len(table) != 32:
        raise SystemExit(f"{path}: {len(table)} rows, expected 4 redshifts x 8 mass bins")
    table.meta = {
        "description": (
            "magnetic field in halos: log10(B/G) = sum_k c_k (log10 x)^k, x = r/R200c, the "
            "least-squares quintic through the 11 mean profile points of each bin of redshift "
            "and log10 M200c [Msun]; z = 1.5 repeats z = 1 above 1e14 Msun; residual 0.024 dex "
            "rms; meant for 0.1 < x < 1.1"
        ),
        "source": SOURCE,
        "licence": LICENCE,
        "nature": "published-fit",
    }
    return table


def offset_columns(covariance: np.ndarray, mean: np.ndarray, halos: int) -> np.ndarray:
    """Lower-triangular L [dex] with L L^T the covariance of log10 of the mean, to first order."""
    covariance = covariance + np.diag((halos <= POOR_BIN) * (POOR_BIN_ERROR * mean) ** 2)
    dex = covariance / np.outer(mean, mean) / np.log(10.0) ** 2
    values, vectors = np.linalg.eigh(dex)
    # A Cholesky factor by QR, which takes a covariance without full rank (11 halos).
    root = np.transpose(np.linalg.qr((np.sqrt(np.maximum(values, 0.0)) * vectors).T)[1])
    # Positive diagonal; + 0.0 turns the zeros that this makes negative back.
    return root * np.where(np.diag(root) < 0.0, -1.0, 1.0) + 0.0


def profile_table(csv: Path, npz: Path) -> Table:
    """Mean profiles, their errors, scatter and the Cholesky factors, one row per point."""
    points = Table.read(csv, format="ascii.csv", comment="#")
    arrays = np.load(npz)
    if len(points) != 352 or arrays["B_mean"].shape != (4, 8, 11):
        raise SystemExit(f"{csv}: {len(points)} rows, expected 4 x 8 x 11")
    columns = np.zeros((4, 8, 11, 11))
    for i in range(4):
        for j in range(8):
            columns[i, j] = offset_columns(
                arrays["B_cov_of_mean"][i, j], arrays["B_mean"][i, j], arrays["n_halos"][i, j]
            )
    keep = ["z", "log10M200c_lo", "log10M200c_hi", "n_halos", "x_cen", "B_mean_G", "B_sem_G"]
    table = points[[*keep, "sd_log10B"]]
    for name in ("B_mean_G", "B_sem_G"):
        table[name].unit = u.G
    table["sd_log10B"].unit = u.dex
    for k in range(11):
        table[f"offset_{k}"] = [float(f"{x:.5g}") for x in columns[..., k].ravel()] * u.dex
    table.meta = {
        "description": (
            "magnetic field in halos: mean over the halos of a bin of redshift and log10 M200c "
            "[Msun] of the mass-weighted |B| in shells of x = r/R200c, standard error of that "
            "mean, halo-to-halo scatter of log10 B, and offset_k, column k of the Cholesky "
            "factor L of the covariance of the 11 means, divided by B ln 10: offsets of log10 B "
            "are L z with z ~ N(0, 1); where a bin has two halos, 30% of B is added to the "
            "diagonal; z = 1.5 repeats z = 1 above 1e14 Msun"
        ),
        "source": SOURCE,
        "licence": LICENCE,
        "nature": "simulated",
    }
    return table


def main() -> None:
    """Write both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--shared", type=Path, default=root.parent / "shared")
    parser.add_argument("--out", type=Path, default=root / "diffaxion" / "data" / "tables")
    arguments = parser.parse_args()
    data = arguments.shared / "data" / "screening"
    tables = {
        "halo_field_tng_quintics": quintic_table(data / "tng_bfield_quintic.csv"),
        "halo_field_tng_profiles": profile_table(
            data / "tng_bfield_mean.csv", data / "tng_bfield_mean.npz"
        ),
    }
    for name, table in tables.items():
        path = arguments.out / f"{name}.ecsv"
        table.write(path, format="ascii.ecsv", overwrite=True)
        print(f"{path.name}: {len(table)} rows, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
