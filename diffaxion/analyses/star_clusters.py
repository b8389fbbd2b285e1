"""Recipes: the world, the data and the forward models of the X-ray search in star clusters."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..constants import G_REF_GEV
from ..conversion.absorption import photoelectric_cross_section_cm2
from ..conversion.axion import Axion
from ..conversion.born import born_probability
from ..conversion.cluster_shape import AnchoredShape
from ..data.flux_points import read_flux_points
from ..data.registry import load_table
from ..environments.galaxy.base import ElectronDensity
from ..environments.galaxy.catalogue import magnetic_field
from ..environments.galaxy.galaxy import Galaxy
from ..environments.galaxy.sampled import electron_density
from ..environments.galaxy.sightline import LinePath, uniform_fractions
from ..environments.galaxy.turbulent import jf12_turbulence, jf12b_turbulence
from ..environments.stars.clusters import Cluster, cluster, target_row
from ..errors import ConfigurationError, DataError
from ..likelihoods.gaussian import GaussianPoints, validate_points
from ..observables.world import World
from ..observables.xray.cluster_spectrum import ClusterSpectrum, PublishedShape
from ..observables.xray.response import bin_nodes_keV, default_instrument, fold_grid, validate_bins
from .cluster_ensembles import ensemble_cluster
from .config import Configuration, ModelSection

INSTRUMENT = "nustar"
# The published spectra are in bins of 5 keV.
HALF_WIDTH_KEV = 2.5
_TURBULENCE = {"jf12": jf12_turbulence, "jf12b": jf12b_turbulence}


class FluxSpectrum(eqx.Module):
    """Published or user spectrum of one target in the analysed bins.

    Attributes
    ----------
    target : str, static
        Key of the cluster.
    low_keV, high_keV : array, shape (n,)
        Bin edges [keV].
    points : GaussianPoints
        Rates and errors [1e-4 counts s^-1 keV^-1].
    curve : array, shape (n,)
        Published signal per unit a = (g/1e-12 GeV^-1)^4, same unit.
    """

    target: str = eqx.field(static=True)
    low_keV: np.ndarray
    high_keV: np.ndarray
    points: GaussianPoints
    curve: np.ndarray


def published_spectrum(target: str) -> FluxSpectrum:
    """The published NuSTAR spectrum of a target, masked bins left out.

    Parameters
    ----------
    target : str
        ``quintuplet`` (14 bins above 10 keV) or ``wd1`` (13 bins above 15 keV).

    Returns
    -------
    FluxSpectrum
        Columns of shape (n,) [keV, 1e-4 counts s^-1 keV^-1].

    Raises
    ------
    ConfigurationError
        If no spectrum of the target is published.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305 and its public data release.
    """
    row = target_row(target)
    if float(row["g_curve_GeV"]) <= 0.0:
        raise ConfigurationError(
            f"target {target!r} has no published spectrum (expected bands only); use quintuplet "
            "or wd1 for limits, or give data of your own"
        )
    table = load_table("nustar_spectra")
    keep = table["energy_keV"] > float(row["energy_min_keV"])
    energy = table["energy_keV"][keep]
    strength = (float(row["g_curve_GeV"]) / G_REF_GEV) ** 4
    data, sigma = (table[f"{target}_{c}"][keep] for c in ("flux", "error"))
    validate_points(data, sigma, source=f"bundled spectrum of {target}")
    return FluxSpectrum(
        target,
        energy - HALF_WIDTH_KEV,
        energy + HALF_WIDTH_KEV,
        GaussianPoints(data, sigma),
        table[f"{target}_axion"][keep] / strength,
    )


def user_spectrum(target: str, path: str, signal: str) -> FluxSpectrum:
    """Flux points of a user for a bundled target.

    Parameters
    ----------
    target : str
        Bundled target.
    path : str
        CSV file with bins [keV], rates and errors [1e-4 counts s^-1 keV^-1].
    signal : str
        Mode; ``published`` needs the bins of the published signal curve.

    Returns
    -------
    FluxSpectrum
        Columns of shape (n,).

    Raises
    ------
    DataError
        If the file is unusable, or its bins are not the published ones in mode ``published``.
    ConfigurationError
        If the target has no published spectrum.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305 (signal curve).
    """
    found, known = read_flux_points(path), published_spectrum(target)
    validate_bins(found.low_keV, found.high_keV, source=f"spectrum {path}")
    same = found.low_keV.shape == known.low_keV.shape and np.allclose(
        [found.low_keV, found.high_keV], [known.low_keV, known.high_keV]
    )
    if signal == "published" and not same:
        raise DataError(
            f"spectrum {path}: its bins are not the {known.low_keV.size} bins of 5 keV of the "
            f"published signal curve of {target} ({known.low_keV[0]:g}-{known.high_keV[-1]:g} "
            "keV); use --signal anchored"
        )
    curve = known.curve if same else np.zeros_like(found.flux)
    points = GaussianPoints(found.flux, found.error)
    return FluxSpectrum(target, found.low_keV, found.high_keV, points, curve)


def build_galaxy(model: ModelSection) -> Galaxy:
    """Galaxy of a configuration: field, density, turbulence and Sun.

    Parameters
    ----------
    model : ModelSection
        Names of the field, its inner kiloparsec, the density and the turbulence [muG, kpc].

    Returns
    -------
    Galaxy
        Pytree of models; leaves of shape () and (8,).

    Raises
    ------
    ConfigurationError
        On unknown names; the nearest known ones are listed.

    References
    ----------
    Those of the models; `diffaxion cite` prints them.
    """
    field = magnetic_field(model.field, model.inner, model.inner_b_z_muG, model.r_sun_kpc)
    density: ElectronDensity | dict[str, ElectronDensity]
    if model.density == "ne2001":
        density = {t: electron_density("ne2001", t) for t in model.targets}
    else:
        density = electron_density(model.density, "")
    turbulence = None if model.turbulence == "none" else _TURBULENCE[model.turbulence]()
    return Galaxy(field, density, jnp.asarray(model.r_sun_kpc), turbulence)


def build_world(model: ModelSection) -> World:
    """World of a configuration at its fiducial point, with m_a -> 0 and g = 1e-12 GeV^-1.

    Parameters
    ----------
    model : ModelSection
        Names and choices.

    Returns
    -------
    World
        Root tree.

    Raises
    ------
    ConfigurationError
        On unknown names.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305 (the default preset).
    """
    return World(
        Axion(1e-13, 1.0),
        build_galaxy(model),
        {t: _source(model, t) for t in model.targets},
        {INSTRUMENT: default_instrument()},
    )


def _source(model: ModelSection, target: str) -> Cluster:
    """Cluster of a target, with the spectrum of its stars in the mode ``ensemble``."""
    origin = model.clusters.get(target, target)
    drawn = model.signal == "ensemble"
    source = ensemble_cluster(origin, model.ensemble) if drawn else cluster(origin)
    if source.name != target:
        raise ConfigurationError(
            f"model.clusters: {target} = {origin!r}: the file describes {source.name!r}; use the "
            "same name"
        )
    return source


@eqx.filter_jit
def _bin_means(path: LinePath, energy_keV: jax.Array, weight: jax.Array) -> jax.Array:
    p = born_probability(path, energy_keV.ravel(), jnp.zeros(()))
    return p.reshape(energy_keV.shape) @ weight


def published_shape(
    spectrum: FluxSpectrum, energies_per_bin: int = 5, nodes: int = 2000
) -> PublishedShape:
    """Normalisation of the mode ``published``: the paper's preset at m_a -> 0.

    Parameters
    ----------
    spectrum : FluxSpectrum
        Curve and bins, shape (n,) [keV].
    energies_per_bin : int
        Those of the probe, so that it returns the published curve at the fiducial point.
    nodes : int
        Base nodes of the sight line.

    Returns
    -------
    PublishedShape
        Curve and fiducial bin means of p, shape (n,), distance [kpc].

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305: JF12 with B_z = 3.2 muG inside 1 kpc, YMW16.
    """
    world = build_world(ModelSection(targets=[spectrum.target]))
    curve, distance = jnp.asarray(spectrum.curve), world.clusters[spectrum.target].distance_kpc
    probe = ClusterSpectrum(
        spectrum.target,
        INSTRUMENT,
        fold_grid(spectrum.low_keV, spectrum.high_keV, energies_per_bin),
        uniform_fractions(nodes),
        PublishedShape(curve, jnp.ones_like(curve), distance),
        None,
        energies_per_bin,
    )
    energy, weight = bin_nodes_keV(probe.grid.low_keV, probe.grid.high_keV, probe.energy_nodes)
    mean = _bin_means(probe.prepare(world)["path"], energy, weight)
    return PublishedShape(curve, mean, distance)


def build_probe(
    spectrum: FluxSpectrum,
    world: World,
    signal: str,
    fractions: jax.Array,
    energies_per_bin: int,
) -> ClusterSpectrum:
    """Forward model of one spectrum.

    Parameters
    ----------
    spectrum : FluxSpectrum
        Bins and published curve, shape (n,) [keV].
    world : World
        Root tree, for the range of the effective area [keV].
    signal : str
        ``published``, ``anchored`` or ``ensemble``.
    fractions : float array, shape (k,)
        Base nodes of the sight line, in units of the distance.
    energies_per_bin : int
        Energies at which p is evaluated in each bin.

    Returns
    -------
    ClusterSpectrum
        Forward model with responses of shape (n,).

    Raises
    ------
    ConfigurationError
        If the mode is ``ensemble`` and the cluster has no spectrum of its own stars.
    ValidityError
        If a bin leaves the effective area (or the energies of the ensemble) in the modes
        ``anchored`` and ``ensemble``, or the photoelectric table where there is a hydrogen column.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    published, drawn = signal == "published", signal == "ensemble"
    area = np.asarray(world.instruments[INSTRUMENT].energy_keV)
    reach = (float(area[0]), float(area[-1]))
    own = world.clusters[spectrum.target].spectrum
    if drawn and own is None:
        raise ConfigurationError(
            f"signal 'ensemble': {spectrum.target} has no spectrum of its own stars; set "
            "model.signal = 'ensemble' before the world is built"
        )
    if drawn:
        reach = (max(reach[0], own.range_keV[0]), min(reach[1], own.range_keV[1]))
    validate_bins(spectrum.low_keV, spectrum.high_keV, None if published else reach)
    absorbed = bool(world.clusters[spectrum.target].column_1e22_cm2 > 0.0)
    if absorbed:
        # Inside compiled code energies outside the photoelectric table would be clamped.
        ends = jnp.array([spectrum.low_keV[0], spectrum.high_keV[-1]])
        photoelectric_cross_section_cm2(ends)
    return ClusterSpectrum(
        spectrum.target,
        INSTRUMENT,
        fold_grid(spectrum.low_keV, spectrum.high_keV, energies_per_bin),
        fractions,
        published_shape(spectrum, energies_per_bin) if published else None,
        AnchoredShape() if signal == "anchored" else None,
        energies_per_bin,
        absorbed,
        drawn,
    )


