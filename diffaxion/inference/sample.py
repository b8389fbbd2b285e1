"""NUTS for any NumPyro model, as one compiled program over vectorised chains.

NumPyro supplies the model language, the transition kernel and its warm-up adaptation; the loop is
ours: chunks of about 100 draws of all chains in one ``lax.scan``, with data and models as
arguments. The same compiled chunk serves warm-up, sampling and later runs with other data, and
its state is a plain pytree that can be stored between chunks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

from ..errors import ConfigurationError, ConvergenceError, unknown_name
from .diagnostics import Gates, check_gates
from .posterior import Posterior

Progress = Callable[[int, int, dict[str, float]], None]

_NUDGE = 1e-3  # step of the differences, in unconstrained space where scales are of order 1
_WIDEST = 2.0  # largest standard deviation of a start in unconstrained space


class Chunk(NamedTuple):
    """Draws of one chunk; leading axes (draws, chains)."""

    sites: dict[str, Array]
    diverging: Array
    energy: Array
    num_steps: Array
    accept_prob: Array


class Sampler:
    """A compiled NUTS for one model structure; run it on any data of the same shapes.

    Parameters
    ----------
    model : callable
        NumPyro model, ``model(*args)``.
    chains, warmup, draws : int
        Vectorised chains, and iterations of each.
    chunk : int
        Iterations per call of the compiled program.
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

    References
    ----------
    Hoffman & Gelman 2014 (arXiv:1111.4246); Phan, Pradhan & Jankowiak 2019 (arXiv:1912.11554).
    """

    def __init__(
        self,
        model: Callable[..., Any],
        *,
        chains: int = 4,
        warmup: int = 500,
        draws: int = 1000,
        chunk: int = 100,
        target_accept: float = 0.9,
        max_tree_depth: int = 8,
        dense_mass: bool = False,
    ) -> None:
        for name, number in (("chains", chains), ("draws", draws), ("chunk", chunk)):
            if number < 1:
                raise ConfigurationError(f"{name} must be at least 1, found {number}")
        self.model = model
        self.chains, self.warmup, self.draws, self.chunk = chains, warmup, draws, chunk
        self.target_accept, self.max_tree_depth = target_accept, max_tree_depth
        self.dense_mass = dense_mass
        self.traces = 0
        self._kernel: tuple[Callable, Callable] | None = None
        self._potential: Callable | None = None
        self._sites: tuple[str, ...] = ()
        self._begin = eqx.filter_jit(self._begin_chains)
        self._advance = eqx.filter_jit(self._advance_chains)

    def start(
        self,
        key: Array,
        args: tuple = (),
        *,
        initial: Mapping[str, Any] | None = None,
        jitter: float = 1.5,
    ) -> PyTree:
        """State of the chains before the first iteration.

        Chains start around a point with the scatter of its Laplace approximation times
        ``jitter``, at most 2 in unconstrained space.

        Parameters
        ----------
        key : PRNG key
            Randomness of starts and chains.
        args : tuple
            Arguments of the model.
        initial : mapping of str to array, optional
            Values of sites, usually the profile maximum; others, and all by default, start at
            the median of their prior.
        jitter : float
            Scatter in units of the Laplace approximation.

        Returns
        -------
        pytree of arrays
            State, with a leading axis of chains.

        Raises
        ------
        ConfigurationError
            If a name in ``initial`` is not a sampled site, or a value lies on the edge of, or
            outside, its support.
        ConvergenceError
            If the density is not finite around the start.
        """
        origin = self._origin(args, dict(initial or {}))
        # The largest fraction of the scatter at which the density is finite for all chains.
        for fraction in (1.0, 0.3, 0.1, 0.0):
            state = self._begin(key, jnp.asarray(fraction * jitter, float), origin, args)
            if np.all(np.isfinite(np.asarray(state.potential_energy))):
                return state
        raise ConvergenceError(
            "the log density is not finite at the starts of the chains; give another `initial` "
            "point"
        )

    def advance(self, state: PyTree, args: tuple = ()) -> tuple[PyTree, Chunk]:
        """One chunk of all chains.

        Parameters
        ----------
        state : pytree
            From :meth:`start` or an earlier chunk.
        args : tuple
            Arguments of the model.

        Returns
        -------
        tuple of pytree and Chunk
            The new state, and the draws with leading axes (chunk, chains).
        """
        return self._advance(state, args)

    def run(
        self,
        key: Array,
        args: tuple = (),
        *,
        initial: Mapping[str, Any] | None = None,
        jitter: float = 1.5,
        gates: Gates | None = None,
        progress: Progress | None = None,
    ) -> Posterior:
        """Warm-up and draws of all chains, with diagnostics.

        Parameters
        ----------
        key : PRNG key
            Randomness.
        args : tuple
            Arguments of the model.
        initial, jitter
            As in :meth:`start`.
        gates : Gates, optional
            Thresholds of convergence.
        progress : callable, optional
            Called after each chunk with (done, total, info).

        Returns
        -------
        Posterior
            Draws and verdict; failing the gates is a verdict, not an exception.

        Raises
        ------
        ConfigurationError
            As in :meth:`start`.
        """
        state = self.start(key, args, initial=initial, jitter=jitter)
        total = self.warmup + self.draws
        chunks: list[Chunk] = []
        for k in range(math.ceil(total / self.chunk)):
            state, chunk = self.advance(state, args)
            chunks.append(jax.device_get(chunk))
            if progress is not None:
                info = {
                    "divergences": float(np.sum(chunks[-1].diverging)),
                    "accept_prob": float(np.mean(chunks[-1].accept_prob)),
                    "steps": float(np.mean(chunks[-1].num_steps)),
                }
                progress(min((k + 1) * self.chunk, total), total, info)
        settings = {
            "sampler": "NUTS",
            "chains": self.chains,
            "warmup": self.warmup,
            "draws": self.draws,
            "target_accept": self.target_accept,
            "max_tree_depth": self.max_tree_depth,
            "dense_mass": self.dense_mass,
            "jitter": jitter,
        }
        return self.collect(chunks, gates=gates, settings=settings)

    def collect(
        self,
        chunks: list[Chunk],
        *,
        gates: Gates | None = None,
        settings: dict[str, Any] | None = None,
    ) -> Posterior:
        """Join chunks, drop the warm-up and judge the rest.

        Parameters
        ----------
        chunks : list of Chunk
            In order, from the first iteration on.
        gates : Gates, optional
            Thresholds of convergence.
        settings : dict, optional
            Stored with the result.

        Returns
        -------
        Posterior
            Draws and verdict.
        """

        def join(*parts: Any) -> np.ndarray:
            x = np.concatenate([np.asarray(p) for p in parts])
            return np.swapaxes(x[self.warmup : self.warmup + self.draws], 0, 1)

        whole = jax.tree.map(join, *chunks)
        saturated = whole.num_steps >= 2**self.max_tree_depth - 1
        computed = frozenset(whole.sites) - frozenset(self._sites)
        convergence = check_gates(
            whole.sites, whole.diverging, saturated, fixed=computed, gates=gates
        )
        return Posterior(
            draws=whole.sites,
            diverging=whole.diverging,
            saturated=saturated,
            energy=whole.energy,
            accept_prob=whole.accept_prob,
            num_steps=whole.num_steps,
            convergence=convergence,
            settings=settings or {},
        )

    def _origin(self, args: tuple, initial: dict[str, Any]) -> dict[str, Array]:
        """Unconstrained start of the sampled sites; sets the kernel up the first time."""
        from numpyro.infer.hmc import hmc
        from numpyro.infer.initialization import init_to_median
        from numpyro.infer.util import constrain_fn, initialize_model, unconstrain_fn

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
            self._sites = tuple(z)
            self._potential = info.potential_fn
            self._kernel = hmc(potential_fn_gen=info.potential_fn, algo="NUTS")
        for name in initial:
            if name not in z:
                raise unknown_name("sampled site", name, z)
        # Compiled, so that the likelihood, which the result does not need, is never run.
        middle = eqx.filter_jit(lambda a, x: constrain_fn(self.model, a, {}, x))(args, z)
        point = {k: jnp.asarray(initial.get(k, middle[k]), float) for k in z}
        free = eqx.filter_jit(lambda a, x: unconstrain_fn(self.model, a, {}, x))(args, point)
        for name, value in free.items():
            if not np.all(np.isfinite(np.asarray(value))):
                raise ConfigurationError(
                    f"start of {name!r} is {point[name]}: it must lie inside the support of its "
                    "prior, not on its edge"
                )
        return free

    def _begin_chains(self, key: Array, jitter: Array, origin: dict, args: tuple) -> PyTree:
        assert self._kernel is not None
        assert self._potential is not None
        potential = self._potential(*args)
        flat, unravel = ravel_pytree(origin)
        # Differences of the gradient: the scatter of the starts needs two digits, and second
        # derivatives of a long model would dominate the compilation.
        slope = jax.grad(lambda x: potential(unravel(x)))
        nudges = _NUDGE * jnp.eye(flat.shape[0])
        rows = jax.lax.map(slope, jnp.concatenate([flat + nudges, flat - nudges]))
        hessian = (rows[: flat.shape[0]] - rows[flat.shape[0] :]) / (2.0 * _NUDGE)
        hessian = 0.5 * (hessian + hessian.T)
        # Where the density is not curved like a peak, or not at all, the scatter is capped.
        w, v = jnp.linalg.eigh(jnp.where(jnp.isfinite(hessian), hessian, 0.0))
        spread = v * jnp.minimum(jitter / jnp.sqrt(jnp.maximum(jnp.abs(w), 1e-12)), _WIDEST)
        key_start, key_chain = jax.random.split(key)
        noise = jax.random.normal(key_start, (self.chains, flat.shape[0]), flat.dtype)

        def one(normal: Array, chain_key: Array) -> PyTree:
            begin = unravel(flat + spread @ normal)
            init_kernel, _ = self._kernel  # type: ignore[misc]
            return init_kernel(
                begin,
                self.warmup,
                target_accept_prob=self.target_accept,
                max_tree_depth=self.max_tree_depth,
                dense_mass=self.dense_mass,
                model_args=args,
                rng_key=chain_key,
            )

        return jax.vmap(one)(noise, jax.random.split(key_chain, self.chains))

    def _advance_chains(self, state: PyTree, args: tuple) -> tuple[PyTree, Chunk]:
        from numpyro.infer.util import constrain_fn

        assert self._kernel is not None
        _, sample_kernel = self._kernel
        self.traces += 1

        def constrain(z: dict[str, Array]) -> dict[str, Array]:
            return constrain_fn(self.model, args, {}, z, return_deterministic=True)

        def iterate(now: PyTree, _: None) -> tuple[PyTree, Chunk]:
            new = jax.vmap(lambda s: sample_kernel(s, args))(now)
            record = Chunk(
                sites=jax.vmap(constrain)(new.z),
                diverging=new.diverging,
                energy=new.energy,
                num_steps=new.num_steps,
                accept_prob=new.accept_prob,
            )
            return new, record

        return jax.lax.scan(iterate, state, length=self.chunk)


def sample(
    model: Callable[..., Any],
    args: tuple,
    key: Array,
    *,
    initial: Mapping[str, Any] | None = None,
    jitter: float = 1.5,
    gates: Gates | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Posterior:
    """Posterior draws of a NumPyro model by NUTS.

    Parameters
    ----------
    model : callable
        NumPyro model, ``model(*args)``.
    args : tuple
        Its arguments: data, models, masses; never closed over.
    key : PRNG key
        Randomness.
    initial : mapping of str to array, optional
        Where to start, in the units of the sites.
    jitter : float
        Scatter of the starts in units of the Laplace approximation.
    gates : Gates, optional
        Thresholds of convergence.
    progress : callable, optional
        Called after each chunk with (done, total, info).
    **settings
        Arguments of :class:`Sampler`. Build one and call its ``run`` to share the compilation
        between data sets.

    Returns
    -------
    Posterior
        Draws, diagnostics, and whether they passed the gates.

    Raises
    ------
    ConfigurationError
        If a start names no sampled site or lies outside its support.

    References
    ----------
    Hoffman & Gelman 2014 (arXiv:1111.4246).
    """
    sampler = Sampler(model, **settings)
    return sampler.run(key, args, initial=initial, jitter=jitter, gates=gates, progress=progress)
