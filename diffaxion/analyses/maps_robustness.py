"""Robustness of a measured cross-spectrum: variations of the analysis, each with its verdict.

A variation is compared with the fiducial analysis of the same sky. The two share most of their
noise, so that the difference is tested with Cov(1) + Cov(2) - Cov(1, 2) - Cov(2, 1), to which a
tenth of the statistical errors is added in quadrature: smaller shifts do not matter. A test is
passed if no difference, and no null test where the sky is meant to hold no signal, has a
probability below ``p_min`` divided by the number of variations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import ConfigurationError
from ..sky.comparison import Difference, compare_measurements, cross_covariance
from ..sky.covariance_estimates import check_covariance
from ..sky.cross_measurement import CrossMeasurement, null_test
from ..sky.masks import galactic_mask
from .maps_clean import CleanedSky, Cleaner, Deprojected
from .maps_config import MapsConfiguration
from .maps_input import FileInput, MapsInput
from .maps_measure import Measurer, make_measurer
from .maps_prepare import Geometry, PreparedMaps, geometry, prepare_maps
from .maps_variations import RobustnessTest, Series, Variation

Progress = Callable[[str, float], None]
FIDUCIAL = "fiducial"
# Two measurements closer than this share of their errors are the same, and are not compared.
_SAME = 1e-6


def series_of(found: CrossMeasurement) -> Series:
    """Bandpowers of a measurement."""
    return Series(found.bins.lo, found.bins.hi, found.cl_Tg_uK, found.cov_uK2)


@dataclass
class Suite:
    """A sky with everything that its tests share.

    Attributes
    ----------
    settings : MapsConfiguration
        Settings.
    source : MapsInput
        Maps.
    chosen : Geometry
        Resolution and multipoles.
    prepared : PreparedMaps
        Coefficients of all channels.
    cleaner : Cleaner
        Cleaning of these channels.
    measurer : Measurer
        Masks, bins and galaxies.
    null : bool
        Whether the sky is meant to hold no signal, so that null tests are judged.
    report : callable
        Called with (step, fraction done).
    """

    settings: MapsConfiguration
    source: MapsInput
    chosen: Geometry
    prepared: PreparedMaps
    cleaner: Cleaner
    measurer: Measurer
    null: bool
    report: Progress
    _cleaned: dict[str, CleanedSky] = field(default_factory=dict)
    _measured: dict[str, CrossMeasurement] = field(default_factory=dict)

    def clean(self, sets: Mapping[str, Deprojected]) -> None:
        """Clean all sets that are not there yet in one pass."""
        new = {label: s for label, s in sets.items() if label not in self._cleaned}
        if new:
            self._cleaned |= self.cleaner.clean(self.prepared, new)

    def measured(self, label: str) -> CrossMeasurement:
        """Bandpowers, free of the beam, of a cleaned set."""
        if label not in self._measured:
            self._measured[label] = self.measure(self._cleaned[label])
        return self._measured[label]

    def measure(self, cleaned: CleanedSky, measurer: Measurer | None = None) -> CrossMeasurement:
        """Bandpowers of a cleaned map, free of its beam."""
        chosen = measurer or self.measurer
        return chosen.measure(cleaned.values, cleaned.fwhm_arcmin, remove_beam=True)

    @property
    def cleaned(self) -> CleanedSky:
        """The fiducial map."""
        return self._cleaned[FIDUCIAL]

    @property
    def fiducial(self) -> CrossMeasurement:
        """The fiducial bandpowers, free of the beam."""
        return self.measured(FIDUCIAL)

    def compare(self, label: str, found: CrossMeasurement, same_map: bool = False) -> Variation:
        """A measurement beside the fiducial one; ``same_map`` where only masks differ."""
        use, make = self.measurer.use, _mask_difference if same_map else _difference
        difference = make(found, self.fiducial, use, self.measurer)
        if difference is None:
            return Variation(label, series_of(found), use)
        floor = (self.settings.robustness.error_floor * self.fiducial.error_uK[use]) ** 2
        values, covariance = difference.values_uK, difference.cov_uK2
        return Variation(label, series_of(found), use, values, covariance, floor)

    def test(
        self,
        name: str,
        title: str,
        found: Mapping[str, CrossMeasurement],
        judged: str,
        *remarks: str,
        same_map: bool = False,
    ) -> RobustnessTest:
        """A test made of measurements by label."""
        return RobustnessTest(
            name,
            title,
            series_of(self.fiducial),
            [self.compare(label, m, same_map) for label, m in found.items()],
            judged,
            self.settings.robustness.p_min,
            self.measurer.use,
            list(remarks),
        )


def _difference(
    first: CrossMeasurement, second: CrossMeasurement, use: slice, measurer: Measurer
) -> Difference | None:
    """Difference of two measurements; None where they are equal to rounding."""
    gap = np.abs(first.cl_Tg_uK - second.cl_Tg_uK)[use]
    if np.all(gap <= _SAME * second.error_uK[use]):
        return None
    return compare_measurements(first, second, use, mask_spectra=measurer.mask_spectra)


def _mask_difference(
    first: CrossMeasurement, second: CrossMeasurement, use: slice, measurer: Measurer
) -> Difference | None:
    """Difference of two measurements of one map under two masks.

    All covariances hold the same spectra, the mean of both: with those of each mask the rest of
    the Galaxy in one of them could make the variance of the difference negative.
    """
    gap = np.abs(first.cl_Tg_uK - second.cl_Tg_uK)[use]
    if np.all(gap <= _SAME * second.error_uK[use]):
        return None
    mean = {pair: 0.5 * (first.spectra[pair] + second.spectra[pair]) for pair in first.spectra}
    spectra = {
        (f"{a}{i}", f"{b}{j}"): mean[pair]
        for pair in mean
        for a, b in {pair, pair[::-1]}
        for i in (1, 2)
        for j in (1, 2)
    }

    def block(a: CrossMeasurement, b: CrossMeasurement) -> np.ndarray:
        shared = measurer.mask_spectra
        return cross_covariance(a, b, spectra=spectra, mask_spectra=shared)[use, use]

    both = block(first, second)
    covariance = block(first, first) + block(second, second) - both - both.T
    covariance = check_covariance(
        0.5 * (covariance + covariance.T), name="covariance of the difference of masks"
    )
    values = (first.cl_Tg_uK - second.cl_Tg_uK)[use]
    return Difference(values, covariance, null_test(values, covariance))


def make_suite(
    settings: MapsConfiguration,
    source: MapsInput,
    *,
    null: bool,
    progress: Progress | None = None,
) -> Suite:
    """Prepare a sky for its tests and clean the fiducial map.

    Parameters
    ----------
    settings : MapsConfiguration
        Settings.
    source : MapsInput
        Maps.
    null : bool
        Whether the sky is meant to hold no signal.
    progress : callable, optional
        Called with (step, fraction done).

    Returns
    -------
    Suite
        Ready for :func:`run_robustness`.

    Raises
    ------
    ConfigurationError
        If settings do not fit the maps.
    DataError
        If a map is unusable.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, appendix A.3.
    """
    report = progress or (lambda step, done: None)
    chosen = geometry(settings, source)
    prepared = prepare_maps(settings, source, chosen, progress=report)
    galaxies = source.galaxies(chosen.nside)
    cleaner = Cleaner(
        settings, chosen, galaxies.temperature_mask if settings.cleaning.mask else None
    )
    measurer = make_measurer(settings, chosen, galaxies)
    return Suite(settings, source, chosen, prepared, cleaner, measurer, null, report)


def fiducial_sets(suite: Suite, tests: tuple[str, ...]) -> dict[str, Deprojected]:
    """Sets of deprojected components that some tests need, to be cleaned in one pass."""
    sets = {FIDUCIAL: suite.cleaner.fiducial_set}
    if "deprojection" in tests:
        sets |= deprojection_sets()
    if "cib" in tests:
        sets |= cib_sets(suite.cleaner)
    if "moments" in tests:
        sets |= moment_sets(suite)
    return sets


def deprojection_sets() -> dict[str, Deprojected]:
    """From nothing to tSZ, CIB and both."""
    return {
        "nothing": Deprojected(()),
        "tSZ": Deprojected(("tsz",)),
        "CIB": Deprojected(("cib",)),
        "tSZ + CIB": Deprojected(("tsz", "cib")),
    }


def cib_sets(cleaner: Cleaner) -> dict[str, Deprojected]:
    """The fiducial components with other spectra of the CIB."""
    choices = cleaner.settings.robustness
    own = (float(cleaner.spectra.cib_temperature_K), float(cleaner.spectra.cib_beta))
    temperatures = choices.cib_temperatures_K or [own[0] + d for d in (-4.0, 0.0, 4.0)]
    betas = choices.cib_betas or [own[1] + d for d in (-0.2, 0.0, 0.2, 0.4)]
    grid = [(round(t, 6), round(b, 6)) for t in temperatures for b in betas]
    extra = choices.extra_cib
    if extra is None:
        extra = [] if cleaner.settings.simulation is not None else [(10.7, 1.7)]
    grid += extra
    found = {}
    for t, beta in grid:
        if abs(t - own[0]) > 1e-6 or abs(beta - own[1]) > 1e-6:
            base = cleaner.fiducial_set
            found[f"{t:g} K, beta {beta:g}"] = replace(base, cib=(float(t), float(beta)))
    return found


def moment_sets(suite: Suite) -> dict[str, Deprojected]:
    """The derivative in temperature instead of that in beta; both on the first scales."""
    scales = len(suite.chosen.peaks)
    both = min(suite.settings.robustness.both_moments_scales, scales)
    first, rest = ("tsz", "cib", "cib-dbeta", "cib-dT"), ("tsz", "cib", "cib-dbeta")
    room = [int(row.sum()) for row in suite.cleaner.plan_of(suite.source).used]
    # One channel more than components, or the map would not depend on the data.
    rows = [first if j < both and room[j] > len(first) else rest for j in range(scales)]
    return {
        "dT": Deprojected(("tsz", "cib", "cib-dT")),
        "dbeta and dT": Deprojected(tuple(rows)),
    }


def frequencies_test(suite: Suite) -> RobustnessTest:
    """Without some channels: each is a cleaning of its own."""
    found = {}
    drop = suite.settings.robustness.drop
    if drop is None:
        known = suite.prepared.names
        drop = [d for d in (["030"], ["044"], ["030", "044"]) if set(d) <= set(known)]
    for k, names in enumerate(drop):
        suite.report("frequencies", k / len(drop))
        kept = tuple(n for n in suite.prepared.names if n not in names)
        label = "without " + " and ".join(n.lstrip("0") for n in names) + " GHz"
        cleaner = suite.cleaner.without(names)
        one = cleaner.clean(suite.prepared.select(kept), {label: cleaner.fiducial_set})
        found[label] = suite.measure(one[label])
    return suite.test("frequencies", "Channels removed (S9)", found, "difference")


def beam_test(suite: Suite) -> RobustnessTest:
    """A smaller common beam."""
    suite.report("beam", 0.0)
    width = suite.chosen.common_fwhm_arcmin * suite.settings.robustness.beam_factor
    other = replace(suite.chosen, common_fwhm_arcmin=width)
    cleaner = Cleaner(suite.settings, other, suite.cleaner.mask)
    label = f"{width:g} arcmin"
    one = cleaner.clean(suite.prepared, {label: cleaner.fiducial_set})
    title = f"Common beam of {width:g} instead of {suite.chosen.common_fwhm_arcmin:g} arcmin (S10)"
    return suite.test("beam", title, {label: suite.measure(one[label])}, "difference")


def masks_test(suite: Suite) -> RobustnessTest:
    """Other Galactic masks on the same cleaned map."""
    suite.report("masks", 0.0)
    found, source = {}, suite.source
    # Never a pixel that was filled in; the fiducial cut itself may be widened here.
    if isinstance(source, FileInput):
        filled = source.filled(suite.chosen.nside)
    else:
        filled = source.temperature(source.names[0]).valid
    for label, mask in _galactic_masks(suite).items():
        measurer = suite.measurer.with_masks(temperature=mask * filled)
        found[label] = suite.measure(suite.cleaned, measurer)
    return suite.test("masks", "Galactic masks (S8)", found, "difference", same_map=True)


def _galactic_masks(suite: Suite) -> dict[str, np.ndarray]:
    choices, nside = suite.settings.robustness, suite.chosen.nside
    if choices.galactic_masks:
        if not isinstance(suite.source, FileInput):
            raise ConfigurationError(
                "robustness.galactic_masks names files, and the sky is simulated: give "
                "robustness.sky_fractions"
            )
        return {text: suite.source.mask(text, nside) for text in choices.galactic_masks}
    found = {}
    for share in choices.sky_fractions:
        latitude = float(np.degrees(np.arcsin(1.0 - share)))
        found[f"{100.0 * share:g} % of the sky"] = galactic_mask(nside, latitude)
    return found


def low_l_test(suite: Suite) -> RobustnessTest:
    """The lowest bins, which are left out."""
    found = series_of(suite.fiducial)
    skipped = suite.settings.measurement.skip_bins
    variations = [Variation("all bins", found, slice(None))]
    if skipped:
        label = f"the {skipped} lowest bins alone"
        variations.append(Variation(label, found, slice(0, skipped)))
    return replace(suite.test("low-l", "Lowest multipoles", {}, "none"), variations=variations)


_TITLES = {
    "deprojection": "Deprojected components (S3, S6)",
    "cib": "Temperature and beta of the CIB (S7)",
    "moments": "dT instead of dbeta, and both (S7)",
}


def run_robustness(suite: Suite, tests: tuple[str, ...]) -> list[RobustnessTest]:
    """Tests of one sky.

    Parameters
    ----------
    suite : Suite
        From :func:`make_suite`.
    tests : tuple of str
        Names of the tests; those of simulated skies are skipped.

    Returns
    -------
    list of RobustnessTest
        In the order of the names, after the null test of the fiducial analysis.

    Raises
    ------
    DataError
        If the covariance of a difference is unusable.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, appendix A.3.
    """
    suite.report("cleaning", 0.0)
    sets = fiducial_sets(suite, tests)
    suite.clean(sets)
    judged = "null" if suite.null else "none"
    fiducial = suite.test("null", "Fiducial analysis against no signal", {}, judged)
    alone = Variation(FIDUCIAL, series_of(suite.fiducial), suite.measurer.use)
    found = [replace(fiducial, variations=[alone])]
    own: dict[str, Callable[[Suite], RobustnessTest]] = {
        "frequencies": frequencies_test,
        "beam": beam_test,
        "masks": masks_test,
        "low-l": low_l_test,
    }
    groups = {
        "deprojection": (tuple(deprojection_sets()), "none"),
        "cib": (tuple(cib_sets(suite.cleaner)), "difference"),
        "moments": (tuple(moment_sets(suite)), "difference"),
    }
    for k, name in enumerate(tests):
        suite.report(name, k / len(tests))
        if name in own:
            found.append(own[name](suite))
        elif name in groups:
            labels, how = groups[name]
            rows = {label: suite.measured(label) for label in labels}
            found.append(suite.test(name, _TITLES[name], rows, how))
    return found
