"""Linear matter power spectra: Eisenstein-Hu, and Eisenstein-Hu corrected to CAMB."""

from __future__ import annotations

import abc
from typing import ClassVar, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...data.registry import load_table
from ...errors import unknown_name
from ...numerics import spline_curvature, spline_interpolate
from .background import Cosmology, parameter
from .eisenstein_hu import primordial_growing_power, sound_horizon, transfer_function
from .growth import growth_factor, hypergeometric_growth

Amplitude = Literal["analytic", "camb-large-scale"]

# sigma^2 of the public screening code over that of its own Eisenstein-Hu power: it takes the
# amplitude from CAMB at k = 1e-4/Mpc, at each redshift. Powers of z; fitted for 0 < z < 2.
_LARGE_SCALE_RATIO = (0.998361, -0.000919, -0.000129, 0.000029)


class LinearPower(eqx.Module):
    """Linear matter power spectrum P(k, z) [Mpc^3]; k comoving, without h [1/Mpc].

    Attributes
    ----------
    references : tuple of str
        Papers of what the model contains.
    separable : bool
        Whether P(k, z) = P(k, 0) D(z)^2/D(0)^2, with :meth:`today` and :meth:`growth_squared`.
    """

    references: eqx.AbstractClassVar[tuple[str, ...]]
    separable: eqx.AbstractClassVar[bool]

    @abc.abstractmethod
    def power(
        self, cosmology: Cosmology, k_Mpc: Float[Array, "..."], z: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """P [Mpc^3] at k [1/Mpc] and z, which broadcast."""

    def __call__(
        self, cosmology: Cosmology, k_Mpc: Float[Array, "..."], z: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """Same as :meth:`power`."""
        return self.power(cosmology, k_Mpc, z)

    def variance_factor(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """Factor on sigma^2 alone, for conventions that do not follow from P."""
        return jnp.ones_like(jnp.asarray(z, float))


class SeparablePower(LinearPower):
    """A power spectrum whose shape does not depend on redshift: P = P(k, 0) D(z)^2/D(0)^2."""

    separable: ClassVar[bool] = True

    @abc.abstractmethod
    def today(self, cosmology: Cosmology, k_Mpc: Float[Array, "..."]) -> Float[Array, "..."]:
        """P at z = 0 [Mpc^3]."""

    def growth_squared(self, cosmology: Cosmology, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """D(z)^2/D(0)^2, with the growth that the cosmology selects."""
        z = jnp.asarray(z, float)
        growth = growth_factor(cosmology, jnp.append(z.reshape(-1), 0.0))
        return ((growth[:-1] / growth[-1]) ** 2).reshape(z.shape)

    def power(
        self, cosmology: Cosmology, k_Mpc: Float[Array, "..."], z: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """P(k, 0) D(z)^2/D(0)^2 [Mpc^3]."""
        return self.today(cosmology, k_Mpc) * self.growth_squared(cosmology, z)


class EisensteinHuPower(SeparablePower):
    """Analytic power of Eisenstein & Hu 1998, within 5.5% of CAMB.

    P(k, 0) = (8 pi^2/25) A_s (c/100 km/s)^4/omega_m^2 k (k/k_p)^(n_s-1) T(k)^2 D(0)^2, where D is
    the closed form without radiation, whatever the cosmology uses between redshifts.

    Attributes
    ----------
    amplitude : str
        ``analytic``, or ``camb-large-scale``: sigma^2, but not P, is multiplied by
        r(z) = 0.998361 - 0.000919 z - 0.000129 z^2 + 0.000029 z^3 as in the public screening
        code, which takes the amplitude of sigma^2 from CAMB at k = 1e-4/Mpc; static.

    References
    ----------
    Eisenstein & Hu 1998, ApJ 496, 605 (astro-ph/9709112).
    """

    references: ClassVar[tuple[str, ...]] = ("Eisenstein:1997ik",)
    amplitude: Amplitude = eqx.field(static=True, default="analytic")

    def __check_init__(self) -> None:
        if self.amplitude not in ("analytic", "camb-large-scale"):
            raise unknown_name("amplitude", self.amplitude, ("analytic", "camb-large-scale"))

    def today(self, cosmology: Cosmology, k_Mpc: Float[Array, "..."]) -> Float[Array, "..."]:
        """P(k, 0) [Mpc^3]."""
        growth = hypergeometric_growth(cosmology, jnp.ones(()))
        transfer = transfer_function(cosmology, k_Mpc)
        return primordial_growing_power(cosmology, k_Mpc) * (transfer * growth) ** 2

    def variance_factor(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """r(z), or 1."""
        z = jnp.asarray(z, float)
        if self.amplitude == "analytic":
            return jnp.ones_like(z)
        return jnp.polyval(jnp.asarray(_LARGE_SCALE_RATIO[::-1]), z)


class CorrectedPower(SeparablePower):
    """Eisenstein-Hu power times a tabulated ratio to CAMB, within 0.1% of it around Planck 2018.

    P(k, 0) = P_EH(k, 0) exp[R(kappa) + sum_i (p_i - p_i,fid) dR/dp_i(kappa)], kappa = k s/s_fid,
    where s is the sound horizon, p = (omega_b, omega_c, N_eff), and R = ln(P_CAMB/P_EH) is
    tabulated from 1e-4 to 30 /Mpc and constant beyond. H0, n_s and A_s act through P_EH and the
    growth alone. The temperature of the CMB acts through P_EH alone: it is for small changes.
    For 1e-3 < k < 10 /Mpc and z < 2 the difference to CAMB is below 6e-4 within 5 standard
    deviations of Planck 2018 in all parameters at once (9e-4 with CAMB at its default accuracy),
    and 1.6e-3 for N_eff changed by 0.3.

    Attributes
    ----------
    ln_k : float array, shape (n,)
        ln kappa, equally spaced, kappa in [1/Mpc].
    table, curvature : float array, shape (n, 4)
        R and its derivatives in omega_b, omega_c, N_eff; second derivatives of their splines.
    fiducial : float array, shape (3,)
        omega_b, omega_c, N_eff of the table.
    sound_horizon_Mpc : float array, shape ()
        s_fid [Mpc].

    References
    ----------
    Eisenstein & Hu 1998, ApJ 496, 605; Lewis, Challinor & Lasenby 2000, ApJ 538, 473 (CAMB).
    """

    references: ClassVar[tuple[str, ...]] = ("Eisenstein:1997ik", "Lewis:1999bs")
    ln_k: Float[Array, " n"] = parameter()
    table: Float[Array, "n 4"] = parameter()
    curvature: Float[Array, "n 4"] = parameter()
    fiducial: Float[Array, "3"] = parameter()
    sound_horizon_Mpc: Float[Array, ""] = parameter()

    @classmethod
    def bundled(cls) -> CorrectedPower:
        """The table that travels with the package."""
        table = load_table("power_correction")
        ln_k = np.asarray(table["ln_k"])
        columns = np.stack(
            [np.log(table["ratio"]), *(table[f"d_{p}"] for p in ("omega_b", "omega_c", "n_eff"))],
            axis=1,
        )
        fiducial = [float(table.meta["fiducial"][p]) for p in ("omega_b", "omega_c", "n_eff")]
        horizon = float(table.meta["sound_horizon_Mpc"])
        numbers = (ln_k, columns, spline_curvature(ln_k, columns), fiducial, horizon)
        return cls(*(jnp.asarray(x) for x in numbers))

    def today(self, cosmology: Cosmology, k_Mpc: Float[Array, "..."]) -> Float[Array, "..."]:
        """P(k, 0) [Mpc^3]."""
        stretch = sound_horizon(cosmology) / self.sound_horizon_Mpc
        ln_k = jnp.log(jnp.asarray(k_Mpc, float) * stretch)
        point = jnp.stack([cosmology.omega_b, cosmology.omega_c, cosmology.n_eff])
        weights = jnp.append(1.0, point - self.fiducial)
        spline = self.table @ weights, self.curvature @ weights
        ln_ratio = spline_interpolate(ln_k, self.ln_k, *spline, uniform=True)
        return EisensteinHuPower().today(cosmology, k_Mpc) * jnp.exp(ln_ratio)


def linear_power(name: str = "camb") -> LinearPower:
    """Linear power spectrum by name.

    Parameters
    ----------
    name : str
        ``camb``: within 0.1% of CAMB around Planck 2018; ``eisenstein-hu``: analytic, within 5.5%;
        ``eisenstein-hu-camb-normalised``: the same with sigma^2 scaled as the public screening
        code does.

    Returns
    -------
    LinearPower
        P in [Mpc^3] for k in [1/Mpc].

    Raises
    ------
    ConfigurationError
        If the name is unknown.

    References
    ----------
    Eisenstein & Hu 1998, ApJ 496, 605; Lewis, Challinor & Lasenby 2000, ApJ 538, 473.
    """
    if name == "camb":
        return CorrectedPower.bundled()
    if name == "eisenstein-hu":
        return EisensteinHuPower()
    if name == "eisenstein-hu-camb-normalised":
        return EisensteinHuPower("camb-large-scale")
    known = ("camb", "eisenstein-hu", "eisenstein-hu-camb-normalised")
    raise unknown_name("linear power spectrum", name, known)
