"""Expected limits of X-ray searches with other exposures, and what sets them.

The published spectra give the errors, which fall as exposure^(-1/2); the model gives the signal
and, by forward differentiation, its slopes in all nuisances at every mass. Limits and derivatives
follow from these by :mod:`diffaxion.inference.sensitivity`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..constants import G_REF_GEV
from ..environments.stars.clusters import target_row
from ..errors import ConfigurationError, nearest_names
from ..inference.exposure import Split, exposed_errors, optimal_split
from ..inference.sensitivity import LinearSignal, elasticities, linear_limit_u
from ..numerics import safe_divide
from ..observables.xray.cluster_spectrum import ClusterSpectrum
from ..parameters.paths import get_path
from .analysis import AnalysisData
from .config import Configuration, default_configuration_text, parse_configuration
from .count_points import refuse_counts
from .forecast import ForecastPart, GradientMap, XraySection
from .joint_model import joint_recipe, joint_world
from .star_clusters import published_spectrum

# Pieces of a sight line to which derivatives by the field refer.
SEGMENTS = 24
REFERENCES = ("arXiv:2008.03305", "arXiv:1007.1727")


def linearise(
    data: AnalysisData, z: Float[Array, " k"], m_a_eV: Float[Array, " m"]
) -> tuple[Float[Array, "m n"], Float[Array, "m n k"]]:
    """Responses of all probes and their slopes in the nuisances, at many masses.

    Parameters
    ----------
    data : AnalysisData
        Any analysis, of X rays, CMB or both, without coupling and mass among its paths.
    z : float array, shape (k,)
        Standardised nuisances about which to expand.
    m_a_eV : float array, shape (m,)
        Masses [eV].

    Returns
    -------
    response : float array, shape (m, n)
        Signal of the n points per unit u |u|^(order - 1), unit of the data.
    slopes : float array, shape (m, n, k)
        Their derivatives by z.

    References
    ----------
    None: forward differentiation.
    """
    return _linearise(data, z, m_a_eV)


@eqx.filter_jit
def _linearise(data: AnalysisData, z: Array, masses: Array) -> tuple[Array, Array]:
    def one(mass: Array) -> tuple[Array, Array]:
        moved = eqx.tree_at(lambda d: d.world.axion.m_a_eV, data, mass)

        def stacked(x: Array) -> tuple[Array, Array]:
            found = jnp.concatenate(moved.responses(x)[1])
            return found, found

        slopes, response = jax.jacfwd(stacked, has_aux=True)(z)
        return response, slopes

    return jax.lax.map(one, masses)


def linear_signal(
    data: AnalysisData, response: Float[Array, " n"], slopes: Float[Array, "n k"]
) -> LinearSignal:
    """Signal of an analysis at one mass, with the errors of its (independent) points.

    Parameters
    ----------
    data : AnalysisData
        Analysis whose points have independent errors.
    response, slopes : float array, shapes (n,) and (n, k)
        From :func:`linearise`.

    Returns
    -------
    LinearSignal
        For limits and their derivatives.

    Raises
    ------
    ConfigurationError
        If the points of a probe are correlated: whiten them first; or if some data are counts.

    References
    ----------
    None: assembly.
    """
    refuse_counts(data.points, "linear_signal")
    if any(p.scale.ndim != 1 for p in data.points):
        raise ConfigurationError("linear_signal: points with a covariance are to be whitened first")
    order = [np.full(p.data.shape[0], n) for p, n in zip(data.points, data.orders, strict=True)]
    error = jnp.concatenate([p.scale for p in data.points])
    return LinearSignal(response, slopes, error, jnp.asarray(np.concatenate(order), float))


def expected_g(signal: LinearSignal, width: Float[Array, " k"]) -> Float[Array, ""]:
    """Expected 95 per cent limit on g [GeV^-1] of the profile likelihood.

    Parameters
    ----------
    signal : LinearSignal
        n points.
    width : float array, shape (k,)
        Widths of the priors in units of the present ones.

    Returns
    -------
    float array, shape ()
        g_95 [GeV^-1]; infinite for none.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727.
    """
    return G_REF_GEV * jnp.sqrt(linear_limit_u(signal, width))


def xray_setup(
    targets: tuple[str, ...], nuisances: bool, top_eV: float
) -> tuple[Configuration, AnalysisData, Array]:
    """Analysis of published spectra with the bundled priors, and the fiducial point in z.

    Parameters
    ----------
    targets : tuple of str
        Targets with published spectra.
    nuisances : bool
        Whether the bundled priors take part.
    top_eV : float
        Largest mass [eV]; the nodes of the sight lines resolve its phase.

    Returns
    -------
    configuration : Configuration
        Settings.
    data : AnalysisData
        World, priors, models, data.
    z : float array, shape (k,)
        Fiducial values of the nuisances as standard normals.

    Raises
    ------
    ConfigurationError
        If a target has no published spectrum.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    values = tomllib.loads(default_configuration_text("xray"))
    priors = values.get("priors", {}) if nuisances else {}
    absent = [t for t in values["model"]["targets"] if t not in targets]
    values["priors"] = {
        path: p
        for path, p in priors.items()
        if not path.startswith(tuple(f"clusters.{t}." for t in absent))
    }
    values["model"]["targets"] = list(targets)
    values["mass"]["prior_eV"] = [1e-14, max(top_eV, 1e-12)]
    configuration = parse_configuration(values, "forecast")
    world = joint_world(configuration)
    spectra = [published_spectrum(t) for t in targets]
    analysis = joint_recipe(configuration, world, spectra).analysis()
    data = analysis.data
    fiducial = {path: float(get_path(world, path)) for path in data.bindings.names}
    return configuration, data, data.bindings.standardise(fiducial)


