"""The whole way of the map pipeline: prepare, clean, measure; each stage recorded and resumable.

In the folder of a run ``prepared/`` holds the coefficients of the channels and ``scales/`` the
finished needlet scales, both under hashes of what they were made from, so that an interrupted run
goes on where it stopped and a changed setting is never answered with old results.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data.bandpowers import Bandpowers
from ..errors import ConfigurationError
from ..sky.cross_measurement import CrossMeasurement
from ..sky.needlet_plan import NeedletPlan
from ..sky.simulation import SimulatedSky
from .maps_clean import CleanedSky, Cleaner, Deprojected
from .maps_config import MapsConfiguration
from .maps_input import FileInput, MapsInput, SkyInput, maps_input
from .maps_measure import Measurer, make_measurer
from .maps_prepare import Geometry, PreparedMaps, geometry, prepare_maps
from .maps_residuals import (
    ResidualBandpowers,
    alternatives_of,
    cib_cross,
    residual_bandpowers,
)
from .maps_simulation import cib_cross_uK

Progress = Callable[[str, float], None]
FIDUCIAL = "fiducial"
REFERENCE_GHZ = 353.0


@dataclass(frozen=True)
class MapsPlan:
    """What a run will do, known before it starts.

    Attributes
    ----------
    settings : MapsConfiguration
        Settings, completed.
    source : MapsInput
        Maps.
    chosen : Geometry
        Resolution, multipoles, needlets, bins.
    cleaner : Cleaner
        Cleaning.
    sets : dict of str to Deprojected
        Sets of deprojected components.
    memory_MiB : float
        Peak memory of the cleaning, estimated.
    scales : list of str
        One line per needlet scale.
    """

    settings: MapsConfiguration
    source: MapsInput
    chosen: Geometry
    cleaner: Cleaner
    sets: dict[str, Deprojected]
    memory_MiB: float
    scales: list[str]

    def lines(self) -> list[str]:
        """What is to be said before the work."""
        chosen = self.chosen
        return [
            f"maps: {', '.join(n.lstrip('0') for n in self.source.names)} GHz, nside "
            f"{', '.join(str(n) for n in sorted(set(self.source.nsides)))}"
            + (f" ({self.source.nature})" if self.source.nature else ""),
            f"cleaned map: nside {chosen.nside}, l <= {chosen.lmax}, beam of "
            f"{chosen.common_fwhm_arcmin:g} arcmin; sets: {', '.join(self.sets)}",
            *self.scales,
            f"bins of {chosen.bin_width} multipoles to l = {chosen.last_ell}",
            f"memory: about {self.memory_MiB / 1024.0:.2g} GiB",
            *self._other_cib(),
        ]

    def _other_cib(self) -> list[str]:
        """A remark if the sky is simulated with another CIB than the one that is deprojected."""
        sky, spectra = self.settings.simulation, self.cleaner.spectra
        if sky is None or "cib" not in sky.components:
            return []
        made, assumed = ((float(x.cib_temperature_K), float(x.cib_beta)) for x in (sky, spectra))
        text = "note: simulation.cib_temperature_K = {:g} and cib_beta = {:g}, but cleaning "
        text += "assumes {:g} and {:g}: bandpowers will be biased"
        return [] if np.allclose(made, assumed) else [text.format(*made, *assumed)]


@dataclass(frozen=True)
class MapsResult:
    """What a run has made.

    Attributes
    ----------
    plan : MapsPlan
        Settings and geometry.
    prepared : PreparedMaps
        Channels.
    cleaned : dict of str to CleanedSky
        Maps by set [uK].
    measurer : Measurer
        Masks and bins.
    measured : dict of str to CrossMeasurement
        Bandpowers by set, all bins [uK].
    residuals : ResidualBandpowers or None
        Templates of the fiducial set.
    seconds : dict of str to float
        Time of each stage [s].
    """

    plan: MapsPlan
    prepared: PreparedMaps
    cleaned: dict[str, CleanedSky]
    measurer: Measurer
    measured: dict[str, CrossMeasurement]
    residuals: ResidualBandpowers | None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def nature(self) -> str:
        """What the numbers are if they are no measurement."""
        return self.plan.source.nature

    def bandpowers(self, label: str = FIDUCIAL, *, all_bins: bool = False) -> Bandpowers:
        """Content of ``bandpowers.npz`` for a set, with the residual templates of the fiducial."""
        use = slice(None) if all_bins else self.measurer.use
        found = self.measured[label].bandpowers(use, nu_GHz=REFERENCE_GHZ, nature=self.nature)
        if label != FIDUCIAL or self.residuals is None:
            return found
        return replace(
            found,
            residual_uK=self.residuals.values_uK[:, use],
            residual_names=self.residuals.names,
            residual_sigma=self.residuals.sigma,
        )

    @property
    def preserve(self) -> str:
        """Component that the map keeps: ``screening`` by axions, or ``dark-photon``."""
        return self.plan.settings.cleaning.preserve

    def injected(self) -> np.ndarray | None:
        """Bandpowers expected of a simulated sky (b,) [uK]; None for maps on disk.

        None, too, for maps of dark photons: what is put in is screening by axions.
        """
        source = self.plan.source
        if not isinstance(source, SkyInput) or self.preserve != "screening":
            return None
        spectra, found = source.sky.spectra, self.measured[FIDUCIAL]
        if "screening" not in spectra.names:
            return np.zeros(found.bins.size)
        return found.predict(spectra.cross("galaxies", "screening")[: found.lmax + 1])


def plan_maps(
    settings: MapsConfiguration, sky: SimulatedSky | None = None, *, check: bool = True
) -> MapsPlan:
    """Check a configuration against its maps and say what a run will do, before any work.

    Parameters
    ----------
    settings : MapsConfiguration
        Settings.
    sky : SimulatedSky, optional
        The sky, where it is simulated; drawn if it is not given.
    check : bool
        Whether to estimate memory and list the scales.

    Returns
    -------
    MapsPlan
        Everything that :func:`run_maps` needs.

    Raises
    ------
    ConfigurationError
        If settings and maps do not fit together.
    DataError
        If a file is missing or no HEALPix map.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    source = maps_input(settings, sky)
    if isinstance(source, SkyInput) and settings.residuals.cross_uK is None:
        cross = {"cross_uK": cib_cross_uK(source.sky)}
        residuals = settings.residuals.model_copy(update=cross)
        settings = settings.model_copy(update={"residuals": residuals})
    chosen = geometry(settings, source)
    if isinstance(source, FileInput):
        source.verify(chosen.nside)
    mask = None
    if settings.cleaning.mask:
        mask = source.galaxies(chosen.nside).temperature_mask
    cleaner = Cleaner(settings, chosen, mask)
    found = alternatives_of(settings, cleaner)
    cleaner.alternatives = tuple((a.temperature_K, a.beta) for a in found.values())
    sets = cleaner.all_sets
    plan = cleaner.plan_of(source)
    for label, one in sets.items():
        _check_set(plan, label, one)
    memory, allowed = cleaner.memory_MiB(plan, sets) if check else 0.0, settings.cleaning.memory_GiB
    if allowed is not None and memory > 1024.0 * allowed:
        raise ConfigurationError(
            f"cleaning.memory_GiB = {allowed:g}: the cleaning would need about "
            f"{memory / 1024.0:.3g} GiB: choose the variant 'interpolated' or 'coarse', fewer sets "
            "in cleaning.also, or a lower nside"
        )
    return MapsPlan(
        settings,
        source,
        chosen,
        cleaner,
        sets,
        memory,
        _scale_lines(plan) if check else [],
    )


