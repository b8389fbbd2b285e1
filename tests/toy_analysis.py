"""An analysis of both orders small enough for exact quadrature: three parameters, five points."""

from __future__ import annotations

import functools
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtri

from diffaxion.analyses import Analysis
from diffaxion.conversion import Axion
from diffaxion.likelihoods import GaussianPoints

U_MAX = 60.0
PRIORS = {
    "axion.u": {"dist": "uniform", "low": 0.0, "high": U_MAX},
    "sky.ln_gain": {"dist": "normal", "mean": 0.0, "sigma": 0.3},
    "sky.depth_kpc": {"dist": "lognormal", "median": 1.0, "sigma_ln": 0.2},
}
LINE, SCREEN = np.array([0.010, 0.006, 0.003]), np.array([-0.12, -0.05])
LINE_DATA, SCREEN_DATA = np.array([0.9, 0.1, -0.4]), np.array([-0.8, 0.3])


class Sky(eqx.Module):
    """Two nuisances."""

    ln_gain: Float[Array, ""]
    depth_kpc: Float[Array, ""]


class Toy(eqx.Module):
    """Root tree."""

    axion: Axion
    sky: Sky


class Line(eqx.Module):
    """Counts of order 2: proportional to the gain and the depth squared."""

    template: Float[Array, " n"]
    order: ClassVar[int] = 2

    def prepare(self, world, free):
        return {}

    def response(self, world, cache=None):
        return self.template * jnp.exp(world.sky.ln_gain) * world.sky.depth_kpc**2


class Screen(eqx.Module):
    """Bandpowers of order 1: proportional to the depth."""

    template: Float[Array, " n"]
    order: ClassVar[int] = 1

    def prepare(self, world, free):
        return {}

    def response(self, world, cache=None):
        return self.template * world.sky.depth_kpc


@functools.cache
def analysis(fixed_u=None):
    """The analysis, or the one with the coupling fixed."""
    priors = PRIORS if fixed_u is None else PRIORS | {"axion.u": fixed_u}
    points = [GaussianPoints(jnp.asarray(d), jnp.ones(d.size)) for d in (LINE_DATA, SCREEN_DATA)]
    world = Toy(Axion(5e-13, 1.0), Sky(jnp.zeros(()), jnp.ones(())))
    probes = [Line(jnp.asarray(LINE)), Screen(jnp.asarray(SCREEN))]
    return Analysis(world, priors, probes, points)


def polynomial(u, gain, depth):
    """ln L - ln L(u = 0), in plain NumPy."""
    r2, r1 = np.exp(gain) * depth**2, depth
    line = u * abs(u) * r2 * (LINE @ LINE_DATA) - 0.5 * (u * u * r2) ** 2 * (LINE @ LINE)
    screen = u * r1 * (SCREEN @ SCREEN_DATA) - 0.5 * (u * r1) ** 2 * (SCREEN @ SCREEN)
    return line + screen


@functools.cache
def quadrature():
    """Exact posterior on a grid: ln(Z/L(0)), u, its cumulative probability, mean ln gain."""
    x = (np.arange(60) + 0.5) / 60
    u = (np.arange(3000) + 0.5) / 3000 * U_MAX
    gain, depth = 0.3 * ndtri(x), np.exp(0.2 * ndtri(x))
    like = np.exp(polynomial(u[:, None, None], gain[:, None], depth))
    cdf = np.cumsum(like.mean(axis=(1, 2)))
    mean_gain = (like * gain[:, None]).mean() / like.mean()
    return np.log(like.mean()), u, cdf / cdf[-1], mean_gain
