"""A surrogate of the screening response in all nuisances and the mass, built at start-up.

With c_b = -C_b the bandpowers per unit u, mu an effective mass and z the standard normals of the
bound paths, the surrogate is

    c_b(theta, m) = 2 f_b(mu) sinh(p_b(z, ln mu)) exp(2 ln A_B - D),   ln mu = ln m - D/2.

D(theta, ln mu) is the change of ln n_e at one reference halo, at a radius that moves from the outer
edge of conversion (light masses) to the inner one. Conversion depends on the mass through m^2/n_e
and 1/m^2 only, so that a factor exp(D) on all electrons is *exactly* a shift of ln m by D/2 and a
factor exp(-D); for a change of the gas profile the shift takes away most of the steep dependence
near the edges of the resonance. A factor A_B on the field is exact as well. What is left is a
polynomial p_b: all terms up to second order, cubes along each axis, and all cubic terms of the gas,
with coefficients that are C^2 splines in ln mu. sinh is a logarithm where there is signal and
linear below f_b, 5e-3 of the signal's trend, where halos cease to resonate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..conversion.halo_window import smooth_step
from ..environments.halos.gas import GasProfile
from ..environments.halos.grid import HaloGrid
from ..errors import ConfigurationError
from ..numerics import linear_interpolate, spline_interpolate
from ..observables.cmb.screening import Cache
from ..observables.world import World
from ..parameters.bind import Bindings
from ..parameters.paths import get_path
from ..parameters.priors import Prior
from .recast_probe import MASS, BandpowerProbe, ScreeningProbe, direct_bandpowers, screening_part

Z_MAX = 6.0
NEWTON_STEPS = 4
# Masses between which the radius of the shift moves from the outer to the inner edge.
LN_X_OUTER, LN_X_INNER = np.log(1.1), np.log(0.1)
LN_M_OUTER, LN_M_INNER = np.log(2.4e-13), np.log(2.0e-12)


class SurrogateProbe(eqx.Module):
    """A screening probe whose bandpowers come from the equation of this module.

    Attributes
    ----------
    probe : RecastProbe or BandpowerProbe
        The direct probe, which turns bandpowers into the response.
    priors : tuple of Prior
        Priors of the named paths, which turn leaves of the world into z.
    ln_mass : float array, shape (q,)
        Nodes of ln(mu/eV).
    coefficients : float array, shape (q, t, b, 2)
        Coefficients of t monomials for b bins, and their second derivatives in ln mu.
    bounds : float array, shape (q, b, 2)
        Least and largest p_b: those met in the fit, and half a unit beyond, so that polynomials
        that run away, where halos cease to resonate, do not make a signal.
    floor : float array, shape (b,)
        2 f_b at the mass of the largest signal [uK]; f_b falls as mu^-3.
    peak_ln_mass : float array, shape ()
        ln(m/eV) there.
    reference : HaloGrid
        The reference halo, shape (1, 1).
    gas : GasProfile
        Gas at the fiducial point.
    field_ln_amplitude : float array, shape ()
        ln A_B at the fiducial point.
    names : tuple of str
        Paths of the polynomial; static.
    covered : tuple of str
        All paths whose effect is included; static.
    monomials : tuple of tuple of int
        Positions in ``names`` that each monomial multiplies; static.

    References
    ----------
    The equation of this module; Goldstein et al. 2024, arXiv:2409.10514 (the model).
    """

    order: ClassVar[int] = 1
    probe: ScreeningProbe
    priors: tuple[Prior, ...]
    ln_mass: Float[Array, " q"]
    coefficients: Float[Array, "q t b 2"]
    bounds: Float[Array, "q b 2"]
    floor: Float[Array, " b"]
    peak_ln_mass: Float[Array, ""]
    reference: HaloGrid
    gas: GasProfile
    field_ln_amplitude: Float[Array, ""]
    names: tuple[str, ...] = eqx.field(static=True)
    covered: tuple[str, ...] = eqx.field(static=True)
    monomials: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    @property
    def points(self) -> Any:
        """Data of the direct probe."""
        return self.probe.points

    @property
    def effective_range_eV(self) -> tuple[float, float]:
        """Effective masses between which the splines were made [eV]."""
        return float(np.exp(self.ln_mass[0])), float(np.exp(self.ln_mass[-1]))

    @property
    def residuals(self) -> Any:
        """Residual foregrounds of the direct probe."""
        return getattr(self.probe, "residuals", None)

    def background(self, world: World) -> Array | None:
        """Residual foregrounds of the direct probe, shape (b,) [uK]."""
        return self.probe.background(world) if isinstance(self.probe, BandpowerProbe) else None

    def with_residuals(self, residuals: Any) -> SurrogateProbe:
        """The same surrogate with other residual foregrounds."""
        assert isinstance(self.probe, BandpowerProbe)
        return replace(self, probe=self.probe.with_residuals(residuals))

    def touched(self, free: tuple[str, ...]) -> set[str]:
        """Items that depend on one of the free paths: those of the direct probe."""
        return self.probe.touched(free)

    def prepare(self, world: World, free: tuple[str, ...] = (MASS,)) -> Cache:
        """An empty cache; raises if a free path acts on the probe but not on the surrogate."""
        known = {*self.covered, MASS}
        missing = [p for p in free if p not in known and self.probe.touched((p,))]
        if missing:
            raise ConfigurationError(
                f"the surrogate of the screening response was built without {missing[0]!r}: bind "
                "the path before it is built, or use the direct probe"
            )
        return {}

    def shift(self, world: World, ln_mu: Float[Array, ""]) -> tuple[Array, Array]:
        """D at an effective mass, and its derivative in ln mu; scalars."""
        step = (ln_mu - LN_M_OUTER) / (LN_M_INNER - LN_M_OUTER) - 0.5
        width = LN_M_INNER - LN_M_OUTER
        share, rise = jax.jvp(smooth_step, (step,), (jnp.full_like(step, 1.0 / width),))
        x = LN_X_OUTER + (LN_X_INNER - LN_X_OUTER) * share
        rate = (LN_X_INNER - LN_X_OUTER) * rise
        new, new_slope = world.halos.gas.log_density(self.reference, jnp.exp(x))
        old, old_slope = self.gas.log_density(self.reference, jnp.exp(x))
        return (new - old)[0, 0], rate * (new_slope - old_slope)[0, 0]

    def effective_mass(self, world: World) -> tuple[Array, Array]:
        """ln mu and D of a world, by Newton's method on ln mu + D/2 = ln m."""
        ln_m = jnp.log(world.axion.m_a_eV)
        ln_mu = ln_m
        for _ in range(NEWTON_STEPS):
            value, slope = self.shift(world, ln_mu)
            ln_mu = ln_mu - (ln_mu + 0.5 * value - ln_m) / jnp.maximum(1.0 + 0.5 * slope, 0.2)
        # What the shift has not reached at absurd parameters goes into D: m and n_e stay tied.
        return ln_mu, 2.0 * (ln_m - ln_mu)

    def standard(self, world: World) -> Float[Array, " d"]:
        """z of the named leaves, shape (d,), within six standard deviations."""
        z = [p.to_standard(get_path(world, n)) for n, p in zip(self.names, self.priors)]
        return jnp.clip(jnp.stack(z), -Z_MAX, Z_MAX) if z else jnp.zeros(0)

    def scale(self, ln_mu: Float[Array, ""]) -> Float[Array, " b"]:
        """2 f_b, shape (b,) [uK]."""
        at = jnp.clip(ln_mu, self.ln_mass[0], self.ln_mass[-1])
        return self.floor * jnp.exp(-3.0 * (at - self.peak_ln_mass))

    def bandpowers(self, world: World, cache: Cache | None = None) -> Float[Array, " b"]:
        """Bandpowers per unit u, shape (b,), negative [uK]."""
        ln_mu, change = self.effective_mass(world)
        value, curvature = self.coefficients[..., 0], self.coefficients[..., 1]
        at_mu = spline_interpolate(ln_mu, self.ln_mass, value, curvature)
        limits = linear_interpolate(ln_mu, self.ln_mass, self.bounds)
        y = features(self.standard(world), self.monomials) @ at_mu
        y = jnp.clip(y, limits[:, 0], limits[:, 1])
        amplitude = 2.0 * (field_ln_amplitude_of(world) - self.field_ln_amplitude)
        return -self.scale(ln_mu) * jnp.sinh(y) * jnp.exp(amplitude - self.sign * change)

    @property
    def sign(self) -> float:
        # P falls as 1/m^2 for axions and rises as m^2 for dark photons, at given m^2/n_e.
        return 1.0 if self.probe.spectrum.boson == "axion" else -1.0

    def response(self, world: World, cache: Cache | None = None) -> Float[Array, " n"]:
        """Response of the direct probe, made of the surrogate's bandpowers, shape (n,)."""
        return self.probe.observe(self.bandpowers(world), world.axion.m_a_eV)


