"""Axion spectra of every model of an ensemble, on nodes from which bins are integrated."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from ..environments.stars.eddington import EddingtonStar
from ..environments.stars.ensemble import StellarEnsemble
from ..errors import ConfigurationError, ValidityError
from .universal import eddington_luminosity, eddington_spectrum

# The 14 bins of the published spectra.
BAND_EDGES_KEV = np.linspace(10.0, 80.0, 15)
# Gauss-Lobatto rule with four nodes: exact to the fifth order, and both ends are nodes.
_LOBATTO = np.array([-1.0, -1.0 / np.sqrt(5.0), 1.0 / np.sqrt(5.0), 1.0])
_LOBATTO_WEIGHTS = np.array([1.0, 5.0, 5.0, 1.0]) / 6.0
_CHUNK = 1024


class EnsembleSpectra(eqx.Module):
    """Spectra of the models of an ensemble, per unit coupling u = (g/1e-12 GeV^-1)^2.

    Attributes
    ----------
    low_keV, high_keV : float array, shape (b,)
        Adjacent energy bins [keV].
    energy_keV : float array, shape (m,)
        Nodes; the edges of all bins are among them [keV].
    bin_weights : float array, shape (b, m)
        Weights with which a spectrum on the nodes is integrated over the bins [keV].
    spectrum : float array, shape (n, m)
        dL/dE of each model [erg s^-1 keV^-1].
    total_erg_s : float array, shape (n,)
        Luminosity over all energies [erg/s].
    weight : float array, shape (n,)
        Weights inside each class.
    code : int array, shape (n,)
        Class, an index into ``names``.
    flagged : bool array, shape (n,)
        Models with log10 T_c > 8.7.
    names : tuple of str
        Classes (static).
    label : str
        What the ensemble was made from (static).
    """

    low_keV: Float[Array, " b"]
    high_keV: Float[Array, " b"]
    energy_keV: Float[Array, " m"]
    bin_weights: Float[Array, "b m"]
    spectrum: Float[Array, "n m"]
    total_erg_s: Float[Array, " n"]
    weight: Float[Array, " n"]
    code: Int[Array, " n"]
    flagged: Bool[Array, " n"]
    names: tuple[str, ...] = eqx.field(static=True)
    label: str = eqx.field(static=True)

    @property
    def bins_erg_s(self) -> Float[Array, "n b"]:
        """Luminosity of each model in each bin [erg/s]."""
        return self.spectrum @ self.bin_weights.T

    def class_weights(self, name: str) -> Float[Array, " n"]:
        """Weights of the models of one class; all others are 0, and they sum to 1."""
        chosen = self.weight * (self.code == self.names.index(name))
        return chosen / jnp.sum(chosen)

    def class_means(self) -> dict[str, tuple[Float[Array, ""], Float[Array, ""]]]:
        """Mean luminosity of a star of each class, in all bins together and in total [erg/s]."""
        band = jnp.sum(self.bins_erg_s, axis=1)
        rows = {name: self.class_weights(name) for name in self.names}
        return {name: (w @ band, w @ self.total_erg_s) for name, w in rows.items()}


def bin_rule(edges_keV: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for integrals over adjacent bins, Gauss-Lobatto with four nodes each.

    Parameters
    ----------
    edges_keV : array, shape (b + 1,)
        Edges [keV].

    Returns
    -------
    tuple of array, shapes (3 b + 1,) and (b, 3 b + 1)
        Energies [keV] and weights [keV].

    Raises
    ------
    ValidityError
        If the edges do not increase, or are not positive.

    References
    ----------
    Abramowitz & Stegun 1964, Handbook of Mathematical Functions, eq. 25.4.32.
    """
    edges = np.asarray(edges_keV, float)
    if edges.ndim != 1 or edges.size < 2 or not (edges[0] > 0.0 and np.all(np.diff(edges) > 0.0)):
        raise ValidityError(f"edges = {edges.tolist()} keV: expected increasing numbers > 0")
    half = 0.5 * np.diff(edges)
    inner = edges[:-1, None] + half[:, None] * (_LOBATTO[:3] + 1.0)
    weights = np.zeros((half.size, 3 * half.size + 1))
    for k, h in enumerate(half):
        weights[k, 3 * k : 3 * k + 4] = h * _LOBATTO_WEIGHTS
    return np.append(inner.ravel(), edges[-1]), weights


