"""The likelihood of the coupling at fixed nuisances: a polynomial in u, known by four numbers.

With independent Gaussian points a probe of order 2 (X rays) gives ln L = S_2 a - I_2 a^2/2 with
a = u|u|, one of order 1 (CMB) S_1 u - I_1 u^2/2, so that any prior on the coupling can be applied
to each draw of the nuisances by a quadrature in one dimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..inference.limits import Q_95, combine
from .analysis import MASS, AnalysisData, Points
from .count_points import log_null, refuse_counts, strength_moments

_BLOCK, _LANES = 64, 8


class CouplingMoments(NamedTuple):
    """ln L(u) = score a - information a^2/2 + score_u u - information_u u^2/2, a = u|u|.

    Attributes
    ----------
    score, information : float array, shape (...)
        Summed over probes of order 2, for a = (g/1e-12 GeV^-1)^4.
    score_u, information_u : float array, shape (...)
        Summed over probes of order 1, for u = (g/1e-12 GeV^-1)^2.
    log_null : float array, shape (...)
        ln L without signal where residual foregrounds make it depend on the nuisances, else 0;
        up to a constant.
    """

    # Arrays of JAX inside compiled programs, of NumPy outside.
    score: Any
    information: Any
    score_u: Any = 0.0
    information_u: Any = 0.0
    log_null: Any = 0.0

    def log_like(self, u: Any) -> Any:
        """ln L(u) - ln L(0), broadcast over moments and u."""
        a = u * abs(u)
        return (
            self.score * a
            - 0.5 * self.information * a**2
            + self.score_u * u
            - 0.5 * self.information_u * u**2
        )


@eqx.filter_jit
def coupling_moments(data: AnalysisData, z: Float[Array, "d k"]) -> CouplingMoments:
    """Moments of the coupling at many nuisance draws.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, data.
    z : float array, shape (d, k)
        Draws; the component of ``axion.u``, if it is bound, is ignored.

    Returns
    -------
    CouplingMoments
        Fields of shape (d,).

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727.
    """
    refuse_counts(data.points, "a posterior of the coupling by quadrature")
    return jax.lax.map(lambda draw: _moments(data, draw), z, batch_size=32)


@eqx.filter_jit
def coupling_moments_at(
    data: AnalysisData,
    z: Float[Array, "d k"],
    m_a_eV: Float[Array, " n"],
    exact: bool = True,
) -> CouplingMoments:
    """Moments at many masses, with the same draws of the nuisances at each.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, data; the mass must not be bound.
    z : float array, shape (d, k)
        Draws.
    m_a_eV : float array, shape (n,)
        Masses [eV].
    exact : bool
        Refuse counts, for which moments are an expansion about zero signal; static.

    Returns
    -------
    CouplingMoments
        Fields of shape (n, d).

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727.
    """
    assert MASS not in data.bindings.names
    if exact:
        refuse_counts(data.points, "a posterior of the coupling by quadrature")

    def one(mass: Float[Array, ""]) -> CouplingMoments:
        moved = eqx.tree_at(lambda d: d.world.axion.m_a_eV, data, mass)
        return jax.lax.map(lambda draw: _moments(moved, draw), z, batch_size=32)

    return jax.lax.map(one, m_a_eV)


def moments_at_masses(data: AnalysisData, z: np.ndarray, m_a_eV: np.ndarray) -> CouplingMoments:
    """Moments at pairs of nuisances and mass, in blocks that share one compiled program.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, data; the mass must not be bound.
    z : array, shape (d, k)
        Nuisances.
    m_a_eV : array, shape (d,)
        Masses [eV].

    Returns
    -------
    CouplingMoments
        NumPy arrays of shape (d,).

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727.
    """
    refuse_counts(data.points, "the impact of nuisances")
    count = len(z)
    padding = -count % _BLOCK
    rows = np.concatenate([np.asarray(z, float), np.repeat(z[-1:], padding, axis=0)])
    masses = np.concatenate([np.asarray(m_a_eV, float), np.repeat(m_a_eV[-1:], padding)])
    found = [
        _block(data, jnp.asarray(rows[k : k + _BLOCK]), jnp.asarray(masses[k : k + _BLOCK]))
        for k in range(0, len(rows), _BLOCK)
    ]
    columns = zip(*found, strict=True)
    return CouplingMoments(*(np.concatenate([np.asarray(x) for x in c])[:count] for c in columns))


@eqx.filter_jit
def _block(data: AnalysisData, z: Float[Array, "b k"], m_a_eV: Float[Array, " b"]) -> tuple:
    def one(at: tuple[Array, Array]) -> CouplingMoments:
        moved = eqx.tree_at(lambda d: d.world.axion.m_a_eV, data, at[1])
        return _moments(moved, at[0])

    return tuple(jax.lax.map(one, (z, m_a_eV), batch_size=_LANES))


def _moments(data: AnalysisData, z: Float[Array, " k"]) -> CouplingMoments:
    world, responses = data.responses(z)
    return moments_of(data, responses, data.points_in(world))


def moments_of(
    data: AnalysisData,
    responses: Sequence[Float[Array, " n"]],
    points: Sequence[Points] | None = None,
) -> CouplingMoments:
    """Moments of the coupling for given responses of all probes.

    Parameters
    ----------
    data : AnalysisData
        Points and orders of the probes.
    responses : sequence of float arrays, shape (n,)
        Response of each probe.
    points : sequence of GaussianPoints or TemplatePoisson, optional
        Data of each probe in the bound world; by default as measured.

    Returns
    -------
    CouplingMoments
        Scalars.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727.
    """
    found: list[Array] = []
    measured = data.points if points is None else points
    for order in (2, 1):
        rows = zip(data.orders, responses, measured, strict=True)
        terms = [strength_moments(r, p) for n, r, p in rows if n == order]
        found += list(combine(*terms)) if terms else [jnp.zeros(()), jnp.zeros(())]
    changed = [(a, b) for a, b in zip(data.points, measured, strict=True) if a is not b]
    null = [log_null(b) - log_null(a) for a, b in changed]
    return CouplingMoments(*found)._replace(log_null=sum(null, jnp.zeros(())))


def expected_strength(
    moments: CouplingMoments, order: int, q_threshold: float = Q_95
) -> Float[Array, "..."]:
    """Limit that is expected without signal at fixed nuisances.

    In u, the root of I_2 u^4 + I_1 u^2 = z^2; in a, z/I_2^(1/2).

    Parameters
    ----------
    moments : CouplingMoments
        At the nuisances, fields of shape (...).
    order : int
        1 for a limit on u, 2 for one on a.
    q_threshold : float
        z^2.

    Returns
    -------
    float array, shape (...)
        Strength; 1 where there is no sensitivity.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727 (Asimov data).
    """
    if order == 2:
        information = moments.information
        sensitive = information > 0.0
        return jnp.where(sensitive, jnp.sqrt(q_threshold / jnp.where(sensitive, information, 1)), 1)
    i_a, i_u = jnp.asarray(moments.information), jnp.asarray(moments.information_u)
    sensitive = i_a + i_u > 0.0
    # The stable form of the quadratic formula: either information may vanish.
    root = jnp.sqrt(i_u**2 + 4.0 * i_a * q_threshold)
    square = 2.0 * q_threshold / jnp.where(sensitive, i_u + root, 1.0)
    return jnp.where(sensitive, jnp.sqrt(square), 1.0)
