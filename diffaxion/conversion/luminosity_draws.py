"""Axion luminosity of a cluster: draws of its stars from an ensemble, and what they leave open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import ConfigurationError, unknown_name
from ..numerics import safe_divide, spline_curvature, spline_interpolate
from .cluster_shape import TILT_PIVOT_KEV
from .ensemble_spectra import EnsembleSpectra

_QUANTILES = (0.16, 0.5, 0.84)
Sums = tuple[Array, Array, Array, Array]


class LuminosityDraws(eqx.Module):
    """Possible clusters, each with its own draw of stars; per unit u = (g/1e-12 GeV^-1)^2.

    Attributes
    ----------
    energy_keV : float array, shape (m,)
        Nodes [keV].
    bin_weights : float array, shape (b, m)
        Weights of integrals over the bins [keV].
    spectrum : float array, shape (d, m)
        dL/dE of each draw [erg s^-1 keV^-1].
    total_erg_s : float array, shape (d,)
        Luminosity over all energies [erg/s].
    flagged_erg_s : float array, shape (d,)
        Part of the luminosity in the bins that stars with log10 T_c > 8.7 give [erg/s].
    by_class_erg_s : float array, shape (d, k)
        Luminosity in the bins of the stars of each class [erg/s].
    names : tuple of str
        Classes that were drawn (static).
    label : str
        What the ensemble was made from (static).
    """

    energy_keV: Float[Array, " m"]
    bin_weights: Float[Array, "b m"]
    spectrum: Float[Array, "d m"]
    total_erg_s: Float[Array, " d"]
    flagged_erg_s: Float[Array, " d"]
    by_class_erg_s: Float[Array, "d k"]
    names: tuple[str, ...] = eqx.field(static=True)
    label: str = eqx.field(static=True)

    @property
    def bins_erg_s(self) -> Float[Array, "d b"]:
        """Luminosity of each draw in each bin [erg/s]."""
        return self.spectrum @ self.bin_weights.T

    @property
    def band_erg_s(self) -> Float[Array, " d"]:
        """Luminosity of each draw in all bins together [erg/s]."""
        return jnp.sum(self.bins_erg_s, axis=1)

    @property
    def band_quantiles_erg_s(self) -> Float[Array, "3"]:
        """16, 50 and 84 % quantiles of the luminosity in the bins [erg/s]."""
        return jnp.quantile(self.band_erg_s, jnp.asarray(_QUANTILES))

    @property
    def total_quantiles_erg_s(self) -> Float[Array, "3"]:
        """16, 50 and 84 % quantiles of the luminosity over all energies [erg/s]."""
        return jnp.quantile(self.total_erg_s, jnp.asarray(_QUANTILES))

    @property
    def sigma_ln(self) -> Float[Array, ""]:
        """Half of ln(q84/q16) of the luminosity in the bins."""
        low, _, high = self.band_quantiles_erg_s
        return 0.5 * jnp.log(high / low)

    @property
    def mean_spectrum(self) -> Float[Array, " m"]:
        """Mean dL/dE on the nodes [erg s^-1 keV^-1]."""
        return jnp.mean(self.spectrum, axis=0)

    @property
    def ln_covariance(self) -> Float[Array, "b b"]:
        """Covariance of the ln of the luminosities in the bins."""
        deviation = jnp.log(self.bins_erg_s)
        deviation = deviation - jnp.mean(deviation, axis=0)
        return deviation.T @ deviation / (deviation.shape[0] - 1)

    @property
    def flagged_share(self) -> Float[Array, ""]:
        """Share of the mean luminosity in the bins that flagged stars give."""
        return safe_divide(jnp.mean(self.flagged_erg_s), jnp.mean(self.band_erg_s))


def draw_luminosities(
    spectra: EnsembleSpectra, counts: Mapping[str, int], key: Array, draws: int = 500
) -> LuminosityDraws:
    """Draw the stars of a cluster many times: N_class models of each class, by their weights.

    Parameters
    ----------
    spectra : EnsembleSpectra
        Models.
    counts : mapping of str to int
        Numbers of stars by class; classes with 0 are left out.
    key : PRNG key
        Randomness.
    draws : int, optional
        Number d of clusters.

    Returns
    -------
    LuminosityDraws
        Leaves of shape (d, m), (d,) [erg s^-1 keV^-1, erg/s] per unit u.

    Raises
    ------
    ConfigurationError
        If no star is counted, a class has no model, or there are fewer than two draws.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305 (500 draws).
    """
    wanted = {name: int(n) for name, n in counts.items() if n}
    if not wanted or draws < 2:
        raise ConfigurationError(
            f"counts = {dict(counts)}, draws = {draws}: expected stars, and at least two draws"
        )
    for name in wanted:
        if name not in spectra.names:
            raise unknown_name("class of stars", name, spectra.names)
    parts = []
    for k, (name, n) in enumerate(wanted.items()):
        # Padded, so that clusters of similar size share one compiled program.
        size = max(16, 1 << (n - 1).bit_length())
        u = jax.random.uniform(jax.random.fold_in(key, k), (draws, size), float)
        parts.append(_sum_of_stars(spectra, spectra.class_weights(name), u, jnp.asarray(n)))
    spectrum, total, flagged, band = (jnp.stack(x) for x in zip(*parts, strict=True))
    return LuminosityDraws(
        spectra.energy_keV,
        spectra.bin_weights,
        jnp.sum(spectrum, axis=0),
        jnp.sum(total, axis=0),
        jnp.sum(flagged, axis=0),
        band.T,
        tuple(wanted),
        spectra.label,
    )


@eqx.filter_jit
def _sum_of_stars(spectra: EnsembleSpectra, weight: Array, u: Array, count: Array) -> Sums:
    """Spectrum, total, flagged and band luminosity of the first ``count`` columns of draws."""
    band = jnp.sum(spectra.bins_erg_s, axis=1)
    flagged = jnp.where(spectra.flagged, band, 0.0)
    steps = jnp.cumsum(weight)
    # The last sum may fall short of 1 by rounding; rows after it have no weight.
    last = jnp.max(jnp.where(weight > 0.0, jnp.arange(steps.size), 0))
    chosen = jnp.minimum(jnp.searchsorted(steps, u, side="right"), last)

    def add(sums: Sums, at: tuple[Array, Array]) -> tuple[Sums, None]:
        # One star of every draw at a time: memory does not grow with the number of stars.
        row, alive = at
        found = (spectra.spectrum[row], spectra.total_erg_s[row], flagged[row], band[row])
        a, b, c, d = (s + alive * x for s, x in zip(sums, found, strict=True))
        return (a, b, c, d), None

    d, m = u.shape[0], spectra.energy_keV.size
    empty = (jnp.zeros((d, m)), jnp.zeros(d), jnp.zeros(d), jnp.zeros(d))
    alive = (jnp.arange(u.shape[1]) < count).astype(float)
    return jax.lax.scan(add, empty, (chosen.T, alive))[0]


class EnsembleShape(eqx.Module):
    """Spectrum of a cluster from draws of its stars, with its uncertainty as normal modes.

    S(E) ~ (E/30 keV)^k <dL/dE> exp(sum_j z_j m_j(E)), normalised at z = 0. The modes are the
    leading eigenvectors of the covariance of ln L in the bins, times the root of their
    eigenvalues, continued to all energies by regression. They carry brightness as well as shape.

    Attributes
    ----------
    ln_energy : float array, shape (m,)
        ln of the nodes [keV].
    ln_spectrum : float array, shape (m,)
        ln of the mean spectrum, normalised in the bins [keV^-1].
    node_weights : float array, shape (m,)
        Weights of the integral over all bins [keV].
    modes : float array, shape (j, m)
        Modes on the nodes.
    z : float array, shape (j,)
        Nuisances: standard normals of the modes.
    curvature : float array, shape (j + 1, m)
        Second derivatives of the splines through mean and modes.
    label : str
        What the ensemble was made from (static).

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305 (draws).
    """

    references: ClassVar[tuple[str, ...]] = ("Dessert:2020lil", "Raffelt:1987np")
    ln_energy: Float[Array, " m"]
    ln_spectrum: Float[Array, " m"]
    node_weights: Float[Array, " m"]
    modes: Float[Array, "j m"]
    z: Float[Array, " j"]
    curvature: Float[Array, "k m"]
    label: str = eqx.field(static=True)

    @property
    def range_keV(self) -> tuple[float, float]:
        """Ends of the bins, outside of which the spectrum is not known [keV]."""
        ends = np.exp(np.asarray(self.ln_energy)[[0, -1]])
        low, high = np.round(ends, 9)
        return float(low), float(high)

    def __call__(
        self, energy_keV: Float[Array, " e"], tilt: Float[Array, ""] | float = 0.0
    ) -> Float[Array, " e"]:
        """S(E) [keV^-1], shape (e,), for an exponent k of the tilt.

        Outside the bins S is that of the nearest edge; callers check the range.
        """
        x = jnp.log(jnp.where(energy_keV > 0.0, energy_keV, jnp.exp(self.ln_energy[0])))
        rows = jnp.concatenate([self.ln_spectrum[None], self.modes]).T
        at = spline_interpolate(x, self.ln_energy, rows, self.curvature.T)
        pivot = jnp.log(TILT_PIVOT_KEV)
        norm = self.node_weights @ jnp.exp(self.ln_spectrum + tilt * (self.ln_energy - pivot))
        return jnp.exp(at[:, 0] + at[:, 1:] @ self.z + tilt * (x - pivot)) / norm


def spectrum_modes(
    draws: LuminosityDraws, modes: int = 3, share: float = 0.99
) -> tuple[np.ndarray, float]:
    """Leading modes of the uncertainty of a spectrum, and what they leave of that of its sum.

    Parameters
    ----------
    draws : LuminosityDraws
        Draws of clusters.
    modes : int, optional
        Largest number of modes.
    share : float, optional
        No more modes are taken once they explain this share of the covariance's trace.

    Returns
    -------
    tuple of array, shape (j, m), and float
        Modes on the nodes, for standard normals; and sigma of ln L in the bins that they do not
        explain.

    Raises
    ------
    ConfigurationError
        If the number of modes is negative.

    References
    ----------
    None: principal components.
    """
    if modes < 0:
        raise ConfigurationError(f"modes = {modes}: expected 0 or more")
    spectrum = np.log(np.asarray(draws.spectrum))
    spectrum = spectrum - spectrum.mean(axis=0)
    bins = np.log(np.asarray(draws.bins_erg_s))
    bins = bins - bins.mean(axis=0)
    count = bins.shape[0] - 1
    value, vector = np.linalg.eigh(bins.T @ bins / count)
    value, vector = value[::-1], vector[:, ::-1]
    vector = vector * np.where(vector.sum(axis=0) < 0.0, -1.0, 1.0)
    explained = np.cumsum(value) / max(value.sum(), np.finfo(float).tiny)
    enough = int(np.searchsorted(explained, share)) + 1
    kept = int(min(modes, enough, np.sum(value > 1e-14 * max(value[0], 1e-300))))
    scores = bins @ vector[:, :kept] / np.sqrt(value[:kept])
    found = scores.T @ spectrum / count
    mean = np.asarray(draws.mean_spectrum) @ np.asarray(draws.bin_weights).T
    through = (mean / mean.sum()) @ vector[:, :kept] * np.sqrt(value[:kept])
    left = float(draws.sigma_ln) ** 2 - float(np.sum(through**2))
    return found, float(np.sqrt(max(left, 0.0)))


def ensemble_shape(draws: LuminosityDraws, modes: np.ndarray) -> EnsembleShape:
    """Spectrum of a cluster for a forward model.

    Parameters
    ----------
    draws : LuminosityDraws
        Draws of clusters.
    modes : array, shape (j, m)
        Of :func:`spectrum_modes`.

    Returns
    -------
    EnsembleShape
        Leaves of shape (m,) and (j, m).

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    x = np.log(np.asarray(draws.energy_keV))
    weights = np.asarray(draws.bin_weights).sum(axis=0)
    mean = np.asarray(draws.mean_spectrum)
    ln_mean = np.log(mean / (weights @ mean))
    rows = np.concatenate([ln_mean[None], modes])
    return EnsembleShape(
        jnp.asarray(x),
        jnp.asarray(ln_mean),
        jnp.asarray(weights),
        jnp.asarray(modes, float),
        jnp.zeros(len(modes)),
        jnp.asarray(np.stack([spline_curvature(x, row) for row in rows])),
        draws.label,
    )
