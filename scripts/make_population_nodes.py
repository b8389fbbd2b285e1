"""Condense an evolutionary track into the bundled table ``population_nodes``.

    python scripts/make_population_nodes.py ../shared/data/ssc/mesa_history.csv

Consecutive steps of a class are merged into groups that have equal shares of the mean of two
measures: M zeta T_c^4 dt, a proxy of the axions emitted, and the path in log T_c, so that fast
passages between burning stages keep nodes. A node is the time-weighted mean of its group. The
script prints the largest deviation, between 10 and 80 keV, of each class's mean spectrum from
that of all steps.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from astropy.table import Table

from diffaxion.constants import KELVIN_TO_KEV
from diffaxion.conversion.cluster_shape import class_spectra
from diffaxion.data.mesa import read_history
from diffaxion.environments.stars.population import (
    CLASSES,
    ISOTOPES,
    REMAINDER_ZETA,
    StellarPopulation,
    normalise_in_class,
    population_from_history,
)

GROUPS = {"WNh": 14, "WN": 6, "WC": 4, "WO": 12}
LABEL = "one 85 Msun track"


def condense(full: StellarPopulation) -> StellarPopulation:
    """Merge consecutive nodes of each class."""
    name, time = np.array(full.classes), np.asarray(full.weight)
    zeta = np.asarray(full.stars().composition.zeta)
    proxy = np.asarray(full.mass_Msun) * zeta * np.asarray(full.t_c_keV) ** 4 * time
    columns: list[list] = [[], [], [], [], []]
    for c in CLASSES:
        rows = np.flatnonzero(name == c)
        path = np.abs(np.gradient(np.log(np.asarray(full.t_c_keV)[rows])))
        measure = proxy[rows] / proxy[rows].sum() + path / path.sum()
        share = 0.5 * (np.cumsum(measure) - 0.5 * measure)
        group = (GROUPS[c] * share).astype(int)
        for k in np.unique(group):
            of = rows[group == k]
            w = time[of] / time[of].sum()
            columns[0].append(w @ np.asarray(full.mass_Msun)[of])
            columns[1].append(w @ np.asarray(full.t_c_keV)[of])
            columns[2].append(w @ np.asarray(full.fractions)[of])
            columns[3].append(time[of].sum())
            columns[4].append(c)
    classes = tuple(columns[4])
    weight = normalise_in_class(np.array(columns[3]), classes)
    return StellarPopulation(*columns[:3], weight, full.remainder_zeta, classes, LABEL)


def main() -> None:
    """Write the table and print the residuals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("history", type=Path)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).parents[1] / "diffaxion/data/tables/population_nodes.ecsv",
    )
    arguments = parser.parse_args()
    full = population_from_history(read_history(arguments.history))
    nodes = condense(full)
    energy = jnp.geomspace(10.0, 80.0, 15)
    ratio = class_spectra(nodes, energy, CLASSES) / class_spectra(full, energy, CLASSES) - 1.0
    residual = {c: float(np.max(np.abs(r))) for c, r in zip(CLASSES, ratio, strict=True)}
    shown = ", ".join(f"{c} {r:.2g}" for c, r in residual.items())
    print(f"{len(full.classes)} steps -> {len(nodes.classes)} nodes; residuals: {shown}")

    columns = {
        "class": list(nodes.classes),
        "mass_Msun": np.asarray(nodes.mass_Msun),
        "log_t_c": np.log10(nodes.t_c_keV / KELVIN_TO_KEV),
        **{f"x_{i}": np.asarray(nodes.fractions)[:, k] for k, i in enumerate(ISOTOPES)},
        "weight": np.asarray(nodes.weight),
    }
    table = Table(
        {k: v if k == "class" else [float(f"{x:.7g}") for x in v] for k, v in columns.items()}
    )
    table["mass_Msun"].unit = "solMass"
    table["log_t_c"].description = "log10 of the central temperature in K"
    table["weight"].description = "share of the time of the class"
    table.meta = {
        "description": "Wolf-Rayet stars of one 85 Msun, Z = 0.035 track: mass, central "
        "temperature and composition by class, log T_c <= 8.7",
        "source": "MESA track of the public release of Dessert, Foster & Safdi 2020 "
        "(arXiv:2008.03305), condensed by scripts/make_population_nodes.py",
        "licence": "MIT (release); condensation BSD-3-Clause",
        "nature": "simulated",
        "label": LABEL,
        "remainder_zeta": REMAINDER_ZETA,
        "residuals": f"largest deviation of the class-mean spectrum in 10-80 keV: {shown}",
    }
    table.write(arguments.out, format="ascii.ecsv", overwrite=True, delimiter=",")


if __name__ == "__main__":
    main()
