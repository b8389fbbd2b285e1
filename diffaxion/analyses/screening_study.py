"""Screening models that are compared with one another: same multipoles, same masses, few programs.

A model is compiled for each combination of classes (gas, field, grid, constants). Numbers such as
cuts, occupation or gas parameters are varied in place, on what was prepared for the base model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..constants import G_REF_GEV
from ..conversion.halo_window import ConversionCuts
from ..likelihoods.recast import G95_PER_ROOT_SIGMA
from ..observables.cmb.bandpowers import BandpowerWindows, top_hat_windows
from ..observables.cmb.screening import Cache, Kind, ScreeningSpectrum
from ..observables.world import World
from .screening import screening_curve, screening_spectrum, screening_terms, screening_world
from .screening_config import ScreeningSection, screening_section

# Multipoles of the tables, and between them enough for the windows and for figures.
TABLE_ELL = (100.0, 300.0, 600.0, 1000.0, 1500.0, 2000.0)
_PIECES = ((10.0, 9), (100.0, 9), (300.0, 6), (600.0, 5), (1000.0, 4), (1500.0, 3), (2000.0, 3))
_END = 2500.0
# Keys of a section that change numbers of the model's cuts and nothing that is prepared.
_CUT_KEYS = {"x_lo", "x_hi", "floor_Msun", "taper_width"}
# Keys that leave the prepared part (cosmology, abundance, galaxies) as it is.
_LATE_KEYS = _CUT_KEYS | {"gas", "field", "field_mass_cap_Msun"}


def study_multipoles() -> np.ndarray:
    """Multipoles from 10 to 2500 that contain those of the tables, about evenly in ln l.

    Returns
    -------
    array, shape (40,)
        Increasing multipoles.

    References
    ----------
    None: a grid.
    """
    starts = [p[0] for p in _PIECES]
    ends = [*starts[1:], _END]
    parts = [np.geomspace(a, b, n + 1)[:-1] for (a, n), b in zip(_PIECES, ends, strict=True)]
    # geomspace rounds: the multipoles of the tables are to be met exactly.
    for part, start in zip(parts, starts, strict=True):
        part[0] = start
    return np.concatenate([*parts, [_END]])


@dataclass(frozen=True)
class Prepared:
    """A model with what does not depend on the axion's mass.

    Attributes
    ----------
    section : ScreeningSection
        Choices.
    model : ScreeningSpectrum
        Forward model at the multipoles of :func:`study_multipoles`.
    world : World
        Root tree.
    cache : dict
        Items of ``model.prepare``.
    """

    section: ScreeningSection
    model: ScreeningSpectrum
    world: World
    cache: Cache

    @property
    def ell(self) -> np.ndarray:
        """Multipoles, shape (l,)."""
        return np.asarray(self.model.ell)

    def curve(self, m_a_eV: ArrayLike, kind: Kind = "Tg") -> np.ndarray:
        """C_l per unit strength at k masses, shape (k, l) [uK, or uK^2 for TT]."""
        masses = jnp.asarray(m_a_eV, float)
        return np.asarray(screening_curve(self.model, self.world, self.cache, masses, kind))

    def terms(self, m_a_eV: float, kind: Kind = "Tg") -> tuple[np.ndarray, np.ndarray]:
        """One- and two-halo terms per unit strength at one mass, shape (l,) each."""
        one, two = screening_terms(self.model, moved(self.world, m_a_eV), self.cache, kind)
        return np.asarray(one), np.asarray(two)


def moved(world: World, m_a_eV: float) -> World:
    """The world with another mass of the axion [eV]."""
    return eqx.tree_at(lambda w: w.axion.m_a_eV, world, jnp.asarray(m_a_eV, float))


def prepare_study(section: ScreeningSection, ell: ArrayLike | None = None) -> Prepared:
    """A model ready for many masses.

    Parameters
    ----------
    section : ScreeningSection
        Choices.
    ell : array, shape (l,), optional
        Multipoles; default :func:`study_multipoles`.

    Returns
    -------
    Prepared
        Model, world and cache.

    Raises
    ------
    ConfigurationError
        On unknown names.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    world = screening_world(section)
    model = screening_spectrum(section, study_multipoles() if ell is None else ell)
    return Prepared(section, model, world, model.prepare(world))


def vary(base: Prepared, **overrides: Any) -> Prepared:
    """A variant of a prepared model that reuses as much as possible of it.

    Parameters
    ----------
    base : Prepared
        Starting point; its floor must not be above the variant's.
    **overrides
        Keys of :class:`ScreeningSection`. Cuts, gas and field keep the base's cache; other keys
        prepare again.

    Returns
    -------
    Prepared
        The variant at the same multipoles.

    Raises
    ------
    ConfigurationError
        On unknown names or values out of range.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, appendix B.
    """
    chosen = base.section.model_dump() | overrides
    section = screening_section(chosen.pop("configuration"), **chosen)
    world = screening_world(section)
    # The number of masses below the floor is static: the base's is kept, nothing recompiles.
    cuts = ConversionCuts(
        section.x_lo, section.x_hi, section.floor_Msun, section.taper_width, section.edges
    )
    if set(overrides) <= _LATE_KEYS:
        return Prepared(section, replace(base.model, cuts=cuts), world, base.cache)
    model = replace(screening_spectrum(section, base.ell), cuts=cuts)
    return Prepared(section, model, world, model.prepare(world))


