"""What a simulated sky is made of: sizes, beams, noise, galaxies and masks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import jax.numpy as jnp

from ..constants import T_CMB_K
from ..errors import ConfigurationError, unknown_name
from .components import Spectra
from .galactic_sky import GalacticSky
from .passbands import planck_channels

SKY_COMPONENTS = ("cmb", "tsz", "cib", "screening", "dust", "synchrotron", "radio", "noise")
"""What may be switched on in simulated maps."""

COMMON_FWHM_ARCMIN = 10.0
LAST_ELL = 5000
"""Last multipole of the bundled spectrum of the CMB."""

# The beams of Planck suit this resolution of the toy; smaller maps have wider ones.
_NSIDE_OF_BEAMS = 768
_LMAX = {32: 92, 64: 188, 128: 380, 256: 760, 512: 1520}


def beam_factor(nside: int) -> float:
    """Factor on all beams of a small sky, 768/nside, at least 1 and at most 12.

    Parameters
    ----------
    nside : int
        Resolution.

    Returns
    -------
    float
        12 at nside 64.

    References
    ----------
    A convention of small toys: the ratio of beam to pixel is kept, as long as the common beam
    does not exceed two degrees.
    """
    return min(12.0, max(1.0, _NSIDE_OF_BEAMS / nside))


@dataclass(frozen=True)
class SkySettings:
    """Choices of a simulated sky.

    Attributes
    ----------
    nside : int
        Resolution, a power of two from 8 to 2048.
    lmax : int, optional
        Largest multipole of all fields; default 188 at nside 64, 380 at 128, 760 at 256, at
        most 5000.
    components : tuple of str
        Of :data:`SKY_COMPONENTS`.
    beam_factor : float, optional
        On all beams; default :func:`beam_factor`.
    fwhm_arcmin, noise_uK_arcmin : dict of str to float
        Beams [arcmin] and white noise [uK arcmin] by channel, before the factors; default those
        of Planck.
    noise_factor : float, optional
        On all noise; default 0.15 nside/64, at most 1.
    calibration : dict of str to float
        Factor on a channel's sky, a fault; 1 unless named.
    pixel_windows : bool
        Whether maps and galaxies are averaged over pixels.
    galactic : GalacticSky
        Dust and synchrotron.
    counts : str
        ``poisson``, ``gaussian`` (shot noise as white noise) or ``none`` (no shot noise).
    galaxies_per_deg2 : float
        Density where complete; 3409 for unWISE Blue.
    dust_contamination : float
        Standard deviation of galaxy density that follows the logarithm of the dust, a fault.
    galactic_cut_deg, galaxy_cut_deg : float
        Latitudes below which temperature and galaxies are masked [deg].
    sources : int
        Bright radio sources with holes around them.
    source_uK : float
        Median of their peaks at 30 GHz in the common beam [uK].
    hole_fwhm : float
        Radius of holes in FWHM of the best beam.
    t_cmb_K : float
        Temperature of the CMB in all responses [K].

    Raises
    ------
    ConfigurationError
        If a choice is unknown or out of range.

    References
    ----------
    McCarthy & Hill 2024, arXiv:2307.01043; Krolewski et al. 2020, arXiv:1909.07412.
    """

    nside: int = 64
    lmax: int | None = None
    components: tuple[str, ...] = ("cmb", "tsz", "cib", "screening", "dust", "synchrotron", "noise")
    beam_factor: float | None = None
    fwhm_arcmin: Mapping[str, float] = field(default_factory=dict)
    noise_uK_arcmin: Mapping[str, float] = field(default_factory=dict)
    noise_factor: float | None = None
    calibration: Mapping[str, float] = field(default_factory=dict)
    pixel_windows: bool = False
    galactic: GalacticSky = field(default_factory=GalacticSky)
    counts: str = "poisson"
    galaxies_per_deg2: float = 3409.0
    dust_contamination: float = 0.0
    galactic_cut_deg: float = 20.0
    galaxy_cut_deg: float = 25.0
    sources: int = 0
    source_uK: float = 500.0
    hole_fwhm: float = 3.0
    t_cmb_K: float = T_CMB_K

    def __post_init__(self) -> None:
        """Check the choices and fill in those that depend on the resolution."""
        n = self.nside
        if n < 8 or n > 2048 or n & (n - 1):
            raise ConfigurationError(f"nside = {n}: expected a power of two from 8 to 2048")
        put = object.__setattr__
        if self.lmax is None:
            put(self, "lmax", min(_LMAX.get(n, 3 * n - 4), LAST_ELL))
        if self.beam_factor is None:
            put(self, "beam_factor", beam_factor(n))
        if self.noise_factor is None:
            put(self, "noise_factor", min(1.0, 0.15 * n / 64.0))
        if not 2 <= self.top_multipole < 3 * n:
            raise ConfigurationError(
                f"lmax = {self.lmax} at nside {n}: expected 2 to {3 * n - 1}, what pixels resolve"
            )
        for name in self.components:
            if name not in SKY_COMPONENTS:
                raise unknown_name("component of a simulated sky", name, SKY_COMPONENTS)
        if self.counts not in ("poisson", "gaussian", "none"):
            raise unknown_name("counts", self.counts, ("poisson", "gaussian", "none"))
        self._check_numbers()

    def _check_numbers(self) -> None:
        for name in ("noise_factor", "sources", "source_uK", "dust_contamination", "hole_fwhm"):
            self._expect(name, float(getattr(self, name)) >= 0.0, ">= 0")
        for name in ("beam_factor", "galaxies_per_deg2", "t_cmb_K"):
            self._expect(name, float(getattr(self, name)) > 0.0, "> 0")
        for name in ("galactic_cut_deg", "galaxy_cut_deg"):
            self._expect(name, 0.0 <= getattr(self, name) < 90.0, "0 to below 90")

    def _expect(self, name: str, good: bool, expected: str) -> None:
        value = getattr(self, name)
        if not (good and math.isfinite(value)):
            raise ConfigurationError(f"{name} = {value}: expected a finite number {expected}")

    def spectra(self, **changes: float) -> Spectra:
        """Spectra of components with this CMB temperature and the toy Galaxy's dust."""
        galactic = self.galactic
        numbers = {
            "t_cmb_K": self.t_cmb_K,
            "dust_temperature_K": galactic.dust_temperature_K,
            "dust_beta": galactic.dust_beta,
            "synchrotron_slope": galactic.synchrotron_slope,
        } | changes
        return Spectra(**{name: jnp.asarray(value) for name, value in numbers.items()})

    @property
    def top_multipole(self) -> int:
        """The largest multipole, filled in."""
        assert self.lmax is not None
        return self.lmax

    @property
    def beams_by(self) -> float:
        """The factor on beams, filled in."""
        assert self.beam_factor is not None
        return self.beam_factor

    @property
    def noise_by(self) -> float:
        """The factor on noise, filled in."""
        assert self.noise_factor is not None
        return self.noise_factor

    @property
    def common_fwhm_arcmin(self) -> float:
        """Common beam of cleaned maps, 10 arcmin times the factor on beams."""
        return COMMON_FWHM_ARCMIN * self.beams_by

    def channel(self, name: str) -> tuple[float, float]:
        """FWHM [arcmin] and white noise [uK arcmin] of a channel, factors included."""
        if name in self.fwhm_arcmin and name in self.noise_uK_arcmin:
            fwhm, white = self.fwhm_arcmin[name], self.noise_uK_arcmin[name]
        else:
            facts = planck_channels((name,))
            fwhm = self.fwhm_arcmin.get(name, float(facts.fwhm_arcmin[0]))
            white = self.noise_uK_arcmin.get(name, float(facts.white_uK_arcmin[0]))
        return fwhm * self.beams_by, white * self.noise_by