def _check_set(plan: NeedletPlan, label: str, chosen: Deprojected) -> None:
    """Refuse more components than channels, and lists of the wrong length."""
    scales = len(plan.used)
    if chosen.names and not isinstance(chosen.names[0], str) and len(chosen.names) != scales:
        raise ConfigurationError(
            f"cleaning, set {label}: {len(chosen.names)} lists of components for {scales} needlet "
            "scales, expected one list for all or one for each"
        )
    for j, used in enumerate(plan.used):
        names = chosen.names if isinstance((*chosen.names, "")[0], str) else chosen.names[j]
        if len(names) + 1 > used.sum():
            raise ConfigurationError(
                f"cleaning, set {label}: needlet scale {j} has {int(used.sum())} channels "
                f"({', '.join(plan.channels(j))}) for {len(names) + 1} components (the one kept, "
                f"{', '.join(map(str, names))}): deproject fewer there, with a list for each scale"
            )


def _scale_lines(plan: NeedletPlan) -> list[str]:
    width = plan.fwhm_deg()
    return [
        f"  scale {j}: l = {plan.band(j)[0]} to {plan.band(j)[1]}, smoothing {width[j]:.3g} deg, "
        f"channels {', '.join(n.lstrip('0') for n in plan.channels(j))}"
        for j in range(len(plan.used))
    ]


