"""The compiled half of the sampler: starts of chains, and chunks of their iterations.

NumPyro supplies the model language, the transition kernel and its warm-up. Two things are added.
The mass matrix starts from the Laplace approximation around the start, and at the end of each
window of the warm-up the chains pool what they have seen, Sigma = [sum_c m2_c + sum_c n_c
(x_c - x)(x_c - x)^T]/(sum_c n_c - 1), shrunk towards the Laplace approximation: one chain's first
window of 25 draws does not span 30 dimensions. After the warm-up the chains are independent.

A chunk runs a number of iterations that is an argument, so that the length of a block can follow
the clock without another compilation; where a block ends does not change a draw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

from ..errors import ConfigurationError, unknown_name

_NUDGE = 1e-3  # step of the differences, in unconstrained space where scales are of order 1
_WIDEST = 2.0  # largest standard deviation of a start in unconstrained space
_NARROWEST = 1e-4  # smallest one in the mass matrix
_PRIOR_DRAWS = 5.0  # weight of the Laplace approximation in the pooled covariance


class Chunk(NamedTuple):
    """Draws of one chunk; leading axes (draws, chains), or (draws, lanes, chains)."""

    sites: dict[str, Array]
    diverging: Array
    energy: Array
    num_steps: Array
    accept_prob: Array


class ChainState(NamedTuple):
    """Everything that the next iteration depends on, as one pytree of arrays.

    Attributes
    ----------
    kernel : pytree
        NumPyro's state of each chain, its adaptation included; leading axis (chains,).
    prior_covariance : float array, shape (n, n)
        Laplace approximation in unconstrained space, towards which pooled covariances shrink.
    """

    kernel: Any
    prior_covariance: Array


class Scatter(NamedTuple):
    """A normal approximation in unconstrained space.

    Attributes
    ----------
    centre : dict of str to array
        Unconstrained values of the sites.
    covariance : float array, shape (n, n)
        Its covariance, in the order of the raveled sites (names sorted); NaN asks for the
        Laplace approximation around the centre.
    """

    centre: dict[str, Array]
    covariance: Array


def laplace_factors(hessian: Array) -> tuple[Array, Array]:
    """Eigenvectors, and standard deviations along them, of the Laplace approximation.

    Where the density is not curved like a peak, or not at all, the width is capped.
    """
    w, v = jnp.linalg.eigh(jnp.where(jnp.isfinite(hessian), hessian, 0.0))
    return v, jnp.clip(1.0 / jnp.sqrt(jnp.maximum(jnp.abs(w), 1e-12)), _NARROWEST, _WIDEST)


def matrix_roots(covariance: Array) -> tuple[Array, Array]:
    """Square roots of the mass matrix, and of its inverse, as NumPyro's kernel wants them."""
    root = jnp.swapaxes(jnp.linalg.cholesky(covariance[::-1, ::-1])[::-1, ::-1], -2, -1)
    eye = jnp.eye(covariance.shape[-1], dtype=covariance.dtype)
    return jax.scipy.linalg.solve_triangular(root, eye, lower=True), root


