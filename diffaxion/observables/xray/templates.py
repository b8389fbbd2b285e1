"""Signal and background templates of count images: stars through PSF, exposure and offsets.

The signal template of an energy bin i is the fraction of the counts over the whole PSF that is
expected in each pixel p,

    T_ip = sum_k w_ki sum_* f_*i P(p - x_*) e_ki(p)/e_ki(reference),

with stars * of share f, exposures k (observations, modules) of share w, and the pixel-integrated
PSF P. Its sum over a region is the containment. Everything is differentiable in the PSF, in the
offset of each exposure, and in the weights of the stars.
"""

from __future__ import annotations

from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...environments.stars.star_field import StarField
from ...numerics import safe_divide
from .psf import PointSpread, pixel_fractions

_ARCSEC = 3600.0


class TangentPlane(eqx.Module):
    """Gnomonic projection of the sky on the pixels of an image (FITS: RA---TAN, DEC--TAN).

    Attributes
    ----------
    ra_deg, dec_deg : float array, shape ()
        Tangent point [deg].
    x0, y0 : float array, shape ()
        Its pixel coordinates; pixel centres are whole numbers, the first 0.
    cd_deg : float array, shape (2, 2)
        Matrix from pixels to (east, north) on the tangent plane [deg].

    References
    ----------
    Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3.
    """

    ra_deg: Float[Array, ""]
    dec_deg: Float[Array, ""]
    x0: Float[Array, ""]
    y0: Float[Array, ""]
    cd_deg: Float[Array, "2 2"]

    def pixel(
        self, ra_deg: Float[Array, "..."], dec_deg: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """Pixel coordinates (x, y) of positions on the sky [deg]."""
        east, north = tangent_offsets(ra_deg, dec_deg, self.ra_deg, self.dec_deg)
        dx, dy = self.pixel_steps(east, north)
        return self.x0 + dx, self.y0 + dy

    def pixel_steps(
        self, east_arcsec: Float[Array, "..."], north_arcsec: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """Pixels (x, y) of a step on the tangent plane [arcsec]."""
        (a, b), (c, d) = self.cd_deg
        scale = _ARCSEC * (a * d - b * c)
        return (d * east_arcsec - b * north_arcsec) / scale, (
            a * north_arcsec - c * east_arcsec
        ) / scale

    @property
    def pixel_arcsec(self) -> Float[Array, ""]:
        """Size of a (square) pixel [arcsec]."""
        (a, b), (c, d) = self.cd_deg
        return _ARCSEC * jnp.sqrt(jnp.abs(a * d - b * c))


def tangent_offsets(
    ra_deg: Float[Array, "..."],
    dec_deg: Float[Array, "..."],
    ra0_deg: Float[Array, ""],
    dec0_deg: Float[Array, ""],
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Offsets (east, north) of positions from a tangent point, by gnomonic projection.

    Parameters
    ----------
    ra_deg, dec_deg : float array, shape (...)
        Positions, less than 90 deg from the tangent point [deg].
    ra0_deg, dec0_deg : float array, shape ()
        Tangent point [deg].

    Returns
    -------
    east, north : float array, shape (...)
        Offsets on the tangent plane [arcsec]; 0 for positions 90 deg away.

    References
    ----------
    Calabretta & Greisen 2002, A&A 395, 1077, equations (54) and (12)-(13).
    """
    a = jnp.deg2rad(jnp.asarray(ra_deg) - ra0_deg)
    d, d0 = jnp.deg2rad(dec_deg), jnp.deg2rad(dec0_deg)
    depth = jnp.sin(d0) * jnp.sin(d) + jnp.cos(d0) * jnp.cos(d) * jnp.cos(a)
    east = jnp.cos(d) * jnp.sin(a)
    # sin(d - d0) does not cancel near the tangent point, where d and d0 nearly agree.
    north = jnp.sin(d - d0) + 2.0 * jnp.sin(d0) * jnp.cos(d) * jnp.sin(0.5 * a) ** 2
    unit = _ARCSEC * 180.0 / jnp.pi
    return unit * safe_divide(east, depth), unit * safe_divide(north, depth)


class Pointing(eqx.Module):
    """What is uncertain about one exposure: where it points, and the shape of its background.

    Attributes
    ----------
    offset_arcsec : float array, shape (2,)
        Where sources appear, east and north of their positions [arcsec].
    background_tilt : float array, shape (2,)
        Fractional change of the background from the centre of the region to its edge, along the
        columns and along the rows of the image.
    """

    offset_arcsec: Float[Array, "2"] = eqx.field(
        converter=lambda x: jnp.asarray(x, float), default=(0.0, 0.0)
    )
    background_tilt: Float[Array, "2"] = eqx.field(
        converter=lambda x: jnp.asarray(x, float), default=(0.0, 0.0)
    )


class ImageTemplates(eqx.Module):
    """Pixels of one count image: a single exposure, or the sum of several on the same pixels.

    Attributes
    ----------
    planes : TangentPlane
        Projection of each exposure; leaves have a leading axis (k,).
    x, y : float array, shape (p,)
        Pixel coordinates of the region, the same for all exposures.
    exposure : float array, shape (k, bins, p)
        w_ki e_ki(p)/e_ki(reference): vignetting and gaps, times the share of each exposure in
        the counts of a bin.
    background : float array, shape (k, bins, p)
        Background counts of each exposure for A = 1.
    across : float array, shape (2, p)
        Place of each pixel in the region, from -1 to 1 along columns and rows.
    names : tuple of str, static
        Keys of the exposures among the pointings of the world.
    samples : int, static
        Sub-pixels per side of the PSF's integration.
    """

    planes: TangentPlane
    x: Float[Array, " p"]
    y: Float[Array, " p"]
    exposure: Float[Array, "k bins p"]
    background: Float[Array, "k bins p"]
    across: Float[Array, "2 p"]
    names: tuple[str, ...] = eqx.field(static=True)
    samples: int = eqx.field(static=True, default=5)

    def signal_template(
        self, psf: PointSpread, stars: StarField, pointings: Mapping[str, Pointing]
    ) -> Float[Array, "bins p"]:
        """T: fraction of the signal in each pixel, per count over the whole PSF."""
        offsets = self._stacked(pointings).offset_arcsec

        def one(at: tuple[TangentPlane, Array]) -> Array:
            return star_image(psf, stars, at[0], self.x, self.y, at[1], self.samples)

        images = jax.lax.map(one, (self.planes, offsets))
        images = images if images.ndim == 3 else images[:, None]
        return jnp.sum(self.exposure * images, axis=0)

    def background_template(self, pointings: Mapping[str, Pointing]) -> Float[Array, "bins p"]:
        """B: background counts in each pixel, tilts included."""
        tilted = 1.0 + self._stacked(pointings).background_tilt @ self.across
        # A background is not negative, however far a tilt is drawn.
        return jnp.sum(self.background * jnp.maximum(tilted, 0.0)[:, None], axis=0)

    def _stacked(self, pointings: Mapping[str, Pointing]) -> Pointing:
        """Pointings of the exposures, leaves with a leading axis (k,)."""
        found = [pointings.get(name, Pointing()) for name in self.names]
        return jax.tree.map(lambda *v: jnp.stack(v), *found)


def star_image(
    psf: PointSpread,
    stars: StarField,
    plane: TangentPlane,
    x: Float[Array, " p"],
    y: Float[Array, " p"],
    offset_arcsec: Float[Array, "2"],
    samples: int = 5,
) -> Float[Array, "... p"]:
    """Fraction of the photons of all stars in each pixel, for a uniform exposure.

    Parameters
    ----------
    psf : PointSpread
        Point-spread function.
    stars : StarField
        Positions [deg] and weights.
    plane : TangentPlane
        Projection of the image.
    x, y : float array, shape (p,)
        Pixel coordinates.
    offset_arcsec : float array, shape (2,)
        East and north shift of all stars [arcsec].
    samples : int
        Sub-pixels per side, static.

    Returns
    -------
    float array, shape (p,) or (bins, p)
        Fractions, one row per bin if the weights of the stars have one.

    References
    ----------
    None: a sum over stars.
    """
    pixel = plane.pixel_arcsec
    step_x, step_y = plane.pixel_steps(offset_arcsec[0], offset_arcsec[1])
    star_x, star_y = plane.pixel(stars.ra_deg, stars.dec_deg)
    shares = stars.shares()

    def add(total: Array, star: tuple[Array, Array, Array]) -> tuple[Array, None]:
        at_x, at_y, share = star
        dx, dy = (x - at_x - step_x) * pixel, (y - at_y - step_y) * pixel
        found = pixel_fractions(psf, dx, dy, pixel, samples)
        return total + share[..., None] * found, None

    zero = jnp.zeros((*shares.shape[:-1], x.shape[0]))
    # One star at a time: sub-pixels of all stars at once would not fit into a processor's cache.
    rows = (star_x, star_y, jnp.moveaxis(shares, -1, 0))
    return jax.lax.scan(jax.checkpoint(add), zero, rows)[0]
