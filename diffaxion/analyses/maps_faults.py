"""Planted faults: does the robustness suite fail where it must?

A few small skies with one fault each, all simulated, go through the suite, and their results are
averaged: a suite that passes a clean sky says something only if it also fails a faulty one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import unknown_name
from .maps_config import MapsConfiguration
from .maps_input import SkyInput
from .maps_robustness import make_suite, run_robustness
from .maps_sections import RobustnessSection, SimulationSection
from .maps_simulation import simulated_sky
from .maps_variations import RobustnessTest, Series, Variation, failed_tests

Progress = Callable[[str, float], None]
PLANTED = ("none", "cib", "calibration", "galactic")
SAMPLE = "green-like"
# Of the suite, those that a single cleaning serves.
PLANTED_TESTS = ("cib", "moments", "masks")
ISW_NOISE = 12.0
# The spectra of these skies are known: smaller shifts count than for data.
_FLOOR = 0.05
_TITLES = {
    "none": "clean sky",
    "cib": "a bright CIB shell of another spectrum that follows the galaxies",
    "calibration": "217 GHz too bright by 2 %",
    "galactic": "galaxy counts that follow the dust, small masks",
    "green-like": "Green-like sample: sparse, at high redshift, full of CIB",
}


@dataclass(frozen=True)
class PlantedFault:
    """What the suite says of skies with a fault.

    Attributes
    ----------
    fault, title : str
        Name and description.
    skies : int
        Number of skies that were averaged.
    tests : list of RobustnessTest
        The suite.
    must_fail : bool
        Whether it has to fail.
    """

    fault: str
    title: str
    skies: int
    tests: list[RobustnessTest]
    must_fail: bool

    @property
    def failed(self) -> list[str]:
        """Tests that failed."""
        return failed_tests(self.tests)

    @property
    def passed(self) -> bool:
        """Whether the suite did what it must."""
        return bool(self.failed) == self.must_fail

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        what = f"fails ({', '.join(self.failed)})" if self.failed else "passes"
        wanted = "as it must" if self.passed else "though it must not"
        return f"{self.title}: the suite {what}, {wanted}"


def stack_tests(skies: Sequence[Sequence[RobustnessTest]]) -> list[RobustnessTest]:
    """Mean of the same tests on independent skies.

    Parameters
    ----------
    skies : sequence of sequence of RobustnessTest
        One list for each sky.

    Returns
    -------
    list of RobustnessTest
        Means of bandpowers and differences, covariances of the means.

    References
    ----------
    None: an average.
    """
    count = len(skies)

    def mean_series(rows: Sequence[Series]) -> Series:
        cl = np.mean([r.cl_Tg_uK for r in rows], axis=0)
        cov = np.mean([r.cov_uK2 for r in rows], axis=0) / count
        return Series(rows[0].lo, rows[0].hi, cl, cov)

    def mean_variation(rows: Sequence[Variation]) -> Variation:
        first = replace(rows[0], series=mean_series([r.series for r in rows]))
        if any(r.difference_uK is None for r in rows):
            return replace(first, difference_uK=None, difference_cov_uK2=None, floor_uK2=None)
        values, covariances, floors = (
            [getattr(r, name) for r in rows]
            for name in ("difference_uK", "difference_cov_uK2", "floor_uK2")
        )
        return replace(
            first,
            difference_uK=np.mean(values, axis=0),
            difference_cov_uK2=np.mean(covariances, axis=0) / count,
            floor_uK2=np.mean(floors, axis=0) / count,
        )

    found = []
    for tests in zip(*skies, strict=True):
        columns = zip(*(t.variations for t in tests), strict=True)
        found.append(
            replace(
                tests[0],
                fiducial=mean_series([t.fiducial for t in tests]),
                variations=[mean_variation(c) for c in columns],
            )
        )
    return found


def planted_settings(settings: MapsConfiguration) -> MapsConfiguration:
    """Settings of small clean skies, with the channels and the cleaning of the given ones.

    Parameters
    ----------
    settings : MapsConfiguration
        Settings.

    Returns
    -------
    MapsConfiguration
        Nside 64, no signal, a coarse grid of CIB spectra; needlets and bins by resolution.

    References
    ----------
    None: configuration.
    """
    cleaning = settings.cleaning
    section = SimulationSection(nside=settings.robustness.planted_nside)
    warm, index = section.cib_temperature_K, section.cib_beta
    robustness = RobustnessSection(
        cib_temperatures_K=[warm - 4.0, warm + 4.0],
        cib_betas=[index - 0.2, index + 0.2],
        error_floor=_FLOOR,
        p_min=settings.robustness.p_min,
    )
    return MapsConfiguration(
        simulation=section,
        channels=settings.channels.model_copy(update={"fwhm_arcmin": {}, "beam_files": {}}),
        cleaning=cleaning.model_copy(
            update={
                "nside": None,
                "lmax": None,
                "peaks": None,
                "channels": None,
                "common_fwhm_arcmin": None,
                "cib": "default",
                "cib_temperature_K": None,
                "cib_beta": None,
                "deprojected": ["tsz", "cib", "cib-dbeta"],
                "also": {},
            }
        ),
        robustness=robustness,
        numerics=settings.numerics,
        seed=settings.seed + 1000,
    )


def run_planted(
    settings: MapsConfiguration,
    fault: str,
    *,
    skies: int | None = None,
    tests: tuple[str, ...] = PLANTED_TESTS,
    progress: Progress | None = None,
) -> PlantedFault:
    """The suite on a few skies with one fault.

    Parameters
    ----------
    settings : MapsConfiguration
        Settings, of which channels, thresholds and the seed are taken.
    fault : str
        One of :data:`PLANTED`, or ``green-like``.
    skies : int, optional
        Number of skies; default that of the settings.
    tests : tuple of str
        Tests.
    progress : callable, optional
        Called with (step, fraction done).

    Returns
    -------
    PlantedFault
        Means over the skies.

    Raises
    ------
    ConfigurationError
        If the fault is unknown.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, appendix A.3.
    """
    report = progress or (lambda step, done: None)
    count = settings.robustness.skies if skies is None else skies
    if fault not in _TITLES:
        raise unknown_name("planted fault", fault, _TITLES)
    chosen = planted_settings(settings)
    rows = []
    for index in range(count):
        report(f"skies with fault {fault}", index / count)
        sky = simulated_sky(chosen, index=index, fault=fault)
        suite = make_suite(chosen, SkyInput(sky), null=True)
        rows.append(run_robustness(suite, tests))
    found = stack_tests(rows)
    return PlantedFault(fault, _TITLES[fault], count, found, fault != "none")


@dataclass(frozen=True)
class IswShift:
    """What an injected integrated Sachs-Wolfe effect does to each bin.

    Attributes
    ----------
    lo, hi : int array, shape (b,)
        Bins.
    shift_uK : array, shape (b,)
        Mean over skies of bandpowers with the effect minus the same skies without [uK].
    error_uK : array, shape (b,)
        Error of one sky [uK].
    skies : int
        Number of skies.
    first_used : int
        First bin that is not left out.
    """

    lo: np.ndarray
    hi: np.ndarray
    shift_uK: np.ndarray
    error_uK: np.ndarray
    skies: int
    first_used: int

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        size = np.abs(self.shift_uK) / self.error_uK
        low, last = size[: self.first_used].max(initial=0.0), size[-1]
        return (
            f"injected ISW effect: shifts the bins left out by up to {low:.2g} of their errors, "
            f"the first bin used by {size[self.first_used]:.2g}, the last by {last:.2g}"
        )


def isw_shift(
    settings: MapsConfiguration, *, skies: int | None = None, progress: Progress | None = None
) -> IswShift:
    """Shift of the bandpowers by an ISW effect, from pairs of skies that share everything else.

    The noise is raised until the ILC keeps the CMB at the multipoles of these small skies, as it
    does at those of the published analysis.

    Parameters
    ----------
    settings : MapsConfiguration
        Settings, of which channels and the seed are taken.
    skies : int, optional
        Number of pairs; default that of the settings.
    progress : callable, optional
        Called with (step, fraction done).

    Returns
    -------
    IswShift
        By bin [uK].

    References
    ----------
    Krolewski & Ferraro 2022, arXiv:2110.13959 (size of the effect).
    """
    report = progress or (lambda step, done: None)
    count = settings.robustness.skies if skies is None else skies
    chosen = planted_settings(settings)
    assert chosen.simulation is not None
    noisy = chosen.simulation.model_copy(update={"noise_factor": ISW_NOISE})
    chosen = chosen.model_copy(update={"simulation": noisy})
    shifts, errors = [], []
    for index in range(count):
        report("skies with ISW effect", index / count)
        pair = []
        for fault in ("isw", "none"):
            sky = simulated_sky(chosen, index=index, fault=fault)
            suite = make_suite(chosen, SkyInput(sky), null=True)
            pair.append(run_robustness(suite, ())[0].fiducial)
        shifts.append(pair[0].cl_Tg_uK - pair[1].cl_Tg_uK)
        errors.append(pair[1].error_uK)
    first, skipped = pair[0], chosen.measurement.skip_bins
    shift, error = np.mean(shifts, axis=0), np.sqrt(np.mean(np.square(errors), axis=0))
    return IswShift(first.lo, first.hi, shift, error, count, skipped)
