"""Maximum and upper limit of the coupling at fixed nuisances, for many data sets at once.

There ln L(u) is a polynomial on each side of zero, with a = u|u|,

    ln L = S_2 a - I_2 a^2/2 + S_1 u - I_1 u^2/2,

so that a side has at most one maximum inside, the largest root of the cubic
2 sign(u) S_2 u - 2 I_2 u^3 + S_1 - I_1 u, and the limit is the last crossing of q = z^2. No
derivatives are needed: roots are bracketed and halved, in NumPy.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import ArrayLike

from ..inference.limits import Q_95
from ..inference.toys import ToyFit
from .moments import CouplingMoments

_HALVINGS = 70


def _bisect(function, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where a function that is positive at ``low`` and not at ``high`` changes sign."""
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        above = function(middle) > 0.0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return 0.5 * (low + high)


def _peak(m: CouplingMoments) -> tuple[np.ndarray, np.ndarray]:
    """Place v > 0 and height of the maximum inside v > 0; 0 and -inf where there is none."""
    linear, cubic = 2.0 * m.score - m.information_u, 2.0 * m.information

    def slope(v: np.ndarray) -> np.ndarray:
        return m.score_u + linear * v - cubic * v**3

    safe = np.where(cubic > 0.0, cubic, 1.0)
    turn = np.where(cubic > 0.0, np.sqrt(np.maximum(linear, 0.0) / (3.0 * safe)), 0.0)
    # Beyond the larger of these the cubic outweighs both other terms.
    reach = np.maximum(np.sqrt(2.0 * np.abs(linear) / safe), np.cbrt(2.0 * abs(m.score_u) / safe))
    straight = np.where(linear < 0.0, 2.0 * abs(m.score_u) / np.where(linear < 0.0, -linear, 1), 0)
    end = np.where(cubic > 0.0, np.maximum(reach, turn), straight)
    there = slope(turn) > 0.0
    v = np.where(there, _bisect(slope, turn, np.maximum(end, turn)), 0.0)
    return v, np.where(there, m.log_like(v), -np.inf)


def fit_coupling(
    moments: CouplingMoments,
    true_u: ArrayLike,
    scale: ArrayLike,
    q_threshold: float = Q_95,
) -> ToyFit:
    """Maximum likelihood, upper limit and q(u_true) of each data set, nuisances fixed.

    Parameters
    ----------
    moments : CouplingMoments
        Of the data sets, fields of shape (n,); some information must be positive.
    true_u : float array, shape () or (n,)
        True u = (g/1e-12 GeV^-1)^2, signed.
    scale : float array, shape () or (n,)
        Any positive u of the order of the limit.
    q_threshold : float
        z^2.

    Returns
    -------
    ToyFit
        Strengths are u; fields of shape (n,). The limit is the largest u with q = z^2.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727, section 2.
    """
    size = np.broadcast_shapes(*(np.shape(x) for x in moments), np.shape(true_u))
    m = CouplingMoments(*(np.broadcast_to(np.asarray(x, float), size) for x in moments))
    true = np.broadcast_to(np.asarray(true_u, float), size)
    mirrored = CouplingMoments(-m.score, m.information, -m.score_u, m.information_u)
    above, high = _peak(m)
    below, low = _peak(mirrored)
    best = np.where(high >= np.maximum(low, 0.0), above, np.where(low > 0.0, -below, 0.0))
    top = np.maximum(np.maximum(high, low), 0.0)
    target = top - 0.5 * q_threshold

    inside = np.isfinite(high)
    # The last stretch on which ln L falls through the target.
    last, zero = inside & (high >= target), target <= 0.0
    start = np.where(last, above, np.where(zero, 0.0, -below))
    end = np.where(last, above, 0.0) + scale
    while np.any(falls := m.log_like(end) > target):
        end = np.where(falls, 2.0 * end, end)
    end = np.where(last | ~zero, end, np.where(inside, above, end))
    end = np.where(last | zero, end, 0.0)
    limit = _bisect(lambda u: m.log_like(u) - target, start, end)

    bend = m.information_u + 6.0 * m.information * best**2 - 2.0 * np.sign(best) * m.score
    return ToyFit(
        strength=true,
        a_hat=best,
        sigma=1.0 / np.sqrt(np.where(bend > 0.0, bend, np.nan)),
        a_95=limit,
        q_true=2.0 * np.maximum(top - m.log_like(true), 0.0),
        ts=np.where(best > 0.0, 2.0 * top, 0.0),
        good=np.isfinite(limit) & np.isfinite(top),
    )
