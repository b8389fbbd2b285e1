"""Checks of a configuration and of spectra before anything is computed or written."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from ..errors import ConfigurationError
from ..observables.world import World
from ..observables.xray.cluster_spectrum import ClusterSpectrum, PublishedShape
from ..observables.xray.response import fold_grid, validate_bins
from .analysis import refuse_idle
from .config import Configuration
from .configured import configured_bindings
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
        value lies outside its prior, a free path has no effect on the signal, or a range of
        masses is not 0 < low < high.

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
    bindings = configured_bindings(configuration, world)
    bindings.check(world)
    outlines = [_outline(s, configuration.model.signal) for s in spectra]
    refuse_idle(outlines, (*bindings.names, *bindings.tied_paths))


def _second(pair: tuple[str, float]) -> float:
    return pair[1]


def _outline(spectrum: FluxSpectrum, signal: str) -> ClusterSpectrum:
    """A forward model that knows what it depends on, without the cost of a real one."""
    curve = jnp.asarray(spectrum.curve)
    shape = PublishedShape(curve, jnp.ones_like(curve), jnp.ones(()))
    grid = fold_grid(spectrum.low_keV, spectrum.high_keV, 1)
    chosen = shape if signal == "published" else None
    return ClusterSpectrum(spectrum.target, INSTRUMENT, grid, jnp.zeros(2), chosen, None)


def check_spectra(world: World, spectra: Sequence[FluxSpectrum], signal: str) -> None:
    """Refuse spectra whose bins the forward model cannot predict.

    Parameters
    ----------
    world : World
        Root tree, for the range of the effective area [keV].
    spectra : sequence of FluxSpectrum
        Data, shape (n,) each [keV].
    signal : str
        ``published`` or ``anchored``; only the latter needs the effective area.

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
    reach = (float(area[0]), float(area[-1])) if signal == "anchored" else None
    for spectrum in spectra:
        source = f"spectrum of {spectrum.target}"
        validate_bins(spectrum.low_keV, spectrum.high_keV, reach, source)
