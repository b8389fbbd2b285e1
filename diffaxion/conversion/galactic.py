"""Conversion along a Galactic sight line with everything that is switched on in a Galaxy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..environments.galaxy.frame import SightLine
from ..environments.galaxy.sightline import LinePath
from ..environments.galaxy.turbulent import RandomField
from .absorption import photoelectric_cross_section_cm2
from .born import born_probability
from .correlation import PowerLawCorrelation
from .turbulence import turbulent_probability


def random_field_probability(
    turbulence: RandomField,
    sightline: SightLine,
    path: LinePath,
    energy_keV: Float[Array, " e"],
    m_a_eV: Float[Array, ""],
) -> Float[Array, " e"]:
    """Mean probability of the random field along a sight line, per unit u.

    The correlation is that of solenoidal Kolmogorov turbulence with the coherence length of the
    random field.

    Parameters
    ----------
    turbulence : RandomField
        Variance [muG^2] and coherence length [kpc].
    sightline : SightLine
        Direction and distance.
    path : LinePath
        Its n nodes.
    energy_keV : float array, shape (e,)
        Photon energies [keV].
    m_a_eV : float array, shape ()
        Axion mass [eV].

    Returns
    -------
    float array, shape (e,)
        mean(p_turb)/u, dimensionless.

    References
    ----------
    Carenza et al. 2021, PRD 104, 023003 (arXiv:2104.13935).
    """
    b = jnp.stack([path.b_l_muG, path.b_b_muG], axis=1)
    positions = jax.vmap(sightline.position_kpc)(path.s_kpc)
    v_t = jax.vmap(turbulence.transverse_variance_muG2)(positions, b)
    correlation = PowerLawCorrelation().with_coherence(turbulence.coherence_kpc)
    return turbulent_probability(path.s_kpc, v_t, path.n_e_cm3, energy_keV, m_a_eV, correlation)


def galactic_probability(
    path: LinePath,
    sightline: SightLine,
    energy_keV: Float[Array, " e"],
    m_a_eV: Float[Array, ""],
    turbulence: RandomField | None = None,
    absorption: bool = False,
) -> Float[Array, " e"]:
    """Born probability per unit u: regular field, and the mean of the random one if there is one.

    Parameters
    ----------
    path : LinePath
        Medium at n nodes.
    sightline : SightLine
        Direction and distance; used by the random field.
    energy_keV : float array, shape (e,)
        Photon energies [keV].
    m_a_eV : float array, shape ()
        Axion mass [eV].
    turbulence : RandomField, optional
        Random field whose expected contribution is added.
    absorption : bool
        Static: whether photons are absorbed by ``path.n_h_cm3`` (regular field only).

    Returns
    -------
    float array, shape (e,)
        p/u, summed over polarisations, dimensionless.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Carenza et al. 2021, arXiv:2104.13935.
    """
    sigma = photoelectric_cross_section_cm2(energy_keV) if absorption else None
    p = born_probability(path, energy_keV, m_a_eV, "filon", sigma)
    if turbulence is None:
        return p
    return p + random_field_probability(turbulence, sightline, path, energy_keV, m_a_eV)
