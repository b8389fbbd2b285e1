"""Make the tables behind forecasts for CMB surveys and galaxy samples.

    python scripts/make_survey_tables.py [--out diffaxion/data/tables]

``survey_*.ecsv``: channels of CMB surveys as published, with the multipole at which atmospheric
noise equals white noise, l_knee = 1000 (N_red/S^2)^(1/3.5), where the publication gives N_red and
the sensitivity S instead. ``galaxy_samples.ecsv``: closed forms of dN/dz and densities.
``cmb_lensed_tt.ecsv``: lensed CMB of Planck 2018 by CAMB, thinned to spline nodes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from astropy.table import Table

from diffaxion.observables.cmb.bandpowers import spline_matrix

LICENCE = "published facts"
YEARS, EFFICIENCY = 5.0, 0.2 * 0.85
SO_F_SKY = 0.4
SO_PAPER = "Simons Observatory Collaboration (Ade et al.) 2019, arXiv:1808.07445"
ATMOSPHERE = 0.9
TOLERANCE = 1e-3
ELL_MAX = 5000


def channels(rows: list[tuple], description: str, source: str, f_sky: float, label: str) -> Table:
    """Table of frequency, beam, white noise, knee, slope and group of correlated atmosphere."""
    table = Table(
        rows=rows,
        names=("freq_GHz", "fwhm_arcmin", "white_uK_arcmin", "knee_ell", "knee_slope", "group"),
        dtype=(float, float, float, float, float, int),
    )
    for name, unit in (("freq_GHz", "GHz"), ("fwhm_arcmin", "arcmin")):
        table[name].unit = unit
    table["white_uK_arcmin"].unit = "uK arcmin"
    table["knee_ell"].description = "multipole where 1/f noise equals white noise; 0: none"
    table["knee_slope"].description = "1/f noise goes as l to the minus this"
    table["group"].description = "channels of one group share their atmosphere; 0: none"
    table.meta = {
        "description": description,
        "source": source,
        "licence": LICENCE,
        "nature": "published-fit",
        "label": label,
        "f_sky": f_sky,
        "atmosphere_correlation": ATMOSPHERE,
    }
    return table


def simons(sensitivity: tuple[float, ...], mode: str) -> Table:
    """Large-aperture telescope of the Simons Observatory from sensitivities [uK s^1/2]."""
    freq = (27, 39, 93, 145, 225, 280)
    fwhm = (7.4, 5.1, 2.2, 1.4, 1.0, 0.9)
    red = np.array([200, 77, 1800, 12000, 68000, 124000]) / (2 * np.array([1, 1, 4, 4, 2, 2]))
    seconds = YEARS * 365.25 * 86400 * EFFICIENCY
    area = 4 * np.pi * SO_F_SKY * (180 * 60 / np.pi) ** 2
    white = np.array(sensitivity) * np.sqrt(area / seconds)
    knee = 1000 * (red / np.array(sensitivity) ** 2) ** (1 / 3.5)
    rows = [
        (f, b, round(float(w), 3), round(float(k), 1), 3.5, 1 + i // 2)
        for i, (f, b, w, k) in enumerate(zip(freq, fwhm, white, knee, strict=True))
    ]
    return channels(
        rows,
        f"Simons Observatory large-aperture telescope, {mode} sensitivity, temperature, 5 years",
        f"{SO_PAPER}, Table 1 and section 2.2; sensitivities, beams, N_red and time as in "
        "the collaboration's public noise calculator 3.0.0 (simonsobs/so_noise_models)",
        SO_F_SKY,
        f"SO LAT {mode}",
    )


def surveys() -> dict[str, Table]:
    """Tables of CMB surveys by name."""
    planck = [
        (30, 32.29, 150.0, 0, 0, 0),
        (44, 27.94, 162.0, 0, 0, 0),
        (70, 13.08, 210.0, 0, 0, 0),
        (100, 9.66, 77.4, 0, 0, 0),
        (143, 7.22, 33.0, 0, 0, 0),
        (217, 4.90, 46.8, 0, 0, 0),
        (353, 4.92, 153.6, 0, 0, 0),
        (545, 4.67, 806.0, 0, 0, 0),
    ]
    s4 = [
        (27, 7.4, 21.8, 471, 3.5, 1),
        (39, 5.1, 12.4, 428, 3.5, 1),
        (93, 2.2, 2.0, 2154, 3.5, 2),
        (145, 1.4, 2.0, 4364, 3.5, 2),
        (225, 1.0, 6.9, 7334, 3.5, 3),
        (278, 0.9, 16.7, 7308, 3.5, 3),
    ]
    return {
        "survey_planck": channels(
            planck,
            "Planck 2018 maps, temperature; 1/f noise is below the white noise at the multipoles "
            "used here and left out",
            "Planck 2018 results I, arXiv:1807.06205, Table 4: beams and noise [uK deg] times 60; "
            "545 GHz: 0.78 kJy/sr deg at 58.04 MJy/sr/K",
            0.5,
            "Planck",
        ),
        "survey_so_baseline": simons((48.0, 24.0, 5.4, 6.7, 15.0, 36.0), "baseline"),
        "survey_so_goal": simons((35.0, 18.0, 3.9, 4.2, 10.0, 25.0), "goal"),
        "survey_cmb_s4_wide": channels(
            s4,
            "CMB-S4 wide survey from Chile, temperature, 7 years",
            "CMB-S4 Science Case, Reference Design and Project Plan, arXiv:1907.04473, as listed "
            "under DSR in the public tool of Raghunathan & Omori 2023, arXiv:2304.09166; the "
            "correlation of the atmosphere is that of the Simons Observatory; f_sky as the "
            "overlap with 18000 deg^2 of LSST",
            0.4363,
            "CMB-S4 wide",
        ),
    }


def samples() -> Table:
    """Galaxy samples with dN/dz proportional to z^a exp(-(z/z0)^b)."""
    rows = [
        (
            "lsst-gold",
            "LSST year 10 lens sample",
            2.0,
            0.28,
            0.90,
            48.0,
            0.4363,
            "LSST DESC Science Requirements Document, arXiv:1809.01669, appendix D1",
        ),
        (
            "euclid",
            "Euclid photometric sample",
            2.0,
            0.9 / np.sqrt(2),
            1.5,
            30.0,
            0.3636,
            "Euclid preparation VII, arXiv:1910.09237 (shape and density from memory, verify)",
        ),
    ]
    names = ("name", "label", "power", "z0", "cut_off", "density_arcmin2", "f_sky", "origin")
    table = Table(rows=rows, names=names)
    table["density_arcmin2"].unit = "1 / arcmin2"
    table.meta = {
        "description": "Galaxy samples: dN/dz ~ z^power exp(-(z/z0)^cut_off), surface density, sky",
        "source": "the column origin names a publication for each row",
        "licence": LICENCE,
        "nature": "published-fit",
    }
    return table


def cmb() -> Table:
    """Lensed temperature spectrum [uK^2] at the nodes of a cubic spline of ln C in ln l."""
    import camb

    p = camb.set_params(
        H0=67.36, ombh2=0.02237, omch2=0.12, mnu=0.06, tau=0.0544, As=2.1e-9, ns=0.9649,
        lmax=ELL_MAX + 500, lens_potential_accuracy=2,
    )  # fmt: skip
    power = camb.get_results(p).get_cmb_power_spectra(p, CMB_unit="muK", raw_cl=True)
    ell = np.arange(2, ELL_MAX + 1).astype(float)
    log_cl = np.log(power["lensed_scalar"][2 : ELL_MAX + 1, 0])
    kept = {0, *np.searchsorted(ell, np.geomspace(3, 4900, 40)).tolist(), ell.size - 1}
    while True:
        nodes = np.array(sorted(kept))
        error = np.abs(spline_matrix(ell[nodes], ell) @ log_cl[nodes] - log_cl)
        if error.max() < TOLERANCE:
            break
        kept.add(int(error.argmax()))
    table = Table({"ell": ell[nodes], "cl_tt": [float(f"{v:.6e}") for v in np.exp(log_cl[nodes])]})
    table["cl_tt"].unit = "uK2"
    table.meta = {
        "description": (
            f"Lensed CMB temperature spectrum C_l, {nodes.size} nodes for a cubic spline of ln C "
            f"in ln l ({100 * TOLERANCE:g} per cent), l = 2 to {ELL_MAX}"
        ),
        "source": (
            "computed with CAMB (Lewis, Challinor & Lasenby 2000, astro-ph/9911177) for Planck "
            "2018 results VI, arXiv:1807.06209, Table 2, last column but one"
        ),
        "licence": "BSD-3-Clause",
        "nature": "derived",
    }
    return table


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--out", type=Path, default=root / "diffaxion" / "data" / "tables")
    arguments = parser.parse_args()
    tables = surveys() | {"galaxy_samples": samples(), "cmb_lensed_tt": cmb()}
    for name, table in tables.items():
        table.write(arguments.out / f"{name}.ecsv", format="ascii.ecsv", overwrite=True)
        print(f"{name}.ecsv: {len(table)} rows")


if __name__ == "__main__":
    main()
