"""Residual templates: what frozen weights leave of a CIB whose spectrum is another one.

The weights are fixed at the fiducial spectra. A component c whose true responses are a_c leaves at
needlet scale j the share r_j = sum_i w_i a_ci, a mean over the masks of the measurement, and adds

    R_b = sum_l F_bl B_l [sum_j h_j(l)^2 r_j] C_l^gc

to the bandpowers. C^gc at 353 GHz is configured, or measured with one channel: a power law in l of
given slope fitted to its cross-spectrum with the galaxies, over the channel's response to the CIB;
where that is not detected, twice its error stands in, so that the template is rather too large
than too small. The data vector does not move when the spectrum does: the templates carry
amplitudes of their own into the likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..constants import K_PER_UK
from ..errors import ConfigurationError
from ..observables.cmb.bandpowers import gaussian_beam
from ..sky.cross_measurement import CrossMeasurement
from ..sky.nilc_result import CleanedMap
from ..sky.transforms import resize_alm
from .maps_clean import CleanedSky, Cleaner, response_key
from .maps_config import MapsConfiguration
from .maps_measure import Measurer
from .maps_prepare import PreparedMaps
from .maps_sections import AlternativeCIB

_PIVOT = 100.0
_DETECTED = 2.0


@dataclass(frozen=True)
class CrossPower:
    """Cross-spectrum of the CIB with the galaxies, a power law.

    Attributes
    ----------
    amplitude_uK : float
        C_l at the pivot, at 353 GHz [uK].
    slope : float
        Exponent of l.
    pivot : float
        Multipole of the amplitude.
    error_uK : float
        Error of the amplitude, 0 where it was given [uK].
    origin : str
        Where it comes from.
    """

    amplitude_uK: float
    slope: float
    pivot: float
    error_uK: float
    origin: str

    def at(self, ell: np.ndarray) -> np.ndarray:
        """C_l [uK] at multipoles; 0 below l = 2."""
        l = np.maximum(np.asarray(ell, float), 1.0)
        return np.where(ell >= 2, self.amplitude_uK * (l / self.pivot) ** self.slope, 0.0)


@dataclass(frozen=True)
class ResidualBandpowers:
    """Templates of a measurement.

    Attributes
    ----------
    names : tuple of str
        One for each alternative spectrum.
    values_uK : array, shape (k, b)
        Bandpowers per unit amplitude, all bins [uK].
    sigma : array, shape (k,)
        Widths of the priors of the amplitudes.
    shares : array, shape (k, J)
        r_j of every alternative and scale.
    cross : CrossPower
        Cross-spectrum behind them.
    """

    names: tuple[str, ...]
    values_uK: np.ndarray
    sigma: np.ndarray
    shares: np.ndarray
    cross: CrossPower


def alternatives_of(settings: MapsConfiguration, cleaner: Cleaner) -> dict[str, AlternativeCIB]:
    """Spectra of the CIB whose residuals are wanted.

    Parameters
    ----------
    settings : MapsConfiguration
        Settings.
    cleaner : Cleaner
        Knows the spectrum that the cleaning assumes.

    Returns
    -------
    dict of str to AlternativeCIB
        By name; 4 K hotter and beta larger by 0.2 unless configured; none if switched off.

    References
    ----------
    Planck 2013 results XXX, arXiv:1309.0382.
    """
    if not settings.residuals.enabled:
        return {}
    if settings.residuals.alternatives is not None:
        return dict(settings.residuals.alternatives)
    warm, beta = float(cleaner.spectra.cib_temperature_K), float(cleaner.spectra.cib_beta)
    return {
        "cib_temperature": AlternativeCIB(temperature_K=warm + 4.0, beta=beta),
        "cib_beta": AlternativeCIB(temperature_K=warm, beta=beta + 0.2),
    }


def mean_shares(
    cleaned: CleanedMap, response: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """r_j = mean of sum_i w_i a_i over a mask, at each needlet scale.

    Parameters
    ----------
    cleaned : CleanedMap
        Map with its weights.
    response : array, shape (n,)
        Response of every channel to the component [K per uK at 353 GHz].
    mask : array, shape (npix,), optional
        Weight of the pixels in the mean.

    Returns
    -------
    array, shape (J,)
        Shares, dimensionless.

    References
    ----------
    Equation of this module.
    """
    import healpy

    found = []
    for w in cleaned.weights:
        at = w.values @ response[w.channels]
        if mask is None or w.grid == 0:
            found.append(float(at.mean()))
            continue
        weight = healpy.ud_grade(mask, w.grid)
        found.append(float(weight @ at / weight.sum()))
    return np.array(found)


def cib_cross(prepared: PreparedMaps, cleaner: Cleaner, measurer: Measurer) -> CrossPower:
    """Cross-spectrum of the CIB with the galaxies at 353 GHz, given or from one channel.

    Parameters
    ----------
    prepared : PreparedMaps
        Channels.
    cleaner : Cleaner
        Knows the response to the CIB.
    measurer : Measurer
        Galaxies, masks and bins.

    Returns
    -------
    CrossPower
        Power law of the configured slope.

    References
    ----------
    Planck 2013 results XVIII, arXiv:1303.5078 (CIB and large-scale structure).
    """
    choices = cleaner.settings.residuals
    slope = choices.cross_slope
    if choices.cross_uK is not None:
        return CrossPower(choices.cross_uK, slope, _PIVOT, 0.0, "given")
    responses = cleaner.responses(prepared.names, {})["cib"]
    # By default the channel where the CIB is brightest.
    name = choices.channel or prepared.names[int(np.argmax(responses))]
    k = prepared.names.index(name)
    lmax = measurer.chosen.measured_lmax
    transfer = prepared.beams[k] * (1.0 if prepared.windows is None else prepared.windows[k])
    alm = resize_alm(prepared.alms[k], lmax)
    values = measurer.transforms.synthesis(alm, measurer.chosen.nside) / K_PER_UK
    found = measurer.measure_with(values, transfer_T=transfer)
    response, use = responses[k], measurer.use
    shape = (found.bins.centres()[use] / _PIVOT) ** slope
    y, covariance = found.cl_Tg_uK[use] / response, found.cov_uK2[use, use] / response**2
    weight = np.linalg.solve(covariance, shape)
    error = float((weight @ shape) ** -0.5)
    amplitude = float(weight @ y) * error**2
    origin = f"{name} GHz"
    if amplitude < _DETECTED * error:
        amplitude, origin = _DETECTED * error, f"{origin}, not detected: twice the error"
    return CrossPower(amplitude, slope, _PIVOT, error, origin)


def residual_bandpowers(
    cleaned: CleanedSky,
    measurement: CrossMeasurement,
    cleaner: Cleaner,
    measurer: Measurer,
    cross: CrossPower,
    alternatives: dict[str, AlternativeCIB],
) -> ResidualBandpowers:
    """Templates of the alternatives for one cleaned map.

    Parameters
    ----------
    cleaned : CleanedSky
        Map with its weights.
    measurement : CrossMeasurement
        Its bandpowers, with windows and beam.
    cleaner : Cleaner
        Responses; it must know the alternatives.
    measurer : Measurer
        Masks.
    cross : CrossPower
        Cross-spectrum of the CIB at 353 GHz.
    alternatives : dict of str to AlternativeCIB
        Spectra.

    Returns
    -------
    ResidualBandpowers
        All bins [uK].

    Raises
    ------
    ConfigurationError
        If the map does not carry its weights.

    References
    ----------
    Equation of this module.
    """
    result = cleaned.result
    if not result.weights:
        raise ConfigurationError("residual templates need the weights of the cleaned map")
    names = result.instrument.plan.names
    mask = measurer.temperature_mask * measurer.galaxy_mask
    ell = np.arange(measurement.lmax + 1)
    beam = np.asarray(gaussian_beam(ell, measurement.fwhm_arcmin))
    filters = result.instrument.plan.filters[:, : ell.size] ** 2
    power = cross.at(ell)
    shares, rows = [], []
    for choice in alternatives.values():
        cib = (choice.temperature_K, choice.beta)
        key = response_key("cib", cib)
        table = cleaner.responses(names, {})
        share = mean_shares(result, K_PER_UK * table[key], mask)
        shares.append(share)
        rows.append(measurement.window @ (beam * (share @ filters) * power))
    return ResidualBandpowers(
        tuple(alternatives),
        np.array(rows).reshape(len(rows), measurement.bins.size),
        np.array([a.sigma for a in alternatives.values()]),
        np.array(shares),
        cross,
    )
