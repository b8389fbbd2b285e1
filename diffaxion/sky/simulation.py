"""Simulated frequency maps and galaxies of one sky, from its spectra and settings.

Channel i holds, in harmonic space,

    a_i = B_i(l) W(l) c_i sum_c A_ic a_c + noise,

with the response A_ic of its passband to each component, the beam B_i, the pixel window W if
wanted and a calibration c_i. What was put in is kept beside the maps. Nothing here is data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..constants import ARCMIN_RAD, K_PER_UK
from ..errors import ConfigurationError, unknown_name
from .galactic_sky import GalacticMaps, galactic_maps
from .galaxy_counts import GalaxyMap, galaxy_map
from .masks import galactic_mask, point_source_mask
from .needlets import gaussian_beam
from .passbands import Passbands
from .pixel_components import pixel_components, source_pixels, varying_dust
from .pixel_window import pixel_window
from .random_fields import alm_degrees, random_alm, stream
from .responses import component_response
from .simulation_settings import SkySettings
from .sky_spectra import GALAXIES, SkySpectra

# Fields whose unit is K already: Compton y times a response in K.
_IN_KELVIN = ("tsz",)


@dataclass(frozen=True)
class SimulatedSky:
    """Maps of a simulated sky with all that went into it.

    Attributes
    ----------
    names : tuple of str
        Channels, such as ``143``.
    maps_K : array, shape (n, p)
        Frequency maps [K_CMB], RING.
    fwhm_arcmin, noise_uK_arcmin : array, shape (n,)
        Gaussian beams [arcmin] and white noise [uK arcmin] of the maps.
    galaxies : array, shape (p,)
        Overdensity, with shot noise.
    shot_noise_sr : float
        Its white spectrum where complete [sr].
    masks : dict of str to array, shape (p,)
        ``temperature`` (Galactic cut and holes), ``galaxies`` (Galactic cut, and 0 where none
        are seen), ``holes``; 0 or 1, not apodised.
    truth : dict of str to complex array
        a_lm of each component without beam: uK (CIB and screening at 353 GHz, dust at 353 and
        synchrotron at 30 GHz), Compton y without unit, galaxies without noise.
    responses : dict of str to array, shape (n,)
        Response of each channel to each component, with its calibration.
    spectra : SkySpectra
        Of the Gaussian fields.
    settings : SkySettings
        Choices.
    seed, index : int
        Random numbers.
    nature : str
        Says that this is simulated.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """

    names: tuple[str, ...]
    maps_K: np.ndarray
    fwhm_arcmin: np.ndarray
    noise_uK_arcmin: np.ndarray
    galaxies: np.ndarray
    shot_noise_sr: float
    masks: dict[str, np.ndarray]
    truth: dict[str, np.ndarray]
    responses: dict[str, np.ndarray]
    spectra: SkySpectra
    settings: SkySettings
    seed: int
    index: int
    nature: str

    @property
    def nside(self) -> int:
        """Resolution."""
        return self.settings.nside

    @property
    def lmax(self) -> int:
        """Largest multipole of the fields."""
        return self.settings.top_multipole

    def beams(self) -> np.ndarray:
        """Gaussian beam of each channel, shape (n, l)."""
        return gaussian_beam(self.fwhm_arcmin, self.lmax)

    def component_maps_K(self, name: str) -> np.ndarray:
        """One component as the channels see it, beams included, shape (n, p) [K_CMB].

        Parameters
        ----------
        name : str
            Key of ``truth`` other than the galaxies.

        Raises
        ------
        ConfigurationError
            If the component is not part of this sky.
        """
        known = [k for k in self.truth if k in self.responses]
        if name not in known:
            raise unknown_name("component of this sky", name, known)
        alms = _channel_alms({name: self.truth[name]}, self.responses, self._transfer())
        return _synthesis(alms, self.nside, self.lmax)

    def _transfer(self) -> np.ndarray:
        return self.beams() * _window(self.settings)


def simulate_sky(
    spectra: SkySpectra,
    bands: Passbands,
    settings: SkySettings | None = None,
    *,
    seed: int,
    index: int = 0,
    completeness: np.ndarray | None = None,
) -> SimulatedSky:
    """Draw one sky.

    Each field has its own stream of random numbers, [seed, index, name]: a sky is the same
    whatever other skies are drawn, and changing the strength of the screening, the channels or
    the components switched on leaves the other fields as they are.

    Parameters
    ----------
    spectra : SkySpectra
        Gaussian fields, at least to the lmax of the settings.
    bands : Passbands
        Channels, with the responses that the cleaning should use.
    settings : SkySettings, optional
        Choices.
    seed, index : int
        Set of skies and number of the sky in it, >= 0.
    completeness : array, shape (p,), optional
        Share of galaxies seen, 0 to 1.

    Returns
    -------
    SimulatedSky
        Maps and truth.

    Raises
    ------
    ConfigurationError
        If spectra end below lmax, or a channel has no beam or noise.
    ValidityError
        If the galaxy field is too strong for counts.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    settings = settings or SkySettings()
    lmax, nside = settings.top_multipole, settings.nside
    if spectra.lmax < lmax:
        raise ConfigurationError(
            f"spectra of the sky end at l = {spectra.lmax}, settings ask for lmax = {lmax}"
        )
    channels = np.array([settings.channel(name) for name in bands.names])
    truth = gaussian_fields(spectra, lmax, seed, index)
    dust = galactic_maps(settings.galactic, nside, lmax, seed, index)
    window = _window(settings)
    # Before the channels, which take longer: a field may be too strong for counts.
    galaxies = _galaxies(truth[GALAXIES], dust, settings, window, seed, index, completeness)
    on = set(settings.components)
    kept = {name: alm for name, alm in truth.items() if _group(name) in on}
    kept |= pixel_components(dust, settings, seed, index)
    calibration = _calibration(settings, bands.names)
    responses = {
        name: calibration * np.asarray(_response(name, bands, spectra, settings)) for name in kept
    }
    transfer = gaussian_beam(channels[:, 0], lmax) * window
    alms = _channel_alms(kept, responses, transfer)
    if settings.galactic.dust_beta_rms > 0.0 and "dust" in on:
        alms += transfer[:, alm_degrees(lmax)] * varying_dust(dust, bands, settings, calibration)
    maps = _synthesis(alms, nside, lmax)
    if "noise" in on:
        for row, name, white in zip(maps, bands.names, channels[:, 1], strict=True):
            rms = white * ARCMIN_RAD * K_PER_UK * np.sqrt(row.size / (4.0 * np.pi))
            row += rms * stream(seed, index, f"noise-{name}").standard_normal(row.size)
    masks = _masks(settings, channels[:, 0].min(), seed, index)
    if completeness is not None:
        masks["galaxies"] = masks["galaxies"] * (np.asarray(completeness) > 0.0)
    kept[GALAXIES] = truth[GALAXIES]
    return SimulatedSky(
        tuple(bands.names),
        maps,
        channels[:, 0],
        channels[:, 1] if "noise" in on else np.zeros(len(channels)),
        galaxies.overdensity,
        0.0 if settings.counts == "none" else galaxies.shot_noise_sr,
        masks,
        kept,
        responses,
        spectra,
        settings,
        seed,
        index,
        f"simulated, {spectra.label}, seed {seed}, sky {index}: not data",
    )


