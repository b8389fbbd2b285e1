"""Gauss rule of a measure given by many weighted points: the points of a table, condensed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ValidityError


def condensed_rule(x: ArrayLike, weight: ArrayLike, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Few nodes and weights that integrate polynomials as the given weighted points do.

    Stieltjes' recursion in x scaled to [-1, 1], orthogonalised twice, gives polynomials that are
    orthonormal for the measure sum_i weight_i delta(x - x_i) and its Jacobi matrix; the
    eigenvalues of that are the nodes, the squared first components of its eigenvectors the
    weights. A measured table may hold some negative weights, as long as the measure of the
    polynomials' squares stays positive.

    Parameters
    ----------
    x : float array, shape (m,)
        Points, any unit.
    weight : float array, shape (m,)
        Their weights; a few may be negative.
    nodes : int
        Number n of nodes; polynomials to degree 2n - 1 are integrated exactly. At most the
        number of distinct points of positive weight.

    Returns
    -------
    nodes : array, shape (n,)
        Increasing, inside of the range of x.
    weights : array, shape (n,)
        Positive, with the sum of ``weight``.

    Raises
    ------
    ValidityError
        If there are fewer points than nodes, or too much of the weight is negative or not finite.

    References
    ----------
    Golub & Welsch 1969, Math. Comp. 23, 221; Gautschi 2004, Orthogonal Polynomials, section 2.2.3.
    """
    points, mass = np.asarray(x, float), np.asarray(weight, float)
    total = float(np.sum(mass))
    if not np.isfinite(total) or total <= 0.0:
        raise ValidityError(f"weights of a measure with sum {total:g}: expected a finite sum > 0")
    count = np.unique(points[mass != 0.0]).size
    if not 0 < nodes <= count:
        raise ValidityError(f"{nodes} nodes for {count} points with weight: ask for 1 to {count}")
    centre, half = 0.5 * (points.max() + points.min()), 0.5 * np.ptp(points) or 1.0
    t, mass = (points - centre) / half, mass / total
    basis = np.ones((nodes, points.size))
    diagonal, off = np.zeros(nodes), np.zeros(nodes - 1)
    for k in range(nodes):
        diagonal[k] = np.sum(mass * t * basis[k] ** 2)
        if k == nodes - 1:
            break
        rest = t * basis[k]
        for _ in range(2):
            rest = rest - basis[: k + 1].T @ (basis[: k + 1] @ (mass * rest))
        square = float(np.sum(mass * rest**2))
        if not square > 0.0:
            raise ValidityError(
                f"a rule of {nodes} nodes: the square of polynomial {k + 1} has the measure "
                f"{square:.3g}; too much of the weight is negative, expected noise only"
            )
        off[k] = np.sqrt(square)
        basis[k + 1] = rest / off[k]
    value, vector = np.linalg.eigh(np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1))
    return centre + half * value, total * vector[0] ** 2
