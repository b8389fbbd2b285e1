"""CAMB as referee of the background and of linear power spectra."""

import numpy as np
import pytest


def camb_results(cosmology, redshifts=(0.0,), accuracy=1.0, kmax=42.0):
    """Results of CAMB for one of our cosmologies; skips where camb is not installed."""
    camb = pytest.importorskip("camb", reason="camb (extra `reference`) is not installed")
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
    parameters.set_matter_power(redshifts=sorted(map(float, redshifts), reverse=True), kmax=kmax)
    return camb.get_results(parameters)


def camb_power(results, k_Mpc, redshifts):
    """Linear P(k, z) [Mpc^3], one row per redshift."""
    interpolator = results.get_matter_power_interpolator(
        nonlinear=False, hubble_units=False, k_hunit=False
    )
    return np.array([interpolator.P(float(z), k_Mpc) for z in redshifts])
