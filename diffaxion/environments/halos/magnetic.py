"""Magnetic field of halos: the interface, and the profiles of the IllustrisTNG simulations."""

from __future__ import annotations

import abc
import math
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...data.registry import load_table
from ...errors import unknown_name
from ..galaxy.base import parameter
from .grid import HaloGrid
from .profile_table import linear_weights, mix_tables

# Bins of the simulated profiles; a test compares them with the bundled tables.
REDSHIFTS = np.array([0.0, 0.5, 1.0, 1.5])
LOG10_MASS_EDGES = np.linspace(11.0, 15.0, 9)
LOG10_MASS_CENTRES = 0.5 * (LOG10_MASS_EDGES[1:] + LOG10_MASS_EDGES[:-1])
_X_EDGES = np.geomspace(0.07, 2.0, 12)
X_CENTRES = 0.5 * (_X_EDGES[1:] + _X_EDGES[:-1])
FLOOR_MSUN = 1e11
# Outside these radii the quintics mean nothing and soon overflow.
X_MIN, X_MAX = 0.05, 2.0
MASSIVE_LOG10_MSUN = 14.0
MASSIVE_WIDTH_DEX = 0.5
LN10 = math.log(10.0)
# Least squares from values at the centres to the six coefficients in powers of log10 x.
_PROJECTION = np.linalg.pinv(np.log10(X_CENTRES)[:, None] ** np.arange(6))


class HaloField(eqx.Module):
    """Strength of the magnetic field in every halo of a grid.

    ``field(grid, x)`` takes radii x = r/R200c, shape (..., n, m), and returns |B|, shape
    (..., n, m) [muG]. Radii are clipped to [0.05, 2] before any profile is evaluated, so that
    B is finite everywhere; where conversion happens is decided by the caller.

    Attributes
    ----------
    references : tuple of str
        Papers of what the model contains.
    """

    references: eqx.AbstractClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def __call__(self, grid: HaloGrid, x: Float[Array, "... n m"]) -> Float[Array, "... n m"]:
        """|B| [muG] at x = r/R200c."""


