"""From a choice of model and data to limits: bundled recast, toy variances, responses in bins."""

from __future__ import annotations

import functools
import warnings

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from ..data.bandpowers import read_bandpowers
from ..data.registry import load_table
from ..errors import DiffaxionWarning, unknown_name
from ..inference.limits import Q_95
from ..likelihoods.bandpower_covariance import DEPROJECTIONS
from ..likelihoods.recast import RecastLikelihood, recast_likelihood
from ..observables.cmb.bandpowers import BandpowerWindows, top_hat_windows
from .screening import screening_curve, screening_spectrum, screening_world
from .screening_checks import check_tables, resonant_masses
from .screening_config import ScreeningSection
from .screening_data import (
    ScreeningData,
    asimov_data,
    file_data,
    noise_data,
    parse_data_kind,
    recast_data,
)
from .screening_limits import ScreeningLimits, screening_limits

# With tSZ and CIB deprojected the forecast follows the published curve in its shape and, within 15
# per cent, in its height, although the published analysis deprojects dbeta as well.
FORECAST_DEPROJECTION = "tsz-cib"
# Weights of the recast: those of the published set of deprojected components.
RECAST_DEPROJECTION = "tsz-cib-dbeta"


def toy_covariance(deprojection: str = FORECAST_DEPROJECTION) -> np.ndarray:
    """Bundled toy covariance of the eleven default bandpowers; not a measurement.

    Parameters
    ----------
    deprojection : str
        Components removed from the map: none, tsz, tsz-cib or tsz-cib-dbeta.

    Returns
    -------
    array, shape (11, 11)
        Diagonal covariance [uK^2].

    Raises
    ------
    ConfigurationError
        If the deprojection is unknown.

    References
    ----------
    Knox 1995, astro-ph/9504054 (Gaussian variance); the table names its sky model.
    """
    if deprojection not in DEPROJECTIONS:
        raise unknown_name("deprojection", deprojection, DEPROJECTIONS)
    column = f"var_{deprojection.replace('-', '_')}"
    return np.diag(load_table("toy_bandpower_variance")[column])


@functools.lru_cache(maxsize=4)
def published_recast(deprojection: str = RECAST_DEPROJECTION) -> RecastLikelihood:
    """Recast of the published Planck x unWISE curve around the configuration ``parity``.

    Parameters
    ----------
    deprojection : str
        Toy variances that weight the bandpowers.

    Returns
    -------
    RecastLikelihood
        156 masses, 11 bandpowers [uK].

    Raises
    ------
    ConfigurationError
        If the deprojection is unknown.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 3 (curve).
    """
    table = load_table("screening_fiducial_bandpowers")
    rows = np.stack([table[f"cl_{b}"] for b in range(len(table.columns) - 1)], axis=1)
    return recast_likelihood(table["m_a_eV"], rows, np.diag(toy_covariance(deprojection)))


def screening_data(text: str = "recast", deprojection: str | None = None) -> ScreeningData:
    """Data of a kind: ``recast``, ``asimov``, ``noise:SEED`` or a file of bandpowers.

    Parameters
    ----------
    text : str
        The choice.
    deprojection : str, optional
        Toy variances; default those with dbeta for the recast's weights, without for forecasts.

    Returns
    -------
    ScreeningData
        With windows of b bandpowers [uK].

    Raises
    ------
    ConfigurationError
        If the choice is none of these.
    DataError
        If the file is unusable.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    kind, argument = parse_data_kind(text)
    if kind == "file":
        return file_data(read_bandpowers(str(argument)))
    windows = top_hat_windows()
    if kind == "recast":
        return recast_data(published_recast(deprojection or RECAST_DEPROJECTION), windows)
    covariance = toy_covariance(deprojection or FORECAST_DEPROJECTION)
    if kind == "noise":
        return noise_data(covariance, int(argument or 0), windows)
    return asimov_data(covariance, windows)


def bandpower_responses(
    section: ScreeningSection, windows: BandpowerWindows, m_a_eV: ArrayLike
) -> np.ndarray:
    """Bandpowers of C_l^Tg per unit u at many masses.

    Parameters
    ----------
    section : ScreeningSection
        Choices of the model.
    windows : BandpowerWindows
        b bins with their nodes in l.
    m_a_eV : array, shape (n,)
        Masses [eV].

    Returns
    -------
    array, shape (n, b)
        Negative bandpowers [uK]; zero rows where no halo resonates.

    Raises
    ------
    ConfigurationError
        On unknown names.
    DataError
        If a file of the user is unusable.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    return np.asarray(windows.from_nodes(jnp.asarray(node_spectra(section, windows, m_a_eV))))


def node_spectra(
    section: ScreeningSection, windows: BandpowerWindows, m_a_eV: ArrayLike
) -> np.ndarray:
    """C_l^Tg per unit u at the nodes of bandpower windows, at many masses.

    Parameters
    ----------
    section : ScreeningSection
        Choices of the model.
    windows : BandpowerWindows
        b bins with n nodes in l.
    m_a_eV : array, shape (k,)
        Masses [eV].

    Returns
    -------
    array, shape (k, n)
        Negative spectra [uK]; zero rows where no halo resonates.

    Raises
    ------
    ConfigurationError
        On unknown names.
    DataError
        If a file of the user is unusable.
    ValidityError
        If a table of the user does not cover the calculation.

    Warns
    -----
    DiffaxionWarning
        Once, if some masses resonate in no halo.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    world = screening_world(section)
    model = screening_spectrum(section, windows.node_ell)
    check_tables(section, world, np.asarray(windows.node_ell))
    masses = jnp.asarray(m_a_eV, float)
    spectra = np.asarray(screening_curve(model, world, model.prepare(world), masses))
    silent = np.asarray(masses)[~np.any(spectra != 0.0, axis=1)]
    if silent.size:
        low, high = resonant_masses(model, world)
        warnings.warn(
            f"{silent.size} of {masses.size} masses ({silent[0]:g} to {silent[-1]:g} eV) resonate "
            f"in no halo and have no limit: with these options masses between {low:.3g} and "
            f"{high:.3g} eV do",
            DiffaxionWarning,
            stacklevel=2,
        )
    return spectra


def run_screening_limits(
    section: ScreeningSection,
    data: ScreeningData,
    m_a_eV: ArrayLike,
    q_threshold: float = Q_95,
) -> ScreeningLimits:
    """Limits of a model on data over a grid of masses.

    Parameters
    ----------
    section : ScreeningSection
        Choices of the model; its frequency is replaced by that of the data.
    data : ScreeningData
        From :func:`screening_data`.
    m_a_eV : array, shape (n,)
        Increasing masses [eV].
    q_threshold : float
        q at the limit of the profile likelihood.

    Returns
    -------
    ScreeningLimits
        Bayesian limits for every prior and the profile limit, shape (n,) each [GeV^-1].

    Raises
    ------
    ValidityError
        If a mass is outside the recast curve.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    if data.recast is not None:
        data.recast.check_masses(m_a_eV)
    chosen = section.model_copy(update={"nu_GHz": data.nu_GHz})
    responses = bandpower_responses(chosen, data.windows or top_hat_windows(), m_a_eV)
    return screening_limits(m_a_eV, responses, data, q_threshold=q_threshold)
