"""Response files and instruments: OGIP records to models that fold spectra, and back."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from ...data.energy_bins import PI_CHANNELS, PI_STEP_KEV, PI_ZERO_KEV, energy_bins
from ...data.ogip import AncillaryResponse, Redistribution, check_response
from ...errors import ConfigurationError, DataError
from .response import Instrument, validate_bins

_WINGS = 6.0  # standard deviations of a line that are kept in a matrix


def ogip_instrument(
    arf: AncillaryResponse | None,
    rmf: Redistribution,
    low_keV: np.ndarray,
    high_keV: np.ndarray,
    label: str = "",
) -> Instrument:
    """Instrument whose redistribution is that of an RMF, summed over the channels of each bin.

    Parameters
    ----------
    arf : AncillaryResponse or None
        Effective area [cm^2]; None where the matrix includes it (SPECRESP MATRIX).
    rmf : Redistribution
        Redistribution matrix.
    low_keV, high_keV : array, shape (b,)
        Edges of the bins of the analysis [keV].
    label : str
        What the response is; the names of the files by default.

    Returns
    -------
    Instrument
        With redistribution ``ogip``; its matrix has a row per energy that the bins cover.

    Raises
    ------
    DataError
        If the files do not belong together, the area is missing or included twice, or bins are
        unusable or leave the channels.
    ValidityError
        If a bin leaves the energies of the files.

    References
    ----------
    Davis 2001, ApJ 548, 1010, eq. (1); George et al. 1992, Legacy 2, 51 (OGIP CAL/GEN/92-002).
    """
    low, high = energy_bins(np.stack([low_keV, high_keV], axis=-1), rmf.source)
    validate_bins(low, high, (float(rmf.low_keV[0]), float(rmf.high_keV[-1])), rmf.source)
    matrix = rmf.binned(low, high)
    middle = 0.5 * (rmf.low_keV + rmf.high_keV)
    if rmf.includes_area:
        if arf is not None:
            check_response(arf, rmf)
        area = rmf.row_sums()
        matrix = matrix / np.where(area > 0.0, area, 1.0)[:, None]
    elif arf is None:
        raise DataError(
            f"{rmf.source} does not include the effective area: an ARF is needed as well"
        )
    else:
        check_response(arf, rmf)
        area = arf.area_cm2
    rows = np.flatnonzero((rmf.high_keV > low[0]) & (rmf.low_keV < high[-1]))
    edges = np.append(rmf.low_keV[rows], rmf.high_keV[rows[-1]])
    files = " and ".join(x.source for x in (arf, rmf) if x is not None)
    return Instrument(
        jnp.asarray(middle),
        jnp.asarray(area),
        redistribution="ogip",
        label=label or files,
        matrix=jnp.asarray(matrix[rows]),
        matrix_edges_keV=jnp.asarray(edges),
    )


def response_records(instrument: Instrument) -> tuple[AncillaryResponse, Redistribution]:
    """Response files of an instrument on NuSTAR's channels: 40 eV rows over its energies.

    Parameters
    ----------
    instrument : Instrument
        With redistribution ``diagonal`` or ``gaussian``.

    Returns
    -------
    arf : AncillaryResponse
        n energies [keV, cm^2].
    rmf : Redistribution
        n rows and 4096 channels.

    Raises
    ------
    ConfigurationError
        If the instrument was itself made of response files.

    References
    ----------
    NuSTAR Data Analysis Software Guide, section on PI (E = 0.04 PI + 1.6 keV).
    """
    if instrument.redistribution == "ogip":
        raise ConfigurationError(f"{instrument.label}: is made of response files; write those")
    from scipy.special import ndtr

    edges = PI_ZERO_KEV + PI_STEP_KEV * np.arange(PI_CHANNELS + 1)
    nodes = np.asarray(instrument.energy_keV)
    inside = (edges[:-1] >= nodes[0] - 1e-9) & (edges[1:] <= nodes[-1] + 1e-9)
    rows = np.flatnonzero(inside)
    low, high = edges[rows], edges[rows + 1]
    middle = 0.5 * (low + high)
    area = np.asarray(jax.vmap(instrument.effective_area_cm2)(jnp.asarray(middle)))
    sigma = np.asarray(jax.vmap(instrument.sigma_keV)(jnp.asarray(middle)))
    reach = 0
    if instrument.redistribution == "gaussian":
        reach = int(np.ceil(_WINGS * sigma.max() / PI_STEP_KEV))
    channel = rows[:, None] + np.arange(-reach, reach + 1)
    real = (channel >= 0) & (channel < PI_CHANNELS)
    where = np.clip(channel, 0, PI_CHANNELS - 1)
    value = np.ones(channel.shape)
    if reach:
        above, below = (
            (e - middle[:, None]) / sigma[:, None] for e in (edges[where + 1], edges[where])
        )
        value = ndtr(above) - ndtr(below)
    real &= value > 1e-12
    row = np.broadcast_to(np.arange(rows.size)[:, None], channel.shape)
    arf = AncillaryResponse(low, high, area, source=f"area of {instrument.label}")
    rmf = Redistribution(
        low,
        high,
        row[real],
        channel[real],
        value[real],
        edges[:-1],
        edges[1:],
        source=f"redistribution of {instrument.label}",
    )
    return arf, rmf