def check_shape(source: Cluster, signal: str) -> None:
    """Refuse a mode whose spectrum is zero: ``anchored`` is that of WC and WN stars.

    Parameters
    ----------
    source : Cluster
        Target.
    signal : str
        ``published``, ``anchored`` or ``ensemble``.

    Returns
    -------
    None
        Nothing; usable targets pass.

    Raises
    ------
    ConfigurationError
        If the target counts no such star.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    if signal == "anchored" and not np.any(np.asarray(source.class_counts) > 0.0):
        raise ConfigurationError(
            f"signal 'anchored': {source.name} counts no WC or WN star, whose spectrum gives the "
            "shape of the signal; add them to counts in [stars] of its description, or use "
            "--signal ensemble"
        )


def build_probes(
    world: World,
    configuration: Configuration,
    signal: str | None = None,
    spectra: list[FluxSpectrum] | None = None,
) -> tuple[list[ClusterSpectrum], list[FluxSpectrum]]:
    """Forward models and data of all targets of a configuration.

    Parameters
    ----------
    world : World
        Root tree.
    configuration : Configuration
        Settings.
    signal : str, optional
        Overrides the configured mode.
    spectra : list of FluxSpectrum, optional
        Data in place of the published spectra.

    Returns
    -------
    probes : list of ClusterSpectrum
        One per target; responses of shape (bins,).
    spectra : list of FluxSpectrum
        Data in the same order [keV, 1e-4 counts s^-1 keV^-1].

    Raises
    ------
    ConfigurationError
        If a target has no published spectrum, or counts no star of the classes that the mode
        ``anchored`` takes its shape from.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    spectra = spectra or [published_spectrum(t) for t in configuration.model.targets]
    numerics = configuration.numerics
    fractions = uniform_fractions(numerics.nodes)
    mode = signal or configuration.model.signal
    for spectrum in spectra:
        check_shape(world.clusters[spectrum.target], mode)
    probes = [build_probe(s, world, mode, fractions, numerics.energies_per_bin) for s in spectra]
    return probes, spectra
