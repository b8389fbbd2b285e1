"""How bright the background of a simulated observation is, and what shape it has.

The published spectra come without images. A background is chosen such that the fit of a signal has
the published error: with a signal template T and a background N b, sum b = 1, over the pixels of
the region, the curvature error of the signal without one is

    sigma_S^-2 = (sum T^2/b - (sum T)^2)/N,

so that N = sigma_S^2 (sum T^2/b - (sum T)^2) counts. The published exposures are taken as sums
over both modules ("Focal Plane Module A and B data totaling 138 ks" of Westerlund 1; of Quintuplet
the publication does not say), so that dF/dE = S/(t dE) is the rate of one module, as everywhere
in this package, whose effective area is that of one.
"""

from __future__ import annotations

from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from ..data.cluster_files import BUNDLED_CLUSTERS, ClusterDescription, load_cluster
from ..data.nustar_files import nustar_grid
from ..data.sky_grid import SkyGrid
from ..environments.stars.star_field import StarField, central_stars
from ..errors import ConfigurationError, DataError
from ..observables.xray.cluster_spectrum import RATE_UNIT
from ..observables.xray.psf import PointSpread, nustar_psf, pixel_samples
from ..observables.xray.templates import TangentPlane, star_image
from .star_clusters import published_spectrum

TILT = (0.15, 0.10)
"""Default gradient of the background, east and north, in units of its mean per arcmin."""

# Where a target has no published spectrum, its sky is taken to be as bright as this one's.
_ELSEWHERE = "quintuplet"


@dataclass(frozen=True)
class BackgroundLevel:
    """Surface brightness of the background in energy bins, of one module.

    Attributes
    ----------
    low_keV, high_keV : array, shape (n,)
        Edges [keV].
    brightness : array, shape (n,)
        Mean over the region [counts s^-1 keV^-1 arcmin^-2].
    origin : str
        What it was chosen from.
    """

    low_keV: np.ndarray
    high_keV: np.ndarray
    brightness: np.ndarray
    origin: str

    def in_bins(self, low_keV: ArrayLike, high_keV: ArrayLike) -> np.ndarray:
        """Counts s^-1 arcmin^-2 in other bins, of a constant brightness within each of these.

        Parameters
        ----------
        low_keV, high_keV : array, shape (m,)
            Edges [keV].

        Returns
        -------
        array, shape (m,)
            Rates per solid angle [counts s^-1 arcmin^-2].

        Raises
        ------
        DataError
            If a bin is not covered.
        """
        low, high = (np.asarray(x, float) for x in (low_keV, high_keV))
        overlap = _overlap(low, high, self.low_keV, self.high_keV, self.origin)
        return overlap @ self.brightness


def _overlap(
    low: np.ndarray, high: np.ndarray, known_low: np.ndarray, known_high: np.ndarray, origin: str
) -> np.ndarray:
    """Energies that bins share with known ones, shape (m, n) [keV]."""
    ends = np.minimum(high[:, None], known_high)
    overlap = np.clip(ends - np.maximum(low[:, None], known_low), 0.0, None)
    short = overlap.sum(axis=1) < (high - low) * (1.0 - 1e-9)
    if short.any():
        k = int(np.argmax(short))
        raise DataError(
            f"background of {origin}: known for {known_low[0]:g}-{known_high[-1]:g} keV, not for "
            f"the bin {low[k]:g}-{high[k]:g} keV"
        )
    return overlap


def _has_errors(facts: ClusterDescription) -> bool:
    """Whether errors of the target are published; a user's own description has none."""
    seen = facts.nustar
    return facts.origin in BUNDLED_CLUSTERS and seen is not None and seen.g_curve_GeV > 0.0


def check_background_bins(
    facts: ClusterDescription, low_keV: ArrayLike, high_keV: ArrayLike
) -> None:
    """Refuse bins whose background is not known.

    Parameters
    ----------
    facts : ClusterDescription
        Target.
    low_keV, high_keV : array, shape (m,)
        Edges [keV].

    Returns
    -------
    None
        Nothing; known bins pass.

    Raises
    ------
    DataError
        Naming the bin and the energies that are known.

    References
    ----------
    None: a validation.
    """
    known = published_spectrum(facts.name if _has_errors(facts) else _ELSEWHERE)
    low, high = (np.asarray(x, float) for x in (low_keV, high_keV))
    _overlap(low, high, known.low_keV, known.high_keV, f"{facts.label}, from published errors")


