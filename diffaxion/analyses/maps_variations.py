"""Bandpowers of variations of an analysis, their differences, and verdicts.

A test is passed if no difference, and no null test where the sky is meant to hold no signal, has a
probability below ``p_min`` divided by the number of variations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..sky.cross_measurement import NullTest, null_test


@dataclass(frozen=True)
class Series:
    """Bandpowers with their covariance, of one sky or the mean of several.

    Attributes
    ----------
    lo, hi : int array, shape (b,)
        Bins, those that are left out included.
    cl_Tg_uK : array, shape (b,)
        Bandpowers without beam [uK].
    cov_uK2 : array, shape (b, b)
        Covariance [uK^2].
    """

    lo: np.ndarray
    hi: np.ndarray
    cl_Tg_uK: np.ndarray
    cov_uK2: np.ndarray

    @property
    def error_uK(self) -> np.ndarray:
        """Standard deviations [uK]."""
        return np.sqrt(np.diag(self.cov_uK2))

    def null_test(self, use: slice) -> NullTest:
        """chi^2 of the bins in ``use`` against no signal."""
        return null_test(self.cl_Tg_uK[use], self.cov_uK2[use, use])


@dataclass(frozen=True)
class Variation:
    """One variation beside the fiducial analysis.

    Attributes
    ----------
    label : str
        What was changed.
    series : Series
        Bandpowers of the variation [uK].
    use : slice
        Bins that are used.
    difference_uK, difference_cov_uK2 : array, shape (b,) and (b, b), or None
        Variation minus fiducial in the bins that are used, and its covariance; None where the two
        are equal.
    floor_uK2 : array, shape (b,), or None
        Added to the variances of the difference.
    """

    label: str
    series: Series
    use: slice
    difference_uK: np.ndarray | None = None
    difference_cov_uK2: np.ndarray | None = None
    floor_uK2: np.ndarray | None = None

    @property
    def null(self) -> NullTest:
        """The variation against no signal."""
        return self.series.null_test(self.use)

    @property
    def difference(self) -> NullTest | None:
        """The difference against none."""
        if self.difference_uK is None:
            return None
        assert self.difference_cov_uK2 is not None
        floor = np.zeros(self.difference_uK.size) if self.floor_uK2 is None else self.floor_uK2
        return null_test(self.difference_uK, self.difference_cov_uK2 + np.diag(floor))

    @property
    def pte(self) -> float:
        """Probability of a larger difference, 1 where there is none."""
        found = self.difference
        return 1.0 if found is None else found.pte


@dataclass(frozen=True)
class RobustnessTest:
    """A test of the suite.

    Attributes
    ----------
    name, title : str
        Key and description.
    fiducial : Series
        What the variations are compared with [uK].
    variations : list of Variation
        The variations.
    judged : str
        ``difference``, ``null``, ``both``, or ``none`` for tests that only inform.
    p_min : float
        Smallest probability that passes, before it is divided by the number of variations.
    use : slice
        Bins that are used.
    remarks : list of str
        What else is to be said.
    """

    name: str
    title: str
    fiducial: Series
    variations: list[Variation]
    judged: str
    p_min: float
    use: slice
    remarks: list[str] = field(default_factory=list)

    @property
    def probabilities(self) -> list[float]:
        """The probabilities that count for the verdict."""
        found: list[float] = []
        for v in self.variations:
            found += [v.pte] if self.judged in ("difference", "both") else []
            found += [v.null.pte] if self.judged in ("null", "both") else []
        return found

    @property
    def passed(self) -> bool:
        """Whether no probability is too small."""
        p = self.probabilities
        return not p or min(p) >= self.p_min / len(p)

    @property
    def verdict(self) -> str:
        """``passed``, ``failed``, or ``informs``."""
        return "informs" if self.judged == "none" else "passed" if self.passed else "failed"


def robustness_record(test: RobustnessTest) -> dict[str, Any]:
    """Numbers of a test for ``robustness.json``.

    Parameters
    ----------
    test : RobustnessTest
        A test.

    Returns
    -------
    dict
        Bandpowers, differences and their covariances [uK, uK^2], chi^2 and probabilities.

    References
    ----------
    None: a record.
    """

    def one(v: Variation) -> dict[str, Any]:
        row: dict[str, Any] = {
            "label": v.label,
            "cl_Tg_uK": v.series.cl_Tg_uK,
            "error_uK": v.series.error_uK,
            "null": v.null._asdict(),
        }
        found = v.difference
        if found is not None:
            row["difference_uK"] = v.difference_uK
            row["difference_cov_uK2"] = v.difference_cov_uK2
            row["difference"] = found._asdict()
        return row

    return {
        "name": test.name,
        "title": test.title,
        "verdict": test.verdict,
        "judged": test.judged,
        "p_min": test.p_min,
        "ell_lo": test.fiducial.lo,
        "ell_hi": test.fiducial.hi,
        "first_bin_used": test.use.indices(test.fiducial.lo.size)[0],
        "fiducial": {"cl_Tg_uK": test.fiducial.cl_Tg_uK, "cov_uK2": test.fiducial.cov_uK2},
        "variations": [one(v) for v in test.variations],
        "remarks": test.remarks,
    }


def failed_tests(tests: list[RobustnessTest]) -> list[str]:
    """Names of the tests that failed."""
    return [t.name for t in tests if t.verdict == "failed"]
