"""Make the table of screening spectra that simulated skies inject.

python scripts/make_sky_tables.py [--out diffaxion/data/tables]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from astropy.table import Table

from diffaxion.analyses.screening import screening_curve, screening_spectrum, screening_world
from diffaxion.analyses.screening_config import screening_section
from diffaxion.observables.cmb.bandpowers import inference_multipoles

MASS_EV, G_GEV = 1e-12, 1e-11
ELL_MAX = 6000.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("diffaxion/data/tables"))
    out = parser.parse_args().out
    section = screening_section("default")
    ell = inference_multipoles(2.0, ELL_MAX)
    model, world = screening_spectrum(section, ell), screening_world(section, MASS_EV)
    u = (G_GEV / 1e-12) ** 2
    spectra = {
        kind: np.asarray(screening_curve(model, world, None, jnp.array([MASS_EV]), kind))[0]
        for kind in ("Tg", "TT")
    }
    table = Table([ell, u * spectra["Tg"], u**2 * spectra["TT"]])
    table.rename_columns(table.colnames, ["ell", "cl_tg_uK", "cl_tt_uK2"])
    table["cl_tg_uK"].unit, table["cl_tt_uK2"].unit = "uK", "uK2"
    for name in table.colnames:
        table[name].format = ".8g"
    table.meta = {
        "description": "Screening spectra at 353 GHz of m_a = 1e-12 eV, g = 1e-11 GeV^-1, with "
        "unWISE Blue (HOD K22, AGN gas, smooth TNG field); C^Tg grows as g^2, C^TT as g^4",
        "source": "halo model of this package, configuration default "
        "(scripts/make_sky_tables.py); model of arXiv:2409.10514",
        "licence": "BSD-3-Clause",
        "nature": "derived",
    }
    table.write(out / "sky_screening_template.ecsv", format="ascii.ecsv", overwrite=True)


if __name__ == "__main__":
    main()
