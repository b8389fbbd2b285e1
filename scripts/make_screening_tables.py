"""Re-encode the redshift distribution of unWISE Blue galaxies as a bundled ECSV table.

    python scripts/make_screening_tables.py [--shared ../shared] [--out diffaxion/data/tables]

All 500 points are kept: the spline through them is part of the definition of the spectra.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from astropy.table import Table


def redshift_table(path: Path) -> Table:
    """dN/dz of the unWISE Blue sample."""
    table = Table.read(path, format="ascii.csv", comment="#")
    z, dndz = np.asarray(table["z"]), np.asarray(table["dndz"])
    integral = np.sum(0.5 * (dndz[1:] + dndz[:-1]) * np.diff(z))
    if np.any(np.diff(z) <= 0) or np.any(dndz < 0) or abs(integral - 1.0) > 1e-4:
        raise SystemExit(f"{path}: expected increasing z, dndz >= 0, integral 1 ({integral})")
    out = Table({"z": z, "dndz": dndz})
    out.meta = {
        "description": (
            "redshift distribution dN/dz of the unWISE Blue galaxies, integral 1 over 0 < z < 4, "
            "mean redshift 0.644; to be joined by a not-a-knot cubic spline"
        ),
        "source": (
            "Krolewski et al. 2020, JCAP 05, 047, arXiv:1909.07412 (cross-match with COSMOS), as "
            "used by Goldstein et al. 2024, arXiv:2409.10514"
        ),
        "licence": "published facts; cite Krolewski et al. 2020",
        "nature": "measured",
    }
    return out


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, default=Path("diffaxion/data/tables"))
    args = parser.parse_args()
    table = redshift_table(args.shared / "data/screening/dndz_unwise_blue.csv")
    target = args.out / "unwise_blue_dndz.ecsv"
    table.write(target, format="ascii.ecsv", overwrite=True)
    print(f"wrote {target}: {len(table)} rows, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