@eqx.filter_jit
def _masked(
    model: ScreeningSpectrum, world: World, cache: Cache, masks: Float[Array, "k z m"]
) -> Float[Array, "k l"]:
    number, biased = cache["abundance"]

    def one(mask: Array) -> Array:
        # The galaxy side is in the cache already: only the screening side loses halos.
        part = {**cache, "abundance": (number * mask, biased * mask)}
        return model.response(world, part)

    return jax.lax.map(one, masks)


def cumulative_shares(
    prepared: Prepared, m_a_eV: float, mass_Msun: ArrayLike, z: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Shares of C_l^Tg from screening halos below a virial mass, and below a redshift.

    A node of the integration counts by the part of its cell that lies below the edge; cells end
    half-way between nodes (in ln M, and in z by the weights of the rule).

    Parameters
    ----------
    prepared : Prepared
        The model; ratios do not depend on the coupling.
    m_a_eV : float
        Axion mass [eV].
    mass_Msun : array, shape (a,)
        Upper edges of the virial mass [Msun].
    z : array, shape (b,)
        Upper edges of the redshift.

    Returns
    -------
    by_mass : array, shape (a, l)
        C_l(< M)/C_l.
    by_redshift : array, shape (b, l)
        C_l(< z)/C_l.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S14.
    """
    grid = prepared.model.integration
    nodes, ln_mass = np.asarray(grid.z), np.log(np.asarray(grid.mass_Msun))
    middle = 0.5 * (ln_mass[1:] + ln_mass[:-1])
    edges_m = np.concatenate([[ln_mass[0]], middle, [ln_mass[-1]]])
    weights = np.asarray(grid.z_weight)
    edges_z = prepared.section.z_range[0] + np.concatenate([[0.0], np.cumsum(weights)])
    below_m = _part_below(np.log(np.atleast_1d(np.asarray(mass_Msun, float))), edges_m)
    below_z = _part_below(np.atleast_1d(np.asarray(z, float)), edges_z)
    masks = np.concatenate(
        [
            np.broadcast_to(below_m[:, None, :], (len(below_m), nodes.size, ln_mass.size)),
            np.broadcast_to(below_z[:, :, None], (len(below_z), nodes.size, ln_mass.size)),
            np.ones((1, nodes.size, ln_mass.size)),
        ]
    )
    world = moved(prepared.world, m_a_eV)
    found = np.asarray(_masked(prepared.model, world, prepared.cache, jnp.asarray(masks)))
    shares = found[:-1] / found[-1]
    return shares[: len(below_m)], shares[len(below_m) :]


def _part_below(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Part of each cell below each value, shape (v, n)."""
    return np.clip((values[:, None] - edges[:-1]) / np.diff(edges), 0.0, 1.0)


def study_windows(
    ell_lo: ArrayLike | None = None, ell_hi: ArrayLike | None = None
) -> BandpowerWindows:
    """Plain bins whose theory nodes are the multipoles of the study.

    Parameters
    ----------
    ell_lo, ell_hi : array, shape (b,), optional
        Edges of the bins; default the eleven of the published analysis.

    Returns
    -------
    BandpowerWindows
        b bins.

    Raises
    ------
    ConfigurationError
        If a bin leaves the range 10 to 2500.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514; the edges are inferred.
    """
    return top_hat_windows(ell_lo, ell_hi, node_ell=study_multipoles())


def expected_limit(
    spectra: ArrayLike, variance: ArrayLike, windows: BandpowerWindows
) -> np.ndarray:
    """Expected 95 % limits without signal, uniform prior in g >= 0.

    g95 = 1.24728 [sum_b C_b^2/var_b]^(-1/4), with C_b per unit u.

    Parameters
    ----------
    spectra : array, shape (k, l)
        C_l per unit u at the nodes of the windows [uK].
    variance : array, shape (b,)
        Variances of the bandpowers [uK^2].
    windows : BandpowerWindows
        b bins.

    Returns
    -------
    array, shape (k,)
        Limits [GeV^-1]; infinite without signal.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (likelihood and prior).
    """
    bands = np.asarray(spectra) @ np.asarray(windows.matrix).T
    information = np.sum(bands**2 / np.asarray(variance), axis=-1)
    with np.errstate(divide="ignore"):
        return G95_PER_ROOT_SIGMA * G_REF_GEV * information**-0.25
