"""Correlation models of a random magnetic field along a line of sight.

With mean(dB_i(s) dB_j(s')) = delta_ij (V_T/2) rho(s - s') for the two transverse components, each
model gives rho(x), rho(0) = 1, and its cosine transform

    P_1D(k) = int rho(x) cos(k x) dx,    int P_1D dk/(2 pi) = 1,

a length. L_c is the common coherence length int mean(B(0).B(x))/B_rms^2 dx. For isotropic
divergence-free turbulence with longitudinal correlation f(x) the transverse one is
rho = f + x f'/2, and P_1D(0) = 3 L_c/4.
"""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..numerics import safe_abs


def _leaf(value: Any) -> Array:
    return jnp.asarray(value, float)


class Correlation(eqx.Module):
    """Correlation of a transverse component along the line of sight."""

    @abc.abstractmethod
    def rho(self, x_kpc: Float[Array, "..."]) -> Float[Array, "..."]:
        """Correlation at separations x [kpc], same shape."""

    @abc.abstractmethod
    def spectrum_1d(self, k_per_kpc: Float[Array, "..."]) -> Float[Array, "..."]:
        """P_1D [kpc] at wave numbers k [rad/kpc], same shape."""

    @abc.abstractmethod
    def coherence_kpc(self) -> Float[Array, ""]:
        """Coherence length L_c [kpc]."""

    @abc.abstractmethod
    def with_coherence(self, coherence_kpc: Float[Array, ""]) -> Correlation:
        """The same model with all lengths scaled to a coherence length L_c [kpc]."""


class ExponentialCorrelation(Correlation):
    """rho = e^{-t}, or e^{-t}(1 - t/2) if solenoidal, t = |x|/ell.

    P_1D = 2 ell/(1 + kappa^2), or ell (1 + 3 kappa^2)/(1 + kappa^2)^2, kappa = k ell.

    Attributes
    ----------
    ell_kpc : float array, shape ()
        Decay length of the transverse (of the longitudinal, if solenoidal) correlation [kpc].
    solenoidal : bool
        Whether the longitudinal correlation is the exponential and div B = 0.

    References
    ----------
    Monin & Yaglom 1975, Statistical Fluid Mechanics II, section 12, for rho = f + x f'/2.
    """

    ell_kpc: Float[Array, ""] = eqx.field(converter=_leaf)
    solenoidal: bool = eqx.field(static=True, default=False)

    def rho(self, x_kpc: Float[Array, "..."]) -> Float[Array, "..."]:
        """Correlation at separations x [kpc]."""
        t = safe_abs(x_kpc) / self.ell_kpc
        return jnp.exp(-t) * (1.0 - 0.5 * t if self.solenoidal else 1.0)

    def spectrum_1d(self, k_per_kpc: Float[Array, "..."]) -> Float[Array, "..."]:
        """P_1D [kpc] at wave numbers k [rad/kpc]."""
        kappa2 = (k_per_kpc * self.ell_kpc) ** 2
        if self.solenoidal:
            return self.ell_kpc * (1.0 + 3.0 * kappa2) / (1.0 + kappa2) ** 2
        return 2.0 * self.ell_kpc / (1.0 + kappa2)

    def coherence_kpc(self) -> Float[Array, ""]:
        """L_c = 2 ell, or 4 ell/3 if solenoidal [kpc]."""
        return (4.0 / 3.0 if self.solenoidal else 2.0) * self.ell_kpc

    def with_coherence(self, coherence_kpc: Float[Array, ""]) -> ExponentialCorrelation:
        """The same model with coherence length L_c [kpc]."""
        scale = coherence_kpc / self.coherence_kpc()
        return ExponentialCorrelation(self.ell_kpc * scale, self.solenoidal)


class GaussianCorrelation(Correlation):
    """rho = e^{-t^2/2}, or e^{-t^2/2}(1 - t^2/2) if solenoidal, t = x/ell.

    P_1D = sqrt(2 pi) ell e^{-kappa^2/2}, times (1 + kappa^2)/2 if solenoidal, kappa = k ell.

    Attributes
    ----------
    ell_kpc : float array, shape ()
        Width of the transverse (of the longitudinal, if solenoidal) correlation [kpc].
    solenoidal : bool
        Whether the longitudinal correlation is the Gaussian and div B = 0.

    References
    ----------
    Monin & Yaglom 1975, Statistical Fluid Mechanics II, section 12, for rho = f + x f'/2.
    """

    ell_kpc: Float[Array, ""] = eqx.field(converter=_leaf)
    solenoidal: bool = eqx.field(static=True, default=False)

    def rho(self, x_kpc: Float[Array, "..."]) -> Float[Array, "..."]:
        """Correlation at separations x [kpc]."""
        half = 0.5 * (x_kpc / self.ell_kpc) ** 2
        return jnp.exp(-half) * (1.0 - half if self.solenoidal else 1.0)

    def spectrum_1d(self, k_per_kpc: Float[Array, "..."]) -> Float[Array, "..."]:
        """P_1D [kpc] at wave numbers k [rad/kpc]."""
        kappa2 = (k_per_kpc * self.ell_kpc) ** 2
        plain = jnp.sqrt(2.0 * jnp.pi) * self.ell_kpc * jnp.exp(-0.5 * kappa2)
        return plain * (0.5 * (1.0 + kappa2) if self.solenoidal else 1.0)

    def coherence_kpc(self) -> Float[Array, ""]:
        """L_c = sqrt(2 pi) ell, times 2/3 if solenoidal [kpc]."""
        return (2.0 / 3.0 if self.solenoidal else 1.0) * jnp.sqrt(2.0 * jnp.pi) * self.ell_kpc

    def with_coherence(self, coherence_kpc: Float[Array, ""]) -> GaussianCorrelation:
        """The same model with coherence length L_c [kpc]."""
        scale = coherence_kpc / self.coherence_kpc()
        return GaussianCorrelation(self.ell_kpc * scale, self.solenoidal)


