"""The flat LCDM background: expansion, distances and densities.

Physical densities are omega = Omega h^2. Neutrinos are massless, so that radiation is

    omega_r = omega_gamma (1 + N_eff (7/8)(4/11)^(4/3)),   omega_gamma = 2.47282e-5 (T/2.7255 K)^4

and the cosmological constant takes what is left, h^2 - omega_m - omega_r.
"""

from __future__ import annotations

from typing import Any, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...constants import C_KM_S, SCREENING_CONSTANTS, T_CMB_K, ScreeningConstants
from ...errors import unknown_name
from ...numerics import gauss_legendre

Constants = Literal["exact", "public-code"]
Growth = Literal["radiation", "hypergeometric"]

# Photons at T = 2.7255 K, a_rad T^4 over 3 (100 km/s/Mpc)^2/(8 pi G), as CAMB has it.
OMEGA_GAMMA = 2.47282e-5
NEUTRINO_SHARE = 7.0 / 8.0 * (4.0 / 11.0) ** (4.0 / 3.0)
# H for h = 1 [1/Mpc].
HUBBLE_100_MPC = 100.0 / C_KM_S
DISTANCE_NODES = 64


def parameter(**kwargs: Any) -> Any:
    """Dataclass field that stores its value as a float64 array leaf."""
    return eqx.field(converter=lambda x: jnp.asarray(x, float), **kwargs)


class Cosmology(eqx.Module):
    """Parameters of a flat LCDM universe with massless neutrinos.

    Attributes
    ----------
    h0_km_s_Mpc : float array, shape ()
        Hubble constant [km/s/Mpc].
    omega_b, omega_c : float array, shape ()
        Physical densities Omega h^2 of baryons and cold dark matter.
    a_s : float array, shape ()
        Primordial amplitude at 0.05/Mpc.
    n_s : float array, shape ()
        Scalar index.
    t_cmb_K : float array, shape ()
        Temperature of the CMB today [K].
    n_eff : float array, shape ()
        Effective number of massless neutrinos.
    constants : str
        ``exact`` (CODATA) or ``public-code`` (rounded, 0.038% more density); static.
    growth : str
        ``radiation`` (growth equation with radiation in H) or ``hypergeometric`` (without);
        static.

    References
    ----------
    Planck Collaboration 2020, A&A 641, A6 (arXiv:1807.06209), section 2.
    """

    h0_km_s_Mpc: Float[Array, ""] = parameter()
    omega_b: Float[Array, ""] = parameter()
    omega_c: Float[Array, ""] = parameter()
    a_s: Float[Array, ""] = parameter()
    n_s: Float[Array, ""] = parameter()
    t_cmb_K: Float[Array, ""] = parameter(default=T_CMB_K)
    n_eff: Float[Array, ""] = parameter(default=3.046)
    constants: Constants = eqx.field(static=True, default="exact")
    growth: Growth = eqx.field(static=True, default="radiation")

    def __check_init__(self) -> None:
        if self.constants not in SCREENING_CONSTANTS:
            raise unknown_name("set of constants", self.constants, SCREENING_CONSTANTS)
        if self.growth not in ("radiation", "hypergeometric"):
            raise unknown_name("growth", self.growth, ("radiation", "hypergeometric"))

    @property
    def constants_table(self) -> ScreeningConstants:
        """The set of constants in use."""
        return SCREENING_CONSTANTS[self.constants]

    @property
    def h(self) -> Float[Array, ""]:
        """H0 / (100 km/s/Mpc)."""
        return self.h0_km_s_Mpc / 100.0

    @property
    def omega_m(self) -> Float[Array, ""]:
        """Physical density of matter, omega_b + omega_c."""
        return self.omega_b + self.omega_c

    @property
    def omega_r(self) -> Float[Array, ""]:
        """Physical density of photons and massless neutrinos."""
        photons = OMEGA_GAMMA * (self.t_cmb_K / T_CMB_K) ** 4
        return photons * (1.0 + NEUTRINO_SHARE * self.n_eff)

    @property
    def matter_fraction_today(self) -> Float[Array, ""]:
        """Omega_m today, omega_m/h^2."""
        return self.omega_m / self.h**2

    @property
    def baryon_fraction(self) -> Float[Array, ""]:
        """omega_b/omega_m."""
        return self.omega_b / self.omega_m


