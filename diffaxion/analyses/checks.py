"""Checks of a configuration and of spectra before anything is computed or written."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from ..data.bandpowers import read_bandpowers
from ..data.registry import load_table
from ..errors import ConfigurationError, ValidityError
from ..observables.world import World
from ..observables.xray.cluster_spectrum import ClusterSpectrum, PublishedShape
from ..observables.xray.response import fold_grid, validate_bins
from ..parameters.bind import Bindings
from ..parameters.paths import get_path
from .analysis import refuse_idle
from .config import Configuration
from .configured import axion_priors, configured_bindings
from .screening_data import parse_data_kind
from .star_clusters import INSTRUMENT, FluxSpectrum


def check_priors(
    world: World, configuration: Configuration, spectra: Sequence[FluxSpectrum]
) -> None:
    """Refuse priors that do not fit the world or the data, and mass grids that are none.

    Parameters
    ----------
    world : World
        Root tree at its fiducial point.
    configuration : Configuration
        Settings [eV].
    spectra : sequence of FluxSpectrum
        Data, shape (n,) each [keV].

    Returns
    -------
    None
        Nothing; a usable configuration passes.

    Raises
    ------
    ConfigurationError
        If a path is unknown (the nearest are listed), a number of a prior is wrong, a fiducial
        value lies outside its prior, a free path has no effect on the signal, a range of
        masses is not 0 < low < high, or a kind of CMB data is unknown.
    DataError
        If a file of bandpowers cannot be read.
    ValidityError
        If a prior reaches numbers that mean nothing, such as a negative distance, or nothing but
        the recast takes part and the masses lie outside its curve.

    References
    ----------
    None: a validation.
    """
    mass, numerics = configuration.mass, configuration.numerics
    for name, single in (("prior_eV", False), ("grid_eV", mass.grid_points == 1)):
        low, high = getattr(mass, name)
        if not (0.0 < low < high < np.inf or (single and 0.0 < low == high)):
            raise ConfigurationError(
                f"mass.{name} = [{low:g}, {high:g}]: expected 0 < low < high [eV]"
            )
    name, top = max((("prior_eV", mass.prior_eV[1]), ("fixed_eV", mass.fixed_eV)), key=_second)
    if configuration.likelihoods.xray and top > numerics.field_structure_above_eV:
        raise ConfigurationError(
            f"mass.{name} reaches {top:g} eV: above "
            f"numerics.field_structure_above_eV = {numerics.field_structure_above_eV:g} eV "
            "edges of the field model would set the posterior; `diffaxion limit xray` covers such "
            "masses with smoothed edges"
        )
    if sorted(set(numerics.smoothing_kpc)) != list(numerics.smoothing_kpc):
        raise ConfigurationError(
            f"numerics.smoothing_kpc = {list(numerics.smoothing_kpc)}: expected three increasing "
            "widths [kpc]"
        )
    # An infinite or absurd end of the coupling is refused by its own prior.
    Bindings(axion_priors(configuration, True))
    _check_cmb(configuration)
    bindings = configured_bindings(configuration, world)
    bindings.check(world)
    check_physical(world, bindings)
    outlines = [_outline(s, configuration.model.signal) for s in spectra]
    refuse_idle(outlines, (*bindings.names, *bindings.tied_paths))


def _check_cmb(configuration: Configuration) -> None:
    """Refuse unknown kinds of CMB data, unreadable files, and masses that no data reach."""
    likelihoods, mass = configuration.likelihoods, configuration.mass
    if likelihoods.cmb == "none":
        return
    try:
        kind, argument = parse_data_kind(likelihoods.cmb)
    except ConfigurationError as error:
        raise ConfigurationError(f"likelihoods.cmb: {error}, or 'none'") from None
    if kind == "file":
        read_bandpowers(str(argument))
    if kind != "recast" or likelihoods.xray:
        return
    known = load_table("limits_planck_unwise")["m_a_eV"]
    low, high = float(known.min()), float(known.max())
    asked = {}
    if "fixed" in mass.posteriors:
        asked["fixed_eV"] = (mass.fixed_eV, mass.fixed_eV)
    if "sampled" in mass.posteriors:
        asked["prior_eV"] = mass.prior_eV
    for name, (start, end) in asked.items():
        if end < low or start > high:
            raise ValidityError(
                f"mass.{name} = {getattr(mass, name)} eV lies outside the published curve, "
                f"{low:.4g} to {high:.4g} eV, which is not extrapolated: without X rays nothing "
                "constrains the coupling there"
            )


# Ends of leaf names, and whether zero is allowed as well as positive numbers.
_PHYSICAL = {"distance_kpc": False, "_cm3": True, "_cm2": True}
_SIGMAS = 5.0


def check_physical(world: World, bindings: Bindings) -> None:
    """Refuse distances, densities and columns that are negative within five sigma of a prior.

    Parameters
    ----------
    world : World
        Root tree at its fiducial point.
    bindings : Bindings
        Priors, fixed values and ties; distances [kpc] > 0, densities [cm^-3] and columns >= 0.

    Returns
    -------
    None
        Nothing; physical priors pass.

    Raises
    ------
    ValidityError
        Naming the path, the value and how it comes about.

    References
    ----------
    None: a validation.
    """
    ends = [bindings.apply(world, jnp.full(bindings.size, z)) for z in (-_SIGMAS, 0.0, _SIGMAS)]
    rows = {row.path: row.prior for row in bindings.explain()}
    for path, prior in rows.items():
        leaf = path.rsplit(".", 1)[-1].split("[", 1)[0]
        allowed = [zero for end, zero in _PHYSICAL.items() if leaf.endswith(end)]
        if not allowed:
            continue
        worst = min(float(get_path(end, path)) for end in ends)
        if worst < 0.0 or (worst == 0.0 and not allowed[0]):
            wanted = ">= 0" if allowed[0] else "> 0"
            raise ValidityError(
                f"{path}, {prior}, reaches {worst:.4g} within {_SIGMAS:g} sigma: expected "
                f"{wanted}; bound the prior, for instance by one that is uniform or lognormal"
            )


def _second(pair: tuple[str, float]) -> float:
    return pair[1]


def _outline(spectrum: FluxSpectrum, signal: str) -> ClusterSpectrum:
    """A forward model that knows what it depends on, without the cost of a real one."""
    curve = jnp.asarray(spectrum.curve)
    shape = PublishedShape(curve, jnp.ones_like(curve), jnp.ones(()))
    grid = fold_grid(spectrum.low_keV, spectrum.high_keV, 1)
    chosen = shape if signal == "published" else None
    drawn = signal == "ensemble"
    return ClusterSpectrum(
        spectrum.target, INSTRUMENT, grid, jnp.zeros(2), chosen, None, ensemble=drawn
    )


def check_spectra(world: World, spectra: Sequence[FluxSpectrum], signal: str) -> None:
    """Refuse spectra whose bins the forward model cannot predict.

    Parameters
    ----------
    world : World
        Root tree, for the range of the effective area [keV].
    spectra : sequence of FluxSpectrum
        Data, shape (n,) each [keV].
    signal : str
        ``published``, ``anchored`` or ``ensemble``; the first needs no effective area.

    Returns
    -------
    None
        Nothing; usable bins pass.

    Raises
    ------
    ConfigurationError
        If there is no spectrum, or two of the same target.
    DataError
        If bins overlap or are unsorted.
    ValidityError
        If a bin leaves the effective area.

    References
    ----------
    None: a validation.
    """
    targets = [s.target for s in spectra]
    if not targets or len(set(targets)) != len(targets):
        raise ConfigurationError(f"model.targets = {targets}: expected one or more different names")
    area = np.asarray(world.instruments[INSTRUMENT].energy_keV)
    reach = None if signal == "published" else (float(area[0]), float(area[-1]))
    for spectrum in spectra:
        source = f"spectrum of {spectrum.target}"
        validate_bins(spectrum.low_keV, spectrum.high_keV, reach, source)
