"""Random components of the Galactic field: turbulent rms of JF12 and JF12b, and the striated field.

The regular field is one vector per point; a random field is known by its variance only. What the
conversion needs is V_T(s), the variance of the two components across the sight line together.
"""

from __future__ import annotations

import abc
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...numerics import safe_log, safe_sqrt
from .base import optional_parameter, parameter
from .frame import cylindrical
from .spiral import arm_strength, fold

# Radii where the arms of JF12 begin and where the model ends [kpc].
R_INNER_KPC = 5.0
R_MAX_KPC = 20.0

_JF12 = (10.81, 6.96, 9.59, 6.96, 1.96, 16.34, 37.29, 10.35)
_JF12B = (3.12, 6.24, 3.12, 6.24, 3.12, 6.24, 3.12, 6.24)


class RandomField(eqx.Module):
    """Random magnetic field of zero mean, for one position; ``vmap`` it over many.

    Attributes
    ----------
    coherence_kpc : float array, shape ()
        Coherence length along the sight line [kpc].
    """

    references: eqx.AbstractClassVar[tuple[str, ...]]
    coherence_kpc: eqx.AbstractVar[Float[Array, ""]]

    @abc.abstractmethod
    def transverse_variance_muG2(
        self, position_kpc: Float[Array, "3"], b_transverse_muG: Float[Array, "2"]
    ) -> Float[Array, ""]:
        """V_T = mean(dB_l^2 + dB_b^2) [muG^2].

        ``position_kpc`` is galactocentric, shape (3,) [kpc]; ``b_transverse_muG`` the transverse
        components of the regular field there, shape (2,) [muG].
        """


class TurbulentField(RandomField):
    """Isotropic turbulence: B_rms = scale sqrt(B_d^2 + B_h^2) inside R = 20 kpc.

    B_d = exp(-z^2/(2 z_d^2)) times b_int for r < 5 kpc and b_j (5 kpc/r) in spiral arm j beyond;
    B_h = B_0 exp(-r/r_0) exp(-z^2/(2 z_h^2)). The rms counts all three components, so that
    V_T = (2/3) B_rms^2.

    Attributes
    ----------
    b_arm_muG : float array, shape (8,)
        Disk rms in the arms at r = 5 kpc [muG].
    b_inner_muG : float array, shape ()
        Disk rms for r < 5 kpc [muG].
    z_disk_kpc : float array, shape ()
        Scale height of the disk [kpc].
    b_halo_muG : float array, shape ()
        Halo rms at the centre [muG].
    r_halo_kpc, z_halo_kpc : float array, shape ()
        Scale radius and height of the halo [kpc].
    pitch_deg : float array, shape ()
        Pitch of the arms [deg].
    arm_radii_kpc : float array, shape (8,)
        Radii at which the arms' outer boundaries cross the negative x axis [kpc].
    arm_eps : float array, shape (), or None
        Width in ln r of smooth arm boundaries; None for steps.
    scale : float array, shape ()
        Factor on B_rms; Beck et al. 2016 argue for about 0.3.
    coherence_kpc : float array, shape ()
        L_c = integral of mean(B(0).B(x))/B_rms^2 over the line [kpc].

    References
    ----------
    Jansson & Farrar 2012, ApJL 761, L11 (arXiv:1210.7820), table 1; JF12b: Planck Collaboration
    2016, A&A 596, A103 (arXiv:1601.00546), section 3; Beck et al. 2016, JCAP 05, 056
    (arXiv:1409.5120).
    """

    references: ClassVar[tuple[str, ...]] = (
        "Jansson & Farrar 2012, ApJL 761, L11 (arXiv:1210.7820)",
        "Planck Collaboration 2016, A&A 596, A103 (arXiv:1601.00546)",
    )
    b_arm_muG: Float[Array, "8"] = parameter(default=_JF12)
    b_inner_muG: Float[Array, ""] = parameter(default=7.63)
    z_disk_kpc: Float[Array, ""] = parameter(default=0.61)
    b_halo_muG: Float[Array, ""] = parameter(default=4.68)
    r_halo_kpc: Float[Array, ""] = parameter(default=10.97)
    z_halo_kpc: Float[Array, ""] = parameter(default=2.84)
    pitch_deg: Float[Array, ""] = parameter(default=11.5)
    arm_radii_kpc: Float[Array, "8"] = parameter(
        default=(5.1, 6.3, 7.1, 8.3, 9.8, 11.4, 12.7, 15.5)
    )
    arm_eps: Float[Array, ""] | None = optional_parameter()
    scale: Float[Array, ""] = parameter(default=1.0)
    # Kolmogorov spectrum between 8 and 272 pc, with which these models are used.
    coherence_kpc: Float[Array, ""] = parameter(default=0.05996)

    def b_rms_muG(self, position_kpc: Float[Array, "3"]) -> Float[Array, ""]:
        """Rms of the whole vector [muG] at a galactocentric position, shape (3,) [kpc]."""
        r, phi, z = cylindrical(position_kpc)
        outer = r >= R_INNER_KPC
        tangent = jnp.tan(jnp.deg2rad(self.pitch_deg))
        period, bounds = 2.0 * jnp.pi * tangent, jnp.log(self.arm_radii_kpc)
        u = fold(safe_log(r) - (phi - jnp.pi) * tangent, bounds, period)
        arm = arm_strength(u, bounds, period, self.b_arm_muG, self.arm_eps)
        disk = jnp.where(outer, arm * R_INNER_KPC / jnp.where(outer, r, 1.0), self.b_inner_muG)
        disk = disk * jnp.exp(-0.5 * (z / self.z_disk_kpc) ** 2)
        halo = self.b_halo_muG * jnp.exp(-r / self.r_halo_kpc - 0.5 * (z / self.z_halo_kpc) ** 2)
        inside = r * r + z * z <= R_MAX_KPC**2
        return self.scale * jnp.where(inside, safe_sqrt(disk**2 + halo**2), 0.0)

    def transverse_variance_muG2(
        self, position_kpc: Float[Array, "3"], b_transverse_muG: Float[Array, "2"]
    ) -> Float[Array, ""]:
        """V_T = (2/3) B_rms^2 [muG^2], whatever the regular field."""
        del b_transverse_muG
        return 2.0 / 3.0 * self.b_rms_muG(position_kpc) ** 2


