"""Axion spectra of a population of stars, and the spectral shape of a cluster."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..environments.stars.population import StellarPopulation, bundled_population
from .stellar import band_nodes, luminosity_spectrum

SHAPE_BAND_KEV = (10.0, 80.0)
TILT_PIVOT_KEV = 30.0


def node_spectra(
    population: StellarPopulation,
    energy_keV: Float[Array, " e"],
    t_c_scale: Float[Array, ""] | float = 1.0,
) -> Float[Array, "n e"]:
    """Axion spectrum of each node of a population, as an Eddington star, per unit coupling u.

    Parameters
    ----------
    population : StellarPopulation
        Population of n nodes.
    energy_keV : float array, shape (e,)
        Axion energies [keV].
    t_c_scale : float array, shape (), optional
        Factor on every central temperature.

    Returns
    -------
    float array, shape (n, e)
        dL/dE per star [erg s^-1 keV^-1].

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Raffelt 1988, Phys. Rev. D 37, 1356.
    """
    stars = population.stars(t_c_scale)
    return jax.vmap(lambda star: luminosity_spectrum(star, energy_keV))(stars)


def class_spectra(
    population: StellarPopulation,
    energy_keV: Float[Array, " e"],
    classes: tuple[str, ...],
    t_c_scale: Float[Array, ""] | float = 1.0,
) -> Float[Array, "k e"]:
    """Mean axion spectrum of one star of each class, per unit coupling u.

    Parameters
    ----------
    population : StellarPopulation
        Population of n nodes.
    energy_keV : float array, shape (e,)
        Axion energies [keV].
    classes : tuple of str
        Names of k classes.
    t_c_scale : float array, shape (), optional
        Factor on every central temperature.

    Returns
    -------
    float array, shape (k, e)
        dL/dE per star [erg s^-1 keV^-1].

    Raises
    ------
    ConfigurationError
        If the population has no star of a class.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    chosen = population.select(classes)
    return chosen.mixing(classes) @ node_spectra(chosen, energy_keV, t_c_scale)


class AnchoredShape(eqx.Module):
    """Spectral shape S(E) of a cluster, int_10^80 S dE = 1, for a published band luminosity.

    S(E) ~ (E/30 keV)^k sum_class N_class <dL/dE>_class: spectra of Eddington stars averaged over
    the nodes of a population, weighted by the numbers of stars of the dominant classes. The
    exact zone sum is used, not a table, so that S is differentiable in every leaf.

    Attributes
    ----------
    population : StellarPopulation
        Nodes of stars; the default is one 85 Msun track.
    classes : tuple of str
        Classes to which ``class_counts`` refers (static).

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305 (luminosities and star counts).
    """

    references: ClassVar[tuple[str, ...]] = ("Dessert:2020lil", "Raffelt:1987np")
    population: StellarPopulation = eqx.field(default_factory=bundled_population)
    classes: tuple[str, ...] = eqx.field(static=True, default=("WC", "WN"))

    def __call__(
        self,
        energy_keV: Float[Array, " e"],
        class_counts: Float[Array, " k"],
        ln_core_temperature: Float[Array, ""] | float = 0.0,
        tilt: Float[Array, ""] | float = 0.0,
    ) -> Float[Array, " e"]:
        """S(E) [keV^-1], shape (e,), at energies [keV] for given numbers of stars.

        ``ln_core_temperature`` is the logarithm of a factor on every T_c, ``tilt`` the exponent
        k; the shape stays normalised for all of them.
        """
        nodes, weights = band_nodes(*SHAPE_BAND_KEV)
        both = jnp.concatenate([energy_keV, nodes])
        scale = jnp.exp(jnp.asarray(ln_core_temperature))
        stars = class_counts @ class_spectra(self.population, both, self.classes, scale)
        positive = both > 0.0
        lever = jnp.log(jnp.where(positive, both, TILT_PIVOT_KEV) / TILT_PIVOT_KEV)
        spectrum = stars * jnp.exp(tilt * lever)
        split = energy_keV.shape[0]
        norm = weights @ spectrum[split:]
        ok = norm > 0.0
        return jnp.where(ok, spectrum[:split] / jnp.where(ok, norm, 1.0), 0.0)
