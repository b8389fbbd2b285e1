"""How far the grids of a sampler are from the full forward model of the X-ray spectra.

A sampler evaluates the sight lines on few nodes, with a tabulated field and few energies per bin.
Its error is measured on draws of the parameters themselves, in the signal and in the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import ConfigurationError
from ..inference.limits import Q_95, combine, linear_moments
from ..observables.xray.cluster_spectrum import Cache, ClusterSpectrum
from .analysis import AnalysisData
from .count_points import refuse_counts


class SamplerError(NamedTuple):
    """Fractional errors over draws, root mean square and worst.

    Attributes
    ----------
    draws : int
        Number of draws.
    response_rms, response_worst : dict of str to float
        By target: sqrt(sum_i ((r_i - R_i)/sigma_i)^2 / sum_i (R_i/sigma_i)^2) of a draw, with R
        the response of the direct model.
    g_95_rms, g_95_worst : float
        Of the limit on g from all targets at the nuisances and the mass of a draw.
    """

    draws: int
    response_rms: dict[str, float]
    response_worst: dict[str, float]
    g_95_rms: float
    g_95_worst: float

    def describe(self) -> str:
        """One line for a log."""
        signal = ", ".join(
            f"{t} {100.0 * rms:.2g} % (worst {100.0 * self.response_worst[t]:.2g} %)"
            for t, rms in self.response_rms.items()
        )
        return (
            f"sampler against direct model on {self.draws} draws: signal {signal}; "
            f"g_95 {100.0 * self.g_95_rms:.2g} % (worst {100.0 * self.g_95_worst:.2g} %)"
        )


def sampler_error(
    data: AnalysisData,
    direct: Sequence[ClusterSpectrum],
    z: Float[Array, "d k"],
    m_a_eV: Float[Array, " d"] | None = None,
) -> SamplerError:
    """Error of the X-ray probes of an analysis against finer forward models, on given draws.

    The direct models evaluate the field itself at their own nodes; of what the analysis has
    cached they take the density along the line only. With S and I the score and the information
    of a, the limit of a draw is a_95 = (max(S, 0) + z I^(1/2))/I, g_95 = a_95^(1/4).

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, data; probes of the CMB are left out.
    direct : sequence of ClusterSpectrum
        Forward models of the same spectra, for example of
        :func:`~diffaxion.analyses.build_probes`.
    z : float array, shape (d, k)
        Draws of the standard normals, in the order of the bound paths.
    m_a_eV : float array, shape (d,), optional
        Mass of each draw [eV], for an analysis in which it is not bound.

    Returns
    -------
    SamplerError
        Fractional errors.

    Raises
    ------
    ConfigurationError
        If the analysis has no X-ray spectra, or counts in their place.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727 (the limit).
    """
    xray = data.part(ClusterSpectrum.order)
    if xray is None:
        raise ConfigurationError("sampler_error: the analysis has no X-ray spectra")
    refuse_counts(xray.points, "sampler_error")
    by_target = {p.target: p for p in direct}
    fine = tuple(by_target[p.target] for p in xray.probes)
    caches = tuple({n: c[n] for n in ("electrons",) if n in c} for c in xray.caches)
    found, true, errors = _both(xray, fine, caches, jnp.asarray(z), m_a_eV)
    errors = np.sqrt(np.stack(errors))
    targets = [p.target for p in xray.probes]
    g = np.asarray(found) / np.asarray(true) - 1.0
    return SamplerError(
        len(g),
        {t: float(np.sqrt(np.mean(e**2))) for t, e in zip(targets, errors, strict=True)},
        {t: float(np.max(e)) for t, e in zip(targets, errors, strict=True)},
        float(np.sqrt(np.mean(g**2))),
        float(np.max(np.abs(g))),
    )


@eqx.filter_jit
def _both(
    data: AnalysisData,
    fine: tuple[ClusterSpectrum, ...],
    caches: tuple[Cache, ...],
    z: Float[Array, "d k"],
    m_a_eV: Float[Array, " d"] | None,
) -> tuple[Array, Array, tuple[Array, ...]]:
    """Limits g_95, shape (d,), of both models, and squared errors of each response."""

    def limit(responses: Sequence[Array]) -> Array:
        pairs = zip(responses, data.points, strict=True)
        moments = combine(*(linear_moments(r, p) for r, p in pairs))
        root = jnp.sqrt(Q_95 * moments.information)
        return ((jnp.maximum(moments.score, 0.0) + root) / moments.information) ** 0.25

    def one(row: tuple[Array, Array | None]) -> tuple[Array, Array, tuple[Array, ...]]:
        draw, mass = row
        world = data.bindings.apply(data.world, draw)
        if mass is not None:
            world = eqx.tree_at(lambda w: w.axion.m_a_eV, world, mass)
        found = data.responses_in(world)
        true = [p.response(world, c) for p, c in zip(fine, caches, strict=True)]
        rows = zip(found, true, data.points, strict=True)
        errors = tuple(
            jnp.sum(((r - t) / p.scale) ** 2) / jnp.sum((t / p.scale) ** 2) for r, t, p in rows
        )
        return limit(found), limit(true), errors

    # One draw at a time: the direct model has thousands of nodes times energies.
    return jax.lax.map(one, (z, m_a_eV))
