"""Expected limits of CMB surveys crossed with galaxies, and what sets them.

Channels of a survey give the spectrum of a cleaned map (:mod:`diffaxion.sky`), with the galaxies'
spectrum and f_sky the errors of bandpowers, with the halo model's C_l^Tg the error of u and the
limit. Each step is differentiable: in the noise of every channel, the map's noise at every l, the
shot noise, f_sky, and the magnetic field at every radius of the halos.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..constants import ARCMIN_RAD, G_REF_GEV
from ..data.registry import load_table
from ..environments.halos import HaloField, HaloGrid, RedshiftDistribution
from ..errors import unknown_name
from ..inference.sensitivity import Z_95, elasticities
from ..likelihoods.bandpower_covariance import (
    UNWISE_BLUE_SHOT_NOISE_SR,
    gaussian_covariance,
    spectrum_at,
)
from ..likelihoods.recast import G95_PER_ROOT_SIGMA
from ..numerics import linear_interpolate, spline_curvature
from ..observables.cmb.bandpowers import BandpowerWindows, top_hat_windows
from ..observables.cmb.screening import ScreeningSpectrum
from ..observables.world import World
from ..sky import Channels, Foregrounds, check_map, map_spectrum, survey_channels
from .forecast import CmbSection, ForecastPart, GradientMap
from .screening import screening_curve, screening_spectrum, screening_terms, screening_world
from .screening_checks import check_tables
from .screening_config import screening_section

UNWISE = "unwise-blue"
_BIN = 150
_FIRST = 302
_Z_MAX = 3.0
_ARCMIN2_SR = ARCMIN_RAD**2
RADII = np.geomspace(0.1, 1.1, 13)
REFERENCES = ("arXiv:2409.10514", "arXiv:1006.5599", "arXiv:astro-ph/9504054")


def sample_names() -> list[str]:
    """Names of galaxy samples.

    Returns
    -------
    list of str
        ``unwise-blue`` and those of the bundled table (no unit).

    References
    ----------
    Krolewski et al. 2020, arXiv:1909.07412; the table names the others.
    """
    return [UNWISE, *sorted(str(n) for n in load_table("galaxy_samples")["name"])]


def sample_distribution(name: str) -> tuple[RedshiftDistribution | None, float, str]:
    """Redshift distribution and shot noise of a sample.

    Parameters
    ----------
    name : str
        One of :func:`sample_names`.

    Returns
    -------
    distribution : RedshiftDistribution or None
        dN/dz ~ z^a exp(-(z/z_0)^b), normalised; None for the table of unWISE Blue.
    shot_noise_sr : float
        1/density [sr].
    source : str
        Publication.

    Raises
    ------
    ConfigurationError
        If the sample is unknown; the nearest are listed.

    References
    ----------
    Smail et al. 1995 (the form); LSST DESC 2018, arXiv:1809.01669; arXiv:1910.09237.
    """
    if name == UNWISE:
        return None, UNWISE_BLUE_SHOT_NOISE_SR, "Krolewski et al. 2020, arXiv:1909.07412"
    if name not in sample_names():
        raise unknown_name("galaxy sample", name, sample_names())
    table = load_table("galaxy_samples")
    k = int(np.flatnonzero(table["name"] == name)[0])
    z = np.linspace(0.0, 5.0, 501)
    shape = z ** table["power"][k] * np.exp(-((z / table["z0"][k]) ** table["cut_off"][k]))
    dndz = shape / np.trapezoid(shape, z)
    curvature = jnp.asarray(spline_curvature(z, dndz))
    curve = RedshiftDistribution(jnp.asarray(z), jnp.asarray(dndz), curvature)
    return curve, _ARCMIN2_SR / float(table["density_arcmin2"][k]), str(table["origin"][k])


class RadialFactor(HaloField):
    """Another halo field times exp(f(ln x)), f linear between nodes and constant outside.

    Attributes
    ----------
    field : HaloField
        The other field.
    ln_x : float array, shape (n,)
        Nodes in ln(r/R200c).
    ln_factor : float array, shape (n,)
        ln of the factor there.
    """

    references: ClassVar[tuple[str, ...]] = ()
    field: HaloField
    ln_x: Float[Array, " n"]
    ln_factor: Float[Array, " n"]

    def __call__(self, grid: HaloGrid, x: Float[Array, "... n m"]) -> Float[Array, "... n m"]:
        """|B| [muG] at x = r/R200c."""
        at = jnp.log(jnp.maximum(x, jnp.exp(self.ln_x[0])))
        factor = jnp.exp(linear_interpolate(at, self.ln_x, self.ln_factor))
        return self.field(grid, x) * factor


class SurveyNoise(eqx.Module):
    """What sets the errors of bandpowers, besides the model of the signal.

    Attributes
    ----------
    channels : Channels
        Frequency channels.
    foregrounds : Foregrounds
        Emission to be cleaned.
    f_sky : float array, shape ()
        Sky fraction.
    shot_noise_sr : float array, shape ()
        Shot noise of the galaxies [sr].
    """

    channels: Channels
    foregrounds: Foregrounds
    f_sky: Float[Array, ""]
    shot_noise_sr: Float[Array, ""]


@eqx.filter_jit
def bandpower_variance(
    noise: SurveyNoise,
    windows: BandpowerWindows,
    cl_gg: Float[Array, " l"],
    deproject: tuple[str, ...],
    ln_map: Float[Array, " b"] | None = None,
) -> Float[Array, " b"]:
    """Variances of C_b^Tg of a survey without signal, disjoint bins.

    Parameters
    ----------
    noise : SurveyNoise
        Channels, sky fraction, shot noise.
    windows : BandpowerWindows
        b bins.
    cl_gg : float array, shape (l,)
        Galaxies without shot noise at ``windows.window_ell`` [sr].
    deproject : tuple of str
        Components without response in the map; static.
    ln_map : float array, shape (b,), optional
        ln of a factor on the map's spectrum in each bin.

    Returns
    -------
    float array, shape (b,)
        Variances [uK^2].

    References
    ----------
    Knox 1995, astro-ph/9504054.
    """
    cl_tt = map_spectrum(noise.channels, noise.foregrounds, windows.window_ell, deproject)
    if ln_map is not None:
        inside = (windows.window > 0.0).astype(float)
        cl_tt = cl_tt * jnp.exp(ln_map @ inside)
    covariance = gaussian_covariance(
        windows, cl_tt, cl_gg, noise.f_sky, shot_noise=noise.shot_noise_sr
    )
    return jnp.diagonal(covariance)


def sigma_u(bandpowers: Float[Array, "... b"], variance: Float[Array, " b"]) -> Array:
    """Error of u = (g/1e-12 GeV^-1)^2, [sum_b C_b^2/var_b]^(-1/2).

    Parameters
    ----------
    bandpowers : float array, shape (..., b)
        C_b^Tg per unit u [uK].
    variance : float array, shape (b,)
        Variances [uK^2].

    Returns
    -------
    float array, shape (...)
        sigma(u); infinite without signal.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    information = jnp.sum(bandpowers**2 / variance, axis=-1)
    some = information > 0.0
    return jnp.where(some, jax.lax.rsqrt(jnp.where(some, information, 1.0)), jnp.inf)


