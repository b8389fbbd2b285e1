"""Posterior predictive checks: do the data look like replicas from the fitted model?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..inference.calibration import (
    P_MIN,
    predictive_p,
    worst_p,
)
from ..likelihoods.gaussian import GaussianPoints
from .analysis import AnalysisData
from .prior_bank import (
    simulate,
    vectors_of,
)
from .recast_probe import RecastProbe
from .surrogate_probe import SurrogateProbe


@dataclass(frozen=True)
class PredictiveCheck:
    """Replicas of one data set against what was observed.

    Attributes
    ----------
    probe : str
        Target or kind of the data.
    points : int
        Number n of points.
    deviance : float
        Observed chi2, averaged over the draws.
    p : float
        Fraction of replicas with a larger chi2 than observed, at the same draw.
    point_p : array, shape (n,)
        Fraction of replicas above each observed point.
    measured : bool
        False for a recast, whose datum is the published limit itself and has no scatter: it is
        listed, not judged.
    """

    probe: str
    points: int
    deviance: float
    p: float
    point_p: np.ndarray
    measured: bool

    @property
    def worst(self) -> float:
        """Smallest two-sided p value of a point, after Bonferroni."""
        return worst_p(2.0 * np.minimum(self.point_p, 1.0 - self.point_p))

    @property
    def passed(self) -> bool:
        """Whether p lies in [0.01, 0.99], and no point stands out."""
        return not self.measured or (P_MIN <= self.p <= 1.0 - P_MIN and self.worst >= P_MIN)


def predictive_checks(
    data: AnalysisData, responses: tuple[Array, ...], u: Float[np.ndarray, " d"], seed: int
) -> list[PredictiveCheck]:
    """Replicas of all data at draws of the posterior.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, observed data.
    responses : tuple of float array, shape (d, n)
        Of each probe at the draws.
    u : array, shape (d,)
        Couplings of the draws, u = (g/1e-12 GeV^-1)^2.
    seed : int
        Seed of the noise.

    Returns
    -------
    list of PredictiveCheck
        One per probe.

    References
    ----------
    Gelman, Meng & Stern 1996, Statistica Sinica 6, 733.
    """
    vectors, strengths = vectors_of(data), jnp.asarray(u)
    replicas = simulate(
        vectors, jax.random.split(jax.random.key(seed), len(u)), strengths, responses
    )
    found = []
    for order, probe, points, rows, replica in zip(
        data.orders, data.probes, data.points, responses, replicas, strict=True
    ):
        signal = (strengths * jnp.abs(strengths) ** (order - 1))[:, None] * rows

        def chi2(x: Array, signal: Array = signal, points: GaussianPoints = points) -> np.ndarray:
            return np.asarray(jnp.sum(points.whiten((x - signal).T) ** 2, axis=0))

        observed = chi2(jnp.broadcast_to(points.data, signal.shape))
        found.append(
            PredictiveCheck(
                probe=_label(probe),
                points=points.data.shape[0],
                deviance=float(observed.mean()),
                p=float(predictive_p(observed, chi2(replica))),
                point_p=predictive_p(np.asarray(points.data)[None], np.asarray(replica)),
                measured=not _is_recast(probe),
            )
        )
    return found


def _direct(probe: Any) -> Any:
    return probe.probe if isinstance(probe, SurrogateProbe) else probe


def _is_recast(probe: Any) -> bool:
    return isinstance(_direct(probe), RecastProbe)


def _label(probe: Any) -> str:
    direct = _direct(probe)
    if isinstance(direct, RecastProbe):
        return "recast"
    return getattr(direct, "target", type(direct).__name__)
