"""Maps of several channels in one array, and changes of resolution, which are never implicit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import ConfigurationError, DataError
from .healpix_fits import UNSEEN, checked_nside, healpix_nside, invalid_pixels
from .healpix_maps import HealpixMap, read_healpix_map


def change_nside(sky: HealpixMap, nside: int, method: Literal["mean", "harmonic"]) -> HealpixMap:
    """A map at another resolution.

    Parameters
    ----------
    sky : HealpixMap
        Map.
    nside : int
        Resolution wanted, a power of two.
    method : str
        ``mean``: mean of the valid pixels inside of each larger one, which is valid if half of
        them are; only to lower resolution. ``harmonic``: through a_lm to l = 2 nside of the
        smaller nside; needs data in all pixels. No pixel window is divided out or multiplied in.

    Returns
    -------
    HealpixMap
        The same unit and frame; the report says how it was made.

    Raises
    ------
    DataError
        If pixels are missing that the method needs, or the resolution cannot be had by it.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513.
    """
    import healpy

    checked_nside(12 * nside**2, sky.source, f": nside = {nside}")
    report = sky.report | {"nside": nside, "changed_from_nside": sky.nside, "changed_by": method}
    if method == "mean":
        if nside > sky.nside:
            raise DataError(
                f"{sky.source}: nside {sky.nside} cannot be raised to {nside} by means; use "
                "'harmonic'"
            )
        parts = (12 * nside**2, (sky.nside // nside) ** 2)
        weight = healpy.reorder(sky.valid.astype(float), r2n=True).reshape(parts)
        total = healpy.reorder(np.where(sky.valid, sky.values, 0.0), r2n=True).reshape(parts)
        count = weight.sum(axis=1)
        mean = total.sum(axis=1) / np.maximum(count, 1.0)
        values = np.where(count >= 0.5 * parts[1], mean, UNSEEN)
        values = np.asarray(healpy.reorder(values, n2r=True))
    elif method == "harmonic":
        if not sky.valid.all():
            raise DataError(
                f"{sky.source}: {np.count_nonzero(~sky.valid)} pixels hold no data; expected a "
                "whole sky for a change of nside through a_lm: fill them in first, or use 'mean'"
            )
        lmax = 2 * min(nside, sky.nside)
        alm = healpy.map2alm(sky.values, lmax=lmax, iter=3, pol=False)
        values = healpy.alm2map(alm, nside, lmax=lmax, pol=False)
    else:
        raise ConfigurationError(f"method = {method!r}; expected 'mean' or 'harmonic'")
    return HealpixMap(
        values, ~invalid_pixels(values), nside, sky.unit, sky.coordinates, sky.source, report
    )


@dataclass(frozen=True)
class ChannelMaps:
    """Maps of several channels at one resolution, in one frame.

    Attributes
    ----------
    names : tuple of str
        n channels.
    maps_K : array, shape (n, npix)
        RING [K_CMB]; UNSEEN where not valid.
    valid : bool array, shape (n, npix)
        Whether a pixel holds data.
    nside : int
        Resolution.
    coordinates : str
        Frame.
    reports : dict of str to dict
        What was found in each file.
    """

    names: tuple[str, ...]
    maps_K: np.ndarray
    valid: np.ndarray
    nside: int
    coordinates: str
    reports: dict[str, dict[str, Any]]


def read_channel_maps(
    paths: Mapping[str, str | Path],
    *,
    nside: int | None = None,
    change: Literal["mean", "harmonic"] | None = None,
    units: Mapping[str, str] | None = None,
    ordering: str | None = None,
    coordinates: str | None = None,
    fields: Mapping[str, int | str] | None = None,
    bands_factors: Mapping[str, float] | None = None,
) -> ChannelMaps:
    """Read the maps of several channels into one array.

    Parameters
    ----------
    paths : mapping of str to path
        File of each channel.
    nside : int, optional
        Resolution of the result; by default the one that all files have.
    change : str, optional
        How maps of another resolution are brought to ``nside``, see :func:`change_nside`; by
        default they are refused.
    units, fields, bands_factors : mapping, optional
        Unit, column, and MJy/sr per K_CMB by channel, as of :func:`read_healpix_map`.
    ordering, coordinates : str, optional
        Of all files, where the headers lack them.

    Returns
    -------
    ChannelMaps
        Maps in the order of ``paths`` [K_CMB].

    Raises
    ------
    DataError
        If a file is unusable, or resolutions or frames differ.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513.
    """
    found = {name: healpix_nside(path) for name, path in paths.items()}
    target = next(iter(found.values())) if nside is None else nside
    if change is None or nside is None:
        wrong = [f"{n} ({paths[n]}) {v}" for n, v in found.items() if v != target]
        if wrong:
            raise DataError(
                f"channel maps of different nside: {', '.join(wrong)}; expected {target} for all. "
                "Give nside= and change='mean' or 'harmonic', or clean each at its own resolution"
            )
    maps = np.empty((len(paths), 12 * target**2))
    valid = np.empty(maps.shape, bool)
    frames, reports = {}, {}
    for k, (name, path) in enumerate(paths.items()):
        sky = read_healpix_map(
            path,
            unit=(units or {}).get(name),
            ordering=ordering,
            field=(fields or {}).get(name, 0),
            coordinates=coordinates,
            bands_factor=(bands_factors or {}).get(name),
        )
        if sky.unit != "K_CMB":
            raise DataError(f"{path}: channel {name} in unit {sky.unit!r}; expected a temperature")
        if sky.nside != target:
            assert change is not None
            sky = change_nside(sky, target, change)
        maps[k], valid[k] = sky.values, sky.valid
        frames[name], reports[name] = sky.coordinates, sky.report
    if len(set(frames.values())) > 1:
        said = ", ".join(f"{n} {f}" for n, f in frames.items())
        raise DataError(
            f"channel maps in different frames: {said}; expected one: rotate them first"
        )
    return ChannelMaps(tuple(paths), maps, valid, target, next(iter(frames.values())), reports)