def survey_windows(ell_max: int) -> BandpowerWindows:
    """Bins of 150 from l = 302 on, up to ``ell_max``: those of the published analysis, and more.

    Parameters
    ----------
    ell_max : int
        Last multipole, at least 451.

    Returns
    -------
    BandpowerWindows
        b bins.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514; the edges are inferred.
    """
    low = np.arange(_FIRST, ell_max - _BIN + 2, _BIN).astype(float)
    return top_hat_windows(low, low + _BIN - 1)


def _model(section: CmbSection, windows: BandpowerWindows) -> tuple[ScreeningSpectrum, World]:
    distribution, _, _ = sample_distribution(section.galaxies)
    chosen: dict[str, Any] = {"n_z": section.n_z, "n_mass": section.n_mass}
    if distribution is not None:
        given = screening_section(section.configuration)
        chosen["z_range"] = (given.z_range[0], _Z_MAX)
    options = screening_section(section.configuration, **chosen)
    world = screening_world(options)
    if distribution is not None:
        world = eqx.tree_at(lambda w: w.halos.galaxies, world, distribution)
    model = screening_spectrum(options, windows.node_ell)
    check_tables(options, world, np.asarray(windows.node_ell))
    return model, world


@eqx.filter_jit
def _radial(
    model: ScreeningSpectrum, world: World, cache: dict, ln_x: Array, weights: Array
) -> Float[Array, " n"]:
    """sum_l weights dC_l/d ln B at every node, one forward pass after the other."""
    inner = world.halos.field
    assert inner is not None

    def weighted(ln_factor: Array) -> Array:
        field = RadialFactor(inner, ln_x, ln_factor)
        moved = eqx.tree_at(lambda w: w.halos.field, world, field)
        return weights @ model.response(moved, cache)

    zero = jnp.zeros_like(ln_x)
    return jax.lax.map(lambda t: jax.jvp(weighted, (zero,), (t,))[1], jnp.eye(ln_x.shape[0]))