def run_maps(
    plan: MapsPlan,
    folder: Path | None = None,
    progress: Progress | None = None,
    *,
    measure: bool = True,
) -> MapsResult:
    """Prepare, clean and measure.

    Parameters
    ----------
    plan : MapsPlan
        From :func:`plan_maps`.
    folder : Path, optional
        Where stages are kept; an earlier run there with the same input and settings is continued.
    progress : callable, optional
        Called with (step, fraction done).
    measure : bool
        Whether to measure, or to stop at the cleaned maps.

    Returns
    -------
    MapsResult
        Maps and bandpowers.

    Raises
    ------
    DataError
        If a map is unusable.
    ValidityError
        If a covariance is singular.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    report = progress or (lambda step, done: None)
    seconds: dict[str, float] = {}
    clock = time.perf_counter()

    def lap(step: str) -> None:
        nonlocal clock
        seconds[step], clock = time.perf_counter() - clock, time.perf_counter()

    settings, chosen, cleaner = plan.settings, plan.chosen, plan.cleaner
    kept: dict[str, Any] = {"prepared": None, "scales": None}
    if folder is not None:
        kept = {name: folder / name for name in kept}
    prepared = prepare_maps(settings, plan.source, chosen, kept["prepared"], report)
    lap("prepare")
    cleaned = cleaner.clean(prepared, plan.sets, folder=kept["scales"], progress=report)
    lap("clean")
    measurer = make_measurer(settings, chosen, plan.source.galaxies(chosen.nside))
    measured: dict[str, CrossMeasurement] = {}
    residuals = None
    if measure:
        for k, (label, sky) in enumerate(cleaned.items()):
            report(f"measure {label}", k / len(cleaned))
            measured[label] = measurer.measure(sky.values, sky.fwhm_arcmin)
        wanted = alternatives_of(settings, cleaner)
        if wanted:
            report("residual templates", 0.0)
            cross = cib_cross(prepared, cleaner, measurer)
            residuals = residual_bandpowers(
                cleaned[FIDUCIAL], measured[FIDUCIAL], cleaner, measurer, cross, wanted
            )
        lap("measure")
    return MapsResult(plan, prepared, cleaned, measurer, measured, residuals, seconds)


def maps_summary(result: MapsResult) -> dict[str, Any]:
    """What a run found, for ``summary.json``.

    Parameters
    ----------
    result : MapsResult
        The run.

    Returns
    -------
    dict
        Nature, geometry, masks, null tests by set, scales, residual templates, times [uK, deg, s].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    plan, use = result.plan, result.measurer.use
    chosen = plan.chosen
    rows = {}
    for label, found in result.measured.items():
        rows[label] = {
            "deprojected": list(plan.sets[label].flat),
            "cl_Tg_uK": found.cl_Tg_uK,
            "error_uK": found.error_uK,
            "null": found.null_test(use)._asdict(),
            "sky_fraction": found.settings["sky_fraction_both"],
            "condition_of_covariance": found.settings["condition_of_covariance"],
        }
    summary: dict[str, Any] = {
        "nature": result.nature,
        "preserve": result.preserve,
        "channels": list(plan.source.names),
        "nside": chosen.nside,
        "lmax": chosen.lmax,
        "peaks": list(chosen.peaks),
        "common_fwhm_arcmin": chosen.common_fwhm_arcmin,
        "ilc_bias": plan.settings.cleaning.bias,
        "variant": plan.settings.cleaning.variant,
        "cib": [
            float(plan.cleaner.spectra.cib_temperature_K),
            float(plan.cleaner.spectra.cib_beta),
        ],
        "sky_fractions": result.measurer.fractions(),
        "ell_lo": result.measurer.bins.lo,
        "ell_hi": result.measurer.bins.hi,
        "bins_left_out": plan.settings.measurement.skip_bins,
        "sets": rows,
        "scales": {n: [s.record() for s in c.result.scales] for n, c in result.cleaned.items()},
        "maps": result.prepared.report,
        "memory_MiB": plan.memory_MiB,
        "seconds": result.seconds,
    }
    injected = result.injected() if result.measured else None
    if injected is not None:
        fit = result.measured[FIDUCIAL].null_test(use, injected)
        summary["injected"] = {"cl_Tg_uK": injected, "test": fit._asdict()}
    if result.residuals is not None:
        r = result.residuals
        summary["residuals"] = {
            "names": list(r.names),
            "cl_Tg_uK": r.values_uK,
            "sigma": r.sigma,
            "shares_by_scale": r.shares,
            "cib_cross": {
                "amplitude_uK": r.cross.amplitude_uK,
                "slope": r.cross.slope,
                "pivot": r.cross.pivot,
                "error_uK": r.cross.error_uK,
                "origin": r.cross.origin,
            },
        }
    return summary
