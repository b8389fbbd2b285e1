"""Passbands as few nodes and weights, so that a band integral is a dot product.

A rule sum_k w_k f(nu_k) = int t(nu) f(nu) dnu with t the response to spectral radiance. The Gauss
rule of 12 nodes of a Planck channel's table reproduces every response of the sky's components
made with that table to about 1e-8 with the temperatures and indices free, where a table has up to
3000 points. Nodes may be moved (shift of the band) and weights multiplied by a power of frequency
(the other convention of what a transmission is), differentiably.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..data.passband import NOISE
from ..data.registry import load_table
from ..environments.galaxy.base import parameter
from ..errors import ConfigurationError, DataError, unknown_name
from ..numerics import condensed_rule

PLANCK_CHANNELS = ("030", "044", "070", "100", "143", "217", "353", "545")
"""The eight Planck channels from which a screening map is made; 857 is bundled as well."""

# A band holds less than this share of int t nu^p dnu below half of its mean frequency.
_LOW_END_SHARE = 0.01


class Passbands(eqx.Module):
    """Quadrature rules of n passbands, q nodes each.

    Attributes
    ----------
    nu_GHz : float array, shape (n, q)
        Nodes [GHz].
    weight : float array, shape (n, q)
        Weights, transmission included; the normalisation of each row drops out.
    nominal_GHz : float array, shape (n,)
        Frequency of the reference spectrum of unit conversions [GHz].
    names : tuple of str
        Channels, such as ``143``; static.

    References
    ----------
    Planck 2013 results IX, arXiv:1303.5070.
    """

    nu_GHz: Float[Array, "n q"] = parameter()
    weight: Float[Array, "n q"] = parameter()
    nominal_GHz: Float[Array, " n"] = parameter()
    names: tuple[str, ...] = eqx.field(static=True, default=())

    def shift(self, delta_GHz: Float[Array, " n"]) -> Passbands:
        """The bands moved by shape (n,) [GHz], their shapes kept."""
        moved = self.nu_GHz + jnp.asarray(delta_GHz, float)[..., None]
        return Passbands(moved, self.weight, self.nominal_GHz, self.names)

    def with_exponent(self, p: Float[Array, " n"]) -> Passbands:
        """The transmissions multiplied by nu^p, p of shape (n,) or ().

        -2 for tables of the response to antenna temperature. A table that reaches far below its
        band is to be given its exponent by :func:`passbands_from_tables`, which checks it.
        """
        ratio = self.nu_GHz / self.nominal_GHz[:, None]
        power = ratio ** jnp.asarray(p, float)[..., None]
        return Passbands(self.nu_GHz, self.weight * power, self.nominal_GHz, self.names)

    def select(self, names: Sequence[str]) -> Passbands:
        """The bands of these channels, in this order."""
        for name in names:
            if name not in self.names:
                raise unknown_name("channel", name, self.names)
        rows = np.array([self.names.index(n) for n in names], dtype=int)
        return Passbands(self.nu_GHz[rows], self.weight[rows], self.nominal_GHz[rows], tuple(names))


def monochromatic(freq_GHz: ArrayLike, names: Sequence[str] | None = None) -> Passbands:
    """Bands of one frequency each, for simulations and tests.

    Responses at nominal frequencies are wrong for real data: by the sign for the tSZ effect at
    217 GHz, by 20 per cent for the CIB at 30 relative to 353 GHz.

    Parameters
    ----------
    freq_GHz : float array, shape (n,)
        Frequencies [GHz].
    names : sequence of str, optional
        Channels; by default the rounded frequencies as three digits.

    Returns
    -------
    Passbands
        One node each.

    References
    ----------
    None: the limit of a narrow band.
    """
    freq = np.atleast_1d(np.asarray(freq_GHz, float))
    labels = tuple(f"{f:03.0f}" for f in freq) if names is None else tuple(names)
    _check_names(labels, freq.size)
    return _bands(freq[:, None], np.ones((freq.size, 1)), freq, labels)


def _bands(nu: np.ndarray, weight: np.ndarray, nominal: np.ndarray, names: tuple) -> Passbands:
    return Passbands(jnp.asarray(nu), jnp.asarray(weight), jnp.asarray(nominal), names)


def _check_names(names: Sequence[str], size: int) -> None:
    if len(names) != size or len(set(names)) != size:
        raise ConfigurationError(
            f"{size} passbands and the names {', '.join(names)}: give one name per passband, each "
            "once"
        )


def passbands_from_tables(
    tables: Sequence[tuple[ArrayLike, ArrayLike]],
    names: Sequence[str],
    *,
    nodes: int | None = 12,
    exponent: ArrayLike = 0.0,
    lowest_GHz: float | Mapping[str, float] | None = None,
    nominal_GHz: ArrayLike | None = None,
) -> Passbands:
    """Passbands from tables of transmission, by the trapezoid and then the Gauss rule.

    Parameters
    ----------
    tables : sequence of (array, array), n pairs of shape (m,)
        Increasing frequencies > 0 [GHz] and transmissions, any normalisation.
    names : sequence of str
        n channels.
    nodes : int or None
        Nodes per band, 12 for 1e-8 in the Planck channels; None keeps the points of the tables.
    exponent : float array, shape () or (n,)
        The transmission is multiplied by nu to this power before the rule is made.
    lowest_GHz : float or mapping of str to float, optional
        Points below are dropped, for all or for the channels named [GHz].
    nominal_GHz : float array, shape (n,), optional
        Frequencies of reference spectra; by default the names as numbers.

    Returns
    -------
    Passbands
        n bands.

    Raises
    ------
    ConfigurationError
        If the names do not fit or a nominal frequency is not known.
    DataError
        If a table is not usable, or with an exponent its low end, which is noise, dominates.

    References
    ----------
    Golub & Welsch 1969, Math. Comp. 23, 221; Planck 2013 results IX, arXiv:1303.5070.
    """
    _check_names(names, len(tables))
    powers = np.broadcast_to(np.asarray(exponent, float), (len(tables),))
    rules = []
    for (nu, transmission), name, power in zip(tables, names, powers, strict=True):
        cut = lowest_GHz.get(name) if isinstance(lowest_GHz, Mapping) else lowest_GHz
        x, w = _measure(name, np.asarray(nu, float), np.asarray(transmission, float), power, cut)
        rules.append((x, w) if nodes is None else condensed_rule(x, w, nodes))
    width = max(x.size for x, _ in rules)
    # Tables of unequal length are filled up with points of no weight.
    nodes_GHz = np.array([np.pad(x, (0, width - x.size), mode="edge") for x, _ in rules])
    weight = np.array([np.pad(w / np.sum(w), (0, width - w.size)) for _, w in rules])
    return _bands(nodes_GHz, weight, _nominal(names, nominal_GHz), tuple(names))


def _nominal(names: Sequence[str], nominal_GHz: ArrayLike | None) -> np.ndarray:
    if nominal_GHz is not None:
        return np.broadcast_to(np.asarray(nominal_GHz, float), (len(names),))
    try:
        return np.array([float(n) for n in names])
    except ValueError:
        raise ConfigurationError(
            f"passbands named {', '.join(names)}: a name is not a frequency; give nominal_GHz"
        ) from None


def _measure(
    name: str, nu: np.ndarray, transmission: np.ndarray, power: float, lowest_GHz: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights of t nu^p dnu; refused where the low end of the table dominates."""
    good = nu.ndim == 1 and nu.shape == transmission.shape and nu.size >= 2
    good = good and bool(np.all(np.isfinite(nu)) and np.all(np.isfinite(transmission)))
    if not good or nu[0] <= 0.0 or np.any(np.diff(nu) <= 0.0):
        raise DataError(
            f"passband {name}: expected two columns of equal length, frequencies that increase "
            "from above 0 [GHz] and transmissions, all finite"
        )
    low, high = float(np.min(transmission)), float(np.max(transmission))
    if high <= 0.0 or low < -NOISE * high:
        raise DataError(
            f"passband {name}: transmissions from {low:g} to {high:g}; expected positive ones, "
            f"with noise below 0 to {100.0 * NOISE:g} per cent of the maximum"
        )
    if lowest_GHz is not None:
        keep = nu >= lowest_GHz
        nu, transmission = nu[keep], transmission[keep]
        if nu.size < 2:
            raise DataError(f"passband {name}: nothing is left above lowest_GHz = {lowest_GHz:g}")
    # Trapezoid: half of the two intervals beside each point.
    plain = np.convolve(np.diff(nu), [0.5, 0.5]) * transmission
    mean = float(plain @ nu / np.sum(plain))
    weight = plain * (nu / mean) ** power
    share = float(np.sum(weight[nu < 0.5 * mean]) / np.sum(weight))
    if power != 0.0 and share > _LOW_END_SHARE:
        raise DataError(
            f"passband {name}: with the transmission times nu^{power:g}, {100.0 * share:.3g} per "
            f"cent of the band lie below {0.5 * mean:.4g} GHz, half of its mean frequency "
            f"(the table starts at {nu[0]:.4g} GHz; expected less than "
            f"{100.0 * _LOW_END_SHARE:g}): its low end is noise, cut it with lowest_GHz"
        )
    return nu, weight


