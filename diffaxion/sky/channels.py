"""Frequency channels of CMB surveys, from named publications: beams, white and 1/f noise."""

from __future__ import annotations

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..constants import ARCMIN_RAD
from ..data.registry import load_table, table_names
from ..environments.galaxy.base import parameter
from ..errors import unknown_name

_PREFIX = "survey_"
# Beyond this the deconvolved noise of a channel is e^600 times its white noise: it is blind.
_BLIND = 300.0


class Channels(eqx.Module):
    """n frequency channels with Gaussian beams, white noise and correlated 1/f noise.

    The noise of a map is w^2 [1 + (l/l_knee)^-s], of which the second part has the correlation
    ``atmosphere`` between channels; all divided by both beams.

    Attributes
    ----------
    freq_GHz : float array, shape (n,)
        Frequencies [GHz].
    fwhm_arcmin : float array, shape (n,)
        Beams [arcmin].
    white_uK_arcmin : float array, shape (n,)
        White noise [uK arcmin].
    knee_ell, knee_slope : float array, shape (n,)
        Multipole where 1/f noise equals white noise (0 for none) and its slope s.
    atmosphere : float array, shape (n, n)
        Correlation of the 1/f noise, 1 on the diagonal.
    ell_max : float array, shape (n,)
        Largest multipole at which a channel is used.
    """

    freq_GHz: Float[Array, " n"] = parameter()
    fwhm_arcmin: Float[Array, " n"] = parameter()
    white_uK_arcmin: Float[Array, " n"] = parameter()
    knee_ell: Float[Array, " n"] = parameter()
    knee_slope: Float[Array, " n"] = parameter()
    atmosphere: Float[Array, "n n"] = parameter()
    ell_max: Float[Array, " n"] = parameter()

    def used(self, ell: Float[Array, " l"]) -> Float[Array, "l n"]:
        """1 where a channel is used, else 0, shape (l, n)."""
        return jnp.where(jnp.asarray(ell)[:, None] <= self.ell_max, 1.0, 0.0)

    def noise(self, ell: Float[Array, " l"]) -> Float[Array, "l n n"]:
        """Noise between channels with beams deconvolved, shape (l, n, n) [uK^2]."""
        l = jnp.asarray(ell, float)[:, None]
        white = self.white_uK_arcmin * ARCMIN_RAD
        on = self.knee_ell > 0.0
        ratio = jnp.where(on, self.knee_ell, 1.0) / l
        red = jnp.where(on, white * ratio ** (0.5 * self.knee_slope), 0.0)
        sigma2 = (self.fwhm_arcmin * ARCMIN_RAD) ** 2 / (8.0 * math.log(2.0))
        blur = jnp.exp(jnp.minimum(0.5 * l * (l + 1.0) * sigma2, _BLIND))
        red, white = red * blur, white * blur
        own = jnp.eye(self.freq_GHz.shape[0]) * (white**2)[:, None, :]
        return own + self.atmosphere * red[:, :, None] * red[:, None, :]


def survey_names() -> list[str]:
    """Names of the bundled surveys.

    Returns
    -------
    list of str
        Such as ``planck`` or ``so-goal`` (no unit).

    References
    ----------
    Each table names its publication.
    """
    found = [n.removeprefix(_PREFIX) for n in table_names() if n.startswith(_PREFIX)]
    return sorted(n.replace("_", "-") for n in found)


def survey_channels(*names: str, white_scale: float = 1.0) -> Channels:
    """Channels of one or several bundled surveys together.

    Parameters
    ----------
    *names : str
        Surveys, see :func:`survey_names`; their noise is independent.
    white_scale : float
        Factor on all noise, as for another observing time.

    Returns
    -------
    Channels
        n channels [GHz, arcmin, uK arcmin].

    Raises
    ------
    ConfigurationError
        If a survey is unknown; the nearest are listed.

    References
    ----------
    Planck 2018 I, arXiv:1807.06205; Ade et al. 2019, arXiv:1808.07445; arXiv:1907.04473.
    """
    columns: dict[str, list[np.ndarray]] = {}
    groups: list[str] = []
    strength = []
    for name in names:
        if name not in survey_names():
            raise unknown_name("CMB survey", name, survey_names())
        table = load_table(_PREFIX + name.replace("-", "_"))
        for key in ("freq_GHz", "fwhm_arcmin", "white_uK_arcmin", "knee_ell", "knee_slope"):
            columns.setdefault(key, []).append(np.asarray(table[key], float))
        groups += [f"{name}{g}" if g else "" for g in table["group"]]
        strength += [float(table.meta["atmosphere_correlation"])] * len(table["group"])
    joined = {k: np.concatenate(v) for k, v in columns.items()}
    joined["white_uK_arcmin"] = joined["white_uK_arcmin"] * white_scale
    alike = np.array([[bool(a) and a == b for b in groups] for a in groups])
    correlation = np.where(alike, np.asarray(strength)[:, None], 0.0)
    np.fill_diagonal(correlation, 1.0)
    size = joined["freq_GHz"].size
    return Channels(
        **{k: jnp.asarray(v) for k, v in joined.items()},
        atmosphere=jnp.asarray(correlation),
        ell_max=jnp.full(size, jnp.inf),
    )


def white_channels(
    freq_GHz: ArrayLike,
    fwhm_arcmin: ArrayLike,
    white_uK_arcmin: ArrayLike,
    ell_max: ArrayLike = jnp.inf,
) -> Channels:
    """Channels with white noise only.

    Parameters
    ----------
    freq_GHz, fwhm_arcmin, white_uK_arcmin : float array, shape (n,)
        Frequencies [GHz], beams [arcmin] and noise [uK arcmin].
    ell_max : float array, shape (n,) or ()
        Largest multipole at which a channel is used.

    Returns
    -------
    Channels
        n channels.

    References
    ----------
    Knox 1995, astro-ph/9504054.
    """
    freq = jnp.asarray(freq_GHz, float)
    zero = jnp.zeros_like(freq)
    return Channels(
        freq,
        jnp.broadcast_to(jnp.asarray(fwhm_arcmin, float), freq.shape),
        jnp.broadcast_to(jnp.asarray(white_uK_arcmin, float), freq.shape),
        zero,
        zero,
        jnp.eye(freq.shape[0]),
        jnp.broadcast_to(jnp.asarray(ell_max, float), freq.shape),
    )