class RandomCells(Correlation):
    """Cells of length ell with independent signs: rho = max(0, 1 - |x|/ell).

    P_1D = ell [sin(kappa/2)/(kappa/2)]^2, kappa = k ell; the model of a striated field.

    Attributes
    ----------
    ell_kpc : float array, shape ()
        Length of a cell [kpc].

    References
    ----------
    Jansson & Farrar 2012, ApJL 761, L11 (arXiv:1210.7820), for the striated field.
    """

    ell_kpc: Float[Array, ""] = eqx.field(converter=_leaf)

    def rho(self, x_kpc: Float[Array, "..."]) -> Float[Array, "..."]:
        """Correlation at separations x [kpc]."""
        return jnp.maximum(1.0 - safe_abs(x_kpc) / self.ell_kpc, 0.0)

    def spectrum_1d(self, k_per_kpc: Float[Array, "..."]) -> Float[Array, "..."]:
        """P_1D [kpc] at wave numbers k [rad/kpc]."""
        # jnp.sinc(x) is sin(pi x)/(pi x), guarded at 0.
        return self.ell_kpc * jnp.sinc(k_per_kpc * self.ell_kpc / (2.0 * jnp.pi)) ** 2

    def coherence_kpc(self) -> Float[Array, ""]:
        """L_c = ell [kpc]."""
        return self.ell_kpc

    def with_coherence(self, coherence_kpc: Float[Array, ""]) -> RandomCells:
        """Cells of length L_c [kpc]."""
        return RandomCells(coherence_kpc)


class PowerLawCorrelation(Correlation):
    """Divergence-free turbulence with a power law between two scales; Kolmogorov for n = 5/3.

    With k_0 = 2 pi/L_max, k_1 = 2 pi/L_min and K = max(k_0, |k|),
    P_1D = (3 pi/4) [(K^-n - k_1^-n)/n + k^2 (K^{-n-2} - k_1^{-n-2})/(n + 2)]
    (n - 1)/(k_0^{1-n} - k_1^{1-n}), and 0 for |k| > k_1.
    L_c = (L_max/2) ((n-1)/n) [1 - q^n]/[1 - q^{n-1}], q = L_min/L_max.

    Attributes
    ----------
    l_min_kpc, l_max_kpc : float array, shape ()
        Smallest and largest wavelength of the turbulence [kpc]; 8 and 272 pc by default.
    index : float array, shape ()
        Slope n of the three-dimensional energy spectrum, E(k) ~ k^-n; n > 1.

    References
    ----------
    Harari et al. 2002, JHEP 03, 045 (arXiv:astro-ph/0202362), section 2, for L_c.
    """

    l_min_kpc: Float[Array, ""] = eqx.field(converter=_leaf, default=0.008)
    l_max_kpc: Float[Array, ""] = eqx.field(converter=_leaf, default=0.272)
    index: Float[Array, ""] = eqx.field(converter=_leaf, default=5.0 / 3.0)

    def rho(self, x_kpc: Float[Array, "..."]) -> Float[Array, "..."]:
        """Correlation at separations x [kpc]: (1/pi) int_0^{k_1} P_1D cos(k x) dk.

        By the midpoint rule at 8192 wave numbers, whose error is that of a periodic image at
        8192 L_min/2, 33 kpc away for the default scales: separations must be much smaller.
        """
        n = 8192
        step = 2.0 * jnp.pi / self.l_min_kpc / n
        k = (jnp.arange(n) + 0.5) * step
        waves = jnp.cos(jnp.expand_dims(jnp.asarray(x_kpc), -1) * k)
        return waves @ self.spectrum_1d(k) * step / jnp.pi

    def spectrum_1d(self, k_per_kpc: Float[Array, "..."]) -> Float[Array, "..."]:
        """P_1D [kpc] at wave numbers k [rad/kpc]."""
        n = self.index
        k0, k1 = 2.0 * jnp.pi / self.l_max_kpc, 2.0 * jnp.pi / self.l_min_kpc
        # Above k_1 both differences vanish of themselves.
        k = jnp.clip(safe_abs(k_per_kpc), k0, k1)
        shape = (k**-n - k1**-n) / n
        shape = shape + k_per_kpc**2 * (k ** (-n - 2.0) - k1 ** (-n - 2.0)) / (n + 2.0)
        return 0.75 * jnp.pi * shape * (n - 1.0) / (k0 ** (1.0 - n) - k1 ** (1.0 - n))

    def coherence_kpc(self) -> Float[Array, ""]:
        """L_c [kpc]; 59.96 pc for the default scales."""
        n, q = self.index, self.l_min_kpc / self.l_max_kpc
        return 0.5 * self.l_max_kpc * (n - 1.0) / n * (1.0 - q**n) / (1.0 - q ** (n - 1.0))

    def with_coherence(self, coherence_kpc: Float[Array, ""]) -> PowerLawCorrelation:
        """The same range and slope with coherence length L_c [kpc]."""
        scale = coherence_kpc / self.coherence_kpc()
        return PowerLawCorrelation(self.l_min_kpc * scale, self.l_max_kpc * scale, self.index)
