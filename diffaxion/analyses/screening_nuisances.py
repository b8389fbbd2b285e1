"""Default priors of the nuisance parameters of screening, as entries of a configuration.

Widths with a source name it; the others are choices, to be stated with every result. Parameters
are taken as independent: the published correlations, between cosmological parameters above all,
would narrow the priors.
"""

from __future__ import annotations

import math
from typing import Any

from ..environments.halos import GeneralizedNFWGas
from ..environments.halos.magnetic import TNGField
from ..observables.world import World
from ..parameters.paths import get_path

# Five per cent of each parameter of the occupation: of the mass itself, 0.021 dex, where the
# parameter is log10 of a mass. Five per cent of log10 M would be 0.6 dex, six times the difference
# between the two published fits to these galaxies (0.11 and 0.09 dex); those are run as variants.
OCCUPATION_SHARE = 0.05
# Planck 2018, TT,TE,EE+lowE+lensing: standard deviations; A_s as that of ln(1e10 A_s).
COSMOLOGY = {"h0_km_s_Mpc": 0.54, "omega_b": 0.00015, "omega_c": 0.0012, "n_s": 0.0042}
LN_AS = 0.014
# Amplitude and outer slope as specified; the inner transition as the outer slope. A mass slope
# uncertain by 0.05 makes n_e of 1e12 Msun halos uncertain by 0.23 relative to 1e14 Msun, about as
# much as the amplitude; simulations with and without feedback differ by 0.2.
GAS_LN_AMPLITUDE = 0.3
GAS_SLOPE_SHARE = 0.05
GAS_MASS_SLOPE = 0.05
FIELD_LN_AMPLITUDE = 0.3
FIELD_LN_AMPLITUDE_MASSIVE = 0.2
# Of all whitened offsets of the simulated profiles, the one with the largest effect at 5e-13 eV:
# z = 0.5, log10 M200c 14.5 to 15, where few halos were simulated.
FIELD_OFFSET = "halos.field.profile_z[1,7,6]"


def screening_priors(world: World) -> dict[str, dict[str, Any]]:
    """Priors of 17 nuisances around the fiducial point: galaxies 5, gas 4, field 3, cosmology 5.

    Parameters
    ----------
    world : World
        Root tree at its fiducial point. Gas or field of another kind than the default ones have
        none of these parameters: their entries are left out.

    Returns
    -------
    dict of str to dict
        Path to the entry of a configuration file, ``{"dist": "normal", "mean": ..., ...}``, in
        the unit of the path.

    References
    ----------
    Planck Collaboration 2020, A&A 641, A6 (arXiv:1807.06209), Table 2 (cosmology); Goldstein et
    al. 2024, arXiv:2409.10514 (central values); Nelson et al. 2019, arXiv:1812.05609 (field).
    """
    priors: dict[str, dict[str, Any]] = {}

    def normal(path: str, sigma: float | None = None, share: float = 0.0) -> None:
        mean = float(get_path(world, path))
        width = share * abs(mean) if sigma is None else sigma
        priors[path] = {"dist": "normal", "mean": mean, "sigma": width}

    def lognormal(path: str, sigma_ln: float) -> None:
        median = float(get_path(world, path))
        priors[path] = {"dist": "lognormal", "median": median, "sigma_ln": sigma_ln}

    for name in ("alpha_s", "sigma_logM", "truncation"):
        normal(f"halos.hod.{name}", share=OCCUPATION_SHARE)
    for name in ("log10_m_min", "log10_m_1"):
        normal(f"halos.hod.{name}", math.log10(1.0 + OCCUPATION_SHARE))
    if isinstance(world.halos.gas, GeneralizedNFWGas):
        lognormal("halos.gas.rho_0.amplitude", GAS_LN_AMPLITUDE)
        normal("halos.gas.beta.amplitude", share=GAS_SLOPE_SHARE)
        normal("halos.gas.alpha.amplitude", share=GAS_SLOPE_SHARE)
        normal("halos.gas.rho_0.mass_slope", GAS_MASS_SLOPE)
    if isinstance(world.halos.field, TNGField):
        normal("halos.field.ln_amplitude", FIELD_LN_AMPLITUDE)
        normal("halos.field.ln_amplitude_massive", FIELD_LN_AMPLITUDE_MASSIVE)
        normal(FIELD_OFFSET, 1.0)
    lognormal("cosmology.a_s", LN_AS)
    for name, sigma in COSMOLOGY.items():
        normal(f"cosmology.{name}", sigma)
    return priors