def features(z: Float[Array, " d"], monomials: tuple[tuple[int, ...], ...]) -> Float[Array, " t"]:
    """Products of the components of z, one for each monomial; 1 for the empty one.

    Parameters
    ----------
    z : float array, shape (d,)
        Standard normals.
    monomials : tuple of tuple of int
        Positions to be multiplied; static.

    Returns
    -------
    float array, shape (t,)
        Monomials.

    References
    ----------
    None: a product.
    """
    degree = max(map(len, monomials))
    rows = [(*(k + 1 for k in t), *(0,) * (degree - len(t))) for t in monomials]
    table = np.array(rows, int)
    padded = jnp.concatenate([jnp.ones(1), z])
    return jnp.prod(padded[table.reshape(len(monomials), degree)], axis=1)


def field_ln_amplitude_of(world: World) -> Array:
    """ln A_B of the field, 0 for fields without one."""
    return jnp.asarray(getattr(world.halos.field, "ln_amplitude", 0.0), float)


@eqx.filter_jit
def apply_bindings(bindings: Bindings, world: World, z: Float[Array, " k"]) -> World:
    """The bound world at standard normals z, shape (k,), compiled."""
    return bindings.apply(world, z)


@eqx.filter_jit
def _surrogate_response(surrogate: SurrogateProbe, world: World) -> Array:
    return surrogate.response(world)


