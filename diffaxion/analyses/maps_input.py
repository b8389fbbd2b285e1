"""Where the maps of the pipeline come from: a simulated sky in memory, or HEALPix files.

Both give the same things: the temperature of one channel at a time [K_CMB, RING] with the pixels
that it may use, the galaxies, and the masks of the measurement. Files are read when they are
needed, so that a full-resolution map is in memory once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..data.healpix_maps import HealpixMap, read_healpix_map, read_mask
from ..errors import ConfigurationError, DataError
from ..sky.masks import degrade_mask, galactic_mask, mask_nside, rotate_mask, union_mask
from ..sky.simulation import SimulatedSky
from .maps_config import MapsConfiguration
from .maps_galaxies import (
    average_galaxies,
    counted_galaxies,
    given_overdensity,
    whole_pixels,
)
from .maps_sections import FilesSection

CUT = "cut:"


@dataclass(frozen=True)
class ChannelMap:
    """One frequency map.

    Attributes
    ----------
    values : array, shape (npix,)
        Temperature [K_CMB], RING; anything where ``valid`` is 0.
    valid : array, shape (npix,)
        1 where the map holds usable data, 0 in pixels that must be filled in.
    report : dict
        What the reader found.
    """

    values: np.ndarray
    valid: np.ndarray
    report: dict[str, Any]


@dataclass(frozen=True)
class GalaxyInput:
    """Galaxies and the masks of the measurement, at one resolution.

    Attributes
    ----------
    values : array, shape (npix,)
        Overdensity.
    galaxy_mask, temperature_mask : array, shape (npix,)
        Weights, not apodised; the latter holds no pixel that was filled in.
    shot_noise_sr : float
        White spectrum of the shot noise [sr].
    nside : int
        Resolution whose pixel window the galaxies carry: that at which they were counted, or the
        coarser one of the map that they were averaged to.
    """

    values: np.ndarray
    galaxy_mask: np.ndarray
    temperature_mask: np.ndarray
    shot_noise_sr: float
    nside: int


class MapsInput(Protocol):
    """What the pipeline starts from."""

    @property
    def names(self) -> tuple[str, ...]:
        """Channels."""
        ...

    @property
    def nature(self) -> str:
        """What the maps are if they are no measurement."""
        ...

    @property
    def nsides(self) -> tuple[int, ...]:
        """Resolution of each channel."""
        ...

    def temperature(self, name: str) -> ChannelMap:
        """Map of one channel."""
        ...

    def galaxies(self, nside: int) -> GalaxyInput:
        """Galaxies and masks at a resolution."""
        ...

    def identity(self) -> dict[str, Any]:
        """What the input is, for content hashes."""
        ...


@dataclass(frozen=True)
class SkyInput:
    """A simulated sky.

    Attributes
    ----------
    sky : SimulatedSky
        Maps and masks.
    names : tuple of str
        Channels that are used; default all.
    """

    sky: SimulatedSky
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", self.names or self.sky.names)

    @property
    def nature(self) -> str:
        """Says that it is simulated."""
        return self.sky.nature

    @property
    def nsides(self) -> tuple[int, ...]:
        """Resolution of each channel."""
        return tuple(self.sky.nside for _ in self.names)

    def temperature(self, name: str) -> ChannelMap:
        """Map of one channel, to be filled in at the holes of bright sources."""
        row = self.sky.names.index(name)
        return ChannelMap(self.sky.maps_K[row], self.sky.masks["holes"], {"source": self.nature})

    def galaxies(self, nside: int) -> GalaxyInput:
        """Galaxies and masks; only at the resolution of the sky."""
        if nside != self.sky.nside:
            raise ConfigurationError(
                f"cleaning.nside = {nside}: a simulated sky of nside {self.sky.nside} is cleaned "
                "at its own resolution"
            )
        masks = self.sky.masks
        return GalaxyInput(
            self.sky.galaxies,
            masks["galaxies"],
            masks["temperature"] * masks["holes"],
            self.sky.shot_noise_sr,
            nside,
        )

    def identity(self) -> dict[str, Any]:
        """Label, seed and settings."""
        return {"nature": self.nature, "settings": repr(self.sky.settings), "names": self.names}


def split_name(text: str) -> tuple[str, int | str]:
    """``FILE`` or ``FILE:COLUMN`` into file and column, 0 by default."""
    name, colon, column = text.rpartition(":")
    if not colon or "/" in column or column.endswith((".fits", ".gz", ".fit")):
        return text, 0
    return name, int(column) if column.isdecimal() else column


@dataclass
class FileInput:
    """Maps and masks on disk.

    Attributes
    ----------
    files : FilesSection
        Their names, units and masks.
    names : tuple of str
        Channels.
    factors : dict of str to float
        K_CMB to MJy/sr of channels whose maps may be in that unit.
    """

    files: FilesSection
    names: tuple[str, ...]
    factors: dict[str, float]
    _fill: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def nature(self) -> str:
        """What the maps are, if the configuration says that they are no measurement."""
        return self.files.nature

    @property
    def nsides(self) -> tuple[int, ...]:
        """Resolution of each channel, from the headers."""
        from ..data.healpix_fits import healpix_nside

        return tuple(healpix_nside(self._path(self.files.temperature[n])[0]) for n in self.names)

    def _path(self, text: str) -> tuple[Path, int | str]:
        name, column = split_name(text)
        return Path(self.files.folder) / name, column

    def paths(self) -> list[Path]:
        """All files, in the order in which they are named."""
        f = self.files
        given = [*(f.temperature[n] for n in self.names), f.galaxies, *f.fill]
        given += [*f.temperature_masks, *f.galaxy_masks]
        given += [f.completeness] if f.completeness else []
        return [self._path(text)[0] for text in given if not text.startswith(CUT)]

    def check(self) -> None:
        """Raise unless all files are there and HEALPix maps.

        Raises
        ------
        DataError
            If one is missing or no HEALPix map.
        """
        for path in self.paths():
            if not path.is_file():
                raise DataError(
                    f"{path}: no such file; names of the section [files] start at "
                    f"{self.files.folder}"
                )
        _ = self.nsides

    def verify(self, nside: int) -> None:
        """Read everything once, so that what is unusable is found before any work.

        Raises
        ------
        DataError
            If a map or a mask is unusable; names the file.
        """
        self.galaxies(nside)
        for name in self.names:
            self.temperature(name)

    def mask(self, text: str, nside: int) -> np.ndarray:
        """A mask of the configuration at a resolution."""
        if text.startswith(CUT):
            try:
                latitude = float(text.removeprefix(CUT))
            except ValueError:
                raise ConfigurationError(
                    f"mask {text!r}: expected cut:DEGREES, for example cut:20"
                ) from None
            return galactic_mask(nside, latitude)
        found, frame = self._weights(text)
        if frame != "galactic":
            found = rotate_mask(found, frame)
        if mask_nside(found) != nside:
            found = degrade_mask(found, nside, self.files.mask_threshold)
        return found

    def _weights(self, text: str) -> tuple[np.ndarray, str]:
        """A mask as the file has it, and the name of its frame."""
        from ..data.healpix_fits import frame_name

        path, column = self._path(text)
        stated = self.files.mask_coordinates.get(text, self.files.coordinates)
        frame = None if stated is None else frame_name(stated, path) or None
        ordering = self.files.mask_ordering.get(text, self.files.ordering)
        found = read_mask(path, field=column, ordering=ordering, coordinates=frame)
        return found, frame or "galactic"

    def completeness(self, nside: int) -> np.ndarray:
        """Share of the galaxies that each pixel shows, at the resolution of their counts."""
        assert self.files.completeness is not None
        found, frame = self._weights(self.files.completeness)
        if frame != "galactic" or mask_nside(found) != nside:
            raise DataError(
                f"{self._path(self.files.completeness)[0]}: completeness of nside "
                f"{mask_nside(found)} in {frame} coordinates, expected nside {nside}, that of the "
                "counts, and galactic: unlike masks, shares are neither rotated nor averaged"
            )
        return found

    def _product(self, masks: list[str], nside: int) -> np.ndarray:
        chosen = [self.mask(text, nside) for text in masks]
        return union_mask(*chosen) if chosen else np.ones(12 * nside**2)

    def filled(self, nside: int) -> np.ndarray:
        """1 where all maps hold usable data, at a resolution."""
        if nside not in self._fill:
            product = self._product(self.files.fill, nside)
            kept = (product >= self.files.mask_threshold).astype(float)
            for name in self.names if self.files.fill_missing else ():
                valid = self._read(name)[1].valid
                kept = kept if valid.all() else kept * whole_pixels(valid, nside)
            self._fill[nside] = kept
        return self._fill[nside]

    def temperature(self, name: str) -> ChannelMap:
        """Map of one channel [K_CMB]."""
        path, found = self._read(name)
        valid = self.filled(found.nside)
        bad = ~found.valid & (valid > 0.0)
        if bad.any():
            raise DataError(
                f"{path}: {bad.sum()} pixels ({bad.mean():.3g} of the sky) are NaN or UNSEEN and "
                "no mask of files.fill covers them: add a mask of missing pixels there, or set "
                "files.fill_missing = true to fill them in and leave them out"
            )
        return ChannelMap(found.values, valid, dict(found.report))

    def _read(self, name: str) -> tuple[Path, HealpixMap]:
        path, column = self._path(self.files.temperature[name])
        found = read_healpix_map(
            path,
            unit=self.files.units.get(name),
            ordering=self.files.ordering,
            field=column,
            coordinates=self.files.coordinates,
            bands_factor=self.factors.get(name),
        )
        _check_frame(found.coordinates, path)
        if found.unit != "K_CMB":
            unit = self.files.units.get(name, found.report["unit_in_file"])
            raise DataError(
                f"{path}: unit {unit!r}, expected a temperature (K_CMB, "
                f"mK, uK) or MJy/sr: another column, or files.units.{name} where TUNIT is wrong"
            )
        return path, found

    def galaxies(self, nside: int) -> GalaxyInput:
        """Galaxies and masks of the measurement, at the resolution of the cleaned map."""
        f = self.files
        path, column = self._path(f.galaxies)
        found = read_healpix_map(
            path, unit="1", ordering=f.ordering, field=column, coordinates=f.coordinates
        )
        _check_frame(found.coordinates, path)
        own = found.nside
        mask = self._product(f.galaxy_masks, own)
        shot = f.shot_noise_sr
        if f.galaxies_kind == "counts":
            made = counted_galaxies(found, self.completeness(own), mask)
            values, mask, shot = made.values, made.mask, made.shot_noise_sr
        else:
            values = given_overdensity(found, mask)
        temperature = self._product(f.temperature_masks, nside) * self.filled(nside)
        for name, weights in (("temperature_masks", temperature), ("galaxy_masks", mask)):
            if not np.any(weights > 0.0):
                raise DataError(
                    f"files.{name} leave no sky (f_sky = 0) with the pixels that are filled in"
                )
        if own != nside:
            values, mask = average_galaxies(values, mask, nside, f.mask_threshold)
        return GalaxyInput(values, mask, temperature, shot, min(own, nside))

    def identity(self) -> dict[str, Any]:
        """SHA-256 of all files, and how they are read."""
        settings = self.files.model_dump(mode="json", exclude={"folder", "nature"})
        digests = [file_sha256(path) for path in self.paths()]
        return {"files": settings, "factors": self.factors, "sha256": digests}


def _check_frame(frame: str, path: Path) -> None:
    if frame != "galactic":
        raise DataError(
            f"{path}: the map is in {frame} coordinates, expected galactic; rotate it first "
            "(healpy.Rotator), or correct the header with files.coordinates"
        )


def file_sha256(path: Path) -> str:
    """SHA-256 of the content of a file, 64 hexadecimal digits."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def maps_input(settings: MapsConfiguration, sky: SimulatedSky | None = None) -> MapsInput:
    """Input of a configuration, checked: a sky in memory, or files.

    Parameters
    ----------
    settings : MapsConfiguration
        Settings.
    sky : SimulatedSky, optional
        The sky, where it is simulated; default that of the settings.

    Returns
    -------
    MapsInput
        Maps, galaxies and masks.

    Raises
    ------
    DataError
        If a file is missing or unusable.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    names = tuple(settings.channels.names)
    if settings.files is None:
        from .maps_simulation import simulated_sky

        return SkyInput(simulated_sky(settings) if sky is None else sky, names)
    from ..sky.responses import unit_conversion_MJy_sr
    from .maps_responses import pipeline_bands

    bands = pipeline_bands(settings.channels)
    factors = np.asarray(unit_conversion_MJy_sr(bands, settings.cleaning.t_cmb_K))
    found = FileInput(settings.files, names, dict(zip(names, map(float, factors))))
    found.check()
    return found