def planck_passbands(
    names: Sequence[str] = PLANCK_CHANNELS,
    *,
    lfi_exponent: ArrayLike = 0.0,
    hfi_exponent: ArrayLike = 0.0,
) -> Passbands:
    """Bundled passbands of Planck, 12 nodes per channel.

    Parameters
    ----------
    names : sequence of str
        Channels of 030, 044, 070 (LFI), 100, 143, 217, 353, 545, 857 (HFI).
    lfi_exponent, hfi_exponent : float array, shape ()
        Powers of frequency that multiply the transmissions. 0 reproduces the published unit
        conversions of HFI; -2 may be right for LFI, where it changes the response to screening
        by 0.5 to 1 per cent and to the CIB by 1 to 2.

    Returns
    -------
    Passbands
        The channels in the order given.

    Raises
    ------
    ConfigurationError
        If a channel is unknown.

    References
    ----------
    Planck reduced instrument model (Planck Collaboration); Planck 2013 results IX,
    arXiv:1303.5070; Planck 2013 results V, arXiv:1303.5066 (LFI).
    """
    table, facts = load_table("planck_passbands"), planck_channels(names)
    rows = [np.flatnonzero(table["channel"] == name) for name in names]
    bands = _bands(
        np.array([table["nu_GHz"][r] for r in rows]),
        np.array([table["weight"][r] for r in rows]),
        facts.freq_GHz,
        tuple(names),
    )
    low = jnp.asarray(facts.instrument == "LFI")
    return bands.with_exponent(jnp.where(low, jnp.asarray(lfi_exponent), jnp.asarray(hfi_exponent)))


