"""The map half of Goldstein et al. 2024 on a simulated sky: tables behind ``reproduce maps``.

The published maps and bandpowers are not available to this program. What can be compared are the
numbers that follow from the method (the scales of Table S1, the probability of the null test) and
what each variation does; everything else is ours, on a sky that says that it is simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from ..data.registry import load_table
from ..likelihoods.recast import recast_likelihood
from ..observables.cmb.bandpowers import top_hat_windows
from ..sky.cross_measurement import NullTest
from ..sky.needlet_plan import needlet_plan
from ..sky.needlets import PAPER_PEAKS, cosine_needlets, gaussian_beam
from ..sky.passbands import PLANCK_CHANNELS, planck_channels
from .maps_config import MapsConfiguration, parse_maps_configuration
from .maps_faults import SAMPLE, IswShift, PlantedFault, isw_shift, run_planted
from .maps_input import SkyInput
from .maps_pipeline import FIDUCIAL, MapsResult, plan_maps, run_maps
from .maps_robustness import make_suite, run_robustness
from .maps_variations import RobustnessTest
from .reproduce_xray import Row
from .screening_config import screening_section
from .screening_data import asimov_data, recast_data
from .screening_limits import screening_limits
from .screening_run import RECAST_DEPROJECTION, bandpower_responses, toy_covariance

Progress = Callable[[str, float], None]
TESTS = ("deprojection", "frequencies", "beam", "masks", "cib", "moments", "low-l")
MASSES_EV = (3e-13, 5e-13, 1e-12)
PAPER_FWHM_DEG = (91.8, 35.6, 25.2, 20.6, 14.1, 10.3, 8.26, 6.31, 6.11, 4.74, 3.55, 1.34, 1.28)
"""Table S1 as printed."""

PAPER_CHANNELS = (8, 8, 8, 8, 8, 8, 7, 6, 6, 6, 6, 4, 4)
NOISE_FACTOR = 1.0
"""White noise of the simulated sky in units of Planck's."""


@dataclass(frozen=True)
class LimitChange:
    """Limits with toy variances and with those of the pipeline, at one mass.

    Attributes
    ----------
    m_a_eV : float
        Mass [eV].
    recast_toy_GeV, recast_pipeline_GeV : float
        Limit of the recast of the published curve, whose bandpowers the variances weight, for the
        configuration ``default`` [GeV^-1].
    expected_toy_GeV, expected_pipeline_GeV : float
        Limit expected without signal from these variances themselves [GeV^-1].
    """

    m_a_eV: float
    recast_toy_GeV: float
    recast_pipeline_GeV: float
    expected_toy_GeV: float
    expected_pipeline_GeV: float


@dataclass(frozen=True)
class MapsStudy:
    """Everything that ``reproduce maps`` shows.

    Attributes
    ----------
    result : MapsResult
        The pipeline on the simulated sky.
    tests : list of RobustnessTest
        The suite on it.
    sample : PlantedFault
        The suite on a Green-like sample.
    isw : IswShift
        Effect of an injected ISW signal.
    limits : list of LimitChange
        What the variances of the pipeline do to limits.
    """

    result: MapsResult
    tests: list[RobustnessTest]
    sample: PlantedFault
    isw: IswShift
    limits: list[LimitChange]


def study_settings(nside: int = 128, seed: int = 1) -> MapsConfiguration:
    """Settings of the simulated sky, without signal.

    Parameters
    ----------
    nside : int
        Resolution.
    seed : int
        Seed.

    Returns
    -------
    MapsConfiguration
        White noise of Planck; components deprojected one after the other.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Figs. S3, S6.
    """
    also = {"nothing": [], "tsz": ["tsz"], "tsz-cib": ["tsz", "cib"]}
    return parse_maps_configuration(
        {
            "seed": seed,
            "simulation": {"nside": nside, "noise_factor": NOISE_FACTOR, "sources": 30},
            "cleaning": {"also": also},
        },
        "reproduce maps",
    )


