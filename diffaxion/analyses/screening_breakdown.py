"""What separates the configuration ``default`` from ``parity``, one switch at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .reproduce_xray import Row
from .screening_config import screening_section
from .screening_reference import DEFAULT_OVER_PARITY, REFERENCE_MASSES_EV
from .screening_run import toy_covariance
from .screening_study import TABLE_ELL, Prepared, expected_limit, prepare_study, study_windows

# Each step keeps those before it; the last one is `default`.
STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("amplitude of sigma^2 as in P(k)", {"power": "eisenstein-hu"}),
    ("exact constants", {"constants": "exact"}),
    (
        "P(k) of CAMB, growth with radiation, full normalisation of the mass function",
        {"power": "camb", "growth": "radiation", "normalisation": "from-zero"},
    ),
    # The steps of the field and the hard edges need many nodes; without them 48 x 134 are enough.
    ("converged grid", {"rule": "gauss", "n_z": 192, "n_mass": 536}),
    ("smooth magnetic field", {"field": "tng-smooth"}),
    ("one tapered outer edge, on the final grid", {"edges": "taper", "n_z": 48, "n_mass": 134}),
)


@dataclass(frozen=True)
class Breakdown:
    """Spectra along the way from ``parity`` to ``default``.

    Attributes
    ----------
    labels : tuple of str
        Names of the s steps.
    m_a_eV : array, shape (k,)
        Masses [eV].
    ell : array, shape (l,)
        Multipoles.
    cl : array, shape (s + 1, k, l)
        C_l^Tg per unit u [uK]; the first is ``parity``.
    g95_GeV : array, shape (s + 1, k)
        Expected limits with the toy variances of tSZ + CIB deprojection [GeV^-1].
    """

    labels: tuple[str, ...]
    m_a_eV: np.ndarray
    ell: np.ndarray
    cl: np.ndarray
    g95_GeV: np.ndarray

    @property
    def steps_percent(self) -> np.ndarray:
        """Change of C_l by each step, in percent of the spectrum before it, shape (s, k, l)."""
        return 100.0 * (self.cl[1:] / self.cl[:-1] - 1.0)

    @property
    def total_percent(self) -> np.ndarray:
        """Change over all steps after the first, in percent, shape (k, l)."""
        return 100.0 * (self.cl[-1] / self.cl[1] - 1.0)

    @property
    def limit_ratios(self) -> np.ndarray:
        """g95 after each step over g95 before it, shape (s, k)."""
        return self.g95_GeV[1:] / self.g95_GeV[:-1]


def breakdown_models() -> list[Prepared]:
    """``parity``, then the model after each step; the last one is ``default``.

    Returns
    -------
    list of Prepared
        Seven models.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, and its public code (``parity``).
    """
    chosen: dict[str, Any] = {}
    models = [prepare_study(screening_section("parity"))]
    for _, change in STEPS:
        chosen |= change
        models.append(prepare_study(screening_section("parity", **chosen)))
    return models


def breakdown(models: list[Prepared], m_a_eV: np.ndarray) -> tuple[Breakdown, np.ndarray]:
    """Spectra and expected limits of a chain of models.

    Parameters
    ----------
    models : list of Prepared
        From :func:`breakdown_models`.
    m_a_eV : array, shape (k,)
        Masses [eV]; those of the table must be among them.

    Returns
    -------
    Breakdown
        At the eight reference masses and the multipoles of the table.
    array, shape (s + 1, k, l)
        C_l^Tg per unit u at all masses and multipoles [uK].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    spectra = np.stack([model.curve(m_a_eV) for model in models])
    masses = np.asarray(REFERENCE_MASSES_EV)
    rows = pick(m_a_eV, masses)
    columns = pick(models[0].ell, np.asarray(TABLE_ELL))
    windows, variance = study_windows(), np.diag(toy_covariance())
    limits = np.stack([expected_limit(s[rows], variance, windows) for s in spectra])
    found = Breakdown(
        tuple(label for label, _ in STEPS),
        masses,
        np.asarray(TABLE_ELL),
        spectra[:, rows][:, :, columns],
        limits,
    )
    return found, spectra


def pick(values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Indices of the wanted numbers among others, which must contain them.

    Parameters
    ----------
    values, wanted : array, shape (n,), (k,)
        Numbers, same unit.

    Returns
    -------
    array of int, shape (k,)
        Indices into ``values``.

    References
    ----------
    None: a look-up.
    """
    index = np.argmin(np.abs(np.asarray(values)[None, :] / np.asarray(wanted)[:, None] - 1.0), 1)
    assert np.allclose(np.asarray(values)[index], wanted, rtol=1e-9)
    return index


def breakdown_rows(found: Breakdown) -> list[Row]:
    """Total difference beside an independent calculation.

    Parameters
    ----------
    found : Breakdown
        Our numbers.

    Returns
    -------
    list of Row
        default/parity - 1 in C_l [percent], and ratios of limits, dimensionless, shape ().

    References
    ----------
    Independent calculation with the same conventions, see ``screening_reference``.
    """
    rows = []
    for k, (mass, (changes, ratio)) in enumerate(
        zip(found.m_a_eV, DEFAULT_OVER_PARITY, strict=True)
    ):
        tolerance = 0.5 if k == 0 else 0.3
        rows += [
            Row(
                f"default/parity (r = 1) - 1 of C_l at l = {l:g}, {mass:.4e} eV [%]",
                float(found.total_percent[k, j]),
                changes[j],
                tolerance,
                "absolute",
            )
            for j, l in enumerate(found.ell)
        ]
        rows.append(
            Row(
                f"g95(default)/g95(parity, r = 1), {mass:.4e} eV",
                float(found.g95_GeV[-1, k] / found.g95_GeV[1, k]),
                ratio,
                0.01,
                note="given to two decimals",
            )
        )
    return rows