def gaussian_fields(
    spectra: SkySpectra, lmax: int, seed: int, index: int = 0
) -> dict[str, np.ndarray]:
    """Correlated Gaussian a_lm of all fields of a sky.

    Parameters
    ----------
    spectra : SkySpectra
        Covariance, to lmax at least.
    lmax : int
        Largest multipole.
    seed, index : int
        Random numbers.

    Returns
    -------
    dict of str to complex array, shape ((lmax + 1)(lmax + 2)/2,)
        a_lm by field, in the units of the spectra.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513.
    """
    factor = spectra.factor()[: lmax + 1]
    degrees = alm_degrees(lmax)
    unit = [random_alm(stream(seed, index, name), lmax) for name in spectra.names]
    fields = {}
    for k, name in enumerate(spectra.names):
        alm = np.zeros(degrees.size, complex)
        for j in range(k + 1):
            alm += factor[degrees, k, j] * unit[j]
        fields[name] = alm
    return fields


def _group(name: str) -> str:
    """The component that switches a field on: all shells of the CIB are one."""
    return "cib" if name.startswith("cib-") else name


def _window(settings: SkySettings) -> np.ndarray:
    """Pixel window, or ones."""
    if not settings.pixel_windows:
        return np.ones(settings.top_multipole + 1)
    return np.asarray(pixel_window(settings.nside, settings.top_multipole))


