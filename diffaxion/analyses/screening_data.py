"""Data of a screening analysis: bandpowers of a file, Asimov data, simulated noise, the recast.

Only a file may hold a measurement; every kind says in its label what it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from ..data.bandpowers import Bandpowers
from ..errors import ConfigurationError, unknown_name
from ..likelihoods.gaussian import GaussianPoints
from ..likelihoods.recast import RECAST_ASSUMPTIONS, RecastLikelihood
from ..likelihoods.residuals import ResidualTemplates
from ..observables.cmb.bandpowers import BandpowerWindows, windows_of


@dataclass(frozen=True)
class ScreeningData:
    """Data of one kind, ready for limits.

    Attributes
    ----------
    kind : str
        ``recast``, ``asimov``, ``noise`` or ``file``.
    label : str
        One sentence that says what the data are; to be repeated in every product.
    points : GaussianPoints
        b bandpowers [uK] with their covariance; for the recast one point of 0 +- 1.
    windows : BandpowerWindows or None
        Windows with which the theory is binned.
    nu_GHz : float
        Frequency at which the bandpowers are normalised [GHz].
    seed : int or None
        Seed of a noise realisation.
    recast : RecastLikelihood or None
        The published curve, for the kind ``recast``.
    caveats : tuple of str
        Assumptions to be printed with the result.
    residuals : ResidualTemplates or None
        Residual foregrounds of the bandpowers, with the priors of their amplitudes.
    """

    kind: str
    label: str
    points: GaussianPoints
    windows: BandpowerWindows | None = None
    nu_GHz: float = 353.0
    seed: int | None = None
    recast: RecastLikelihood | None = None
    caveats: tuple[str, ...] = ()
    residuals: ResidualTemplates | None = None

    @property
    def marginalised(self) -> GaussianPoints:
        """The points with the amplitudes of residual foregrounds marginalised."""
        return self.points if self.residuals is None else self.residuals.marginalise(self.points)


def file_data(bandpowers: Bandpowers) -> ScreeningData:
    """Bandpowers read from a file; a file that says it holds no measurement is labelled so.

    Parameters
    ----------
    bandpowers : Bandpowers
        b bins [uK].

    Returns
    -------
    ScreeningData
        Kind ``file``, with windows, beam and residual foregrounds of the file.

    Raises
    ------
    DataError
        If the covariance cannot be factorised.

    References
    ----------
    Goldstein et al. 2024 (arXiv:2409.10514).
    """
    nature, names = bandpowers.nature, bandpowers.residual_names
    residuals = None
    if names:
        templates, sigma = jnp.asarray(bandpowers.residual_uK), bandpowers.residual_sigma
        residuals = ResidualTemplates(templates, jnp.asarray(sigma), names)
    return ScreeningData(
        "file",
        f"bandpowers of {bandpowers.source}" + (f" ({nature})" if nature else ""),
        GaussianPoints.from_covariance(bandpowers.cl_Tg_uK, bandpowers.cov_uK2),
        windows_of(bandpowers),
        bandpowers.nu_GHz,
        residuals=residuals,
    )


def asimov_data(covariance: ArrayLike, windows: BandpowerWindows | None = None) -> ScreeningData:
    """Data without signal and without scatter.

    Parameters
    ----------
    covariance : array, shape (b, b)
        Covariance of the bandpowers [uK^2].
    windows : BandpowerWindows, optional
        Windows of the bandpowers.

    Returns
    -------
    ScreeningData
        Kind ``asimov``, b zeros.

    Raises
    ------
    DataError
        If the covariance is unusable.

    References
    ----------
    Cowan et al. 2011 (arXiv:1007.1727).
    """
    return ScreeningData(
        "asimov",
        "Asimov data (zero): an expectation, not a measurement",
        GaussianPoints.from_covariance(np.zeros(len(np.asarray(covariance))), covariance),
        windows,
    )


def noise_data(
    covariance: ArrayLike, seed: int, windows: BandpowerWindows | None = None
) -> ScreeningData:
    """A simulated measurement without signal: noise with the given covariance.

    Parameters
    ----------
    covariance : array, shape (b, b)
        Covariance of the bandpowers [uK^2].
    seed : int
        Seed of the noise.
    windows : BandpowerWindows, optional
        Windows of the bandpowers.

    Returns
    -------
    ScreeningData
        Kind ``noise``.

    Raises
    ------
    DataError
        If the covariance is unusable.

    References
    ----------
    None: random numbers.
    """
    empty = asimov_data(covariance, windows).points
    noise = empty.sample(jax.random.key(seed), jnp.zeros_like(empty.data))
    return ScreeningData(
        "noise",
        f"simulated noise, seed {seed}: not a measurement",
        empty.with_data(noise),
        windows,
        seed=seed,
    )


def recast_data(recast: RecastLikelihood, windows: BandpowerWindows | None = None) -> ScreeningData:
    """The published limit curve as data.

    Parameters
    ----------
    recast : RecastLikelihood
        The curve with its fiducial bandpowers.
    windows : BandpowerWindows, optional
        Windows of those bandpowers.

    Returns
    -------
    ScreeningData
        Kind ``recast``, with the assumptions of the recast as caveats.

    References
    ----------
    Goldstein et al. 2024 (arXiv:2409.10514).
    """
    return ScreeningData(
        "recast",
        "recast of the published Planck x unWISE limit curve, not its bandpowers",
        recast.points,
        windows,
        recast=recast,
        caveats=RECAST_ASSUMPTIONS,
    )


def parse_data_kind(text: str) -> tuple[str, int | str | None]:
    """Read ``recast``, ``asimov``, ``noise:SEED`` or ``file:PATH`` (also a bare ``*.npz``).

    Parameters
    ----------
    text : str
        The choice as written by the user.

    Returns
    -------
    kind : str
        recast, asimov, noise or file.
    argument : int, str or None
        Seed or path.

    Raises
    ------
    ConfigurationError
        If the text is none of these.

    References
    ----------
    None: an option.
    """
    kind, colon, argument = text.strip().partition(":")
    if text.strip().endswith(".npz"):
        return "file", argument if kind == "file" and colon else text.strip()
    if kind not in ("recast", "asimov", "noise", "file"):
        raise unknown_name("kind of screening data", kind, ("recast", "asimov", "noise", "file"))
    if kind in ("recast", "asimov"):
        if colon:
            raise ConfigurationError(f"screening data {text!r}: {kind} takes no argument")
        return kind, None
    if kind == "file":
        if not argument:
            raise ConfigurationError(f"screening data {text!r}: expected file:PATH")
        return kind, argument
    if not argument.isdecimal():
        raise ConfigurationError(
            f"screening data {text!r}: expected noise:SEED with a whole number SEED >= 0"
        )
    return kind, int(argument)
