"""The measurement of the pipeline: masks, bins and galaxies once, cleaned maps one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..sky.apodisation import apodise
from ..sky.bins import Bins, linear_bins
from ..sky.cross_measurement import CrossMeasurement
from ..sky.masks import sky_fraction
from ..sky.measure import measure_cross
from ..sky.pixel_window import pixel_window
from ..sky.pseudo_cl import MaskSpectra
from ..sky.transforms import Transforms, get_transforms
from .maps_config import MapsConfiguration
from .maps_input import GalaxyInput
from .maps_prepare import Geometry, uses_pixel_windows


@dataclass
class Measurer:
    """Measures cleaned maps with the same galaxies, bins and transforms.

    Attributes
    ----------
    settings : MapsConfiguration
        Settings.
    chosen : Geometry
        Resolution and multipoles.
    galaxies : array, shape (npix,)
        Overdensity, 0 where its mask is 0.
    temperature_mask, galaxy_mask : array, shape (npix,)
        Apodised masks.
    transfer : array, shape (lmax + 1,)
        Pixel window of the galaxies.
    transforms : Transforms
        Back end.
    mask_spectra : MaskSpectra
        Transforms of masks, shared by all measurements.
    """

    settings: MapsConfiguration
    chosen: Geometry
    galaxies: np.ndarray
    temperature_mask: np.ndarray
    galaxy_mask: np.ndarray
    transfer: np.ndarray
    transforms: Transforms
    mask_spectra: MaskSpectra

    @property
    def bins(self) -> Bins:
        """All bins, those that are left out later included."""
        measurement = self.settings.measurement
        return linear_bins(
            self.chosen.bin_width,
            self.chosen.last_ell,
            measurement.first_ell,
            weighting=measurement.weighting,
        )

    @property
    def use(self) -> slice:
        """The bins that enter bandpowers.npz and null tests."""
        return slice(self.settings.measurement.skip_bins, None)

    def apodised(self, mask: np.ndarray) -> np.ndarray:
        """A mask with the smooth edges of the settings."""
        choices = self.settings.measurement
        if choices.apodisation_deg == 0.0 or np.all(mask > 0.0):
            return mask
        return apodise(mask, choices.apodisation_deg, choices.apodisation)

    def with_masks(
        self, temperature: np.ndarray | None = None, galaxy: np.ndarray | None = None
    ) -> Measurer:
        """The same with other masks, which are apodised here."""
        changes: dict[str, Any] = {}
        if temperature is not None:
            changes["temperature_mask"] = self.apodised(temperature)
        if galaxy is not None:
            changes["galaxy_mask"] = self.apodised(galaxy)
        return replace(self, **changes)

    def measure(
        self,
        values: np.ndarray,
        fwhm_arcmin: float,
        *,
        remove_beam: bool = False,
    ) -> CrossMeasurement:
        """Bandpowers of a cleaned map [uK] with the galaxies, all bins."""
        return self.measure_with(values, fwhm_arcmin=fwhm_arcmin, remove_beam=remove_beam)

    def measure_with(self, values: np.ndarray, **options: Any) -> CrossMeasurement:
        """The same with further options of :func:`~diffaxion.sky.measure.measure_cross`."""
        return measure_cross(
            values,
            self.temperature_mask,
            self.galaxies,
            self.galaxy_mask,
            self.bins,
            transfer_g=self.transfer,
            lmax=self.chosen.measured_lmax,
            lmask=min(3 * self.chosen.nside - 1, 2 * self.chosen.measured_lmax),
            iterations=self.settings.measurement.iterations,
            transforms=self.transforms,
            mask_spectra=self.mask_spectra,
            **options,
        )

    def fractions(self) -> dict[str, float]:
        """Shares of the sky that the masks leave."""
        both = self.temperature_mask * self.galaxy_mask
        return {
            "temperature": sky_fraction(self.temperature_mask),
            "galaxies": sky_fraction(self.galaxy_mask),
            "both": float(np.mean(both)),
        }


def make_measurer(settings: MapsConfiguration, chosen: Geometry, galaxies: GalaxyInput) -> Measurer:
    """Masks, bins and back end of a configuration.

    Parameters
    ----------
    settings : MapsConfiguration
        Settings.
    chosen : Geometry
        From :func:`~diffaxion.analyses.maps_prepare.geometry`.
    galaxies : GalaxyInput
        Galaxies and masks.

    Returns
    -------
    Measurer
        Ready to measure.

    Raises
    ------
    DataError
        If a mask is empty.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    transforms = get_transforms(settings.numerics.backend, settings.numerics.threads)
    lmax = chosen.measured_lmax
    window = np.ones(lmax + 1)
    if uses_pixel_windows(settings):
        window = pixel_window(galaxies.nside, lmax)
    lmask = min(3 * chosen.nside - 1, 2 * lmax)
    plain = Measurer(
        settings,
        chosen,
        galaxies.values,
        galaxies.temperature_mask,
        galaxies.galaxy_mask,
        window,
        transforms,
        MaskSpectra(lmask, transforms, settings.measurement.iterations),
    )
    return plain.with_masks(galaxies.temperature_mask, galaxies.galaxy_mask)