@eqx.filter_jit
def _stars(
    stars: EddingtonStar, energy_keV: Float[Array, " m"]
) -> tuple[Float[Array, "n m"], Float[Array, " n"]]:
    return jax.vmap(lambda s: (eddington_spectrum(s, energy_keV), eddington_luminosity(s)))(stars)


def eddington_spectra(
    ensemble: StellarEnsemble,
    energy_keV: Float[Array, " m"],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Float[Array, "n m"], Float[Array, " n"]]:
    """Spectra and luminosities of all models of an ensemble as Eddington stars.

    Parameters
    ----------
    ensemble : StellarEnsemble
        n models.
    energy_keV : float array, shape (m,)
        Energies [keV].
    progress : callable, optional
        Called with the number of models done and of all.

    Returns
    -------
    tuple of float array, shapes (n, m) and (n,)
        dL/dE [erg s^-1 keV^-1] and L over all energies [erg/s], per unit u.

    References
    ----------
    Raffelt 1988, Phys. Rev. D 37, 1356; Eddington 1926, chapter VI.
    """
    n = ensemble.mass_Msun.size
    # All chunks have one length, so that they share one compiled program.
    size = min(_CHUNK, 1 << max(5, (n - 1).bit_length()))
    padded = -(-n // size) * size
    stars = jax.tree.map(
        lambda x: jnp.concatenate([x, jnp.repeat(x[:1], padded - n, axis=0)]), ensemble.stars()
    )
    found = []
    for k in range(0, padded, size):
        found.append(_stars(jax.tree.map(lambda x, k=k: x[k : k + size], stars), energy_keV))
        if progress is not None:
            progress(min(k + size, n), n)
    spectrum, total = (jnp.concatenate(x)[:n] for x in zip(*found, strict=True))
    return spectrum, total


def ensemble_spectra(
    ensemble: StellarEnsemble,
    edges_keV: ArrayLike = BAND_EDGES_KEV,
    ln_correction: ArrayLike | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> EnsembleSpectra:
    """Spectra of the models of an ensemble in energy bins.

    Parameters
    ----------
    ensemble : StellarEnsemble
        n models.
    edges_keV : array, shape (b + 1,), optional
        Edges of the bins [keV]; the 14 bins of 5 keV from 10 to 80 keV by default.
    ln_correction : array, shape (n, 3 b + 2), optional
        ln of the factor on the Eddington model at each node, and on the luminosity over all
        energies (last column); from profiles.
    progress : callable, optional
        Called with the number of models done and of all.

    Returns
    -------
    EnsembleSpectra
        Leaves of shape (n, m), (n,) [erg s^-1 keV^-1, erg/s] per unit u.

    Raises
    ------
    ConfigurationError
        If a model is a core in a vast envelope and nothing corrects the Eddington model.
    ValidityError
        If the edges do not increase.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Raffelt 1988, Phys. Rev. D 37, 1356.
    """
    if ln_correction is None and bool(jnp.any(ensemble.cool)):
        code = int(ensemble.code[int(jnp.argmax(ensemble.cool))])
        raise ConfigurationError(
            f"{ensemble.label}: {int(jnp.sum(ensemble.cool))} steps, for instance of class "
            f"{ensemble.names[code]}, are red supergiants, a core in a vast envelope, to which "
            "the Eddington model does not apply; use structure = 'profiles' with saved profiles, "
            "or count no such stars"
        )
    edges = np.asarray(edges_keV, float)
    energy, weights = bin_rule(edges)
    spectrum, total = eddington_spectra(ensemble, jnp.asarray(energy), progress)
    if ln_correction is not None:
        factor = jnp.exp(jnp.asarray(ln_correction, float))
        spectrum, total = spectrum * factor[:, :-1], total * factor[:, -1]
    return EnsembleSpectra(
        jnp.asarray(edges[:-1]),
        jnp.asarray(edges[1:]),
        jnp.asarray(energy),
        jnp.asarray(weights),
        spectrum,
        total,
        ensemble.weight,
        ensemble.code,
        ensemble.outside_validity,
        ensemble.names,
        ensemble.label,
    )