def _maps(
    section: CmbSection, noise: SurveyNoise, windows: BandpowerWindows, gg: Array, bands: Array
) -> tuple[tuple[GradientMap, ...], dict[str, float]]:
    """Derivatives of ln g_95 by noise, sky fraction and shot noise."""
    deproject = tuple(section.deproject)

    def g(noise: SurveyNoise, factor: Array) -> Array:
        variance = bandpower_variance(noise, windows, gg, deproject, jnp.log(factor))
        return jnp.sqrt(sigma_u(bands, variance))

    by, by_map = elasticities(eqx.filter_jit(g), noise, jnp.ones(windows.ell_lo.shape[0]))
    names = tuple(f"{f:g} GHz" for f in np.asarray(noise.channels.freq_GHz))
    channels = np.asarray(by.channels.white_uK_arcmin)
    centre = 0.5 * np.asarray(windows.ell_lo + windows.ell_hi)
    maps = (
        GradientMap(
            "channels",
            "noise of each channel: d ln g / d ln w",
            "",
            np.arange(len(names)),
            channels,
            names,
        ),
        GradientMap(
            "map_noise",
            "noise of the map in each bin: d ln g / d ln N",
            "multipole",
            centre,
            np.asarray(by_map),
        ),
    )
    return maps, {
        "dlng_dlnfsky": float(by.f_sky),
        "dlng_dlnshotnoise": float(by.shot_noise_sr),
        "dlng_dlncib_decorrelation": float(by.foregrounds.cib_decorrelation),
    }


