"""Where in a halo conversion is counted: the radial range, the virial radius, the mass floor.

The edges are conventions of the analysis, not physics: below x_lo = 0.1 R200c and above x_hi =
1.1 R200c simulated fields are not trusted, beyond Rvir the halo ends, below the floor there is no
field. The outer cut matters at low axion mass: n_e(1.1 R200c) hardly depends on halo mass there,
so the cut moves in redshift for all halos at once when m_a changes. A hard edge hides that from
automatic differentiation; the tapered one is smooth in x and mass.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..errors import ValidityError, unknown_name
from ..numerics import safe_log

_EDGES = ("hard", "taper")


class ConversionCuts(eqx.Module):
    """Limits of the region of a halo in which conversion is counted.

    Attributes
    ----------
    x_lo, x_hi : float array, shape ()
        Inner and outer radius in units of R200c, dimensionless; ``x_lo = 0`` and ``x_hi = inf``
        are no cuts.
    floor_Msun : float array, shape ()
        Smallest M200c [Msun]; 0 is no cut (dark photons).
    width : float array, shape ()
        Full width of a tapered edge, in ln x and in ln M, dimensionless, > 0.
    edges : str
        ``"taper"`` (smooth, the default) or ``"hard"``; static.
    """

    x_lo: Float[Array, ""]
    x_hi: Float[Array, ""]
    floor_Msun: Float[Array, ""]
    width: Float[Array, ""]
    edges: str = eqx.field(static=True)

    def __init__(
        self,
        x_lo: ArrayLike = 0.1,
        x_hi: ArrayLike = 1.1,
        floor_Msun: ArrayLike = 1e11,
        width: ArrayLike = 0.05,
        edges: str = "taper",
    ) -> None:
        if edges not in _EDGES:
            raise unknown_name("kind of edges", edges, _EDGES)
        if isinstance(width, (int, float)) and not width > 0.0:
            raise ValidityError(
                f"width = {width!r} of tapered edges: expected a number > 0; use edges='hard' "
                "for a step."
            )
        self.x_lo = jnp.asarray(x_lo, float)
        self.x_hi = jnp.asarray(x_hi, float)
        self.floor_Msun = jnp.asarray(floor_Msun, float)
        self.width = jnp.asarray(width, float)
        self.edges = edges


def smooth_step(y: Float[Array, "..."]) -> Float[Array, "..."]:
    """S(y) = t^3 (6 t^2 - 15 t + 10) with t = clip(y + 1/2, 0, 1).

    Rises from 0 at y = -1/2 to 1 at y = 1/2 with two continuous derivatives; S(-y) = 1 - S(y).

    Parameters
    ----------
    y : float array, shape (...)
        Distance from the edge in units of its full width, dimensionless.

    Returns
    -------
    float array, shape (...)
        Between 0 and 1, dimensionless.

    References
    ----------
    Perlin 2002, Improving noise, ACM Trans. Graph. 21, 681 (the quintic step).
    """
    t = jnp.clip(y + 0.5, 0.0, 1.0)
    return t * t * t * (t * (6.0 * t - 15.0) + 10.0)


def _hard(x: Array, x_virial: Array, m200c: Array, cuts: ConversionCuts) -> Array:
    inside = (x >= cuts.x_lo) & (x <= cuts.x_hi) & (m200c >= cuts.floor_Msun)
    # H(Rvir - r) with H(0) = 1/2.
    return jnp.where(inside, 0.5 * (1.0 + jnp.sign(x_virial - x)), 0.0)


def _taper(x: Array, x_virial: Array, m200c: Array, cuts: ConversionCuts) -> Array:
    ln_x, per_width = safe_log(x), 1.0 / cuts.width
    # One upper edge: two tapers that nearly coincide would multiply to a distorted one.
    upper = safe_log(jnp.minimum(cuts.x_hi, x_virial)) - ln_x
    lower = ln_x - safe_log(cuts.x_lo)
    floor = safe_log(m200c) - safe_log(cuts.floor_Msun)
    window = (
        smooth_step(upper * per_width)
        * smooth_step(lower * per_width)
        * smooth_step(floor * per_width)
    )
    return jnp.where(x > 0.0, window, 0.0)


def conversion_window(
    x: ArrayLike, x_virial: ArrayLike, m200c_Msun: ArrayLike, cuts: ConversionCuts
) -> Float[Array, "..."]:
    """Weight of a crossing at radius x of a halo, between 0 and 1; multiplies its probability.

    ``taper``: S(ln(x_edge/x)/w) S(ln(x/x_lo)/w) S(ln(M200c/floor)/w), x_edge = min(x_hi, Rvir/
    R200c), w the full width. The minimum has a kink only where the two radii cross, in redshift
    and halo mass; as a function of x, and so of the axion's mass and of the gas, the window is
    smooth. ``hard``: 1 for x_lo <= x <= x_hi, x < Rvir/R200c and M200c >= floor (1/2 at x =
    Rvir/R200c), else 0; its gradient is zero.

    Parameters
    ----------
    x : float array, shape (...)
        r/R200c of the crossing, dimensionless; 0 is returned for x <= 0 (with x_lo > 0).
    x_virial : float array, shape (...)
        Rvir/R200c, dimensionless, > 0.
    m200c_Msun : float array, shape (...)
        M200c [Msun].
    cuts : ConversionCuts
        The limits.

    Returns
    -------
    float array, shape (...)
        Window, dimensionless.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (the cuts; the tapers are of this project).
    """
    x, x_virial, mass = (jnp.asarray(v, float) for v in (x, x_virial, m200c_Msun))
    return (_hard if cuts.edges == "hard" else _taper)(x, x_virial, mass, cuts)
