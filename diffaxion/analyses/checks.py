"""Checks of a configuration and of spectra before anything is computed or written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..errors import ConfigurationError
from ..observables.world import World
from ..observables.xray.cluster_spectrum import ClusterSpectrum, PublishedShape
from ..observables.xray.response import fold_grid, validate_bins
from ..parameters.bind import Bindings
from .analysis import MASS, STRENGTH, refuse_idle
from .config import Configuration
from .star_clusters import INSTRUMENT, FluxSpectrum


def analysis_priors(configuration: Configuration, with_axion: bool = True) -> dict[str, Any]:
    """Priors of an analysis by dotted path: the configured ones, and those of the axion.

    Parameters
    ----------
    configuration : Configuration
        Settings; its priors bind paths of the world.
    with_axion : bool
        Whether coupling and mass are among them, u uniform and the mass log-uniform or fixed
        [eV].

    Returns
    -------
    dict of str to mapping or float
        What :func:`~diffaxion.parameters.parse_prior` accepts, by path.

    Raises
    ------
    ConfigurationError
        If a configured prior names ``axion.u`` or ``axion.m_a_eV``, which have their own
        sections.

    References
    ----------
    None: assembly.
    """
    for path, section in ((STRENGTH, "coupling"), (MASS, "mass")):
        if path in configuration.priors:
            raise ConfigurationError(f"priors: {path!r} has its own section [{section}]; remove it")
    priors: dict[str, Any] = dict(configuration.priors)
    if not with_axion:
        return priors
    priors[STRENGTH] = {"dist": "uniform", "low": 0.0, "high": configuration.coupling.u_max}
    low, high = configuration.mass.prior_eV
    fixed = configuration.mass.fixed_eV
    priors[MASS] = {"dist": "log_uniform", "low": low, "high": high} if fixed is None else fixed
    return priors


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
    top = mass.prior_eV[1] if mass.fixed_eV is None else mass.fixed_eV
    if top > numerics.field_structure_above_eV:
        raise ConfigurationError(
            f"mass.{'prior_eV' if mass.fixed_eV is None else 'fixed_eV'} reaches {top:g} eV: above "
            f"numerics.field_structure_above_eV = {numerics.field_structure_above_eV:g} eV "
            "edges of the field model would set the posterior; `diffaxion limit xray` covers such "
            "masses with smoothed edges"
        )
    if sorted(set(numerics.smoothing_kpc)) != list(numerics.smoothing_kpc):
        raise ConfigurationError(
            f"numerics.smoothing_kpc = {list(numerics.smoothing_kpc)}: expected three increasing "
            "widths [kpc]"
        )
    bindings = Bindings(analysis_priors(configuration, with_axion=False))
    bindings.check(world)
    outlines = [_outline(s, configuration.model.signal) for s in spectra]
    refuse_idle(outlines, (*bindings.names, *bindings.tied_paths))


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
