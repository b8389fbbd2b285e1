"""Edges of the field models: steps, and where a sight line meets the surfaces.

Along a sight line the integrand of the conversion amplitude jumps at the surfaces of a model.
Distances of these crossings are differentiable in the geometry, so that an integral split there
has the boundary terms in its gradient that a fixed grid drops. A surface that is not met between
the Sun and the source is given as s = d.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...numerics import bracketed_root, safe_atan2, safe_divide, safe_log, safe_sqrt
from .frame import S_MIN_KPC, SightLine

_BISECTIONS = 45


def step(x: Float[Array, "..."], width: Float[Array, ""] | None) -> Float[Array, "..."]:
    """1 for x >= 0 and 0 below; with a width, the logistic step 1/(1 + exp(-x/width))."""
    if width is None:
        return jnp.where(x >= 0.0, 1.0, 0.0)
    return jax.nn.sigmoid(x / width)


def on_line(s_kpc: Float[Array, "..."], exists: Array, sightline: SightLine) -> Float[Array, "..."]:
    """s where it exists and lies strictly between Sun and source, else the distance d [kpc]."""
    d = sightline.distance_kpc
    return jnp.where(exists & (s_kpc > S_MIN_KPC) & (s_kpc < d), s_kpc, d)


def sphere_crossings(radius_kpc: Float[Array, ""], sightline: SightLine) -> Float[Array, "2"]:
    """Distances at which the line enters and leaves the sphere R = radius [kpc]."""
    r_sun = sightline.r_sun_kpc
    half = r_sun * sightline.direction()[0]
    disc = half * half - r_sun * r_sun + radius_kpc * radius_kpc
    root = safe_sqrt(disc)
    return on_line(jnp.stack([half - root, half + root]), disc > 0.0, sightline)


def cylinder_crossings(radius_kpc: Float[Array, ""], sightline: SightLine) -> Float[Array, "2"]:
    """Distances at which the line enters and leaves the cylinder r = radius [kpc]."""
    l, b = sightline.angles()
    r_sun = sightline.r_sun_kpc
    disc = radius_kpc * radius_kpc - (r_sun * jnp.sin(l)) ** 2
    half, root = r_sun * jnp.cos(l), safe_sqrt(disc)
    s = safe_divide(jnp.stack([half - root, half + root]), jnp.cos(b))
    return on_line(s, disc > 0.0, sightline)


def cone_crossings(
    radius_kpc: Float[Array, ""], slope: Float[Array, ""], sightline: SightLine
) -> Float[Array, "2"]:
    """Distances at which the line meets the double cone r = radius + slope |z| [kpc].

    r^2 = (radius + slope s |sin b|)^2 is a quadratic in s; the Sun lies in the plane, so that
    |z| = s |sin b|.
    """
    l, b = sightline.angles()
    r_sun = sightline.r_sun_kpc
    k = slope * jnp.where(b >= 0.0, jnp.sin(b), -jnp.sin(b))
    a = jnp.cos(b) ** 2 - k * k
    half = r_sun * jnp.cos(b) * jnp.cos(l) + radius_kpc * k
    c = r_sun * r_sun - radius_kpc * radius_kpc
    disc = half * half - a * c
    # c / (half + root) and (half + root) / a are the roots, without cancellation; a second form
    # is needed where half < 0.
    root = safe_sqrt(disc)
    q = half + jnp.where(half >= 0.0, root, -root)
    s = jnp.stack([safe_divide(c, q), safe_divide(q, a)])
    met = radius_kpc + k * s >= 0.0
    return on_line(s, (disc > 0.0) & met, sightline)


def _winding(h: Float[Array, ""], theta: tuple[Array, Array, Array]) -> Float[Array, ""]:
    """u = ln r - (phi - pi) tan i at horizontal distance h from the Sun, continuous in h."""
    l, r_sun, tan_i = theta
    x, y = h * jnp.cos(l) - r_sun, h * jnp.sin(l)
    # phi - pi = atan2(-y, -x) starts at 0 at the Sun and stays within (-pi, pi) on a line.
    return 0.5 * safe_log(x * x + y * y) - safe_atan2(-y, -x) * tan_i


@functools.partial(jax.vmap, in_axes=(0, 0, 0, None))
def _winding_root(
    target: Float[Array, ""],
    lo: Float[Array, ""],
    hi: Float[Array, ""],
    theta: tuple[Array, Array, Array],
) -> Float[Array, ""]:
    def residual(h: Array, args: tuple[Array, tuple[Array, Array, Array]]) -> Array:
        return _winding(h, args[1]) - args[0]

    return bracketed_root(residual, (target, theta), lo, hi, _BISECTIONS)


def arm_crossings(
    radii_kpc: Float[Array, " n"],
    pitch_deg: Float[Array, ""],
    sightline: SightLine,
    r_min_kpc: float,
    r_max_kpc: float,
    count: int,
) -> Float[Array, " count"]:
    """Distances at which the line crosses logarithmic spirals, sorted, padded with d [kpc].

    The spirals are u = ln r - (phi - pi) tan i = ln(radii) modulo 2 pi tan i. Along a straight
    line u has one minimum, at the horizontal distance r_sun (cos l - sin l tan i), and is
    monotonic on both sides: each boundary is bracketed there, so that a line that touches the
    same arm twice yields both crossings.

    Parameters
    ----------
    radii_kpc : float array, shape (n,)
        Radii of the boundaries on the negative x axis, within one winding [kpc].
    pitch_deg : float array, shape ()
        Pitch angle i [deg].
    sightline : SightLine
        The line.
    r_min_kpc, r_max_kpc : float
        Crossings outside these cylindrical radii are dropped [kpc].
    count : int
        Number of distances returned; the nearest ones are kept.

    Returns
    -------
    float array, shape (count,)
        Distances from the Sun [kpc].
    """
    l, b = sightline.angles()
    r_sun = sightline.r_sun_kpc
    tan_i = jnp.tan(jnp.deg2rad(pitch_deg))
    period = 2.0 * jnp.pi * tan_i
    theta = (l, r_sun, tan_i)
    u_arm = jnp.log(radii_kpc)
    h_end = sightline.distance_kpc * jnp.cos(b)
    h_turn = jnp.maximum(r_sun * (jnp.cos(l) - jnp.sin(l) * tan_i), 0.0)
    # Near side: u falls from ln r_sun by less than one period while r > r_min.
    u_sun = jnp.log(r_sun)
    near = u_arm + period * jnp.floor((u_sun - u_arm) / period)
    # Far side: u rises from the turning point, or from where the line leaves r = r_min.
    chord = safe_sqrt(r_min_kpc**2 - (r_sun * jnp.sin(l)) ** 2)
    h_in, h_out = r_sun * jnp.cos(l) - chord, r_sun * jnp.cos(l) + chord
    h_far = jnp.where((chord > 0.0) & (h_turn > h_in), jnp.maximum(h_turn, h_out), h_turn)
    first = jnp.ceil((_winding(h_far, theta) - u_arm) / period)
    far = jnp.concatenate([u_arm + period * first, u_arm + period * (first + 1.0)])

    target = jnp.concatenate([near, far])
    is_near = jnp.arange(target.shape[0]) < near.shape[0]
    lo = jnp.where(is_near, 0.0, h_far)
    hi = jnp.where(is_near, h_turn, jnp.maximum(h_end, h_far))
    h = _winding_root(target, lo, hi, theta)
    u_lo = jnp.where(is_near, _winding(h_turn, theta), _winding(h_far, theta))
    u_hi = jnp.where(is_near, u_sun, _winding(jnp.maximum(h_end, h_far), theta))
    r2 = r_sun * r_sun - 2.0 * h * r_sun * jnp.cos(l) + h * h
    met = (u_lo <= target) & (target <= u_hi) & (hi > lo)
    met &= (r2 >= r_min_kpc**2) & (r2 <= r_max_kpc**2)
    return jnp.sort(on_line(safe_divide(h, jnp.cos(b)), met, sightline))[:count]
