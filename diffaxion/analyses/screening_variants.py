"""How the expected limit depends on gas, field, galaxies and cuts; logarithmic derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..observables.cmb.screening import Cache, ScreeningSpectrum
from ..observables.world import World
from .screening_config import screening_section
from .screening_reference import (
    DERIVATIVE_ELL,
    HOD_ELL,
    MASS_DERIVATIVES,
    PARAMETER_DERIVATIVES,
)
from .screening_study import Prepared, prepare_study, vary

# No cap: a number, so that capped and uncapped fields share one program.
_NO_CAP = 1e30
# Changes of `default`, in the order of programs: numbers first, then other classes.
VARIANTS: dict[str, dict[str, Any]] = {
    "HOD K23": {"hod": "K23"},
    "shock-heating gas": {"gas": "sh"},
    "NFW gas": {"gas": "nfw"},
    "beta = 100": {"field": "beta:100", "field_mass_cap_Msun": _NO_CAP},
    "beta = 100, cap 10^14.5 Msun": {"field": "beta:100", "field_mass_cap_Msun": 10.0**14.5},
    "beta = 10": {"field": "beta:10", "field_mass_cap_Msun": _NO_CAP},
    "x_lo = 0.05": {"x_lo": 0.05},
    "x_lo = 0.2": {"x_lo": 0.2},
    "x_hi = 1.0": {"x_hi": 1.0},
    "x_hi = 1.3": {"x_hi": 1.3},
    "floor 10^12 Msun": {"floor_Msun": 1e12},
    "piecewise field": {"field": "tng"},
}
# Paths of the numbers whose derivatives are tabulated, and whether the logarithm is meant.
_PARAMETERS: dict[str, tuple[Any, bool]] = {
    "ln m_a": (lambda w: w.axion.m_a_eV, True),
    "ln rho_0 A0": (lambda w: w.halos.gas.rho_0.amplitude, True),
    "ln alpha A0": (lambda w: w.halos.gas.alpha.amplitude, True),
    "ln beta A0": (lambda w: w.halos.gas.beta.amplitude, True),
    "alpha_s": (lambda w: w.halos.hod.alpha_s, False),
    "sigma_logM": (lambda w: w.halos.hod.sigma_logM, False),
    "log10 M_min": (lambda w: w.halos.hod.log10_m_min, False),
    "log10 M_1": (lambda w: w.halos.hod.log10_m_1, False),
}


def variant_models(base: Prepared, names: Sequence[str] = tuple(VARIANTS)) -> dict[str, Prepared]:
    """Variants of a prepared ``default`` model.

    Parameters
    ----------
    base : Prepared
        The model that is varied.
    names : sequence of str
        Keys of ``VARIANTS``.

    Returns
    -------
    dict of str to Prepared
        By name.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Figs. S11 to S15.
    """
    return {name: vary(base, **VARIANTS[name]) for name in names}


def truncation_variant(base: Prepared, truncation: float = 1.80) -> Prepared:
    """The base with another truncation radius of satellites, and nothing else.

    Parameters
    ----------
    base : Prepared
        The model that is varied.
    truncation : float
        lambda, in R200c.

    Returns
    -------
    Prepared
        The variant.

    References
    ----------
    Kusiak et al. 2022, arXiv:2203.12583.
    """
    world = eqx.tree_at(
        lambda w: w.halos.hod.truncation, base.world, jnp.asarray(truncation, float)
    )
    return Prepared(base.section, base.model, world, base.model.prepare(world))


@eqx.filter_jit
def _derivatives(
    model: ScreeningSpectrum, world: World, cache: Cache, m_a_eV: Float[Array, " k"]
) -> Float[Array, "k l p"]:
    leaves = [leaf for leaf, _ in _PARAMETERS.values()]
    logarithmic = [log for _, log in _PARAMETERS.values()]

    def one(mass: Array) -> Array:
        start = [mass, *(leaf(world) for leaf in leaves[1:])]

        def log_cl(shift: Array) -> Array:
            values = [
                v * jnp.exp(s) if log else v + s
                for v, s, log in zip(start, shift, logarithmic, strict=True)
            ]
            there = eqx.tree_at(lambda w: [leaf(w) for leaf in leaves], world, values)
            return jnp.log(-model.response(there, cache))

        return jax.jacfwd(log_cl)(jnp.zeros(len(leaves)))

    return jax.lax.map(one, m_a_eV)


def log_derivatives(
    m_a_eV: ArrayLike | None = None, n_z: int = 96, n_mass: int = 268
) -> dict[str, np.ndarray]:
    """d ln C_l^Tg/d theta of ``default`` by automatic differentiation.

    Parameters
    ----------
    m_a_eV : array, shape (k,), optional
        Masses [eV]; default those of the reference.
    n_z, n_mass : int
        Nodes; derivatives in m_a need more than values, since they see the tapers themselves.

    Returns
    -------
    dict of str to array, shape (k, 3)
        At l = 100, 1000, 2000: in ln m_a, in ln of three gas parameters, in four parameters of
        the occupation (masses of which are log10).

    Raises
    ------
    ConfigurationError
        If the grid is too coarse to exist.

    References
    ----------
    None: derivatives of this model.
    """
    masses = np.asarray(list(MASS_DERIVATIVES) if m_a_eV is None else m_a_eV, float)
    base = prepare_study(
        screening_section("default", n_z=n_z, n_mass=n_mass), np.asarray(DERIVATIVE_ELL)
    )
    fixed = {k: v for k, v in base.cache.items() if k != "galaxies"}
    found = np.asarray(_derivatives(base.model, base.world, fixed, jnp.asarray(masses)))
    return {name: found[..., k] for k, name in enumerate(_PARAMETERS)}


def reference_derivatives(name: str) -> dict[float, tuple[float, ...]]:
    """Independent values of a derivative by mass [eV], at l = 100, 1000, 2000.

    Parameters
    ----------
    name : str
        ``ln m_a`` or a key of ``PARAMETER_DERIVATIVES``.

    Returns
    -------
    dict of float to tuple of float
        By mass [eV].

    References
    ----------
    ``screening_reference``.
    """
    if name == "ln m_a":
        return dict(MASS_DERIVATIVES)
    return dict(zip((3.10995e-13, 1.18158e-12), PARAMETER_DERIVATIVES[name], strict=True))


def hod_ratios(base: Prepared, m_a_eV: ArrayLike) -> dict[str, np.ndarray]:
    """C_l with satellites out to 1.8 R200c, and with all of K23, over ``default``.

    Parameters
    ----------
    base : Prepared
        ``default``.
    m_a_eV : array, shape (k,)
        Masses [eV].

    Returns
    -------
    dict of str to array, shape (k, 5)
        At the multipoles ``HOD_ELL``.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S11 and table S2.
    """
    columns = np.searchsorted(base.ell, HOD_ELL)
    fiducial = base.curve(m_a_eV)[:, columns]
    models = {
        "lambda = 1.80 alone": truncation_variant(base),
        "HOD K23": vary(base, hod="K23"),
    }
    return {name: m.curve(m_a_eV)[:, columns] / fiducial for name, m in models.items()}
