"""Re-encode published limit curves and NuSTAR spectra as bundled ECSV tables.

    python scripts/make_tables.py [--shared ../shared] [--out diffaxion/data/tables]

Every table gets columns with units and a header with description, source, licence and nature.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import Table

COLLECTION = "AxionLimits, C. O'Hare, https://cajohare.github.io/AxionLimits/"
COLLECTION_LICENCE = "MIT (collection of C. O'Hare, Copyright 2019); cite the paper of the curve"
RELEASE = "public data release of Dessert, Foster & Safdi 2020, PRL 125, 261102, arXiv:2008.03305"

# file stem: (table name, label in figures, paper, arXiv number, remark)
CURVES = {
    "CAST_lowmass": (
        "limits_cast",
        "CAST",
        "CAST Collaboration 2017",
        "1705.02290",
        "low-mass plateau",
    ),
    "Chandra_H1821643": (
        "limits_chandra_h1821643",
        "Chandra H1821+643",
        "Reynes et al. 2021",
        "2109.03261",
        "",
    ),
    "Chandra_M87": (
        "limits_chandra_m87",
        "Chandra M87",
        "Marsh et al. 2017",
        "1703.07354",
        "",
    ),
    "Chandra_NGC1275": (
        "limits_chandra_ngc1275",
        "Chandra NGC 1275",
        "Reynolds et al. 2020",
        "1907.05475",
        "depends strongly on the model of the cluster field",
    ),
    "M82": (
        "limits_m82",
        "NuSTAR M82",
        "Ning & Safdi 2024",
        "2404.14476",
        "low-mass part, thinned",
    ),
    "SN1987A_gamma": (
        "limits_sn1987a",
        "SN 1987A",
        "Hoof & Schulz 2023",
        "2212.09764",
        "gamma rays, thinned",
    ),
    "Xray_SuperStarClusters": (
        "limits_super_star_clusters",
        "Super star clusters",
        "Dessert, Foster & Safdi 2020, PRL 125, 261102",
        "2008.03305",
        "Quintuplet and Westerlund 1, 95%, power constrained, thinned",
    ),
    "Planck_unWISE": (
        "limits_planck_unwise",
        "Planck x unWISE",
        "Goldstein et al. 2024",
        "2409.10514",
        "95% one-tailed, uniform prior in g",
    ),
}


def limit_table(path: Path, label: str, paper: str, arxiv: str, remark: str) -> Table:
    """One published limit curve."""
    mass, coupling = np.loadtxt(path, comments="#", unpack=True)
    if np.any(np.diff(mass) <= 0) or np.any(coupling <= 0):
        raise SystemExit(f"{path}: masses must increase and couplings be positive")
    table = Table(
        {"m_a_eV": mass * u.eV, "g_GeV": coupling * u.Unit("GeV-1")},
    )
    what = f"published upper limit on the axion-photon coupling, {label}"
    table.meta = {
        "description": f"{what} ({remark})" if remark else what,
        "source": f"{paper}, arXiv:{arxiv}; curve as collected in {COLLECTION}",
        "licence": COLLECTION_LICENCE,
        "nature": "measured",
        "label": label,
        "arxiv": arxiv,
    }
    return table


def read_columns(path: Path) -> Table:
    """Columns of a commented CSV file."""
    return Table.read(path, format="ascii.csv", comment="#")


def spectra_table(path: Path) -> Table:
    """NuSTAR flux points of the two clusters and the predicted axion spectra."""
    table = read_columns(path)
    table["energy_keV"].unit = u.keV
    for name in table.colnames[1:]:
        table[name].unit = u.Unit("1e-4 ct / (keV s)")
    table.meta = {
        "description": (
            "NuSTAR flux of the axion template towards Quintuplet and Westerlund 1 (Wd1), "
            "in bins of half width 2.5 keV, with symmetric 1-sigma errors, and the predicted "
            "axion spectra at m_a -> 0"
        ),
        "source": RELEASE,
        "licence": "MIT",
        "nature": "measured",
        "half_width_keV": 2.5,
        "axion_g_GeV": {"quintuplet": 4e-12, "wd1": 5e-12},
        "analysis_from_keV": {"quintuplet": 10.0, "wd1": 15.0},
    }
    return table


def published_limits_table(path: Path) -> Table:
    """Published limits and expected bands of the clusters."""
    table = read_columns(path)
    table["m_a_eV"].unit = u.eV
    for name in table.colnames[1:]:
        table[name].unit = u.Unit("GeV-1")
    table.meta = {
        "description": (
            "published 95% power-constrained upper limits on the axion-photon coupling and "
            "expected bands: Quintuplet (quint), Westerlund 1 (wd1), their joint limit, and "
            "the bands of the Arches, whose observed limit is corrupt in the release"
        ),
        "source": RELEASE,
        "licence": "MIT",
        "nature": "measured",
    }
    return table


def main() -> None:
    """Write all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--shared", type=Path, default=root.parent / "shared")
    parser.add_argument("--out", type=Path, default=root / "diffaxion" / "data" / "tables")
    arguments = parser.parse_args()
    data = arguments.shared / "data"
    arguments.out.mkdir(parents=True, exist_ok=True)
    tables = {
        name: limit_table(data / "limits" / f"{stem}.txt", *rest)
        for stem, (name, *rest) in CURVES.items()
    }
    tables["nustar_spectra"] = spectra_table(data / "ssc" / "nustar_spectra.csv")
    tables["nustar_published_limits"] = published_limits_table(
        data / "ssc" / "published_limits.csv"
    )
    for name, table in tables.items():
        path = arguments.out / f"{name}.ecsv"
        table.write(path, format="ascii.ecsv", overwrite=True)
        print(f"{path.name}: {len(table)} rows")


if __name__ == "__main__":
    main()