def background_shape(
    grid: SkyGrid, ra_deg: float, dec_deg: float, tilt: tuple[float, float] = TILT
) -> np.ndarray:
    """Relative surface brightness in the pixels of an image: 1 + gradient times position.

    Parameters
    ----------
    grid : SkyGrid
        Pixels.
    ra_deg, dec_deg : float
        Where the shape is 1 [deg].
    tilt : tuple of two floats
        Gradient east and north [per arcmin].

    Returns
    -------
    array, shape (ny, nx)
        At least 0.05, far outside of the region too.

    References
    ----------
    None: a choice.
    """
    east, north = grid.centres_arcsec(ra_deg, dec_deg) / 60.0
    return np.maximum(1.0 + tilt[0] * east + tilt[1] * north, 0.05)


_star_image = eqx.filter_jit(star_image)


def star_shares(
    grid: SkyGrid, x: ArrayLike, y: ArrayLike, stars: StarField, psf: PointSpread
) -> np.ndarray:
    """Fraction of the photons of all stars in some pixels of an image.

    Parameters
    ----------
    grid : SkyGrid
        Where the pixels are.
    x, y : array, shape (p,)
        Pixel coordinates.
    stars : StarField
        Stars [deg].
    psf : PointSpread
        Point-spread function.

    Returns
    -------
    array, shape (p,) or (bins, p)
        Fractions, one row per bin if the weights of the stars have one.

    References
    ----------
    None: a sum over stars.
    """
    numbers = (grid.ra_deg, grid.dec_deg, grid.x0, grid.y0, grid.cd_deg)
    plane = TangentPlane(*(jnp.asarray(v, float) for v in numbers))
    across, down = jnp.asarray(x, float), jnp.asarray(y, float)
    samples = pixel_samples(grid.pixel_arcsec)
    return np.asarray(_star_image(psf, stars, plane, across, down, jnp.zeros(2), samples))


def published_background(
    facts: ClusterDescription,
    tilt: tuple[float, float] = TILT,
    psf: PointSpread | None = None,
    pixel_factor: int = 2,
) -> BackgroundLevel:
    """Brightness with which a fit of all stars at the centre has the published errors.

    Parameters
    ----------
    facts : ClusterDescription
        Target; region, masks and exposure are its own. Of a target without a published spectrum
        the brightness is that of Quintuplet.
    tilt : tuple of two floats
        Gradient of the background, east and north [per arcmin].
    psf : PointSpread, optional
        PSF; that of NuSTAR by default.
    pixel_factor : int
        NuSTAR pixels per side of the pixels of the sum.

    Returns
    -------
    BackgroundLevel
        In the published bins [counts s^-1 keV^-1 arcmin^-2].

    Raises
    ------
    ConfigurationError
        If the published exposure of the target is missing.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305 (errors of figure 2).
    """
    seen = facts.nustar
    if seen is None or not _has_errors(facts):
        found = published_background(load_cluster(_ELSEWHERE), tilt, psf, pixel_factor)
        origin = f"{found.origin} (of {facts.label} none are published)"
        return BackgroundLevel(found.low_keV, found.high_keV, found.brightness, origin)
    if seen.exposure_ks <= 0.0:
        raise ConfigurationError(f"target {facts.origin}: nustar.exposure_ks = 0, expected > 0")
    ra, dec = facts.position.ra, facts.position.dec
    radius = seen.roi_radius_arcmin
    side = 2 * int(np.ceil(radius * 60.0 / nustar_grid(ra, dec).pixel_arcsec / pixel_factor)) + 1
    grid = nustar_grid(ra, dec, side * pixel_factor).rebin(pixel_factor)
    used = np.hypot(*grid.centres_arcsec(ra, dec)) <= radius * 60.0
    for mask in seen.masks:
        used &= np.hypot(*grid.centres_arcsec(mask.ra, mask.dec)) > mask.radius_arcmin * 60.0
    y, x = np.nonzero(used)
    stars = central_stars(ra, dec, facts.name)
    t = star_shares(grid, x, y, stars, psf or nustar_psf())
    shape = background_shape(grid, ra, dec, tilt)[used]
    share = shape / shape.sum()
    information = np.sum(t**2 / share) - np.sum(t) ** 2
    spectrum = published_spectrum(facts.name)
    seconds = seen.exposure_ks * 1e3
    width = spectrum.high_keV - spectrum.low_keV
    sigma = np.asarray(spectrum.points.scale) * RATE_UNIT * width * seconds
    # Mean shape 1 at the centre of the region: the mean over its pixels need not be.
    solid = shape.sum() * grid.pixel_area_arcsec2 / 3600.0
    brightness = sigma**2 * information / (solid * seconds * width)
    return BackgroundLevel(
        spectrum.low_keV, spectrum.high_keV, brightness, f"published errors of {facts.label}"
    )