def _segments(
    probe: ClusterSpectrum, data: AnalysisData
) -> tuple[np.ndarray, Callable[..., Array]]:
    """Centres of pieces of a sight line [kpc], and the response for factors ln B on them."""
    world = data.world
    path = probe.path(world)
    far = float(path.s_kpc[-1])
    edges = np.linspace(0.0, far, SEGMENTS + 1)
    which = jnp.asarray(
        np.clip(np.searchsorted(edges, np.asarray(path.s_kpc)) - 1, 0, SEGMENTS - 1)
    )
    weights = probe.weights(world)

    @eqx.filter_jit
    def response(ln_factor: Array, mass: Array) -> Array:
        scale = jnp.exp(ln_factor)[which]
        moved = eqx.tree_at(
            lambda p: (p.b_l_muG, p.b_b_muG), path, (path.b_l_muG * scale, path.b_b_muG * scale)
        )
        here = eqx.tree_at(lambda w: w.axion.m_a_eV, world, mass)
        return probe.response(here, {"path": moved, "weights": weights})

    return 0.5 * (edges[1:] + edges[:-1]), response


def _field_maps(
    data: AnalysisData, signal: LinearSignal, width: Array, mass: float
) -> tuple[GradientMap, ...]:
    """d ln g_95/d ln B on pieces of each sight line, per kiloparsec."""
    by = elasticities(lambda s: expected_g(s, width), signal)
    # Slopes in the nuisances grow with the signal.
    by_response = by.response + jnp.sum(by.slopes, axis=1)
    maps, first = [], 0
    for probe, points in zip(data.probes, data.points, strict=True):
        last = first + points.data.shape[0]
        centre, response = _segments(probe, data)
        ratio = by_response[first:last] / signal.response[first:last]

        def total(ln_factor: Array, ratio: Array = ratio, response: Any = response) -> Array:
            return jnp.sum(ratio * response(ln_factor, jnp.asarray(mass)))

        value = np.asarray(jax.grad(total)(jnp.zeros(SEGMENTS))) / (centre[1] - centre[0])
        label = str(target_row(probe.target)["label"])
        maps.append(
            GradientMap(
                f"field_{probe.target}",
                f"field toward {label}: d ln g / d ln B per kpc",
                "distance from the Sun [kpc]",
                centre,
                value,
            )
        )
        first = last
    return tuple(maps)


def _tail_maps(
    data: AnalysisData, signal: LinearSignal, width: Array, present: dict[str, float]
) -> tuple[GradientMap, ...]:
    """Derivatives by exposures, errors of bins, and widths of priors."""
    by, by_width = elasticities(expected_g, signal, width)
    counts = [p.data.shape[0] for p in data.points]
    target = np.repeat(np.arange(len(counts)), counts)
    error = np.asarray(by.error)
    # An exposure moves all errors of its target by -1/2.
    exposure = np.array([-0.5 * error[target == t].sum() for t in range(len(counts))])
    energy = np.concatenate(
        [0.5 * np.asarray(p.grid.low_keV + p.grid.high_keV) for p in data.probes]
    )
    names = tuple(str(target_row(t)["label"]) for t in present)
    maps = [
        GradientMap(
            "exposure", "exposure: d ln g / d ln t", "", np.arange(len(names)), exposure, names
        )
    ]
    for k, probe in enumerate(data.probes):
        maps.append(
            GradientMap(
                f"background_{probe.target}",
                f"background of {names[k]}: d ln g / d ln (rate)",
                "energy [keV]",
                energy[target == k],
                0.5 * error[target == k],
            )
        )
    if data.bindings.size:
        labels = tuple(data.bindings.names)
        value = np.asarray(by_width)
        maps.append(
            GradientMap(
                "priors",
                "width of the prior: d ln g / d ln w",
                "",
                np.arange(value.size),
                value,
                labels,
            )
        )
    return tuple(maps)


def best_split(
    data: AnalysisData, signal: LinearSignal, width: Array, present: dict[str, float], total: float
) -> Split:
    """Shares of a total exposure among the targets with the least expected limit.

    Parameters
    ----------
    data : AnalysisData
        X-ray analysis.
    signal : LinearSignal
        At one mass, with the errors of the present exposures.
    width : float array, shape (k,)
        Widths of the priors.
    present : dict of str to float
        Exposures behind the errors, by target in the order of the probes [ks].
    total : float
        Exposure to be shared [ks].

    Returns
    -------
    Split
        Exposures [ks] and limit [GeV^-1].

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305 (targets).
    """
    counts = [p.data.shape[0] for p in data.points]
    target = jnp.asarray(np.repeat(np.arange(len(counts)), counts))
    now = jnp.asarray([*present.values()])

    def limit(exposure: Array, args: tuple[LinearSignal, Array]) -> Array:
        given, w = args
        error = exposed_errors(given.error, (exposure + 1e-6 * total)[target], now[target])
        return expected_g(eqx.tree_at(lambda s: s.error, given, error), w)

    return optimal_split(limit, total, len(counts), (signal, width), steps=300)