def planck_cosmology(constants: Constants = "exact", growth: Growth = "radiation") -> Cosmology:
    """The cosmology of the public screening code, close to Planck 2018.

    Parameters
    ----------
    constants : str
        ``exact`` or ``public-code``.
    growth : str
        ``radiation`` or ``hypergeometric``.

    Returns
    -------
    Cosmology
        H0 = 67.32 [km/s/Mpc], omega_b = 0.0224, omega_c = 0.1201, A_s = 2.100583e-9,
        n_s = 0.9661, T = 2.7255 [K], N_eff = 3.046.

    Raises
    ------
    ConfigurationError
        If a choice is unknown.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514; Planck Collaboration 2020, arXiv:1807.06209.
    """
    return Cosmology(
        h0_km_s_Mpc=jnp.asarray(67.32),
        omega_b=jnp.asarray(0.0224),
        omega_c=jnp.asarray(0.1201),
        a_s=jnp.asarray(2.100583e-9),
        n_s=jnp.asarray(0.9661),
        constants=constants,
        growth=growth,
    )


def expansion(cosmology: Cosmology, z: Float[Array, "..."] | float) -> Float[Array, "..."]:
    """(H/100 km/s/Mpc)^2 at redshift z."""
    a1 = 1.0 + z
    matter, radiation = cosmology.omega_m, cosmology.omega_r
    vacuum = cosmology.h**2 - matter - radiation
    return matter * a1**3 + radiation * a1**4 + vacuum


def hubble(cosmology: Cosmology, z: Float[Array, "..."] | float) -> Float[Array, "..."]:
    """Expansion rate H(z) = (100 km/s/Mpc /c) sqrt(omega_m (1+z)^3 + omega_r (1+z)^4 + rest).

    Parameters
    ----------
    cosmology : Cosmology
        Background.
    z : float array, shape (...)
        Redshifts.

    Returns
    -------
    float array, shape (...)
        H/c [1/Mpc].

    References
    ----------
    Hogg 1999, astro-ph/9905116, eq. 14 (with radiation).
    """
    return HUBBLE_100_MPC * jnp.sqrt(expansion(cosmology, z))


def comoving_distance(cosmology: Cosmology, z: Float[Array, "..."] | float) -> Float[Array, "..."]:
    """Comoving distance chi = int_0^z dz'/H, by 64-point Gauss-Legendre quadrature.

    Parameters
    ----------
    cosmology : Cosmology
        Background.
    z : float array, shape (...)
        Redshifts; accurate to 1e-12 for z < 5.

    Returns
    -------
    float array, shape (...)
        chi [Mpc].

    References
    ----------
    Hogg 1999, astro-ph/9905116, eq. 15.
    """
    nodes, weights = gauss_legendre(DISTANCE_NODES, 0.0, jnp.asarray(z, float)[..., None])
    return jnp.sum(weights / hubble(cosmology, nodes), axis=-1)


def critical_density(cosmology: Cosmology, z: Float[Array, "..."] | float) -> Float[Array, "..."]:
    """Critical density rho_c(z) = 3 H^2/(8 pi G).

    Parameters
    ----------
    cosmology : Cosmology
        Background; its set of constants decides on G.
    z : float array, shape (...)
        Redshifts.

    Returns
    -------
    float array, shape (...)
        rho_c [Msun Mpc^-3, physical].

    References
    ----------
    Hogg 1999, astro-ph/9905116, section 2.
    """
    unit = cosmology.constants_table.critical_density_h2_Msun_Mpc3
    return unit * expansion(cosmology, z)


def matter_density(cosmology: Cosmology, z: Float[Array, "..."] | float) -> Float[Array, "..."]:
    """Mean density of matter rho_m(z) = rho_m0 (1+z)^3; at z = 0 also the comoving one.

    Parameters
    ----------
    cosmology : Cosmology
        Background; its set of constants decides on G.
    z : float array, shape (...)
        Redshifts.

    Returns
    -------
    float array, shape (...)
        rho_m [Msun Mpc^-3, physical].

    References
    ----------
    Hogg 1999, astro-ph/9905116, section 2.
    """
    unit = cosmology.constants_table.critical_density_h2_Msun_Mpc3
    return unit * cosmology.omega_m * (1.0 + jnp.asarray(z, float)) ** 3


def matter_fraction(cosmology: Cosmology, z: Float[Array, "..."] | float) -> Float[Array, "..."]:
    """Omega_m(z) = rho_m(z)/rho_c(z).

    Parameters
    ----------
    cosmology : Cosmology
        Background.
    z : float array, shape (...)
        Redshifts.

    Returns
    -------
    float array, shape (...)
        Omega_m(z), dimensionless.

    References
    ----------
    Hogg 1999, astro-ph/9905116, section 2.
    """
    return cosmology.omega_m * (1.0 + jnp.asarray(z, float)) ** 3 / expansion(cosmology, z)