def _channel_alms(
    fields: dict[str, np.ndarray], responses: dict[str, np.ndarray], transfer: np.ndarray
) -> np.ndarray:
    """a_lm of each channel [K], shape (n, alm)."""
    degrees = alm_degrees(transfer.shape[1] - 1)
    alms = np.zeros((transfer.shape[0], degrees.size), complex)
    for name, alm in fields.items():
        unit = 1.0 if name in _IN_KELVIN else K_PER_UK
        alms += responses[name][:, None] * (unit * alm)
    return alms * transfer[:, degrees]


def _synthesis(alms: np.ndarray, nside: int, lmax: int) -> np.ndarray:
    import healpy

    return np.array([healpy.alm2map(alm, nside, lmax=lmax) for alm in alms])


def _response(
    name: str, bands: Passbands, spectra: SkySpectra, settings: SkySettings
) -> np.ndarray:
    if not name.startswith("cib-"):
        return np.asarray(component_response(name, bands, settings.spectra()))
    shell = spectra.shells[int(name.removeprefix("cib-")) - 1]
    sed = settings.spectra(cib_temperature_K=shell.temperature_K, cib_beta=shell.beta)
    return np.asarray(component_response("cib", bands, sed))


def _calibration(settings: SkySettings, names: tuple[str, ...]) -> np.ndarray:
    for name in settings.calibration:
        if name not in names:
            raise unknown_name("channel with a calibration", name, names)
    return np.array([settings.calibration.get(name, 1.0) for name in names])


def _masks(
    settings: SkySettings, best_fwhm_arcmin: float, seed: int, index: int
) -> dict[str, np.ndarray]:
    import healpy

    nside = settings.nside
    at = source_pixels(settings, seed, index)
    lon, lat = healpy.pix2ang(nside, at, lonlat=True)
    radius = settings.hole_fwhm * best_fwhm_arcmin
    holes = np.ones(12 * nside**2)
    if at.size and radius > 0.0:
        holes = np.asarray(point_source_mask(nside, lon, lat, radius))
    return {
        "temperature": np.asarray(galactic_mask(nside, settings.galactic_cut_deg)) * holes,
        "galaxies": np.asarray(galactic_mask(nside, settings.galaxy_cut_deg)),
        "holes": holes,
    }


def _galaxies(
    alm: np.ndarray,
    galactic: GalacticMaps,
    settings: SkySettings,
    window: np.ndarray,
    seed: int,
    index: int,
    completeness: np.ndarray | None,
) -> GalaxyMap:
    seen = alm * window[alm_degrees(settings.top_multipole)]
    density = _synthesis(seen[None], settings.nside, settings.top_multipole)[0]
    if settings.dust_contamination > 0.0:
        template = np.log(galactic.dust_uK)
        template = (template - template.mean()) / template.std()
        density = density + settings.dust_contamination * template
    return galaxy_map(
        density,
        settings.galaxies_per_deg2,
        stream(seed, index, "counts"),
        counts=settings.counts,
        completeness=completeness,
    )