def forecast_cmb(
    section: CmbSection, m_a_eV: np.ndarray, reference_eV: float, report: Callable[[str], None]
) -> ForecastPart:
    """Expected limits of a survey crossed with a galaxy sample.

    Parameters
    ----------
    section : CmbSection
        Survey, cleaning, sample and model.
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
        On unknown surveys, components or samples; the nearest are listed.
    ValidityError
        If the channels cannot make such a map, or a table does not cover the calculation.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514; Knox 1995, astro-ph/9504054.
    """
    channels = survey_channels(*section.surveys, white_scale=section.noise_scale)
    _, shot, origin = sample_distribution(section.galaxies)
    windows = survey_windows(section.ell_max)
    ell = windows.window_ell
    deproject = tuple(section.deproject)
    noise = SurveyNoise(channels, Foregrounds(), jnp.asarray(section.f_sky), jnp.asarray(shot))
    for name in deproject:
        noise.foregrounds.response(name, channels.freq_GHz)
    check_map(channels, np.asarray(ell), deproject)
    report("halo model")
    model, world = _model(section, windows)
    cache = model.prepare(world)
    one, two = screening_terms(model, world, cache, "gg")
    gg = spectrum_at(ell, windows.node_ell, one + two)
    masses = np.append(m_a_eV, reference_eV)
    spectra = screening_curve(model, world, cache, jnp.asarray(masses))
    bands = windows.from_nodes(spectra)
    report("noise of the map")
    variance = bandpower_variance(noise, windows, gg, deproject)
    sigma = np.asarray(sigma_u(bands, variance))
    profile = G_REF_GEV * np.sqrt(Z_95 * sigma)
    bayes = G_REF_GEV * G95_PER_ROOT_SIGMA * np.sqrt(sigma)
    report("derivatives")
    maps: tuple[GradientMap, ...] = ()
    facts: dict = {
        "reference_mass_eV": reference_eV,
        "g95_GeV": float(profile[-1]),
        "g95_bayes_uniform_g_GeV": float(bayes[-1]),
        "surveys": {
            n: str(load_table(f"survey_{n.replace('-', '_')}").meta["source"])
            for n in section.surveys
        },
        "galaxies": {section.galaxies: origin},
        "shot_noise_sr": shot,
        "f_sky": section.f_sky,
        "ell": [float(windows.ell_lo[0]), float(windows.ell_hi[-1])],
        "deproject": list(deproject),
        "map_noise_uK2": _table(windows, noise, deproject),
        "data": "Asimov: no signal; derived from survey specifications and a toy sky",
    }
    if np.isfinite(sigma[-1]):
        maps, numbers = _maps(section, noise, windows, gg, bands[-1])
        maps = (*maps, _radial_map(model, world, cache, windows, bands[-1], variance, reference_eV))
        facts |= numbers
    label = " + ".join(
        str(load_table(f"survey_{n.replace('-', '_')}").meta["label"]) for n in section.surveys
    )
    caveats = (
        "foregrounds are a toy of power laws; no residual correlated with the galaxies",
        "no nuisance parameters: halo model at its fiducial point",
        *(
            ()
            if section.galaxies == UNWISE
            else ("the galaxies occupy halos as those of unWISE Blue do: an assumption",)
        ),
    )
    return ForecastPart(
        "cmb", f"{label} x {section.galaxies}", np.asarray(m_a_eV), profile[:-1], bayes[:-1], None,
        [], maps, facts, caveats, REFERENCES,
    )  # fmt: skip


def _table(windows: BandpowerWindows, noise: SurveyNoise, deproject: tuple[str, ...]) -> dict:
    """Spectrum of the map at the centres of the bins [uK^2]."""
    full = map_spectrum(noise.channels, noise.foregrounds, windows.window_ell, deproject)
    binned = np.asarray(windows.from_all(full))
    centre = 0.5 * np.asarray(windows.ell_lo + windows.ell_hi)
    return {"ell": centre.tolist(), "cl": binned.tolist()}


def _radial_map(
    model: ScreeningSpectrum,
    world: World,
    cache: dict,
    windows: BandpowerWindows,
    bands: ArrayLike,
    variance: Array,
    mass: float,
) -> GradientMap:
    """d ln g_95/d ln B per unit ln r, at radii of the halos."""
    b = jnp.asarray(bands)
    information = jnp.sum(b**2 / variance)
    # ln g = -(1/4) ln sum C_b^2/var_b.
    weights = (-0.5 * b / variance / information) @ windows.matrix
    here = eqx.tree_at(lambda w: w.axion.m_a_eV, world, jnp.asarray(mass))
    ln_x = np.log(RADII)
    value = np.asarray(_radial(model, here, cache, jnp.asarray(ln_x), weights))
    # Hat functions: end nodes have half the width of the others.
    width = np.gradient(ln_x)
    width[[0, -1]] *= 0.5
    return GradientMap(
        "field_halos",
        "field of halos: d ln g / d ln B per unit ln r",
        "r / R200c",
        RADII,
        value / width,
        log_axis=True,
    )
