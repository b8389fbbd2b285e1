"""Build the photoelectric cross section per hydrogen atom of the interstellar medium.

    python scripts/build_photoelectric.py

sums over elements abundance x atomic photoelectric cross section (Elam, Ravel & Sieber 2002, as
distributed with xraydb) for two sets of abundances, and writes
``diffaxion/data/tables/photoelectric_ism.ecsv``. There is no absorption edge of an abundant
element above 10 keV; those of iron and nickel (7.112 and 8.333 keV) are bracketed by close nodes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xraydb
from astropy.table import Table

AVOGADRO = 6.02214076e23
# Nodes sit this far below and above each edge, so that interpolation keeps the step.
EDGE_GAP_KEV = 5e-4
OUT = Path(__file__).resolve().parents[1] / "diffaxion" / "data" / "tables"

# log10 of the number of atoms per 1e12 hydrogen atoms.
ISM = {  # Wilms, Allen & McCray 2000, table 2
    "H": 12.00, "He": 10.99, "C": 8.38, "N": 7.88, "O": 8.69, "Ne": 7.94, "Na": 6.16,
    "Mg": 7.40, "Al": 6.33, "Si": 7.27, "P": 5.42, "S": 7.09, "Cl": 5.12, "Ar": 6.41,
    "Ca": 6.20, "Ti": 4.81, "Cr": 5.51, "Mn": 5.34, "Fe": 7.43, "Co": 4.92, "Ni": 6.05,
}  # fmt: skip
SOLAR = {  # Anders & Ebihara 1982, as adopted by Morrison & McCammon 1983, table 1
    "H": 12.00, "He": 11.00, "C": 8.65, "N": 7.96, "O": 8.87, "Ne": 8.14, "Na": 6.32,
    "Mg": 7.60, "Al": 6.49, "Si": 7.57, "S": 7.28, "Cl": 5.28, "Ar": 6.58, "Ca": 6.35,
    "Cr": 5.69, "Fe": 7.52, "Ni": 6.26,
}  # fmt: skip


def cross_section_cm2(abundances: dict[str, float], energy_keV: np.ndarray) -> np.ndarray:
    """Photoelectric cross section per hydrogen atom [cm^2]."""
    total = np.zeros_like(energy_keV)
    for element, log_number in abundances.items():
        per_gram = xraydb.mu_elam(element, 1e3 * energy_keV, kind="photo")
        per_atom = per_gram * xraydb.atomic_mass(element) / AVOGADRO
        total += 10.0 ** (log_number - 12.0) * per_atom
    return total


def main() -> None:
    """Tabulate and write."""
    edges = np.array(
        [xraydb.xray_edges(e)["K"].energy * 1e-3 for e in ISM if "K" in xraydb.xray_edges(e)]
    )
    edges = np.sort(edges[edges > 5.0])
    energy = np.concatenate(
        [np.geomspace(5.0, 80.0, 61), edges - EDGE_GAP_KEV, edges + EDGE_GAP_KEV]
    )
    energy = np.unique(energy)
    table = Table({"energy_keV": np.round(energy, 8)})
    table["energy_keV"].unit = "keV"
    for name, abundances in (("ism", ISM), ("solar", SOLAR)):
        values = cross_section_cm2(abundances, energy)
        table[f"sigma_{name}_cm2"] = [float(f"{v:.6e}") for v in values]
        table[f"sigma_{name}_cm2"].unit = "cm^2"
    table.meta = {
        "description": "Photoelectric cross section per hydrogen atom: interstellar abundances of "
        "Wilms, Allen & McCray 2000 (sigma_ism) and solar ones of Anders & Ebihara 1982 "
        "(sigma_solar); neutral gas, no grains, no scattering",
        "source": "atomic cross sections: Elam, Ravel & Sieber 2002, Radiat. Phys. Chem. 63, 121 "
        "(through xraydb); abundances: Wilms, Allen & McCray 2000, ApJ 542, 914, table 2, and "
        "Morrison & McCammon 1983, ApJ 270, 119, table 1",
        "licence": "published atomic data and abundances; xraydb is under the MIT licence",
        "nature": "derived",
    }
    table.write(OUT / "photoelectric_ism.ecsv", format="ascii.ecsv", overwrite=True)
    print(energy.size, "energies; edges at", edges)


if __name__ == "__main__":
    main()