def run_study(
    nside: int = 128, seed: int = 1, skies: int = 2, progress: Progress | None = None
) -> MapsStudy:
    """Pipeline, robustness suite and limits.

    Parameters
    ----------
    nside : int
        Resolution of the simulated sky.
    seed : int
        Seed.
    skies : int
        Small skies that are averaged for the Green-like sample and the ISW effect.
    progress : callable, optional
        Called with (step, fraction done).

    Returns
    -------
    MapsStudy
        Everything that is shown.

    Raises
    ------
    ConfigurationError
        If the resolution is not a power of two.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    report = progress or (lambda step, done: None)
    settings = study_settings(nside, seed)
    plan = plan_maps(settings)
    result = run_maps(plan, progress=report)
    assert isinstance(plan.source, SkyInput)
    suite = make_suite(plan.settings, plan.source, null=True, progress=report)
    tests = run_robustness(suite, TESTS)
    sample = run_planted(settings, SAMPLE, skies=skies, progress=report)
    isw = isw_shift(settings, skies=skies, progress=report)
    report("limits", 0.0)
    return MapsStudy(result, tests, sample, isw, limit_changes())


def pipeline_covariance(deprojection: str = RECAST_DEPROJECTION) -> np.ndarray:
    """Variances of the default bandpowers from the pipeline on one simulated sky.

    Parameters
    ----------
    deprojection : str
        none, tsz, tsz-cib or tsz-cib-dbeta.

    Returns
    -------
    array, shape (11, 11)
        Diagonal covariance without beam [uK^2].

    References
    ----------
    ``scripts/make_pipeline_variances.py``.
    """
    column = f"var_{deprojection.replace('-', '_')}"
    return np.diag(np.asarray(load_table("pipeline_bandpower_variance")[column]))


def limit_changes(masses_eV: Sequence[float] = MASSES_EV) -> list[LimitChange]:
    """Limits with toy variances and with those of the pipeline.

    Parameters
    ----------
    masses_eV : sequence of float
        Masses inside the published curve [eV].

    Returns
    -------
    list of LimitChange
        One per mass.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 3 (curve).
    """
    windows = top_hat_windows()
    masses = np.asarray(masses_eV, float)
    responses = bandpower_responses(screening_section(), windows, masses)
    table = load_table("screening_fiducial_bandpowers")
    rows = np.stack([table[f"cl_{b}"] for b in range(len(table.columns) - 1)], axis=1)
    found: dict[str, np.ndarray] = {}
    for name, covariance in (
        ("toy", toy_covariance(RECAST_DEPROJECTION)),
        ("pipeline", pipeline_covariance(RECAST_DEPROJECTION)),
    ):
        recast = recast_likelihood(table["m_a_eV"], rows, np.diag(covariance))
        for kind, data in (
            ("recast", recast_data(recast, windows)),
            ("expected", asimov_data(covariance, windows)),
        ):
            limits = screening_limits(masses, responses, data, priors=("uniform_g",))
            found[f"{kind}_{name}_GeV"] = limits.bayes["uniform_g"].limit
    return [
        LimitChange(float(m), **{k: float(v[i]) for k, v in found.items()})
        for i, m in enumerate(masses)
    ]


def scale_rows() -> list[Row]:
    """Smoothing scales and numbers of channels of Table S1 by our rules.

    Returns
    -------
    list of Row
        26 rows [deg].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Table S1.
    """
    lmax = PAPER_PEAKS[-1] - 1
    beams = gaussian_beam(planck_channels().fwhm_arcmin, lmax)
    plan = needlet_plan(cosine_needlets(PAPER_PEAKS, lmax), beams, 2048, names=PLANCK_CHANNELS)
    rows = []
    for j, (ours, printed) in enumerate(zip(plan.fwhm_deg(), PAPER_FWHM_DEG)):
        # Half a unit of the last printed digit.
        digits = 1 if printed >= 10.0 else 2
        half = 0.5000001 * 10.0**-digits
        rows.append(Row(f"smoothing of scale {j} [deg]", float(ours), printed, half, "absolute"))
    for j, printed_count in enumerate(PAPER_CHANNELS):
        count = float(plan.used[j].sum())
        rows.append(Row(f"channels at scale {j}", count, float(printed_count), 0.0, "absolute"))
    return rows


def null_rows() -> list[Row]:
    """The published null test: probability of chi^2 = 9.2 for 11 bandpowers.

    Returns
    -------
    list of Row
        One row.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    ours = float(jax.scipy.special.gammaincc(5.5, 4.6))
    note = "the printed chi^2 is rounded"
    return [Row("probability of chi^2 > 9.2 for 11 bandpowers", ours, 0.61, 0.01, "absolute", note)]


