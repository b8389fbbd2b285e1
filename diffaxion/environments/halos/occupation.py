"""Halo occupation: central and satellite galaxies of a survey."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...errors import unknown_name
from ..galaxy.base import parameter
from .grid import HaloGrid
from .nfw import nfw_transform


class HOD(eqx.Module):
    """Mean numbers of central and satellite galaxies, and the profile of satellites.

    N_c = (1/2)[1 + erf((log10 M200c - log10 M_min)/sigma)],  N_s = N_c (M200c/M_1)^alpha_s;
    satellites follow the NFW profile of c200c out to ``truncation`` times R200c.

    Attributes
    ----------
    alpha_s : float array, shape ()
        Power of the number of satellites.
    sigma_logM : float array, shape ()
        Width of the central step [dex].
    log10_m_min : float array, shape ()
        log10 of the mass [Msun] where half of the halos have a central galaxy.
    log10_m_1 : float array, shape ()
        log10 of the mass [Msun] with one satellite per central.
    truncation : float array, shape ()
        lambda, largest radius of satellites over R200c.

    References
    ----------
    Zheng & Weinberg 2007, ApJ 659, 1; Kusiak et al. 2022, arXiv:2203.12583, eqs. 11-12.
    """

    references: ClassVar[tuple[str, ...]] = ("Kusiak:2022xkt",)
    alpha_s: Float[Array, ""] = parameter()
    sigma_logM: Float[Array, ""] = parameter()
    log10_m_min: Float[Array, ""] = parameter()
    log10_m_1: Float[Array, ""] = parameter()
    truncation: Float[Array, ""] = parameter()

    def occupation(
        self, m200c_Msun: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """Mean numbers (N_c, N_s) of galaxies in halos of M200c [Msun]."""
        log_mass = jnp.log10(m200c_Msun)
        step = (log_mass - self.log10_m_min) / self.sigma_logM
        centrals = 0.5 * (1.0 + jax.lax.erf(step))
        return centrals, centrals * 10.0 ** (self.alpha_s * (log_mass - self.log10_m_1))

    def satellite_profile(self, grid: HaloGrid, ell: Float[Array, " l"]) -> Float[Array, "l n m"]:
        """u_l of satellites at multipoles l, 1 for l -> 0.

        The NFW transform at q = (l + 1/2)/chi (1+z) R200c/c200c, cut at lambda c200c.
        """
        angle = grid.r200c_Mpc * (1.0 + grid.z[:, None]) / (grid.c200c * grid.chi_Mpc)
        cut = self.truncation * grid.c200c

        # One multipole at a time stays in the cache, also backwards.
        @jax.checkpoint
        def one(l: Array, angle: Array, cut: Array) -> Array:
            return nfw_transform((l + 0.5) * angle, cut)

        return jax.lax.map(lambda l: one(l, angle, cut), jnp.asarray(ell, float))


_MODELS = {
    "K22": (1.3039425, 0.68660116, 11.967819893, 12.873163893, 1.0868995),
    "K23": (1.06, 0.020, 11.86, 12.78, 1.80),
}


def hod(name: str = "K22") -> HOD:
    """Occupation of unWISE Blue galaxies by name.

    Parameters
    ----------
    name : str
        ``K22`` (Kusiak et al. 2022, fiducial) or ``K23`` (Kusiak et al. 2023); masses in Msun.

    Returns
    -------
    HOD
        The model, leaves of shape ().

    Raises
    ------
    ConfigurationError
        If the name is unknown.

    References
    ----------
    Kusiak et al. 2022, arXiv:2203.12583 (K22, full digits of the public code axilotl); Goldstein
    et al. 2024, arXiv:2409.10514, Table S2 (both).
    """
    if name not in _MODELS:
        raise unknown_name("HOD", name, _MODELS)
    return HOD(*(jnp.asarray(value) for value in _MODELS[name]))