def clip_radius(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """x inside the radii at which halo fields are defined."""
    return jnp.clip(x, X_MIN, X_MAX)


class TNGField(HaloField):
    """Mean field of IllustrisTNG halos: log10(B/G) = sum_k c_k (log10 x)^k, with nuisances.

    - ``scheme="piecewise"``: nearest of z = 0, 0.5, 1, 1.5 (ties to the lower), bins of 0.5 in
      log10 M200c from 11 to 15, the last one also above, B = 0 below 1e11 Msun. This is the field
      of Goldstein et al. 2024; it jumps between bins.
    - ``scheme="smooth"``: bilinear between the centres of the bins, held at the edges of the
      table, also below 1e11 Msun: there the window of conversion is responsible for the cut.

    Nuisances: ``ln_amplitude`` is added to ln B everywhere, ``ln_amplitude_massive`` above
    1e14 Msun (TNG300, whose fields resolution lowers by 15 to 20%); in the smooth scheme it enters
    by a quintic step, C^2, of full width 0.5 in log10 M200c around 14, the interval over which the
    bilinear mixing passes from TNG100 to TNG300. Proposed priors: N(0, 0.3) and N(0, 0.2), to be
    stated with every result. ``profile_z`` ~ N(0, 1) shifts the 11 points of each bin by
    ``profile_dex @ profile_z``, Cholesky factor times whitened offset, and the coefficients follow
    by least squares. Bins that repeat z = 1 at z = 1.5 have offsets of their own.

    With ``clumping`` the result is sqrt(<B^2>) over the halos of a bin, which conversion needs,
    in place of <B>: log-normal scatter of s dex gives <B^2> = <B>^2 exp((s ln 10)^2). s^2 is
    smoothed by a quintic as well, and held beyond the outermost centres.

    Attributes
    ----------
    coefficients : float array, shape (4, 8, 6)
        c_k by redshift and mass bin [dex].
    profile_dex : float array, shape (4, 8, 11, 11)
        Cholesky factors of the covariance of log10 of the means [dex].
    scatter_dex : float array, shape (4, 8, 11)
        Halo-to-halo scatter of log10 B [dex].
    ln_amplitude, ln_amplitude_massive : float array, shape ()
        Shifts of ln B, of all halos and of massive ones.
    profile_z : float array, shape (4, 8, 11)
        Whitened offsets of the profiles.
    scheme : str
        "piecewise" or "smooth".
    clumping : bool
        Whether to return the root of the mean square.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514; Nelson et al. 2019, arXiv:1812.05609 (simulations).
    """

    references: ClassVar[tuple[str, ...]] = ("arXiv:2409.10514", "arXiv:1812.05609")
    coefficients: Float[Array, "4 8 6"] = parameter()
    profile_dex: Float[Array, "4 8 11 11"] = parameter()
    scatter_dex: Float[Array, "4 8 11"] = parameter()
    ln_amplitude: Float[Array, ""] = parameter(default=0.0)
    ln_amplitude_massive: Float[Array, ""] = parameter(default=0.0)
    profile_z: Float[Array, "4 8 11"] = eqx.field(
        converter=lambda x: jnp.asarray(x, float), default_factory=lambda: jnp.zeros((4, 8, 11))
    )
    scheme: str = eqx.field(static=True, default="smooth")
    clumping: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        if self.scheme not in ("piecewise", "smooth"):
            raise unknown_name("scheme of the TNG field", self.scheme, ("piecewise", "smooth"))

    def __call__(self, grid: HaloGrid, x: Float[Array, "... n m"]) -> Float[Array, "... n m"]:
        """|B| [muG] at x = r/R200c, or its root mean square with ``clumping``."""
        offsets = jnp.einsum("abij,abj->abi", self.profile_dex, self.profile_z)
        coefficients = self._mix(grid, self.coefficients + offsets @ _PROJECTION.T)
        log10_x = jnp.log10(clip_radius(x))
        log10_b = _polynomial(coefficients, log10_x) + 6.0  # muG
        if self.clumping:
            inner = jnp.clip(log10_x, math.log10(X_CENTRES[0]), math.log10(X_CENTRES[-1]))
            variance = _polynomial(self._mix(grid, self.scatter_dex**2 @ _PROJECTION.T), inner)
            log10_b = log10_b + 0.5 * LN10 * jnp.maximum(variance, 0.0)
        shift = self.ln_amplitude + self.ln_amplitude_massive * self._massive(grid)
        field = jnp.exp(LN10 * log10_b + shift)
        if self.scheme == "piecewise":
            field = jnp.where(grid.m200c_Msun >= FLOOR_MSUN, field, 0.0)
        return field

    def _mix(self, grid: HaloGrid, table: Float[Array, "4 8 6"]) -> Float[Array, "n m 6"]:
        """Coefficients of every halo."""
        if self.scheme == "piecewise":
            halfway = 0.5 * (REDSHIFTS[1:] + REDSHIFTS[:-1])
            i = jnp.sum(grid.z[:, None] > halfway, axis=-1)
            # Edges in Msun: the logarithm of 1e13, say, is rounded.
            j = jnp.sum(grid.m200c_Msun[..., None] >= 10.0 ** LOG10_MASS_EDGES[1:-1], axis=-1)
            return table[i[:, None], j]
        return mix_tables(
            linear_weights(grid.z, jnp.asarray(REDSHIFTS)),
            linear_weights(jnp.log10(grid.m200c_Msun), jnp.asarray(LOG10_MASS_CENTRES)),
            table,
        )

    def _massive(self, grid: HaloGrid) -> Float[Array, "n m"]:
        """Share of ``ln_amplitude_massive`` that a halo gets, 0 to 1."""
        if self.scheme == "piecewise":
            return jnp.where(grid.m200c_Msun >= 10.0**MASSIVE_LOG10_MSUN, 1.0, 0.0)
        y = (jnp.log10(grid.m200c_Msun) - MASSIVE_LOG10_MSUN) / MASSIVE_WIDTH_DEX
        t = jnp.clip(y + 0.5, 0.0, 1.0)
        return t**3 * (6.0 * t**2 - 15.0 * t + 10.0)


def _polynomial(
    coefficients: Float[Array, "n m k"], t: Float[Array, "... n m"]
) -> Float[Array, "... n m"]:
    """sum_k c_k t^k by Horner's rule."""
    value = coefficients[..., -1]
    for k in range(coefficients.shape[-1] - 2, -1, -1):
        value = value * t + coefficients[..., k]
    return value


def tng_field(scheme: str = "smooth", clumping: bool = False) -> TNGField:
    """Field of IllustrisTNG halos from the bundled tables, nuisances at zero.

    Parameters
    ----------
    scheme : str
        "smooth" (bilinear in z and log10 M200c) or "piecewise" (the paper's).
    clumping : bool
        Whether to return sqrt(<B^2>) in place of <B>.

    Returns
    -------
    TNGField
        Leaves of shapes (4, 8, 6), (4, 8, 11, 11), (4, 8, 11) and () [dex and ln].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514; Nelson et al. 2019, arXiv:1812.05609.
    """
    quintics = load_table("halo_field_tng_quintics")
    profiles = load_table("halo_field_tng_profiles")
    offsets = np.stack([profiles[f"offset_{k}"] for k in range(11)], axis=-1)
    coefficients = np.stack([quintics[f"c{k}"] for k in range(6)], axis=-1)
    return TNGField(
        coefficients=jnp.asarray(coefficients.reshape(4, 8, 6)),
        profile_dex=jnp.asarray(offsets.reshape(4, 8, 11, 11)),
        scatter_dex=jnp.asarray(profiles["sd_log10B"].reshape(4, 8, 11)),
        scheme=scheme,
        clumping=clumping,
    )
