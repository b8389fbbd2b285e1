"""Tabulate the ratio of CAMB's linear power spectrum to that of Eisenstein & Hu.

    python scripts/make_power_correction.py [--out diffaxion/data/tables/power_correction.ecsv]

Needs camb (extra ``reference``) and a few minutes. The table holds the ratio at z = 0 in the
fiducial cosmology, and the derivatives of its logarithm in omega_b, omega_c and N_eff at fixed
k s, where s is the sound horizon; central differences over +-5 standard deviations of Planck
2018, so that the linear form is best where it is used.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from astropy import units as u
from astropy.table import Table

from diffaxion.environments.cosmology import (
    Cosmology,
    EisensteinHuPower,
    planck_cosmology,
    sound_horizon,
)

K_MPC = np.geomspace(1e-4, 30.0, 400)
# Steps of the differences: five times the errors of Planck 2018 (TT,TE,EE+lowE+lensing).
STEPS = {"omega_b": 5 * 0.00015, "omega_c": 5 * 0.0012, "n_eff": 0.3}


def camb_power(cosmology: Cosmology, k_Mpc: np.ndarray, accuracy: float = 2.0) -> np.ndarray:
    """Linear P(k) of CAMB at z = 0 [Mpc^3]."""
    import camb

    parameters = camb.CAMBparams()
    parameters.set_cosmology(
        H0=float(cosmology.h0_km_s_Mpc),
        ombh2=float(cosmology.omega_b),
        omch2=float(cosmology.omega_c),
        mnu=0.0,
        num_massive_neutrinos=0,
        nnu=float(cosmology.n_eff),
        TCMB=float(cosmology.t_cmb_K),
    )
    parameters.InitPower.set_params(As=float(cosmology.a_s), ns=float(cosmology.n_s))
    parameters.WantCls = False
    parameters.set_accuracy(AccuracyBoost=accuracy)
    parameters.NonLinear = camb.model.NonLinear_none
    parameters.set_matter_power(redshifts=[0.0], kmax=42.0, k_per_logint=50)
    interpolator = camb.get_results(parameters).get_matter_power_interpolator(
        nonlinear=False, hubble_units=False, k_hunit=False
    )
    return interpolator.P(0.0, k_Mpc)


def log_ratio(cosmology: Cosmology, horizon_Mpc: float) -> np.ndarray:
    """ln(P_CAMB/P_EH) at k = K_MPC s_fid/s."""
    k = K_MPC * horizon_Mpc / float(sound_horizon(cosmology))
    analytic = np.asarray(EisensteinHuPower().today(cosmology, jnp.asarray(k)))
    return np.log(camb_power(cosmology, k) / analytic)


def moved(cosmology: Cosmology, name: str, step: float) -> Cosmology:
    """The cosmology with one parameter changed."""
    return eqx.tree_at(lambda c: getattr(c, name), cosmology, getattr(cosmology, name) + step)


def correction_table() -> Table:
    """The table with its provenance."""
    import camb

    fiducial = planck_cosmology()
    horizon = float(sound_horizon(fiducial))
    columns = {"ln_k": np.log(K_MPC), "ratio": np.exp(log_ratio(fiducial, horizon))}
    for name, step in STEPS.items():
        up, down = (log_ratio(moved(fiducial, name, sign * step), horizon) for sign in (1, -1))
        columns[f"d_{name}"] = (up - down) / (2.0 * step)
    table = Table({name: np.round(column, 9) for name, column in columns.items()})
    table["ln_k"].description = "ln of k s/s_fid in 1/Mpc"
    table["ln_k"].unit = u.dimensionless_unscaled
    table["ratio"].description = "P_CAMB/P_EH at z = 0 in the fiducial cosmology"
    for name in STEPS:
        table[f"d_{name}"].description = f"d ln(P_CAMB/P_EH)/d {name} at fixed k s"
    table.meta = {
        "description": (
            "ratio of the linear matter power spectrum of CAMB to that of Eisenstein & Hu 1998 "
            "with closed-form growth, at z = 0, and its derivatives"
        ),
        "source": (
            f"computed with camb {camb.__version__} (Lewis, Challinor & Lasenby 2000, ApJ 538, "
            "473), massless neutrinos, AccuracyBoost 2, by scripts/make_power_correction.py"
        ),
        "licence": "BSD-3-Clause (derived here)",
        "nature": "derived",
        "fiducial": {
            name: float(getattr(fiducial, name))
            for name in ("h0_km_s_Mpc", "omega_b", "omega_c", "a_s", "n_s", "t_cmb_K", "n_eff")
        },
        "sound_horizon_Mpc": horizon,
    }
    return table


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    folder = Path(__file__).resolve().parents[1] / "diffaxion" / "data" / "tables"
    parser.add_argument("--out", type=Path, default=folder / "power_correction.ecsv")
    path = parser.parse_args().out
    table = correction_table()
    table.write(path, format="ascii.ecsv", overwrite=True)
    print(f"{path.name}: {len(table)} rows")


if __name__ == "__main__":
    main()
