"""Recipes: the axion luminosity of a target from a user's tracks, for tables and forward models.

Without tracks the built-in nodes stand for the stars: one 85 Msun track, which knows no spread
of initial masses, rotation or metallicity, has no Wolf-Rayet star of type WC inside the ages
of Quintuplet, and makes neither its published luminosity nor that of Westerlund 1. Every
product repeats what an ensemble was made from.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..conversion.ensemble_spectra import BAND_EDGES_KEV, EnsembleSpectra, ensemble_spectra
from ..conversion.luminosity_draws import (
    EnsembleShape,
    LuminosityDraws,
    draw_luminosities,
    ensemble_shape,
    spectrum_modes,
)
from ..data.cluster_files import RED_SUPERGIANT, ClusterDescription, load_cluster
from ..data.mesa_grid import StellarTrack, read_tracks
from ..environments.stars.clusters import Cluster, cluster
from ..environments.stars.ensemble import (
    StellarEnsemble,
    check_counts,
    ensemble_from_tracks,
    ensemble_of,
)
from ..environments.stars.population import bundled_population
from ..environments.stars.population_model import PopulationModel, population_of
from ..errors import ConfigurationError, DiffaxionWarning
from .ensemble_config import EnsembleSection
from .profile_corrections import profile_corrections

# Lower bound of the error of the Eddington model in ln L: six stages of one star.
STRUCTURE_SIGMA_LN = 0.05
WARNING_SIGMA = 3.0
WIDEST_LOGNORMAL = 0.7
Progress = Callable[[str, int, int], None]
# Choices that mean nothing for the built-in nodes.
_OF_TRACKS = (
    "index",
    "structure",
    "weight",
    "track_weight",
    "rules",
    "thresholds",
    "log_t_c_max",
)


@dataclass(frozen=True)
class ClusterEnsemble:
    """Axion luminosity of a target from an ensemble of stars, per unit (g/1e-12 GeV^-1)^2.

    Attributes
    ----------
    facts : ClusterDescription
        The target.
    section : EnsembleSection
        How the ensemble was made.
    ensemble : StellarEnsemble
        Models.
    spectra : EnsembleSpectra
        Their spectra.
    draws : LuminosityDraws
        Draws of the stars of the target.
    shape : EnsembleShape
        Spectrum with modes, for forward models.
    unexplained_sigma_ln : float
        sigma of ln L in 10-80 keV that the modes do not carry.
    """

    facts: ClusterDescription
    section: EnsembleSection
    ensemble: StellarEnsemble
    spectra: EnsembleSpectra
    draws: LuminosityDraws
    shape: EnsembleShape
    unexplained_sigma_ln: float

    def published_offset(self) -> float | None:
        """ln of the median over the published L_10-80, in sigma of the published interval."""
        light = self.facts.luminosity
        if light is None:
            return None
        low = light.band_10_80_erg_s - light.band_10_80_minus_erg_s
        high = light.band_10_80_erg_s + light.band_10_80_plus_erg_s
        found = math.log(float(self.draws.band_quantiles_erg_s[1]) / light.band_10_80_erg_s)
        end = high if found > 0.0 else low
        return found / abs(math.log(end / light.band_10_80_erg_s))

    def priors(self) -> dict[str, dict[str, Any]]:
        """Priors of the luminosity and of the modes of the spectrum, by path."""
        here = f"clusters.{self.facts.name}."
        common = math.hypot(self.unexplained_sigma_ln, STRUCTURE_SIGMA_LN)
        found = {f"{here}ln_luminosity": {"dist": "normal", "mean": 0.0, "sigma": common}}
        unit = {"dist": "normal", "mean": 0.0, "sigma": 1.0}
        modes = range(self.shape.z.size)
        return found | {f"{here}spectrum.z[{k}]": dict(unit) for k in modes}

    def summary(self) -> dict[str, Any]:
        """Numbers of a table: luminosities [erg/s] at g = 1e-12 GeV^-1, shares, provenance."""
        draws, section = self.draws, self.section
        low, median, high = (float(x) for x in draws.band_quantiles_erg_s)
        total = [float(x) for x in draws.total_quantiles_erg_s]
        band = float(jnp.mean(draws.band_erg_s))
        share = np.asarray(jnp.mean(draws.by_class_erg_s, axis=0)) / band
        means = self.spectra.class_means()
        light = self.facts.luminosity
        tracks = section.tracks is not None
        flagged = float(draws.flagged_share)
        return {
            "target": self.facts.name,
            "made_from": draws.label,
            "structure": section.structure if tracks else "eddington",
            "weight": section.weight,
            "rules": section.rules,
            "ages_Myr": "all" if not tracks or section.ages == "all" else self._ages(),
            "stars": {n: self.facts.stars.counts[n] for n in draws.names},
            "models": {n: self.ensemble.sizes()[n] for n in draws.names},
            "draws": section.draws,
            "seed": section.seed,
            "band_keV": [float(BAND_EDGES_KEV[0]), float(BAND_EDGES_KEV[-1])],
            "band_erg_s": median,
            "band_16_erg_s": low,
            "band_84_erg_s": high,
            "sigma_ln": float(draws.sigma_ln),
            "total_erg_s": total[1],
            "total_16_erg_s": total[0],
            "total_84_erg_s": total[2],
            "per_star_erg_s": {n: float(means[n][0]) for n in draws.names},
            "share_by_class": dict(zip(draws.names, share.tolist(), strict=True)),
            "flagged_share": flagged,
            "outside_validity": flagged > 0.01,
            "published_erg_s": None if light is None else light.band_10_80_erg_s,
            "published_offset_sigma": self.published_offset(),
            "unverified": self.facts.unverified(),
            "priors": self.priors(),
        }

    def _ages(self) -> list[float]:
        born = self.facts.population
        return [] if born is None else list(born.age_Myr)


def _models(
    facts: ClusterDescription, section: EnsembleSection, progress: Progress | None
) -> tuple[StellarEnsemble, Sequence[StellarTrack]]:
    if section.tracks is None:
        plain = EnsembleSection()
        for key in _OF_TRACKS:
            if getattr(section, key) != getattr(plain, key):
                raise ConfigurationError(
                    f"{key} = {getattr(section, key)!r}: needs tracks; the built-in nodes were "
                    "classified by the rules 'paper' and weighted by time"
                )
        return ensemble_of(bundled_population()), ()
    tracks = read_tracks(section.tracks, section.index, _stage(progress, "tracks"))
    needs_ages = section.ages == "cluster"
    model = population_of(facts) if needs_ages or facts.population else PopulationModel()
    ensemble = ensemble_from_tracks(
        tracks,
        model,
        section.rules,
        section.thresholds,
        section.weight,
        section.track_weight,
        needs_ages,
        math.inf if section.log_t_c_max is None else section.log_t_c_max,
    )
    return ensemble, tracks


def _stage(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, of: progress(name, done, of)


def _counted(ensemble: StellarEnsemble, names: set[str]) -> StellarEnsemble:
    """The rows of the classes that are counted; nothing else costs a spectrum."""
    code = np.asarray(ensemble.code)
    rows = np.flatnonzero(np.isin(code, [k for k, n in enumerate(ensemble.names) if n in names]))

    def leaves(e: StellarEnsemble) -> tuple[Any, ...]:
        return (
            e.mass_Msun,
            e.t_c_keV,
            e.fractions,
            e.weight,
            e.age_Myr,
            e.code,
            e.track,
            e.step,
            e.cool,
        )

    return eqx.tree_at(leaves, ensemble, tuple(x[rows] for x in leaves(ensemble)))


def cluster_ensemble(
    target: str | Path | ClusterDescription,
    section: EnsembleSection | None = None,
    progress: Progress | None = None,
) -> ClusterEnsemble:
    """Axion luminosity of a target from an ensemble of stars.

    Parameters
    ----------
    target : str, Path or ClusterDescription
        Bundled target, TOML file, or facts.
    section : EnsembleSection, optional
        Tracks and choices; the built-in nodes by default.
    progress : callable, optional
        Called with the name of a stage, the number of things done and of all.

    Returns
    -------
    ClusterEnsemble
        Draws and spectra in the 14 bins of 10-80 keV.

    Raises
    ------
    ConfigurationError
        If no star is counted, a class has no model, or the target is a red supergiant and no
        profiles describe its structure.
    DataError
        If a file is malformed.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    facts = target if isinstance(target, ClusterDescription) else load_cluster(target)
    section = section or EnsembleSection()
    profiles = section.structure == "profiles"
    if facts.kind == RED_SUPERGIANT and not profiles:
        raise ConfigurationError(
            f"target {facts.origin}: is a red supergiant, a core in a vast envelope, to which the "
            "Eddington model does not apply; give a profile of the star (--profile FILE), or "
            "tracks with profiles (structure = 'profiles')"
        )
    ensemble, tracks = _models(facts, section, progress)
    check_counts(facts.stars.counts, ensemble)
    ensemble = _counted(ensemble, {n for n, k in facts.stars.counts.items() if k})
    correction = None
    if profiles:
        correction = profile_corrections(
            tracks, ensemble, BAND_EDGES_KEV, _stage(progress, "profiles")
        )
    spectra = ensemble_spectra(ensemble, BAND_EDGES_KEV, correction, _stage(progress, "spectra"))
    draws = draw_luminosities(
        spectra, facts.stars.counts, jax.random.key(section.seed), section.draws
    )
    modes, left = spectrum_modes(draws, section.modes)
    shape = ensemble_shape(draws, modes)
    return ClusterEnsemble(facts, section, ensemble, spectra, draws, shape, left)