def forecast_xray(
    section: XraySection, m_a_eV: np.ndarray, reference_eV: float, report: Callable[[str], None]
) -> ForecastPart:
    """Expected limits of the published targets with other exposures.

    Parameters
    ----------
    section : XraySection
        Exposures [ks].
    m_a_eV : array, shape (n,)
        Masses [eV].
    reference_eV : float
        Mass of derivatives [eV].
    report : callable
        Told what is being done.

    Returns
    -------
    ForecastPart
        Limits [GeV^-1] and derivatives.

    Raises
    ------
    ConfigurationError
        If a target has no published spectrum.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Cowan et al. 2011, arXiv:1007.1727.
    """
    targets = tuple(section.exposures_ks)
    known = ("quintuplet", "wd1")
    for name in targets:
        if name not in known:
            raise ConfigurationError(
                f"forecast target {name!r} has no published spectrum: {nearest_names(name, known)}"
            )
    present = {t: float(target_row(t)["exposure_ks"]) for t in targets}
    masses = np.append(m_a_eV, reference_eV)
    report("signals and their slopes in the nuisances")
    _, data, z = xray_setup(targets, section.nuisances, float(masses.max()))
    response, slopes = linearise(data, z, jnp.asarray(masses))
    width = jnp.ones(data.bindings.size)
    scale = np.concatenate(
        [
            np.full(p.data.shape[0], (present[t] / section.exposures_ks[t]) ** 0.5)
            for p, t in zip(data.points, targets, strict=True)
        ]
    )

    def at(k: int, factor: np.ndarray) -> LinearSignal:
        signal = linear_signal(data, response[k], slopes[k])
        return eqx.tree_at(lambda s: s.error, signal, signal.error * factor)

    def curve(factor: np.ndarray) -> np.ndarray:
        return np.array([float(expected_g(at(k, factor), width)) for k in range(len(m_a_eV))])

    report("limits")
    limits, now = curve(scale), curve(np.ones_like(scale))
    here, today = at(-1, scale), at(-1, np.ones_like(scale))
    report("derivatives")
    maps = _tail_maps(data, here, width, present) + _field_maps(data, here, width, reference_eV)
    by_width = np.asarray(elasticities(lambda w: expected_g(here, w), width))
    impacts = _impacts(data, here, width, by_width)
    total = float(sum(section.exposures_ks.values()))
    split = best_split(data, today, width, present, total)
    g = float(expected_g(here, width))
    fixed = float(expected_g(eqx.tree_at(lambda s: s.slopes, here, here.slopes * 0.0), width))
    facts = {
        "reference_mass_eV": reference_eV,
        "g95_GeV": g,
        "g95_without_nuisances_GeV": fixed,
        "g95_present_exposures_GeV": float(expected_g(today, width)),
        "exposures_ks": dict(section.exposures_ks),
        "present_exposures_ks": present,
        "best_split_ks": dict(zip(targets, np.asarray(split.exposure).tolist(), strict=True)),
        "best_split_g95_GeV": float(split.limit),
        "data": "Asimov: no signal, errors of the published spectra scaled by exposure",
    }
    title = " + ".join(f"{target_row(t)['label']} {section.exposures_ks[t]:g} ks" for t in targets)
    return ForecastPart(
        "xray", f"NuSTAR: {title}", np.asarray(m_a_eV), limits, None, now, impacts, maps, facts,
        (
            "errors of the published spectra scale as exposure^(-1/2): background-limited",
            "priors that are uniform enter as standard normals of their quantiles",
            "signal and nuisances are linear about the fiducial point",
        ),
        REFERENCES,
    )  # fmt: skip


def _impacts(
    data: AnalysisData, signal: LinearSignal, width: Array, by_width: np.ndarray
) -> list[dict[str, Any]]:
    """Shift of ln g by one prior width of each nuisance, and broadening, by size."""

    def moved(step: Array) -> Array:
        # Slopes grow with the signal, as they do for factors.
        factor = 1.0 + safe_divide(signal.slopes @ step, signal.response)
        parts = (signal.response * factor, signal.slopes * factor[:, None])
        there = eqx.tree_at(lambda s: (s.response, s.slopes), signal, parts)
        return jnp.log(expected_g(there, width))

    shift = np.asarray(jax.grad(moved)(jnp.zeros(width.shape[0])))
    rows = [
        {"name": n, "shift": float(s), "broadening": float(b)}
        for n, s, b in zip(data.bindings.names, shift, by_width, strict=True)
    ]
    return sorted(rows, key=lambda r: -abs(r["shift"]) - abs(r["broadening"]))
