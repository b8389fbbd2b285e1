"""Energy bins as users write them (edges or pairs), and NuSTAR's channels."""

from __future__ import annotations

import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError

PI_ZERO_KEV, PI_STEP_KEV, PI_CHANNELS = 1.6, 0.04, 4096
"""Lower edge of channel 0, width and number of NuSTAR's PI channels."""

EDGE_TOLERANCE_KEV = 1e-3


def energy_bins(bins_keV: ArrayLike, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper edges of energy bins.

    Parameters
    ----------
    bins_keV : array, shape (n + 1,) or (n, 2)
        Edges of n touching bins, or their pairs of edges [keV].
    where : str
        File and field, for messages.

    Returns
    -------
    low_keV, high_keV : array, shape (n,)
        Edges [keV].

    Raises
    ------
    DataError
        If they are not numbers, not finite or positive, have no width, overlap or are unsorted.

    References
    ----------
    None: a validation.
    """
    try:
        bins = np.asarray(bins_keV, float)
    except (TypeError, ValueError):
        raise DataError(
            f"{where}: energy bins {bins_keV!r} are not numbers; expected edges or pairs of edges"
        ) from None
    if bins.ndim == 1 and bins.size >= 2:
        bins = np.stack([bins[:-1], bins[1:]], axis=-1)
    if bins.ndim != 2 or bins.shape[-1] != 2 or bins.shape[0] == 0:
        raise DataError(
            f"{where}: energy bins have shape {np.shape(bins_keV)}, expected (n + 1,) edges or "
            "(n, 2) pairs of edges"
        )
    low, high = bins.T
    if not np.all(np.isfinite(bins)) or np.any(low <= 0.0) or np.any(high > 1e4):
        raise DataError(f"{where}: energy bins {bins.tolist()}; expected finite energies > 0 [keV]")
    for k, (a, b) in enumerate(bins):
        if b <= a:
            raise DataError(
                f"{where}: bin {k} spans {a:g}-{b:g} keV; expected edges that increase [keV]"
            )
        if k and a < bins[k - 1, 1] - 1e-9:
            raise DataError(
                f"{where}: bin {k} ({a:g}-{b:g} keV) overlaps bin {k - 1} ({bins[k - 1, 0]:g}-"
                f"{bins[k - 1, 1]:g} keV) or comes before it; expected sorted, disjoint bins"
            )
    return low.copy(), high.copy()


def pi_channels(low_keV: np.ndarray, high_keV: np.ndarray, where: str) -> np.ndarray:
    """First channel of each bin and the first one beyond it: E = 1.6 + 0.04 PI keV.

    Parameters
    ----------
    low_keV, high_keV : array, shape (n,)
        Edges, which must be those of channels [keV].
    where : str
        What the bins belong to, for messages.

    Returns
    -------
    array of int, shape (n, 2)
        Channels [first, last + 1); 10-15 keV is 210, 335.

    Raises
    ------
    DataError
        If an edge lies inside a channel, or outside of 1.6-165.44 keV.

    References
    ----------
    NuSTAR Data Analysis Software Guide, section on PI (E = 0.04 PI + 1.6 keV).
    """
    edges = np.stack([low_keV, high_keV], axis=-1)
    channels = np.round((edges - PI_ZERO_KEV) / PI_STEP_KEV).astype(int)
    nearest = PI_ZERO_KEV + PI_STEP_KEV * channels
    off = np.abs(nearest - edges) > EDGE_TOLERANCE_KEV
    if off.any():
        raise DataError(
            f"{where}: bin edge {edges[off][0]:g} keV lies inside a channel; the nearest edge of "
            f"a NuSTAR channel is {nearest[off][0]:.2f} keV (1.6 + 0.04 PI)"
        )
    if channels.min() < 0 or channels.max() > PI_CHANNELS:
        raise DataError(
            f"{where}: bins span {edges.min():g}-{edges.max():g} keV; NuSTAR's channels cover "
            "1.6-165.44 keV"
        )
    return channels