class StriatedField(RandomField):
    """Field along the regular one, sqrt(beta) times as strong, with a random sign.

    V_T = beta B_T,reg^2.

    Attributes
    ----------
    beta : float array, shape ()
        Ratio of striated to regular energy density; 1.36 +- 0.36.
    coherence_kpc : float array, shape ()
        Length over which the sign holds [kpc].

    References
    ----------
    Jansson & Farrar 2012, ApJL 761, L11 (arXiv:1210.7820).
    """

    references: ClassVar[tuple[str, ...]] = (
        "Jansson & Farrar 2012, ApJL 761, L11 (arXiv:1210.7820)",
    )
    beta: Float[Array, ""] = parameter(default=1.36)
    coherence_kpc: Float[Array, ""] = parameter(default=0.1)

    def transverse_variance_muG2(
        self, position_kpc: Float[Array, "3"], b_transverse_muG: Float[Array, "2"]
    ) -> Float[Array, ""]:
        """V_T = beta (B_l^2 + B_b^2) [muG^2]."""
        del position_kpc
        return self.beta * jnp.sum(b_transverse_muG**2)


def jf12_turbulence() -> TurbulentField:
    """Turbulent component of JF12.

    Returns
    -------
    TurbulentField
        Central values of the fit.

    References
    ----------
    Jansson & Farrar 2012, ApJL 761, L11 (arXiv:1210.7820), table 1.
    """
    return TurbulentField()


def jf12b_turbulence() -> TurbulentField:
    """Turbulent component of JF12b, the variant adjusted to Planck synchrotron and dust maps.

    Returns
    -------
    TurbulentField
        Adjusted central values.

    References
    ----------
    Planck Collaboration 2016, A&A 596, A103 (arXiv:1601.00546), section 3.
    """
    return TurbulentField(
        b_arm_muG=jnp.asarray(_JF12B), b_inner_muG=jnp.asarray(3.90), b_halo_muG=jnp.asarray(7.332)
    )
