"""Limits from screening as curves of ``limits.csv``."""

from __future__ import annotations

import numpy as np

from ..analyses.screening_limits import ScreeningLimits
from .limit_files import LimitCurve


def screening_curves(limits: ScreeningLimits, name: str = "screening") -> list[LimitCurve]:
    """One curve per prior, then the power-constrained and the raw profile limit.

    The kind of the data is part of the name (``screening-noise-3`` for simulated noise of seed 3),
    so that an expectation or a simulation cannot pass for a measurement.

    Parameters
    ----------
    limits : ScreeningLimits
        Limits at n masses [eV, GeV^-1].
    name : str
        Start of the curves' name.

    Returns
    -------
    list of LimitCurve
        Methods ``bayes``, ``pcl`` (which exists where the raw limit is negative) and ``q``.

    References
    ----------
    Goldstein et al. 2024 (arXiv:2409.10514); power constraint: arXiv:1105.3166.
    """
    data = limits.data
    curve = f"{name}-{data.kind}" + ("" if data.seed is None else f"-{data.seed}")
    curves = [
        LimitCurve(
            curve,
            "bayes",
            found.prior,
            limits.m_a_eV,
            found.limit,
            np.array(found.status),
            found.median,
            found.minus1,
            found.plus1,
            found.plus2,
        )
        for found in limits.bayes.values()
    ]
    c = limits.coupling
    status = np.array(limits.status)
    for method, limit in (("pcl", c.pcl), ("q", c.g_95)):
        kept = np.where(status == "NEGATIVE_LIMIT", "OK", status) if method == "pcl" else status
        bands = (np.asarray(b) for b in (c.median, c.minus1, c.plus1, c.plus2))
        curves.append(LimitCurve(curve, method, "", limits.m_a_eV, np.asarray(limit), kept, *bands))
    return curves
