"""Fewer pixels for the same likelihood: empty ones, and those with equal ratios T/B, are sums.

ln L = sum c ln(S T + A B) - S sum T - A sum B, so that pixels without counts enter through sums of
their templates only, and pixels with equal T/B through the sum of their counts. Groups of pixels
whose T/B differ by a factor e^w lose w^2/12 of what they say about S on average, so of an expected
limit; a limit from given counts moves by some w sigma/12^(1/2) at random. The domain mu >= 0 is
set by the pixel with the largest T/B, which stays alone.
"""

from __future__ import annotations

import numpy as np

from .poisson import TemplatePoisson

_WIDTH = 0.02


def merge_empty(likelihood: TemplatePoisson) -> TemplatePoisson:
    """The same likelihood of the same counts, with the pixels that hold none summed.

    ln L of the observed counts is the same for all signals and backgrounds. Asimov data and toys
    need the pixels that are summed here: see :func:`merge_similar`.

    Parameters
    ----------
    likelihood : TemplatePoisson
        Counts and templates, concrete arrays.

    Returns
    -------
    TemplatePoisson
        With as many pixels as the fullest row has with counts, and three more.

    References
    ----------
    The likelihood itself: a pixel without counts contributes -mu.
    """
    c, t, b = (np.asarray(x) for x in _maps(likelihood))
    rows = []
    for ck, tk, bk in zip(c, t, b, strict=True):
        group = np.arange(3, 3 + ck.size)
        empty = ck == 0.0
        group[empty] = np.where(bk[empty] > 0.0, 0, 1)
        top = _steepest(tk, bk)
        if top is not None and empty[top]:
            group[top] = 2
        rows.append(_sums(group, ck, tk, bk))
    return _padded(rows)


def merge_similar(likelihood: TemplatePoisson, width: float = _WIDTH) -> TemplatePoisson:
    """Pixels of each bin summed in groups of nearly equal T/B: for fine pixels.

    Any counts may be merged so, Asimov data and toys too; see the head of this module for what
    it does to limits.

    Parameters
    ----------
    likelihood : TemplatePoisson
        Counts and templates, concrete arrays.
    width : float
        Width of a group in ln(T/B).

    Returns
    -------
    TemplatePoisson
        With as many pixels as the row with most groups.

    References
    ----------
    Sums of Poisson variables are Poisson variables.
    """
    c, t, b = (np.asarray(x) for x in _maps(likelihood))
    rows = []
    for ck, tk, bk in zip(c, t, b, strict=True):
        both = (tk > 0.0) & (bk > 0.0)
        ratio = np.log(np.where(both, tk, 1.0) / np.where(both, bk, 1.0))
        step = np.floor((ratio - ratio[both].min(initial=np.inf)) / width)
        group = np.where(both, step, np.where(bk > 0.0, -1.0, -2.0))
        top = _steepest(tk, bk)
        if top is not None:
            group[top] = -3.0
        _, order = np.unique(group, return_inverse=True)
        rows.append(_sums(order, ck, tk, bk))
    return _padded(rows)


def _maps(likelihood: TemplatePoisson) -> tuple:
    return likelihood.counts, likelihood.signal_template, likelihood.background_template


def _steepest(t: np.ndarray, b: np.ndarray) -> int | None:
    """The pixel that bounds negative signals."""
    ratio = np.where(b > 0.0, t / np.where(b > 0.0, b, 1.0), 0.0)
    return int(np.argmax(ratio)) if np.any(ratio > 0.0) else None


def _sums(group: np.ndarray, *maps: np.ndarray) -> np.ndarray:
    """Sums of maps over pixels of equal group, without those where all are zero; (maps, n)."""
    found = np.stack([np.bincount(group, m) for m in maps])
    return found[:, np.any(found != 0.0, axis=0)]


def _padded(rows: list[np.ndarray]) -> TemplatePoisson:
    """Rows of different length with masked pixels at their ends."""
    widest = max(r.shape[1] for r in rows)
    full = np.stack([np.pad(r, ((0, 0), (0, widest - r.shape[1]))) for r in rows])
    return TemplatePoisson(full[:, 0], full[:, 1], full[:, 2])
