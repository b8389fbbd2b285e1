"""Counts in pixels with a signal and a background template: the binned Poisson likelihood.

With signal S_b (counts over the whole point-spread function) and background scale A_b >= 0 in each
energy bin b,

    mu_bp = S_b T_bp + A_b B_bp,     ln L = sum_bp [ c ln mu - mu - ln c! ]     (0 ln 0 = 0),

a product of Poisson terms. Its domain is mu >= 0 in *all* pixels: an empty pixel contributes -mu
and has no barrier of its own, so that without the constraint a fit runs away to S -> -infinity.
Inside it, ln L is concave in (S, A). Signals may be negative, backgrounds may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, log_ndtr
from jaxtyping import Array, ArrayLike, Float

from ..numerics import safe_divide
from .poisson_checks import validate_templates

_CLOSEST = 1e-12  # nearest approach to the edge of the domain, in units of sum c / sum B
_LEAST_CURVATURE = 1e-8  # floor of -L_AA in units of (sum B)^2: a bin without counts has none
_STEPS = 40


class PoissonBlocks(NamedTuple):
    """ln L of each bin with its derivatives in (S, A); every field has shape (bins,).

    Attributes
    ----------
    value : float array, shape (bins,)
        sum_p [c ln mu - mu], without the constant -ln c!; -inf outside the domain.
    S, A : float array, shape (bins,)
        First derivatives, sum T (w - 1) and sum B (w - 1) with w = c/mu.
    SS, SA, AA : float array, shape (bins,)
        Second derivatives, -sum (w/mu) {T^2, T B, B^2}.
    """

    value: Array
    S: Array
    A: Array
    SS: Array
    SA: Array
    AA: Array


class PoissonProfile(NamedTuple):
    """ln L of each bin at its best background; every field has shape (bins,).

    Attributes
    ----------
    value : float array, shape (bins,)
        max_A ln L, without -ln c!.
    background : float array, shape (bins,)
        A_hat(S), differentiable to any order.
    a_at_zero : bool array, shape (bins,)
        Whether the best background is A = 0.
    at_boundary : bool array, shape (bins,)
        Whether a negative signal holds A_hat where mu = 0 in an empty pixel.
    """

    value: Array
    background: Array
    a_at_zero: Array
    at_boundary: Array


class TemplatePoisson(eqx.Module):
    """Poisson likelihood of counts in (bins, pixels) with a free background scale per bin.

    Attributes
    ----------
    counts : float array, shape (bins, pixels)
        Observed counts c; whole numbers, or the expectation of Asimov data.
    signal_template : float array, shape (bins, pixels)
        T: fraction of the signal in each pixel; its sum over pixels is the containment.
    background_template : float array, shape (bins, pixels)
        B: background counts in each pixel for A = 1. A pixel with T = B = c = 0 is masked.

    References
    ----------
    Dessert, Foster, Safdi 2020 (arXiv:2008.03305), equation (1), whose sum over pixels is a
    product.
    """

    counts: Float[Array, "bins pixels"]
    signal_template: Float[Array, "bins pixels"]
    background_template: Float[Array, "bins pixels"]

    def __init__(
        self, counts: ArrayLike, signal_template: ArrayLike, background_template: ArrayLike
    ) -> None:
        self.counts = jnp.asarray(counts, float)
        shape = self.counts.shape
        self.signal_template = jnp.broadcast_to(jnp.asarray(signal_template, float), shape)
        self.background_template = jnp.broadcast_to(jnp.asarray(background_template, float), shape)

    @classmethod
    def from_maps(
        cls,
        counts: ArrayLike,
        signal_template: ArrayLike,
        background_template: ArrayLike,
        *,
        asimov: bool = False,
        source: str = "count maps",
    ) -> TemplatePoisson:
        """The likelihood of arrays that are checked first.

        Parameters
        ----------
        counts : array, shape (bins, pixels)
            Observed counts.
        signal_template, background_template : array, broadcastable to (bins, pixels)
            Templates T and B.
        asimov : bool
            Allow counts that are not whole numbers.
        source : str
            File or data set that a message should name.

        Returns
        -------
        TemplatePoisson
            The likelihood.

        Raises
        ------
        DataError
            As :func:`validate_templates`.
        """
        c = np.asarray(counts, float)
        maps = []
        for given in (signal_template, background_template):
            m = np.asarray(given, float)
            # A wrong shape is passed on, for the check to name it.
            fits = m.ndim <= c.ndim and all(
                a in (1, b) for a, b in zip(m.shape[::-1], c.shape[::-1], strict=False)
            )
            maps.append(np.broadcast_to(m, c.shape) if fits else m)
        validate_templates(c, *maps, asimov=asimov, source=source)
        return cls(c, *maps)

    @classmethod
    def together(cls, parts: Sequence[TemplatePoisson]) -> TemplatePoisson:
        """Bins of several targets or exposures as one likelihood.

        Parameters
        ----------
        parts : sequence of TemplatePoisson
            Likelihoods; their pixel numbers may differ.

        Returns
        -------
        TemplatePoisson
            All bins in order; missing pixels are masked.
        """
        widest = max(p.counts.shape[1] for p in parts)
        return jax.tree.map(lambda *x: jnp.concatenate(x), *(p.padded(widest) for p in parts))

    def null_backgrounds(self) -> Float[Array, " bins"]:
        """Best backgrounds without signal.

        Returns
        -------
        float array, shape (bins,)
            A = sum c/sum B.
        """
        return jnp.sum(self.counts, axis=-1) / jnp.sum(self.background_template, axis=-1)

    @property
    def size(self) -> int:
        """Number of pixels in a row."""
        return self.counts.shape[1]

    def padded(self, pixels: int) -> TemplatePoisson:
        """The same likelihood with masked pixels at the end of each row.

        Parameters
        ----------
        pixels : int
            Number of pixels wanted, not fewer than there are.

        Returns
        -------
        TemplatePoisson
            Arrays of shape (bins, pixels).
        """
        more = ((0, 0), (0, pixels - self.counts.shape[1]))
        return jax.tree.map(lambda x: jnp.pad(x, more), self)

    def expected(
        self, signal: Float[Array, " bins"], backgrounds: Float[Array, " bins"]
    ) -> Float[Array, "bins pixels"]:
        """mu = S T + A B: Asimov data, the counts expected without scatter.

        Parameters
        ----------
        signal : float array, shape (bins,)
            S, counts over the whole point-spread function.
        backgrounds : float array, shape (bins,)
            A.

        Returns
        -------
        float array, shape (bins, pixels)
            Expected counts.
        """
        s, a = jnp.asarray(signal)[..., None], jnp.asarray(backgrounds)[..., None]
        return s * self.signal_template + a * self.background_template

    def blocks(
        self, signal: Float[Array, " bins"], backgrounds: Float[Array, " bins"]
    ) -> PoissonBlocks:
        """ln L of each bin, without -ln c!, with first and second derivatives.

        Parameters
        ----------
        signal : float array, shape (bins,)
            S, counts over the whole point-spread function.
        backgrounds : float array, shape (bins,)
            A.

        Returns
        -------
        PoissonBlocks
            Values and derivatives, shape (bins,) each.
        """
        c, t, b = self.counts, self.signal_template, self.background_template
        mu = self.expected(signal, backgrounds)
        safe = jnp.where(mu > 0.0, mu, 1.0)
        w = c / safe
        curve = w / safe
        outside = jnp.any((mu < 0.0) | ((mu == 0.0) & (c > 0.0)), axis=-1)
        value = jnp.sum(c * jnp.log(safe) - mu, axis=-1)
        return PoissonBlocks(
            jnp.where(outside, -jnp.inf, value),
            jnp.sum(t * (w - 1.0), axis=-1),
            jnp.sum(b * (w - 1.0), axis=-1),
            -jnp.sum(curve * t * t, axis=-1),
            -jnp.sum(curve * t * b, axis=-1),
            -jnp.sum(curve * b * b, axis=-1),
        )

    def values(
        self, signal: Float[Array, " bins"], backgrounds: Float[Array, " bins"]
    ) -> Float[Array, " bins"]:
        """ln L of each bin without -ln c!, the constant that no fit needs.

        Parameters
        ----------
        signal, backgrounds : float array, shape (bins,)
            S and A.

        Returns
        -------
        float array, shape (bins,)
            sum_p [c ln mu - mu]; -inf outside the domain.
        """
        return self.blocks(signal, backgrounds).value

    def log_prob(
        self, signal: Float[Array, " bins"], backgrounds: Float[Array, " bins"] | None = None
    ) -> Float[Array, ""]:
        """Normalised log probability of the counts.

        Parameters
        ----------
        signal : float array, shape (bins,)
            S, counts over the whole point-spread function.
        backgrounds : float array, shape (bins,), optional
            A; integrated out with flat priors if not given (:meth:`log_marginal`).

        Returns
        -------
        float array, shape ()
            sum_bp [c ln mu - mu - ln c!]; -inf outside the domain.
        """
        if backgrounds is None:
            return self.log_marginal(signal)
        return jnp.sum(self.values(signal, backgrounds)) - jnp.sum(gammaln(self.counts + 1.0))

    def log_profile(self, signal: Float[Array, " bins"]) -> Float[Array, ""]:
        """Normalised log probability of the counts at the best backgrounds.

        Parameters
        ----------
        signal : float array, shape (bins,)
            S, counts over the whole point-spread function.

        Returns
        -------
        float array, shape ()
            max_A ln L, -ln c! included.
        """
        return jnp.sum(self.profile(signal).value) - jnp.sum(gammaln(self.counts + 1.0))

    def profile(self, signal: Float[Array, " bins"]) -> PoissonProfile:
        """ln L of each bin at the background that maximises it, A >= 0 and mu >= 0.

        Parameters
        ----------
        signal : float array, shape (bins,)
            S, counts over the whole point-spread function.

        Returns
        -------
        PoissonProfile
            Values, backgrounds and flags. At S = 0 the background is sum c / sum B.
        """
        maps = self._maps()
        s = jnp.broadcast_to(jnp.asarray(signal, float), maps[0].shape[:1])
        background = jax.vmap(_best_background)(s, *maps)
        held = jax.vmap(_held)(s, *maps)
        edge = jax.vmap(_lowest)(s, *maps[1:])
        value = self.values(s, background)
        return PoissonProfile(value, background, held & (edge <= 0.0), held & (edge > 0.0))

    def log_marginal(self, signal: Float[Array, " bins"]) -> Float[Array, ""]:
        """ln of the integral of L over the backgrounds with flat priors, by Laplace's method.

        Each bin contributes ln L - 1/2 ln(-L_AA/2 pi) at A_hat, times the part of the Gaussian
        that lies at A >= 0, which matters only for backgrounds below five times their error.

        Parameters
        ----------
        signal : float array, shape (bins,)
            S, counts over the whole point-spread function.

        Returns
        -------
        float array, shape ()
            ln of the marginal likelihood, -ln c! included.

        References
        ----------
        Tierney & Kadane 1986, JASA 81, 82 (Laplace's method).
        """
        best = self.profile(signal)
        s = jnp.broadcast_to(jnp.asarray(signal, float), best.background.shape)
        edge = jax.vmap(_lowest)(s, *self._maps()[1:])
        at = self.blocks(signal, best.background)
        total = jnp.sum(self.background_template, axis=-1)
        h = jnp.maximum(-at.AA, _LEAST_CURVATURE * total**2)
        # Inside, the slope is zero and the maximum lies A_hat above the edge; at the edge the
        # slope is negative. Both are one Gaussian cut at the edge.
        held = best.a_at_zero | best.at_boundary
        slope = jnp.where(held, at.A, 0.0) / jnp.sqrt(h)
        depth = jnp.where(held, slope, (best.background - edge) * jnp.sqrt(h))
        area = 0.5 * jnp.log(2.0 * jnp.pi / h) + 0.5 * slope**2 + log_ndtr(depth)
        return jnp.sum(at.value + area) - jnp.sum(gammaln(self.counts + 1.0))

    def sample(
        self, key: Array, signal: Float[Array, " bins"], backgrounds: Float[Array, " bins"]
    ) -> Float[Array, "bins pixels"]:
        """One pseudo-experiment: Poisson counts around the expectation.

        Parameters
        ----------
        key : PRNG key
            Randomness.
        signal, backgrounds : float array, shape (bins,)
            S and A.

        Returns
        -------
        float array, shape (bins, pixels)
            Simulated counts, as floating-point whole numbers.
        """
        drawn = jax.random.poisson(key, self.expected(signal, backgrounds))
        return drawn.astype(self.counts.dtype)

    def with_data(self, counts: Float[Array, "bins pixels"]) -> TemplatePoisson:
        """The same templates with other counts (Asimov data, a toy).

        Parameters
        ----------
        counts : float array, shape (bins, pixels)
            New counts.

        Returns
        -------
        TemplatePoisson
            Likelihood of the new counts.
        """
        return TemplatePoisson(counts, self.signal_template, self.background_template)

    def _maps(self) -> tuple[Array, Array, Array]:
        return self.counts, self.signal_template, self.background_template


def _lowest(s: Array, t: Array, b: Array) -> Array:
    """Least A of one bin: zero, or where a negative signal empties a pixel."""
    # Rounded up, so that mu >= 0 there.
    up = 1.0 + 8.0 * jnp.finfo(b.dtype).eps
    return jnp.maximum(0.0, up * jnp.max(safe_divide(-s * t, b)))


def _score(a: Array, s: Array, c: Array, t: Array, b: Array) -> tuple[Array, Array]:
    """sum B c/mu and its derivative in A, in one bin."""
    mu = s * t + a * b
    ratio = jnp.where(mu > 0.0, b / jnp.where(mu > 0.0, mu, 1.0), 0.0)
    return jnp.sum(ratio * c), -jnp.sum(ratio**2 * c)


def _nearest(s: Array, c: Array, t: Array, b: Array) -> tuple[Array, Array, Array]:
    """Edge of the domain in A, a point just inside, and an upper bound of the root.

    mu >= B (A - edge), so that L_A <= sum c/(A - edge) - sum B is negative beyond the bound.
    """
    edge, unit = _lowest(s, t, b), jnp.sum(c) / jnp.sum(b)
    return edge, edge + _CLOSEST * unit, edge + unit


def _held(s: Array, c: Array, t: Array, b: Array) -> Array:
    """Whether ln L of one bin falls with A from the edge of the domain on."""
    _, inside, _ = _nearest(s, c, t, b)
    return _score(inside, s, c, t, b)[0] <= jnp.sum(b)


@jax.custom_jvp
def _best_background(s: Array, c: Array, t: Array, b: Array) -> Array:
    """A_hat of one bin by Newton for 1/G(A) = 1/sum B with G = sum B c/mu.

    1/G is a concave rising function of A, linear if T is proportional to B: after its first step
    Newton comes to the root from below and never leaves the domain.
    """
    edge, inside, above = _nearest(s, c, t, b)
    total = jnp.sum(b)

    def going(carry: tuple[Array, Array, Array]) -> Array:
        k, a, last = carry
        return (k < _STEPS) & (jnp.abs(a - last) > 4.0 * jnp.finfo(a.dtype).eps * jnp.abs(a))

    def step(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        k, a, _ = carry
        g, slope = _score(a, s, c, t, b)
        move = safe_divide(g * (1.0 - g / total), slope)
        return k + 1, jnp.maximum(a + move, inside), a

    start = (jnp.zeros((), int), above, jnp.full_like(above, jnp.inf))
    root = jax.lax.while_loop(going, step, start)[1]
    return jnp.where(_held(s, c, t, b), edge, root)


@_best_background.defjvp
def _best_background_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    s, c, t, b = primals
    # The output enters the rule, so that derivatives of higher order see it move too.
    out = _best_background(s, c, t, b)

    def residual(*args: Any) -> Array:
        return _score(out, *args)[0] - jnp.sum(args[-1])

    _, push = jax.jvp(residual, primals, tangents)
    slope = _score(out, s, c, t, b)[1]
    _, along = jax.jvp(_lowest, (s, t, b), (tangents[0], *tangents[2:]))
    return out, jnp.where(_held(s, c, t, b), along, safe_divide(-push, slope))