def surrogate_error(
    surrogate: SurrogateProbe,
    probe: ScreeningProbe,
    world: World,
    bindings: Bindings,
    z: ArrayLike,
) -> np.ndarray:
    """Fractional error of the surrogate's response against the direct model, at draws.

    Parameters
    ----------
    surrogate : SurrogateProbe
        The surrogate.
    probe : RecastProbe or BandpowerProbe
        The direct probe.
    world : World
        Root tree at its fiducial point.
    bindings : Bindings
        Priors by path.
    z : array, shape (d, k)
        Draws of the standard normals, in the order of ``bindings.names``.

    Returns
    -------
    array, shape (d, n)
        Surrogate over direct response, minus 1 (0 where both vanish). One draw at a time goes
        through programs that are compiled once, so that memory does not grow with d.

    Raises
    ------
    ConfigurationError
        If z has another shape.

    References
    ----------
    None: a comparison.
    """
    draws = np.atleast_2d(np.asarray(z, float))
    if draws.shape[1] != bindings.size:
        raise ConfigurationError(
            f"z has shape {draws.shape}: expected (draws, {bindings.size}), one column for each "
            "bound path"
        )
    errors = []
    for draw in draws:
        at = screening_part(apply_bindings(bindings, world, jnp.asarray(draw)))
        cache = probe.prepare(at, (MASS,))
        cl = direct_bandpowers(probe, at, cache, at.axion.m_a_eV)
        direct = np.asarray(probe.observe(cl, at.axion.m_a_eV))
        quick = np.asarray(_surrogate_response(surrogate, at))
        zero = direct == 0.0
        ratio = quick / np.where(zero, 1.0, direct) - 1.0
        errors.append(np.where(zero, np.where(quick == 0.0, 0.0, np.inf), ratio))
    return np.stack(errors)