class Chains:
    """Compiled start and chunk of NUTS for one model structure.

    Parameters
    ----------
    model : callable
        NumPyro model, ``model(*args)``.
    chains, warmup, chunk : int
        Chains, iterations of warm-up, and most iterations of one chunk.
    target_accept : float
        Acceptance probability that the step size is adapted to.
    max_tree_depth : int
        Trajectories have at most 2^depth - 1 steps.
    dense_mass : bool
        Full instead of diagonal mass matrix.

    Attributes
    ----------
    traces : int
        How often the chunk has been traced: 1 however many runs share shapes.
    sites : tuple of str
        Sampled sites, known after the first start.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        *,
        chains: int,
        warmup: int,
        chunk: int,
        target_accept: float,
        max_tree_depth: int,
        dense_mass: bool,
    ) -> None:
        self.model = model
        self.chains, self.warmup, self.chunk = chains, warmup, chunk
        self.target_accept, self.max_tree_depth = target_accept, max_tree_depth
        self.dense_mass = dense_mass
        self.traces = 0
        self.sites: tuple[str, ...] = ()
        self._kernel: tuple[Callable, Callable] | None = None
        self._potential: Callable[..., Callable] | None = None
        self.begin = eqx.filter_jit(self._begin)
        self.resume = eqx.filter_jit(self._resume)
        self.advance = eqx.filter_jit(self._advance)
        self._middle = eqx.filter_jit(self._constrained)
        self._freed = eqx.filter_jit(self._unconstrained)
        self._prior = eqx.filter_jit(self._prior_draws)

    def prepare(self, args: tuple) -> dict[str, Array]:
        """Unconstrained medians of the sampled sites; sets the kernel up the first time."""
        from numpyro.infer.hmc import hmc
        from numpyro.infer.initialization import init_to_median
        from numpyro.infer.util import initialize_model

        info = initialize_model(
            jax.random.PRNGKey(0),
            self.model,
            dynamic_args=True,
            init_strategy=init_to_median,
            model_args=args,
            validate_grad=False,
        )
        z = info.param_info.z
        if self._kernel is None:
            self.sites = tuple(z)
            self._potential = info.potential_fn
            self._kernel = hmc(potential_fn_gen=info.potential_fn, algo="NUTS")
        return z

    def origin(self, args: tuple, initial: Mapping[str, Any]) -> dict[str, Array]:
        """Unconstrained start of the sampled sites from values of some of them."""
        z = self.prepare(args)
        for name in initial:
            if name not in z:
                raise unknown_name("sampled site", name, z)
        # Compiled, so that the likelihood, which the result does not need, is never run.
        middle = self._middle(args, z)
        point = {k: jnp.asarray(initial.get(k, middle[k]), float) for k in z}
        free = self._freed(args, point)
        for name, value in free.items():
            if not np.all(np.isfinite(np.asarray(value))):
                raise ConfigurationError(
                    f"start of {name!r} is {point[name]}: it must lie inside the support of its "
                    "prior, not on its edge"
                )
        return free

    def prior_starts(self, key: Array, args: tuple) -> dict[str, Array]:
        """Unconstrained draws from the prior; leading axis (chains,)."""
        self.prepare(args)
        return self._prior(key, args)

    def _constrained(self, args: tuple, z: dict[str, Array]) -> dict[str, Array]:
        from numpyro.infer.util import constrain_fn

        return constrain_fn(self.model, args, {}, z)

    def _unconstrained(self, args: tuple, point: dict[str, Array]) -> dict[str, Array]:
        from numpyro.infer.util import unconstrain_fn

        return unconstrain_fn(self.model, args, {}, point)

    def _prior_draws(self, key: Array, args: tuple) -> dict[str, Array]:
        from numpyro.handlers import seed, trace

        def one(k: Array) -> dict[str, Array]:
            sites = trace(seed(self.model, k)).get_trace(*args)
            return self._unconstrained(args, {n: sites[n]["value"] for n in self.sites})

        return jax.vmap(one)(jax.random.split(key, self.chains))

    def _curvature(self, flat: Array, slope: Callable[[Array], Array]) -> Array:
        # Differences of the gradient: the scatter of the starts needs two digits, and second
        # derivatives of a long model would dominate the compilation.
        nudges = _NUDGE * jnp.eye(flat.shape[0], dtype=flat.dtype)
        rows = jax.lax.map(slope, jnp.concatenate([flat + nudges, flat - nudges]))
        hessian = (rows[: flat.shape[0]] - rows[flat.shape[0] :]) / (2.0 * _NUDGE)
        return 0.5 * (hessian + hessian.T)

    def _begin(
        self,
        key: Array,
        jitter: Array,
        scatter: Scatter,
        mapped: PyTree,
        shared: PyTree,
        known: bool,
    ) -> ChainState:
        """Chains scattered around a centre; with ``mapped``, one set of them for each lane.

        Where all covariances are ``known``, which is static, the Laplace approximation and its
        gradients are not compiled.
        """
        assert self._potential is not None

        def lane(key: Array, scatter: Scatter, args: tuple) -> ChainState:
            potential = self._potential(*args)  # type: ignore[misc]
            flat, unravel = ravel_pytree(scatter.centre)

            def laplace(_: None) -> tuple[Array, Array]:
                slope = jax.grad(lambda x: potential(unravel(x)))
                return laplace_factors(self._curvature(flat, slope))

            def given(_: None) -> tuple[Array, Array]:
                w, v = jnp.linalg.eigh(scatter.covariance)
                return v, jnp.clip(jnp.sqrt(jnp.maximum(w, 0.0)), _NARROWEST, _WIDEST)

            if known:
                v, width = given(None)
            else:
                finite = jnp.all(jnp.isfinite(scatter.covariance))
                v, width = jax.lax.cond(finite, given, laplace, None)
            covariance = (v * width**2) @ v.T
            key_start, key_chain = jax.random.split(key)
            noise = jax.random.normal(key_start, (self.chains, flat.shape[0]), flat.dtype)
            spread = v * jnp.minimum(jitter * width, _WIDEST)
            starts = jax.vmap(lambda x: unravel(flat + spread @ x))(noise)
            kernel = self._init(key_chain, starts, covariance, jnp.ones(()), args)
            return ChainState(kernel, covariance)

        if mapped is None:
            return lane(key, scatter, shared)
        return jax.vmap(lambda k, s, m: lane(k, s, eqx.combine(m, shared)))(key, scatter, mapped)

    def _resume(
        self, key: Array, starts: dict[str, Array], covariance: Array, step: Array, args: tuple
    ) -> ChainState:
        """Chains at given points with a given mass matrix and step size, past their warm-up."""
        kernel = self._init(key, starts, covariance, step, args)
        return ChainState(kernel._replace(i=kernel.i + self.warmup), covariance)

    def _init(
        self, key: Array, starts: dict[str, Array], covariance: Array, step: Array, args: tuple
    ) -> Any:
        init_kernel, _ = self._kernel  # type: ignore[misc]

        def one(begin: dict[str, Array], chain_key: Array) -> Any:
            return init_kernel(
                begin,
                self.warmup,
                step_size=step,
                inverse_mass_matrix=covariance if self.dense_mass else jnp.diag(covariance),
                target_accept_prob=self.target_accept,
                max_tree_depth=self.max_tree_depth,
                dense_mass=self.dense_mass,
                model_args=args,
                rng_key=chain_key,
            )

        return jax.vmap(one)(starts, jax.random.split(key, self.chains))

    def _iterate(self, now: ChainState, args: tuple) -> ChainState:
        _, sample_kernel = self._kernel  # type: ignore[misc]
        old = now.kernel
        new = jax.vmap(lambda s: sample_kernel(s, args))(old)
        new = new._replace(adapt_state=self._pool(old, new, now.prior_covariance))
        return ChainState(new, now.prior_covariance)

    def _record(self, now: ChainState, args: tuple) -> Chunk:
        from numpyro.infer.util import constrain_fn

        def constrain(z: dict[str, Array]) -> dict[str, Array]:
            return constrain_fn(self.model, args, {}, z, return_deterministic=True)

        kernel = now.kernel
        return Chunk(
            sites=jax.vmap(constrain)(kernel.z),
            diverging=kernel.diverging,
            energy=kernel.energy,
            num_steps=kernel.num_steps,
            accept_prob=kernel.accept_prob,
        )

    def _pool(self, old: Any, new: Any, prior: Array) -> Any:
        """Adaptation with, where a window of the warm-up has just ended, the pooled covariance."""
        mean, m2, n = old.adapt_state.mm_state
        ended = (new.adapt_state.window_idx != old.adapt_state.window_idx) & (n > 1)

        def pooled(adapt: Any) -> Any:
            total = jnp.sum(n)
            away = mean - jnp.mean(mean, axis=0)
            if self.dense_mass:
                spread = jnp.sum(m2, axis=0) + n[0] * away.T @ away
                towards = prior
            else:
                spread = jnp.sum(m2, axis=0) + n[0] * jnp.sum(away**2, axis=0)
                towards = jnp.diag(prior)
            weight = total / (total + _PRIOR_DRAWS)
            covariance = weight * spread / (total - 1) + (1.0 - weight) * towards
            roots = (
                matrix_roots(covariance)
                if self.dense_mass
                else (jnp.reciprocal(jnp.sqrt(covariance)), jnp.sqrt(covariance))
            )
            each = [jnp.broadcast_to(x, (self.chains, *x.shape)) for x in (covariance, *roots)]
            return adapt._replace(
                inverse_mass_matrix=each[0], mass_matrix_sqrt=each[1], mass_matrix_sqrt_inv=each[2]
            )

        # All chains of a lane are at the same iteration.
        return jax.lax.cond(ended[0], pooled, lambda adapt: adapt, new.adapt_state)

    def _advance(
        self, state: ChainState, mapped: PyTree, shared: PyTree, count: Array
    ) -> tuple[ChainState, Chunk]:
        """At most ``chunk`` iterations; rows of the draws after the first ``count`` are zero."""
        self.traces += 1

        def each(function: Callable[..., Any], now: ChainState) -> Any:
            if mapped is None:
                return function(now, shared)
            return jax.vmap(lambda s, m: function(s, eqx.combine(m, shared)))(now, mapped)

        shapes = jax.eval_shape(lambda now: each(self._record, now), state)
        rows = jax.tree.map(lambda x: jnp.zeros((self.chunk, *x.shape), x.dtype), shapes)

        def body(k: Array, carry: tuple[ChainState, Chunk]) -> tuple[ChainState, Chunk]:
            now, rows = carry
            now = each(self._iterate, now)
            record = each(self._record, now)
            return now, jax.tree.map(lambda r, x: r.at[k].set(x), rows, record)

        return jax.lax.fori_loop(0, count, body, (state, rows))
