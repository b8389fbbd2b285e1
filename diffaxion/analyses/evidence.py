"""Evidence for a signal from one run: the Savage-Dickey ratio.

With a prior uniform in u on [0, U] and nuisance priors that do not depend on u,

    B_01 = p(u = 0 | d) / pi(u = 0) = U <1 / int_0^U L(u | zeta)/L(0 | zeta) du>,

the mean over posterior draws of the nuisances of the conditional density at u = 0, each
normalised by a quadrature in u instead of a kernel at the edge. It is proportional to U.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .moments import CouplingMoments

_NODES = 4000
_BATCHES = 10


class SavageDickey(NamedTuple):
    """Evidence for u = 0 over that for u uniform on [0, U].

    Attributes
    ----------
    log_b01 : float
        ln B_01; positive favours no signal.
    error : float
        Monte Carlo error of ln B_01, from ten batches of draws.
    u_max : float
        U, to which B_01 is proportional.
    """

    log_b01: float
    error: float
    u_max: float


def savage_dickey(moments: CouplingMoments, u_max: float) -> SavageDickey:
    """Savage-Dickey ratio from posterior draws of a run with a prior uniform in u.

    Parameters
    ----------
    moments : CouplingMoments
        Of the draws, fields of shape (d,).
    u_max : float
        U, end of the prior in u = (g/1e-12 GeV^-1)^2.

    Returns
    -------
    SavageDickey
        ln B_01 with its error.

    References
    ----------
    Dickey 1971, Ann. Math. Stat. 42, 204; Trotta 2007, arXiv:astro-ph/0504022.
    """
    size = np.shape(moments.score)
    rows = CouplingMoments(*(np.broadcast_to(np.asarray(x), size)[:, None] for x in moments))
    # Even steps in sqrt(u) resolve the fall near zero on a prior that reaches far.
    root = np.linspace(0.0, np.sqrt(u_max), _NODES)
    log = rows.log_like(root**2)
    peak = np.maximum(log.max(axis=1, keepdims=True), 0.0)
    integral = np.trapezoid(np.exp(log - peak) * 2.0 * root, root, axis=1)
    density = np.exp(-peak[:, 0]) / integral
    mean = density.mean()
    parts = [b.mean() for b in np.array_split(density, _BATCHES) if b.size]
    error = float(np.std(parts, ddof=1) / np.sqrt(len(parts)) / mean) if len(parts) > 1 else np.nan
    return SavageDickey(float(np.log(u_max * mean)), error, u_max)
