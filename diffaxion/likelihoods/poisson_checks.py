"""Checks of counts and templates before they enter compiled code."""

from __future__ import annotations

import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError

_SHOWN = 8  # pixels that a message lists


def validate_templates(
    counts: ArrayLike,
    signal_template: ArrayLike,
    background_template: ArrayLike,
    *,
    asimov: bool = False,
    source: str = "count maps",
) -> None:
    """Check counts and templates of a Poisson likelihood in NumPy.

    Parameters
    ----------
    counts : array, shape (bins, pixels)
        Observed counts, whole numbers unless ``asimov``.
    signal_template : array, shape (bins, pixels)
        Fraction of the signal in each pixel, not negative.
    background_template : array, shape (bins, pixels)
        Background counts in each pixel, not negative; zero only where the counts are.
    asimov : bool
        Allow counts that are not whole numbers.
    source : str
        File or data set that a message should name.

    Returns
    -------
    None
        Silence is consent.

    Raises
    ------
    DataError
        If a shape is wrong or the region empty; a value is not finite or negative; counts are
        not whole numbers; the background is zero where there are counts; a bin has no signal or
        no background template, or one that is proportional to the other.

    References
    ----------
    None: a check of input.
    """
    c = np.asarray(counts, float)
    maps = {
        "counts": c,
        "signal template": np.asarray(signal_template, float),
        "background template": np.asarray(background_template, float),
    }
    if c.ndim != 2:
        raise DataError(f"{source}: counts have shape {c.shape}, expected (bins, pixels)")
    if c.shape[1] == 0:
        raise DataError(f"{source}: ROI holds 0 pixels; check region and mask")
    if c.shape[0] == 0:
        raise DataError(f"{source}: counts have shape {c.shape}: there is no energy bin")
    for name, x in maps.items():
        if x.shape != c.shape:
            raise DataError(f"{source}: {name} has shape {x.shape}, expected {c.shape} as counts")
        bad = ~np.isfinite(x)
        if bad.any():
            raise DataError(
                f"{source}: {name} has {bad.sum()} values that are not finite, at "
                f"{_where(bad)}; mask these pixels"
            )
        if (x < 0.0).any():
            raise DataError(
                f"{source}: {name} has {(x < 0.0).sum()} negative values, the lowest {x.min():g}, "
                f"at {_where(x < 0.0)}; expected values >= 0"
            )
    uneven = c != np.round(c)
    if uneven.any() and not asimov:
        raise DataError(
            f"{source}: counts has {uneven.sum()} values that are not whole numbers, the first "
            f"{c[uneven][0]:g}, at {_where(uneven)}; pass asimov=True for expected counts"
        )
    t, b = maps["signal template"], maps["background template"]
    impossible = (b == 0.0) & (c > 0.0)
    if impossible.any():
        raise DataError(
            f"{source}: background template is 0 in {impossible.sum()} pixels with counts, at "
            f"{_where(impossible)}: without signal their likelihood is zero; mask them or use a "
            "background that covers them"
        )
    for k in range(c.shape[0]):
        _validate_bin(t[k], b[k], k, source)


def _validate_bin(t: np.ndarray, b: np.ndarray, k: int, source: str) -> None:
    if not ((t > 0.0) | (b > 0.0)).any():
        raise DataError(f"{source}: ROI holds 0 pixels in bin {k}; check region and mask")
    for name, x in (("signal", t), ("background", b)):
        if not (x > 0.0).any():
            raise DataError(f"{source}: {name} template is zero in all {x.size} pixels of bin {k}")
    # Cauchy-Schwarz is an equality exactly for proportional vectors.
    overlap = (t @ b) ** 2 / ((t @ t) * (b @ b))
    if overlap > 1.0 - 1e-12:
        raise DataError(
            f"{source}: signal and background templates are degenerate in bin {k}: T is "
            f"proportional to B, 1 - cos^2 of their angle is {1.0 - overlap:.1e}"
        )


def _where(bad: np.ndarray) -> str:
    """The first (bin, pixel) pairs, as text."""
    pairs = [tuple(int(i) for i in p) for p in np.argwhere(bad)[:_SHOWN]]
    more = int(bad.sum()) - len(pairs)
    return "(bin, pixel) " + ", ".join(map(str, pairs)) + (f" and {more} more" if more else "")
