"""A field along one direction as a table, multilinear in the parameters that vary.

Most parameters of a field model are amplitudes: B is affine in each of them, and contains their
products where one is the norm of a component and another the strength of a part of it. Then
B(s) along a fixed direction is

    B(s; c) = B_0(s) + sum_T B_T(s) prod_{k in T} (c_k - c_k0)

with few sets T of coefficients, tabulated once, and a sampler that varies the amplitudes and
the distance never evaluates the field model again. The columns B_T are few in number as well:
those of a norm, of a strength and of their product are one shape, which is kept once.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...numerics import linear_interpolate
from .base import MagneticField
from .frame import SightLine
from .sightline import LinePath, node_positions

# Linear interpolation on this many nodes, plus two at each jump, moves p by less than 1e-4.
_NODES = 4001
# Fields are evaluated at so many positions at a time, so that all tables share one program.
_BLOCK = 512
# Largest departure from a multilinear law that counts as rounding [muG].
_ROUNDING_MUG = 1e-9
# Products of at most so many coefficients: norm of a sum, norm of a component, strength of a part.
_DEGREE = 3


class FieldTable(eqx.Module):
    """Transverse field along a direction, multilinear in coefficients c.

    Attributes
    ----------
    s_kpc : float array, shape (t,)
        Nodes, on both sides of every jump [kpc].
    crossings_kpc : float array, shape (k,)
        Distances of the jumps [kpc].
    b_muG : float array, shape (t, 2)
        (B_l, B_b) at c = centre [muG].
    shapes_muG : float array, shape (t, 2, r)
        Independent columns of which all changes of the field are made [muG].
    mixing : float array, shape (r, q)
        How much of each column a unit of each term contains.
    centre : float array, shape (m,)
        Coefficients of the tabulated field.
    terms : tuple of tuple of int, static
        Coefficients multiplied in each of the q terms: the m coefficients one by one, then the
        products that occur.
    n_e_cm3 : float array, shape (t,), or None
        Electron density at the nodes, where these serve as they are because the distance is
        fixed [cm^-3]; None where paths end at varying distances.
    """

    s_kpc: Float[Array, " t"]
    crossings_kpc: Float[Array, " k"]
    b_muG: Float[Array, "t 2"]
    shapes_muG: Float[Array, "t 2 r"]
    mixing: Float[Array, "r q"]
    centre: Float[Array, " m"]
    terms: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    n_e_cm3: Float[Array, " t"] | None = None

    def amplitudes(self, coefficients: Float[Array, " m"]) -> Float[Array, " r"]:
        """Factors of the columns ``shapes_muG``, shape (r,), at given coefficients, shape (m,)."""
        shift = jnp.append(coefficients - self.centre, 1.0)
        # Terms with fewer factors than others are filled up with the one at the end.
        degree = max(map(len, self.terms), default=0)
        index = np.full((len(self.terms), degree), self.centre.size)
        for row, term in zip(index, self.terms, strict=True):
            row[: len(term)] = term
        product = jnp.ones(len(self.terms))
        for column in index.T:
            product = product * shift[column]
        return self.mixing @ product

    def sample(
        self,
        sightline: SightLine,
        coefficients: Float[Array, " m"],
        fractions: Float[Array, " n"],
        electrons: tuple[Float[Array, " e"], Float[Array, " e"]],
    ) -> LinePath:
        """Medium at the nodes of a sight line in the tabulated direction.

        Parameters
        ----------
        sightline : SightLine
            Same direction and Sun as the table; its distance may vary.
        coefficients : float array, shape (m,)
            c.
        fractions : float array, shape (n,)
            Base grid as fractions of the distance.
        electrons : pair of float arrays, shape (e,)
            Table (s [kpc], n_e [cm^-3]).

        Returns
        -------
        LinePath
            Field [muG] and density [cm^-3] at n + 2k nodes.
        """
        factors = self.amplitudes(coefficients)
        if self.n_e_cm3 is not None:
            b = self.b_muG + self.shapes_muG @ factors
            return LinePath(self.s_kpc, b[:, 0], b[:, 1], self.n_e_cm3)
        s = node_positions(sightline, _Jumps(self.crossings_kpc), fractions)
        # A path has far fewer nodes than the table: interpolate first, then sum the terms.
        b = linear_interpolate(s, self.s_kpc, self.b_muG)
        b = b + linear_interpolate(s, self.s_kpc, self.shapes_muG) @ factors
        return LinePath(s, b[:, 0], b[:, 1], linear_interpolate(s, *electrons))


class _Jumps(MagneticField):
    """Stands for a field whose jumps are known."""

    references: ClassVar[tuple[str, ...]] = ()
    at_kpc: Float[Array, " k"]

    def __call__(self, position_kpc: Float[Array, "3"]) -> Float[Array, "3"]:
        return jnp.zeros_like(position_kpc)

    def crossings_kpc(self, sightline: SightLine) -> Float[Array, " k"]:
        return jnp.minimum(self.at_kpc, sightline.distance_kpc)


@eqx.filter_jit
def _crossings(field_of: Callable, c: Array, line: SightLine) -> Array:
    return field_of(c).crossings_kpc(line)


@eqx.filter_jit
def _transverse(field_of: Callable, c: Array, line: SightLine, s: Array) -> Array:
    """(B_l, B_b) at distances s [muG], shape (n, 2)."""
    b = jax.vmap(lambda x: field_of(c)(line.position_kpc(x)))(s)
    return b @ jnp.stack(line.transverse_basis()).T


def _along(field_of: Callable, c: Array, line: SightLine, s: np.ndarray) -> np.ndarray:
    """(B_l, B_b) at distances s [muG], shape (t, 2), block by block."""
    padded = np.pad(s, (0, -s.size % _BLOCK), mode="edge").reshape(-1, _BLOCK)
    found = [_transverse(field_of, c, line, jnp.asarray(x)) for x in padded]
    return np.concatenate([np.asarray(x) for x in found])[: s.size]


def tabulate_field(
    field_of: Callable[[Float[Array, " m"]], MagneticField],
    centre: Float[Array, " m"],
    sightline: SightLine,
    reach_kpc: float,
    fixed: tuple[Array, tuple[Array, Array]] | None = None,
) -> FieldTable | None:
    """Table of a field along a direction, or None where it is not multilinear.

    Which products of coefficients occur is found by mixed differences, and the law is checked
    with all coefficients moved together.

    Parameters
    ----------
    field_of : callable
        Coefficients c, shape (m,), to the field; a pytree, so that targets share a program.
    centre : float array, shape (m,)
        Where the table is made.
    sightline : SightLine
        Direction and Sun.
    reach_kpc : float
        Largest distance needed [kpc].
    fixed : tuple, optional
        Base fractions of the nodes and the table (s [kpc], n_e [cm^-3]) of the electrons, where
        the distance is ``reach_kpc`` always: the table then holds just the nodes of the path.

    Returns
    -------
    FieldTable or None
        None if B departs from a multilinear law, or the place of a jump moves, when the
        coefficients do.

    References
    ----------
    None: a table.
    """
    line = eqx.tree_at(lambda x: x.distance_kpc, sightline, jnp.asarray(reach_kpc, float))
    nodes = jnp.linspace(0.0, 1.0, _NODES) if fixed is None else fixed[0]
    size = jnp.where(centre == 0.0, 1.0, jnp.abs(centre))
    away = jnp.linspace(0.3, 0.7, centre.size)
    shifts = [sign * size * away for sign in (1.0, -1.0)]
    every = _crossings(field_of, centre, line)
    for shift in shifts:
        if jnp.max(jnp.abs(_crossings(field_of, centre + shift, line) - every), initial=0.0) > 0.0:
            return None
    # Crossings that the line does not meet are padded to its end: here they can be left out.
    at = every[np.asarray(every) < reach_kpc]
    s = node_positions(line, _Jumps(at), nodes)

    def field(c: Array) -> np.ndarray:
        return _along(field_of, c, line, np.asarray(s))

    found = _terms(field, centre, size)
    if found is None:
        return None
    terms, columns = found
    shapes, mixing = _independent(columns)
    start = jnp.asarray(field(centre))
    shapes = shapes.reshape(*start.shape, -1)
    n_e = None if fixed is None else jnp.interp(s, *fixed[1])
    table = FieldTable(s, at, start, jnp.asarray(shapes), jnp.asarray(mixing), centre, terms, n_e)
    for shift in shifts:
        expected = table.b_muG + table.shapes_muG @ table.amplitudes(centre + shift)
        if not np.max(np.abs(field(centre + shift) - expected)) < _ROUNDING_MUG:
            return None
    return table


def _terms(
    field: Callable[[Array], np.ndarray], centre: Array, size: Array
) -> tuple[tuple[tuple[int, ...], ...], np.ndarray] | None:
    """Sets of coefficients whose products occur, and their columns; None where B is curved.

    A product occurs where the mixed difference over steps ``size`` does; one of more than two
    factors is looked for among those all of whose parts occur.
    """
    steps, start = jnp.diag(size), field(centre)
    mixed: dict[tuple[int, ...], np.ndarray] = {}
    level: list[tuple[int, ...]] = [(k,) for k in range(centre.size)]
    for degree in range(1, _DEGREE + 1):
        for term in level:
            change = field(centre + steps[np.array(term)].sum(axis=0)) - start
            parts = (p for n in range(1, degree) for p in combinations(term, n))
            change = change - sum(mixed.get(p, 0.0) for p in parts)
            if degree == 1:
                half = field(centre - 0.5 * steps[term[0]]) - start
                if not np.max(np.abs(half + 0.5 * change)) < _ROUNDING_MUG:
                    return None
            if degree == 1 or np.max(np.abs(change)) > _ROUNDING_MUG:
                mixed[term] = change
        level = [
            term
            for term in combinations(range(centre.size), degree + 1)
            if all(p in mixed for p in combinations(term, degree))
        ]
    scale = [np.prod(np.asarray(size)[list(t)]) for t in mixed]
    columns = [v.ravel() / x for v, x in zip(mixed.values(), scale, strict=True)]
    return tuple(mixed), np.array(columns).reshape(len(mixed), start.size).T


def _independent(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first independent ones among columns, shape (n, r), and all in terms of them, (r, q)."""
    kept: list[int] = []
    for k in range(columns.shape[1]):
        basis, column = columns[:, kept], columns[:, k]
        part = np.linalg.lstsq(basis, column, rcond=None)[0] if kept else np.zeros(0)
        if np.max(np.abs(column - basis @ part), initial=0.0) > _ROUNDING_MUG:
            kept.append(k)
    basis = columns[:, kept]
    return basis, np.linalg.lstsq(basis, columns, rcond=None)[0]