def warn_if_far(found: ClusterEnsemble) -> None:
    """Warn where the luminosity is off the published interval, or far from a lognormal.

    That is, by more than three sigma, or with a sigma of ln L above 0.7: then few hot stars decide,
    and normal modes are a poor description of what draws give.

    Parameters
    ----------
    found : ClusterEnsemble
        Target and its draws.

    Returns
    -------
    None
        Called for its warning.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305 (published luminosities).
    """
    offset, light = found.published_offset(), found.facts.luminosity
    spread = float(found.draws.sigma_ln)
    if spread > WIDEST_LOGNORMAL:
        warnings.warn(
            f"{found.facts.label}: the draws of {found.draws.label} spread over sigma(ln L) = "
            f"{spread:.2f}: rare hot stars decide, and normal modes describe this poorly",
            DiffaxionWarning,
            stacklevel=2,
        )
    if offset is None or light is None or abs(offset) <= WARNING_SIGMA:
        return
    median = float(found.draws.band_quantiles_erg_s[1])
    warnings.warn(
        f"{found.facts.label}: L_10-80 = {median:.3g} erg/s from {found.draws.label} is "
        f"{abs(offset):.1f} sigma {'above' if offset > 0.0 else 'below'} the published "
        f"{light.band_10_80_erg_s:.3g} erg/s (g = 1e-12 GeV^-1); limits on g scale as L^(-1/4)",
        DiffaxionWarning,
        stacklevel=2,
    )


@functools.lru_cache(maxsize=16)
def _cached(origin: str, section: str) -> ClusterEnsemble:
    found = cluster_ensemble(origin, EnsembleSection.model_validate_json(section))
    warn_if_far(found)
    return found


def ensemble_cluster(origin: str | Path, section: EnsembleSection) -> Cluster:
    """A target whose luminosity and spectrum come from an ensemble of stars.

    Parameters
    ----------
    origin : str or Path
        Bundled target or TOML file.
    section : EnsembleSection
        Tracks and choices; an ensemble is made once for each.

    Returns
    -------
    Cluster
        Median luminosity [erg/s], and a spectrum with its modes.

    Raises
    ------
    ConfigurationError
        If no star is counted, or a class has no model.
    DataError
        If a file is malformed.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    found = _cached(str(origin), section.model_dump_json())
    return eqx.tree_at(
        lambda c: (c.luminosity_10_80_erg_s, c.spectrum),
        cluster(str(origin)),
        (found.draws.band_quantiles_erg_s[1], found.shape),
        is_leaf=lambda x: x is None,
    )
