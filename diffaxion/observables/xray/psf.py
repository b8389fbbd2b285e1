"""Point-spread functions of an X-ray telescope: two components, a radial table, or an image.

A PSF is a density per square arcsecond whose integral over the plane is 1. Offsets are those of a
place on the detector plane from the source, (x, y) along the columns and rows of the image.
"""

from __future__ import annotations

import abc
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ...errors import DataError
from ...numerics import linear_interpolate, safe_norm

# A pixel that is large against the core of the PSF is integrated on sub-pixels.
FINE_PIXEL_ARCSEC = 4.0
_SAMPLES = 5


def _leaf(default: float) -> Array:
    return eqx.field(converter=lambda x: jnp.asarray(x, float), default=default)


class PointSpread(eqx.Module):
    """Interface of a point-spread function, for one place; ``vmap`` it over many.

    Attributes
    ----------
    references : tuple of str
        Sources of the numbers.
    """

    references: eqx.AbstractClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def density(
        self, x_arcsec: Float[Array, "..."], y_arcsec: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """Fraction of the photons per solid angle [arcsec^-2] at offsets [arcsec]."""


class RadialPointSpread(PointSpread):
    """Interface of a circular point-spread function.

    Attributes
    ----------
    references : tuple of str
        Sources of the numbers.
    """

    @abc.abstractmethod
    def enclosed(self, radius_arcsec: Float[Array, "..."]) -> Float[Array, "..."]:
        """Fraction of the photons within a radius [arcsec]."""


class TwoComponentPsf(RadialPointSpread):
    """An exponential core and a King profile, independent of energy.

    PSF(r) = F e^(-r/r1)/(2 pi r1^2) + (1 - F) (b - 1)/(pi rc^2) (1 + (r/rc)^2)^(-b), whose first
    term makes the core sharper than a King profile with the same wings can be.

    Attributes
    ----------
    core_fraction : float array, shape ()
        F, share of the exponential.
    core_arcsec : float array, shape ()
        r1, its scale [arcsec].
    king_arcsec : float array, shape ()
        rc, core radius of the King profile [arcsec].
    king_slope : float array, shape ()
        b > 1, its exponent.
    label : str, static
        What the numbers are; products repeat it.

    References
    ----------
    Harrison et al. 2013, ApJ 770, 103 (FWHM 18", half-power diameter 58"); Dessert, Foster &
    Safdi 2020, arXiv:2008.03305 (90 % within 1.74'); An et al. 2014, arXiv:1406.7419 (the
    measured encircled energy varies by less than 3 % beyond 60").
    """

    references: ClassVar[tuple[str, ...]] = ("Harrison:2013md", "Dessert:2020lil")
    core_fraction: Float[Array, ""] = _leaf(0.150)
    core_arcsec: Float[Array, ""] = _leaf(7.37)
    king_arcsec: Float[Array, ""] = _leaf(29.01)
    king_slope: Float[Array, ""] = _leaf(1.807)
    label: str = eqx.field(static=True, default="derived, not calibration")

    def density(
        self, x_arcsec: Float[Array, "..."], y_arcsec: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """Fraction of the photons per solid angle [arcsec^-2] at offsets [arcsec]."""
        square = jnp.asarray(x_arcsec) ** 2 + jnp.asarray(y_arcsec) ** 2
        radius = safe_norm(jnp.stack(jnp.broadcast_arrays(x_arcsec, y_arcsec), axis=-1))
        core = jnp.exp(-radius / self.core_arcsec) / (2.0 * jnp.pi * self.core_arcsec**2)
        king = (1.0 + square / self.king_arcsec**2) ** -self.king_slope
        king = king * (self.king_slope - 1.0) / (jnp.pi * self.king_arcsec**2)
        return self.core_fraction * core + (1.0 - self.core_fraction) * king

    def enclosed(self, radius_arcsec: Float[Array, "..."]) -> Float[Array, "..."]:
        """Fraction of the photons within a radius [arcsec]."""
        x = jnp.asarray(radius_arcsec) / self.core_arcsec
        core = -jnp.expm1(-x) - x * jnp.exp(-x)
        square = 1.0 + (jnp.asarray(radius_arcsec) / self.king_arcsec) ** 2
        king = 1.0 - square ** (1.0 - self.king_slope)
        return self.core_fraction * core + (1.0 - self.core_fraction) * king


class TabulatedPsf(RadialPointSpread):
    """A user's radial profile: linear between its radii, zero beyond the last.

    Attributes
    ----------
    radius_arcsec : float array, shape (n,)
        Radii from 0 on [arcsec].
    density_arcsec2 : float array, shape (n,)
        Fraction of the photons per solid angle there [arcsec^-2].
    """

    references: ClassVar[tuple[str, ...]] = ()
    radius_arcsec: Float[Array, " n"]
    density_arcsec2: Float[Array, " n"]

    def density(
        self, x_arcsec: Float[Array, "..."], y_arcsec: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """Fraction of the photons per solid angle [arcsec^-2] at offsets [arcsec]."""
        radius = safe_norm(jnp.stack(jnp.broadcast_arrays(x_arcsec, y_arcsec), axis=-1))
        inside = radius <= self.radius_arcsec[-1]
        found = linear_interpolate(radius, self.radius_arcsec, self.density_arcsec2)
        return jnp.where(inside, found, 0.0)

    def enclosed(self, radius_arcsec: Float[Array, "..."]) -> Float[Array, "..."]:
        """Fraction of the photons within a radius [arcsec]."""
        r, f = self.radius_arcsec, self.density_arcsec2
        slope = jnp.diff(f) / jnp.diff(r)

        def ring(low: Array, high: Array, at: Array, steep: Array, start: Array) -> Array:
            """Integral of 2 pi r (at + steep (r - start)) from low to high."""
            flat = at - steep * start
            return jnp.pi * (flat * (high**2 - low**2) + 2.0 / 3.0 * steep * (high**3 - low**3))

        rings = ring(r[:-1], r[1:], f[:-1], slope, r[:-1])
        sums = jnp.concatenate([jnp.zeros(1), jnp.cumsum(rings)])
        x = jnp.clip(radius_arcsec, r[0], r[-1])
        k = jnp.clip(jnp.searchsorted(r, x, side="right") - 1, 0, r.size - 2)
        return sums[k] + ring(r[k], x, f[k], slope[k], r[k])


class ImagePsf(PointSpread):
    """A user's image of the PSF: bilinear between the centres of its pixels, zero outside.

    Attributes
    ----------
    image : float array, shape (ny, nx)
        Fraction of the photons in each pixel; the source is at the centre of the image.
    pixel_arcsec : float array, shape ()
        Size of its pixels [arcsec].
    rotation_deg : float array, shape ()
        Angle by which the image is turned counter-clockwise on the sky image [deg].
    """

    references: ClassVar[tuple[str, ...]] = ()
    image: Float[Array, "ny nx"]
    pixel_arcsec: Float[Array, ""]
    rotation_deg: Float[Array, ""] = _leaf(0.0)

    def density(
        self, x_arcsec: Float[Array, "..."], y_arcsec: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """Fraction of the photons per solid angle [arcsec^-2] at offsets [arcsec]."""
        angle = jnp.deg2rad(self.rotation_deg)
        c, s = jnp.cos(angle), jnp.sin(angle)
        x = (c * x_arcsec + s * y_arcsec) / self.pixel_arcsec
        y = (-s * x_arcsec + c * y_arcsec) / self.pixel_arcsec
        ny, nx = self.image.shape
        places = [y + 0.5 * (ny - 1), x + 0.5 * (nx - 1)]
        sampled = jax.scipy.ndimage.map_coordinates(
            self.image, places, order=1, mode="constant", cval=0.0
        )
        return sampled / self.pixel_arcsec**2


def nustar_psf() -> TwoComponentPsf:
    """The default PSF of NuSTAR, derived from published widths: not a calibration product.

    Returns
    -------
    TwoComponentPsf
        Leaves of shape () [arcsec].

    References
    ----------
    As :class:`TwoComponentPsf`.
    """
    return TwoComponentPsf()


def radial_psf(
    radius_arcsec: ArrayLike,
    density: ArrayLike,
    enclosed: float = 1.0,
    source: str = "PSF table",
) -> TabulatedPsf:
    """A PSF from a radial table in any unit, normalised to the photons within its last radius.

    Parameters
    ----------
    radius_arcsec : array, shape (n,)
        Increasing radii, the first 0 [arcsec].
    density : array, shape (n,)
        Surface brightness at these radii, any unit.
    enclosed : float
        Fraction of all photons within the last radius.
    source : str
        File for messages.

    Returns
    -------
    TabulatedPsf
        Normalised profile.

    Raises
    ------
    DataError
        If radii do not increase from 0, a value is negative or not finite, all are zero, or
        ``enclosed`` is not in (0, 1].

    References
    ----------
    None: a normalisation.
    """
    r, f = np.asarray(radius_arcsec, float), np.asarray(density, float)
    if r.ndim != 1 or r.size < 2 or r.shape != f.shape:
        raise DataError(
            f"{source}: radii of shape {r.shape} and values of shape {f.shape}; expected two "
            "columns of the same length >= 2"
        )
    if not np.all(np.isfinite([r, f])) or r[0] != 0.0 or np.any(np.diff(r) <= 0.0):
        raise DataError(f"{source}: radii must be finite and increase from 0 [arcsec]")
    if np.any(f < 0.0) or not np.any(f > 0.0):
        raise DataError(f"{source}: values must be >= 0 and not all zero; lowest is {f.min():g}")
    _check_share(enclosed, source)
    raw = TabulatedPsf(jnp.asarray(r), jnp.asarray(f))
    return TabulatedPsf(raw.radius_arcsec, raw.density_arcsec2 * enclosed / raw.enclosed(r[-1]))


def image_psf(
    image: ArrayLike,
    pixel_arcsec: float,
    rotation_deg: float = 0.0,
    enclosed: float = 1.0,
    source: str = "PSF image",
) -> ImagePsf:
    """A PSF from an image with the source at its centre, normalised to the photons it holds.

    Parameters
    ----------
    image : array, shape (ny, nx)
        Values per pixel, any unit.
    pixel_arcsec : float
        Size of a pixel [arcsec].
    rotation_deg : float
        Angle by which the image is turned counter-clockwise [deg].
    enclosed : float
        Fraction of all photons within the image.
    source : str
        File for messages.

    Returns
    -------
    ImagePsf
        Normalised image.

    Raises
    ------
    DataError
        If the image is not two-dimensional, a value is negative or not finite, all are zero, the
        pixel size is not positive, or ``enclosed`` is not in (0, 1].

    References
    ----------
    None: a normalisation.
    """
    f = np.asarray(image, float)
    if f.ndim != 2 or min(f.shape) < 3:
        raise DataError(f"{source}: has shape {f.shape}, expected an image of 3 x 3 or more pixels")
    if not np.all(np.isfinite(f)) or np.any(f < 0.0) or not np.any(f > 0.0):
        raise DataError(f"{source}: values must be finite, >= 0 and not all zero")
    if not (np.isfinite(pixel_arcsec) and pixel_arcsec > 0.0):
        raise DataError(f"{source}: pixel size {pixel_arcsec:g} arcsec, expected > 0")
    _check_share(enclosed, source)
    scaled = f * (enclosed / f.sum())
    return ImagePsf(
        jnp.asarray(scaled), jnp.asarray(pixel_arcsec, float), jnp.asarray(rotation_deg, float)
    )


def _check_share(enclosed: float, source: str) -> None:
    if not 0.0 < enclosed <= 1.0:
        raise DataError(f"{source}: enclosed fraction {enclosed:g}, expected 0 < f <= 1")


def pixel_samples(pixel_arcsec: float) -> int:
    """Sub-pixels per side on which a PSF is integrated over a pixel: 5 above 4", else 1.

    Parameters
    ----------
    pixel_arcsec : float
        Size of a pixel [arcsec].

    Returns
    -------
    int
        A static number, shape ().

    References
    ----------
    None: the centre alone is off by 0.6 to 2.4 % of a region of 2' at 12", by 0.01 % at 2.46".
    """
    return _SAMPLES if pixel_arcsec > FINE_PIXEL_ARCSEC else 1


def pixel_fractions(
    psf: PointSpread,
    x_arcsec: Float[Array, " p"],
    y_arcsec: Float[Array, " p"],
    pixel_arcsec: Float[Array, ""],
    samples: int = _SAMPLES,
) -> Float[Array, " p"]:
    """Fraction of the photons of a source in each of many pixels.

    Parameters
    ----------
    psf : PointSpread
        Point-spread function.
    x_arcsec, y_arcsec : float array, shape (p,)
        Offsets of the pixel centres from the source [arcsec].
    pixel_arcsec : float array, shape ()
        Size of a pixel [arcsec].
    samples : int
        Sub-pixels per side, static.

    Returns
    -------
    float array, shape (p,)
        Fractions; their sum over the plane is 1.

    References
    ----------
    None: the midpoint rule.
    """
    step = ((np.arange(samples) + 0.5) / samples - 0.5) * pixel_arcsec
    x, y = (jnp.asarray(v)[..., None, None] for v in (x_arcsec, y_arcsec))
    return pixel_arcsec**2 * jnp.mean(psf.density(x + step[:, None], y + step), axis=(-2, -1))
