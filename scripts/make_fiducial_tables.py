"""Make the tables that stand for the model of the published screening analysis.

    python scripts/make_fiducial_tables.py [--out diffaxion/data/tables]

``screening_fiducial_bandpowers.ecsv``: bandpowers of C_l^Tg per unit u in the configuration
``parity`` at the masses of the published limit: the fiducial point of the recast.

``toy_bandpower_variance.ecsv``: toy variances of the same bandpowers, with C_l^gg of ``parity``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from astropy.table import Table
from make_forecast_tables import variance_table

from diffaxion.analyses.screening import screening_curve, screening_spectrum, screening_terms
from diffaxion.analyses.screening import screening_world as build_world
from diffaxion.analyses.screening_config import screening_section
from diffaxion.data.registry import load_table
from diffaxion.observables.cmb.bandpowers import top_hat_windows


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--out", type=Path, default=root / "diffaxion" / "data" / "tables")
    out = parser.parse_args().out
    section, windows = screening_section("parity"), top_hat_windows()
    world, model = build_world(section), screening_spectrum(section, windows.node_ell)
    cache = model.prepare(world)

    masses = load_table("limits_planck_unwise")["m_a_eV"]
    spectra = screening_curve(model, world, cache, jnp.asarray(masses))
    bins = np.asarray(spectra) @ np.asarray(windows.matrix).T
    table = Table({"m_a_eV": masses})
    table["m_a_eV"].unit = "eV"
    for b in range(bins.shape[1]):
        table[f"cl_{b}"] = [float(f"{v:.7e}") for v in bins[:, b]]
        table[f"cl_{b}"].unit = "uK"
    edges = ", ".join(f"{int(a)}-{int(c)}" for a, c in zip(windows.ell_lo, windows.ell_hi))
    table.meta = {
        "description": (
            "Bandpowers of C_l^Tg at 353 GHz per unit u = (g/1e-12 GeV^-1)^2, (2l+1)-weighted "
            f"means over l = {edges}, configuration parity: a model, not a measurement"
        ),
        "source": "diffaxion, scripts/make_fiducial_tables.py; conventions of arXiv:2409.10514",
        "licence": "BSD-3-Clause",
        "nature": "derived",
    }
    name = "screening_fiducial_bandpowers.ecsv"
    table.write(out / name, format="ascii.ecsv", overwrite=True)
    print(f"{name}: {len(table)} rows")

    one, two = screening_terms(model, world, cache, "gg")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gg.csv"
        rows = zip(np.asarray(windows.node_ell), np.asarray(one + two))
        lines = [f"{l!r},{c!r}" for l, c in ((float(l), float(c)) for l, c in rows)]
        head = "# C_l^gg of diffaxion in the configuration parity (unWISE Blue, HOD K22)"
        path.write_text("\n".join([head, "ell,cl_gg", *lines]) + "\n")
        variance = variance_table(path)
    name = "toy_bandpower_variance.ecsv"
    variance.write(out / name, format="ascii.ecsv", overwrite=True)
    print(f"{name}: {len(variance)} rows")


if __name__ == "__main__":
    main()
