"""Variances of the eleven default bandpowers from the map pipeline on a simulated sky.

The sky has the resolution (nside 1024), beams and white noise of Planck, a toy Galaxy and toy
extragalactic foregrounds, masks that leave 62.5 and 51 per cent, and no signal. Its maps go through
the pipeline with the published choices; the diagonals of the covariances are written as the table
``pipeline_bandpower_variance``. Simulated: not the published covariance.

    python scripts/make_pipeline_variances.py [OUT.ecsv]

takes about 20 minutes and 4 GB on one core.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from diffaxion.analyses.maps_config import parse_maps_configuration
from diffaxion.analyses.maps_pipeline import plan_maps, run_maps

NSIDE, LMAX, SEED = 1024, 2600, 20240916
PEAKS = [0, 100, 200, 300, 400, 600, 800, 1000, 1250, 1400, 1800, 2200, LMAX + 1]
SETS = {
    "none": [],
    "tsz": ["tsz"],
    "tsz_cib": ["tsz", "cib"],
    "tsz_cib_dbeta": ["tsz", "cib", "cib-dbeta"],
}
HEADER = """# %ECSV 1.0
# ---
# datatype:
{columns}
# meta: !!omap
# - {{description: 'Variances of the eleven default bandpowers of C_l^Tg from the map pipeline'}}
# - {{source: 'scripts/make_pipeline_variances.py: one simulated sky, nside {nside}, seed {seed}'}}
# - {{nature: 'simulated: toy foregrounds, Planck beams and white noise; not a measurement'}}
# - {{licence: BSD-3-Clause}}
# schema: astropy-2.0
"""


def settings(backend: str = "ducc0"):
    """The configuration of the run."""
    return parse_maps_configuration(
        {
            "seed": SEED,
            "simulation": {
                "nside": NSIDE,
                "lmax": LMAX,
                "noise_factor": 1.0,
                "galactic_cut_deg": float(np.degrees(np.arcsin(0.375))),
                "galaxy_cut_deg": float(np.degrees(np.arcsin(0.49))),
            },
            "cleaning": {
                "peaks": PEAKS,
                "common_fwhm_arcmin": 10.0,
                "also": {k: v for k, v in SETS.items() if k != "tsz_cib_dbeta"},
            },
            "measurement": {"bin_width": 150, "last_ell": 2000},
            "residuals": {"enabled": False},
            "numerics": {"backend": backend},
        }
    )


def main(path: Path) -> None:
    start = time.perf_counter()
    plan = plan_maps(settings())
    print("\n".join(plan.lines()), flush=True)
    result = run_maps(
        plan,
        progress=lambda step, done: print(f"{time.perf_counter() - start:7.1f} {step}", flush=True),
    )
    names = {"fiducial": "tsz_cib_dbeta"} | {k: k for k in SETS if k != "tsz_cib_dbeta"}
    use = result.measurer.use
    rows, columns = [], ["ell_lo", "ell_hi", *(f"var_{k}" for k in SETS)]
    first = result.measured["fiducial"]
    table = {names[k]: m for k, m in result.measured.items()}
    # Free of the beam, as the toy variances are.
    table = {
        k: result.measurer.measure(result.cleaned[n].values, first.fwhm_arcmin, remove_beam=True)
        for n, k in names.items()
    }
    for b in range(first.bins.size)[use]:
        variances = [table[k].cov_uK2[b, b] for k in SETS]
        rows.append(
            f"{first.bins.lo[b]} {first.bins.hi[b]} " + " ".join(f"{v:.6e}" for v in variances)
        )
    types = {n: "int64" if n.startswith("ell") else "float64" for n in columns}
    units = {n: "" if n.startswith("ell") else ", unit: uK2" for n in columns}
    header = "\n".join(f"# - {{name: {n}{units[n]}, datatype: {types[n]}}}" for n in columns)
    text = HEADER.format(columns=header, nside=NSIDE, seed=SEED)
    path.write_text(text + " ".join(columns) + "\n" + "\n".join(rows) + "\n")
    print(result.seconds, {k: m.null_test(use) for k, m in table.items()})


if __name__ == "__main__":
    tables = Path(__file__).parents[1] / "diffaxion" / "data" / "tables"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else tables / "pipeline_bandpower_variance.ecsv")