def sky_rows(study: MapsStudy) -> list[Row]:
    """Numbers of the simulated sky beside those of the published analysis, where it has any.

    Parameters
    ----------
    study : MapsStudy
        The study.

    Returns
    -------
    list of Row
        Null tests by set, sky fractions, what the paper says in words as remarks.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, appendix A.3.
    """
    nan = float("nan")
    result, use = study.result, study.result.measurer.use
    rows = []
    for label, found in result.measured.items():
        test: NullTest = found.null_test(use)
        names = ", ".join(result.plan.sets[label].flat) or "nothing"
        note = f"chi^2 {test.chi2:.3g} for {test.dof}; simulated, no signal"
        rows.append(Row(f"probability, deprojected: {names}", test.pte, nan, nan, note=note))
    words = {
        "frequencies": "single removals agree; without both, low l mildly inconsistent",
        "beam": "no change",
        "masks": "consistent; larger variance for larger masks",
        "cib": "consistent for Blue",
        "moments": "consistent for Blue",
    }
    for robustness in study.tests:
        if robustness.judged == "difference":
            least = min(robustness.probabilities, default=1.0)
            note = f"{robustness.verdict} here; paper: {words[robustness.name]}"
            count = len(robustness.probabilities)
            name = f"smallest of {count} probabilities, {robustness.name}"
            rows.append(Row(name, least, nan, nan, note=note))
    failed = ", ".join(study.sample.failed) or "none"
    note = f"simulated Green-like sample fails {failed}; paper: Green fails"
    rows.append(
        Row("tests failed by the sample", float(len(study.sample.failed)), nan, nan, note=note)
    )
    fractions = result.measurer.fractions()
    for name, published in (("temperature", 0.625), ("galaxies", 0.51)):
        note = f"cut in latitude; paper {published:g}"
        rows.append(Row(f"sky fraction, {name}", fractions[name], nan, nan, note=note))
    error = result.measured[FIDUCIAL].error_uK[use]
    rows.append(
        Row("median error of a bandpower [1e-6 uK]", 1e6 * float(np.median(error)), nan, nan)
    )
    return rows


def limit_rows(changes: Sequence[LimitChange]) -> list[Row]:
    """Change of limits when toy variances are replaced by those of the pipeline.

    Parameters
    ----------
    changes : sequence of LimitChange
        By mass.

    Returns
    -------
    list of Row
        Recast and expected limits [1e-12 GeV^-1]; those with toy variances in the remark.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    rows, nan = [], float("nan")
    for c in changes:
        for kind, ours, toy in (
            ("recast", c.recast_pipeline_GeV, c.recast_toy_GeV),
            ("expected", c.expected_pipeline_GeV, c.expected_toy_GeV),
        ):
            name = f"g95 [1e-12 GeV^-1], {kind}, m_a = {c.m_a_eV:g} eV"
            change = f"{1e12 * toy:.4g} with toy variances: {100.0 * (ours / toy - 1.0):+.2g} %"
            rows.append(Row(name, 1e12 * ours, nan, nan, note=change))
    return rows
