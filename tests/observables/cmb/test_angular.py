"""The limb kernel against quadrature over the sphere, and its derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import eval_legendre

from diffaxion.observables.cmb import limb_kernel, limb_kernel_curved

THETA = np.array([1e-3, 0.01, 0.02, 0.03, 0.05, 0.1, 0.16])
ELL = (10, 100, 1000)
# |closed form - I_l|/(2 pi theta^2) as tabulated, l <= 10, 100, 1000 against THETA; the error at
# l = 10 and the two largest radii is given separately.
TABLE = np.array(
    [
        [7e-8, 7e-6, 2.8e-5, 6e-5, 1.7e-4, 5.6e-4, 1e-3],
        [7e-8, 6e-6, 1e-5, 1e-6, 4e-5, 5e-5, 5e-5],
        [6e-8, 5e-7, 2e-6, 3e-6, 1e-6, 4e-6, 2e-6],
    ]
)
# l theta = 160 rad at most: 25 waves.
NODES = np.polynomial.legendre.leggauss(200)
KERNELS = {"flat": jax.jit(limb_kernel), "curved": jax.jit(limb_kernel_curved)}


def quadrature(ell, theta):
    """I_l with t = theta sin v: dt/sqrt(1 - (t/theta)^2) = theta dv is not singular at the limb."""
    v, weight = NODES
    t = theta * np.sin(0.25 * np.pi * (v + 1))
    return (
        2
        * np.pi
        * theta
        * 0.25
        * np.pi
        * np.sum(weight * eval_legendre(ell, np.cos(t)) * np.sin(t))
    )


def errors(kind, ells):
    exact = np.array([[quadrature(l, t) for t in THETA] for l in ells])
    ours = np.asarray(KERNELS[kind](np.array(ells, float)[:, None], THETA))
    return np.abs(ours - exact) / (2 * np.pi * THETA**2)


def test_error_table():
    found = errors("flat", ELL)
    assert np.all(found < 1.5 * TABLE), found / TABLE
    # The numbers are the errors, not only bounds, where they are not near a change of sign.
    clear = np.array([[True] * 7, [True, True, True, False, True, True, True], [True] * 7])
    assert np.all((found > TABLE / 1.5)[clear]), found / TABLE
    low = errors("flat", (0, 5))[:, -2:]
    np.testing.assert_allclose(low, np.broadcast_to([6.9e-4, 1.7e-3], (2, 2)), rtol=0.12)


def test_next_order():
    """The remainder is of fourth order in the radius: below 1e-3 theta^4 + rounding."""
    found = errors("curved", (0, 2, 10, 100, 1000))
    assert np.all(found < 1e-3 * THETA**4 + 3e-12), found


def test_small_arguments():
    """The solid angle is twice the disc at l = 0; nothing breaks at 0."""
    theta = jnp.array([0.0, 1e-300, 1e-8, 1e-4])
    for kernel in KERNELS.values():
        np.testing.assert_allclose(kernel(0.0, theta), 2 * np.pi * theta**2, rtol=1e-8)
    np.testing.assert_array_equal(KERNELS["flat"](jnp.arange(5.0), 0.0), 0.0)


def test_values_in_many_digits():
    ell, theta = np.geomspace(1, 4000, 60)[:, None], np.geomspace(2e-6, 0.16, 80)
    a = (ell + 0.5) * theta
    expected = 2 * np.pi * theta * np.sin(a) / (ell + 0.5)
    scale = 2 * np.pi * theta / (ell + 0.5)
    assert np.max(np.abs(np.asarray(KERNELS["flat"](ell, theta)) - expected) / scale) < 2e-13


@pytest.mark.parametrize("name", list(KERNELS))
def test_first_and_second_derivatives(name):
    """In both arguments and both modes; complex steps in NumPy are the reference."""

    def reference(l, t):
        a = (l + 0.5) * t
        f, slope = np.sin(a) / a, (np.cos(a) - np.sin(a) / a) / a**2
        extra = 0.0 if name == "flat" else t * t / 12 * (f + 0.5 * slope)
        return 2 * np.pi * t * t * (f - extra)

    ell, theta = np.array([3.0, 80.0, 2500.0])[:, None], np.array([1e-3, 0.011, 0.13])
    kernel = {"flat": limb_kernel, "curved": limb_kernel_curved}[name]
    step = 1e-25j
    by_theta = np.imag(reference(ell, theta + step)) / 1e-25
    by_ell = np.imag(reference(ell + step, theta)) / 1e-25
    one = jnp.ones((3, 3))

    @jax.jit
    def derivatives(ell, theta):
        _, forward = jax.jvp(lambda t: kernel(ell, t), (theta * one,), (one,))
        back = jax.vjp(kernel, ell * one, theta * one)[1](one)
        second = jax.vmap(jax.grad(jax.grad(lambda t: kernel(80.0, t))))(theta)
        return forward, back, second

    forward, (along_ell, along_theta), second = derivatives(ell, theta)
    scale = 4 * np.pi * theta * np.ones((3, 3))
    np.testing.assert_allclose(forward / scale, by_theta / scale, atol=1e-12)
    np.testing.assert_allclose(along_theta / scale, by_theta / scale, atol=1e-12)
    # (cos a - f)/a^2 of the reference itself loses digits at a = 3e-3.
    np.testing.assert_allclose(along_ell / theta**3, by_ell / theta**3, atol=3e-8)
    h = 1e-6
    difference = [np.imag(reference(80.0, theta + d + step)) / 1e-25 for d in (h, -h)]
    np.testing.assert_allclose(second, (difference[0] - difference[1]) / (2 * h), rtol=1e-4)
