"""Fit of the surrogate of the screening response at start-up.

The coefficients follow by least squares from values and derivatives of the direct model at a few
points. Parameters that change the power spectrum or the profile of satellites cost a new
preparation and give values; all others give derivatives too, in forward mode in one program. The
design has the fiducial point, two points on each axis of the first kind, and random points.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ..environments.halos import GeneralizedNFWGas, NFWGas, TabulatedGas
from ..environments.halos.grid import HaloGrid
from ..errors import ConfigurationError
from ..numerics import spline_curvature
from ..observables.cmb.screening import Cache, _related
from ..observables.world import World
from ..parameters.bind import Bindings, Tie
from ..parameters.paths import get_path
from .recast_probe import MASS, RecastProbe, ScreeningProbe, direct_bandpowers, screening_part
from .screening_checks import resonant_masses
from .surrogate_probe import (
    LN_M_INNER,
    LN_M_OUTER,
    SurrogateProbe,
    apply_bindings,
    field_ln_amplitude_of,
    surrogate_error,
)

__all__ = ["SurrogateProbe", "build_surrogate", "surrogate_error"]

DESIGN_POINTS = 32
STAR_Z = 1.5
DESIGN_WIDTH = 1.2
REACH_SIGMA = 4.0
FLOOR = 5e-3
RIDGE = 1e-3
MARGIN = 0.5
REFERENCE_Z, REFERENCE_MSUN = 0.5, 1.2e14
# Steps of the nodes in ln m: fine at the light edge, where the signal rises as m^12.
STEPS = ((0.0, 2.5e-13, 0.05), (2.5e-13, 1.6e-12, 0.1), (1.6e-12, 1.0, 0.08))
# Items that change with the parameters in which derivatives are taken.
_CHEAP = {"galaxies", "conversion"}
_GAS = "halos.gas"


def _exact(world: World) -> set[str]:
    """Paths that the equation takes into account exactly."""
    gas, found = world.halos.gas, set()
    if isinstance(gas, GeneralizedNFWGas):
        found.add(f"{_GAS}.rho_0.amplitude")
    elif isinstance(gas, (NFWGas, TabulatedGas)):
        found.add(f"{_GAS}.ln_amplitude")
    if hasattr(world.halos.field, "ln_amplitude"):
        found.add("halos.field.ln_amplitude")
    return found


def _followers(bindings: Bindings, name: str) -> tuple[str, ...]:
    """The path and everything that is tied to it."""
    found = [name]
    for path, tie in zip(bindings.tied_paths, bindings.ties):
        if tie.source in found:
            found.append(path)
    return tuple(found)


def _monomials(gas: list[bool], cubes: list[bool]) -> tuple[tuple[int, ...], ...]:
    """Terms of the polynomial; the order of the list is that of the coefficients."""
    places = range(len(gas))
    terms: list[tuple[int, ...]] = [()]
    for degree in (1, 2):
        terms += itertools.combinations_with_replacement(places, degree)
    terms += [(k, k, k) for k in places if cubes[k] and not gas[k]]
    wide = [k for k in places if gas[k]]
    terms += itertools.combinations_with_replacement(wide, 3)
    return tuple(terms)


def _nodes(low: float, high: float) -> np.ndarray:
    """Nodes in ln m from low to high [eV], with the steps of ``STEPS``, at least four."""
    ends: list[np.ndarray] = []
    for first, last, step in STEPS:
        a, b = max(low, first), min(high, last)
        if a < b:
            count = max(1, int(np.ceil(np.log(b / a) / step)))
            ends.append(np.linspace(np.log(a), np.log(b), count + 1))
    nodes = np.unique(np.concatenate(ends).round(12))
    return nodes if nodes.size >= 4 else np.linspace(nodes[0], nodes[-1], 4)


@eqx.filter_jit
def _expand(
    skeleton: SurrogateProbe,
    own: Bindings,
    world: World,
    cache: Cache,
    z: Array,
    ln_mu: Array,
    moving: tuple[int, ...],
) -> tuple[Array, Array]:
    """p_b at one point and effective mass, and its derivatives in some z: (b,), (b, moving)."""

    def one(part: Array) -> tuple[Array, Array]:
        at = own.apply(world, z.at[jnp.asarray(moving, int)].set(part))
        change, _ = skeleton.shift(at, ln_mu)
        mass = jnp.exp(ln_mu + 0.5 * change)
        at = eqx.tree_at(lambda w: w.axion.m_a_eV, at, mass)
        signal = -skeleton.probe.bandpowers(at, cache) * jnp.exp(skeleton.sign * change)
        y = jnp.arcsinh(signal / skeleton.scale(ln_mu))
        return y, y

    jacobian, y = jax.jacfwd(one, has_aux=True)(z[jnp.asarray(moving, int)])
    return y, jacobian


def build_surrogate(
    probe: ScreeningProbe,
    world: World,
    bindings: Bindings,
    m_a_eV: ArrayLike | None = None,
    *,
    points: int = DESIGN_POINTS,
    seed: int = 0,
    nodes: ArrayLike | None = None,
) -> SurrogateProbe:
    """Surrogate of a screening probe around its fiducial point.

    Parameters
    ----------
    probe : RecastProbe or BandpowerProbe
        The direct probe.
    world : World
        Root tree at its fiducial point.
    bindings : Bindings
        Priors by path; those that do not act on the probe are ignored.
    m_a_eV : float array, shape () or (k,), optional
        Masses to be covered [eV]; default all at which the probe may answer. Effective masses
        reach beyond them by four standard deviations of the shift, within the resonant ones.
    points : int
        Random points of the design, beside the fiducial one and two on each slow axis.
    seed : int
        Seed of the random points.
    nodes : array, shape (q,), optional
        Nodes of the effective mass [eV]; default steps of 0.05 to 0.1 in ln m.

    Returns
    -------
    SurrogateProbe
        For the same data.

    Raises
    ------
    ConfigurationError
        If no mass of the range resonates or a mass is not positive.

    References
    ----------
    The equation of this module.
    """
    full = apply_bindings(bindings, world, bindings.standardise(_values(world, bindings)))
    centre = screening_part(full)
    exact = _exact(centre)
    groups = {n: _followers(bindings, n) for n in bindings.names}
    groups = {n: g for n, g in groups.items() if n != MASS and probe.touched(g)}
    acting = {n: tuple(p for p in g if probe.touched((p,))) for n, g in groups.items()}
    names = tuple(n for n in groups if not set(acting[n]) <= exact)
    covered = tuple(p for g in groups.values() for p in g) + tuple(sorted(exact))
    own = _restricted(bindings, names, {p for n in names for p in acting[n]})
    moving = tuple(k for k, n in enumerate(names) if probe.touched(acting[n]) <= _CHEAP)
    slow = [k for k in range(len(names)) if k not in moving]
    gas = [any(_related(p, _GAS) for p in acting[n]) for n in names]
    monomials = _monomials(gas, [k in moving for k in range(len(names))])

    cache = probe.prepare(centre, (MASS,))
    reference = _reference_halo(cache["grid"])
    start = SurrogateProbe(
        probe,
        own.free_priors,
        jnp.zeros(4),
        jnp.zeros((4, len(monomials), probe.windows.matrix.shape[0], 2)),
        jnp.zeros((4, probe.windows.matrix.shape[0], 2)),
        jnp.ones(probe.windows.matrix.shape[0]),
        jnp.zeros(()),
        reference,
        centre.halos.gas,
        field_ln_amplitude_of(centre),
        names,
        covered,
        monomials,
    )
    ln_mu = (
        _default_nodes(start, full, bindings, centre, m_a_eV)
        if nodes is None
        else np.log(np.asarray(nodes, float))
    )
    signal = np.array([direct_bandpowers(probe, centre, cache, m) for m in np.exp(ln_mu)])
    peak = int(np.argmax(np.abs(signal).sum(axis=1)))
    if not np.any(signal[peak]):
        raise ConfigurationError(
            f"surrogate: no halo resonates between {np.exp(ln_mu[0]):.3g} and "
            f"{np.exp(ln_mu[-1]):.3g} eV"
        )
    start = eqx.tree_at(
        lambda s: (s.ln_mass, s.floor, s.peak_ln_mass),
        start,
        (
            jnp.asarray(ln_mu),
            jnp.asarray(2.0 * FLOOR * np.abs(signal[peak])),
            jnp.asarray(ln_mu[peak]),
        ),
    )
    design = _design(len(names), slow, points if names else 0, seed)
    origin = np.asarray(own.standardise(_values(centre, own)))
    values, slopes = [], []
    for offset in design:
        z = jnp.asarray(origin + offset)
        at = apply_bindings(own, centre, z)
        kept = _without_cheap(probe.prepare(at, (MASS,)) if np.any(offset[slow]) else cache)
        rows = [_expand(start, own, at, kept, z, jnp.asarray(m), moving) for m in ln_mu]
        values.append([r[0] for r in rows])
        slopes.append([r[1] for r in rows])
    fitted = _fit(design + origin, np.asarray(values), np.asarray(slopes), monomials, moving)
    table = np.stack([fitted, spline_curvature(ln_mu, fitted)], axis=-1)
    met = np.stack([np.min(values, axis=0) - MARGIN, np.max(values, axis=0) + MARGIN], axis=-1)
    return eqx.tree_at(
        lambda s: (s.coefficients, s.bounds), start, (jnp.asarray(table), jnp.asarray(met))
    )


def _values(world: World, bindings: Bindings) -> dict[str, Array]:
    """Values of the free leaves, by path."""
    return {n: get_path(world, n) for n in bindings.names}


def _restricted(bindings: Bindings, names: tuple[str, ...], acting: set[str]) -> Bindings:
    """The bindings of the named paths and of what follows them."""
    priors = {n: p for n, p in zip(bindings.paths, bindings.priors) if n in names}
    ties: dict[str, Tie | str] = {}
    for path, tie in zip(bindings.tied_paths, bindings.ties):
        if tie.source in (*names, *ties) and path in acting:
            ties[path] = tie
    return Bindings({n: priors[n] for n in names}, ties)


def _without_cheap(cache: Cache) -> Cache:
    """What derivatives may keep of the items that every scan of the mass prepares."""
    return {name: cache[name] for name in cache if name not in _CHEAP}


def _reference_halo(grid: HaloGrid) -> HaloGrid:
    """The halo of a grid next to the reference redshift and mass."""
    i = int(np.argmin(np.abs(np.asarray(grid.z) - REFERENCE_Z)))
    j = int(np.argmin(np.abs(np.log(np.asarray(grid.mass_Msun) / REFERENCE_MSUN))))
    cut = {1: (slice(i, i + 1), slice(None)), 2: (slice(i, i + 1), slice(j, j + 1))}

    def one(x: Array) -> Array:
        return x[cut[2]] if x.ndim == 2 and x.shape[1] > 1 else x[cut[1]] if x.ndim == 2 else x

    small = jax.tree.map(one, grid)
    return eqx.tree_at(
        lambda g: (g.z, g.mass_Msun), small, (grid.z[i : i + 1], grid.mass_Msun[j : j + 1])
    )


def _default_nodes(
    start: SurrogateProbe,
    full: World,
    bindings: Bindings,
    centre: World,
    m_a_eV: ArrayLike | None,
) -> np.ndarray:
    """ln of the effective masses at which the coefficients are fitted."""
    resonant = resonant_masses(start.probe.spectrum, centre)
    if m_a_eV is None:
        low, high = resonant
        if isinstance(start.probe, RecastProbe):
            low, high = start.probe.mass_range_eV
    else:
        masses = np.atleast_1d(np.asarray(m_a_eV, float))
        if not (masses.size and np.all(np.isfinite(masses) & (masses > 0.0))):
            raise ConfigurationError(
                f"surrogate: masses {m_a_eV}, expected finite numbers > 0 [eV]"
            )
        low, high = masses.min(), masses.max()
    z0 = np.asarray(bindings.standardise(_values(full, bindings)))
    change = _shifts(start, bindings, full, jnp.asarray(z0))
    # Light masses see the gas at the outer edge, heavy ones at the inner edge.
    reach = 0.5 * REACH_SIGMA * np.sqrt(np.sum(np.asarray(change) ** 2, axis=0))
    low = max(low * np.exp(-reach[0]), 1.02 * resonant[0])
    high = min(high * np.exp(reach[1]), 0.98 * resonant[1])
    if not low < high:
        raise ConfigurationError(
            f"surrogate: halos resonate between {resonant[0]:.3g} and {resonant[1]:.3g} eV, "
            f"asked for {m_a_eV} eV"
        )
    return _nodes(float(low), float(high))


@eqx.filter_jit
def _shifts(start: SurrogateProbe, bindings: Bindings, full: World, z0: Array) -> Array:
    """Half the difference of D between z = +1 and -1, for light and heavy masses: (k, 2)."""

    def at(z: Array) -> Array:
        world = bindings.apply(full, z)
        return jnp.stack([start.shift(world, jnp.asarray(m))[0] for m in (LN_M_OUTER, LN_M_INNER)])

    steps = jnp.eye(bindings.size)
    return jax.lax.map(lambda e: 0.5 * (at(z0 + e) - at(z0 - e)), steps)


def _design(size: int, slow: list[int], points: int, seed: int) -> np.ndarray:
    """Offsets of z: none, two along each slow axis, and random points."""
    star = np.zeros((2 * len(slow), size))
    for row, k in enumerate(slow):
        star[2 * row, k], star[2 * row + 1, k] = STAR_Z, -STAR_Z
    random = DESIGN_WIDTH * np.random.default_rng(seed).standard_normal((points, size))
    return np.concatenate([np.zeros((1, size)), star, random])


def _fit(
    z: np.ndarray,
    values: np.ndarray,
    slopes: np.ndarray,
    monomials: tuple[tuple[int, ...], ...],
    moving: tuple[int, ...],
) -> np.ndarray:
    """Coefficients (q, t, b) from values (n, q, b) and slopes (n, q, b, moving)."""
    blocks, sides = [_columns(z, monomials)], [values]
    for row, k in enumerate(moving):
        blocks.append(_columns(z, monomials, k))
        sides.append(slopes[..., row])
    matrix, right = np.concatenate(blocks), np.concatenate(sides)
    # A weak pull of higher orders to zero decides where the points do not.
    pull = np.diag([RIDGE * 3.0 ** (len(t) - 2) * (len(t) > 1) for t in monomials])
    matrix = np.concatenate([matrix, pull * np.sqrt(len(matrix))])
    flat = right.reshape(len(right), -1)
    flat = np.concatenate([flat, np.zeros((len(monomials), flat.shape[1]))])
    found = np.linalg.lstsq(matrix, flat, rcond=None)[0]
    return np.swapaxes(found.reshape(len(monomials), *values.shape[1:]), 0, 1)


def _columns(
    z: np.ndarray, monomials: Iterable[tuple[int, ...]], derivative: int | None = None
) -> np.ndarray:
    """Monomials at points z, shape (n, t), or their derivatives in one component."""
    columns = []
    for term in monomials:
        factor, rest = 1.0, list(term)
        if derivative is not None:
            factor = float(rest.count(derivative))
            if factor:
                rest.remove(derivative)
        columns.append(factor * np.prod(z[:, rest], axis=1))
    return np.stack(columns, axis=1)