@dataclass(frozen=True)
class ChannelFacts:
    """What one needs to know of n channels besides their passbands.

    Attributes
    ----------
    names : tuple of str
        Channels.
    instrument : array of str, shape (n,)
        ``LFI`` or ``HFI``.
    freq_GHz : array, shape (n,)
        Nominal frequencies [GHz].
    fwhm_arcmin : array, shape (n,)
        Gaussian beams [arcmin].
    white_uK_arcmin : array, shape (n,)
        White noise of simulated skies [uK arcmin, thermodynamic]; that of the published maps is
        in ``survey_channels("planck")``.
    nside : array of int, shape (n,)
        HEALPix resolution of the published maps.
    """

    names: tuple[str, ...]
    instrument: np.ndarray
    freq_GHz: np.ndarray
    fwhm_arcmin: np.ndarray
    white_uK_arcmin: np.ndarray
    nside: np.ndarray


def planck_channels(names: Sequence[str] = PLANCK_CHANNELS) -> ChannelFacts:
    """Beams, noise and resolution of Planck channels.

    Parameters
    ----------
    names : sequence of str
        Channels, 030 to 857.

    Returns
    -------
    ChannelFacts
        In the order given.

    Raises
    ------
    ConfigurationError
        If a channel is unknown or named twice.

    References
    ----------
    McCarthy & Hill 2024, arXiv:2307.01043, Table I (beams); Planck 2018 results I,
    arXiv:1807.06205, Table 4.
    """
    table = load_table("planck_channels")
    known = [str(c) for c in table["channel"]]
    for name in names:
        if name not in known:
            raise unknown_name("Planck channel", name, known)
    _check_names(names, len(names))
    rows = np.array([known.index(n) for n in names], dtype=int)
    return ChannelFacts(
        tuple(names),
        table["instrument"][rows],
        table["freq_GHz"][rows],
        table["fwhm_arcmin"][rows],
        table["white_uK_arcmin"][rows],
        table["nside"][rows],
    )
