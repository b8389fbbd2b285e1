"""NUTS for any NumPyro model, as one compiled program over vectorised chains.

The compiled half is :mod:`.chains`; here is the loop around it: chunks of about 100 draws of all
chains, with data and models as arguments. The same compiled chunk serves warm-up, sampling, later
runs with other data and many data sets side by side, and its state is a plain pytree that is
stored between chunks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from ..errors import CheckpointError, ConfigurationError, ConvergenceError
from ..provenance import versions
from .chains import Chains, ChainState, Chunk, Scatter
from .checkpoint import FORMAT, Checkpoint, CheckpointStore
from .diagnostics import Gates, check_gates
from .interrupts import graceful_interrupts
from .lanes import Placement, split_arguments, stack_scatters
from .posterior import Posterior
from .warm_start import WarmStart

Progress = Callable[[int, int, dict[str, float]], None]
Initial = Mapping[str, Any] | WarmStart

_FIRST = 10  # iterations of the first block of a kept run, before their speed is known


class Sampler:
    """A compiled NUTS for one model structure; run it on any data of the same shapes.

    Parameters
    ----------
    model : callable
        NumPyro model, ``model(*args)``.
    chains, warmup, draws : int
        Vectorised chains, and iterations of each.
    chunk : int
        Most iterations per call of the compiled program.
    target_accept : float
        Acceptance probability that the step size is adapted to.
    max_tree_depth : int
        Trajectories have at most 2^depth - 1 steps.
    dense_mass : bool
        Full instead of diagonal mass matrix. It starts from the Laplace approximation around
        the start, and is then estimated from all chains of a run together.
    devices : sequence of devices, optional
        Chains, or the data sets of :meth:`run_many`, are spread over these.

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
        devices: Sequence[Any] | None = None,
    ) -> None:
        for name, number in (("chains", chains), ("draws", draws), ("chunk", chunk)):
            if number < 1:
                raise ConfigurationError(f"{name} must be at least 1, found {number}")
        self.model = model
        self.chains, self.warmup, self.draws, self.chunk = chains, warmup, draws, chunk
        self.target_accept, self.max_tree_depth = target_accept, max_tree_depth
        self.dense_mass = dense_mass
        self.placement = Placement(devices)
        self.compiled = Chains(
            model,
            chains=chains,
            warmup=warmup,
            chunk=chunk,
            target_accept=target_accept,
            max_tree_depth=max_tree_depth,
            dense_mass=dense_mass,
        )

    @property
    def traces(self) -> int:
        """How often the chunk has been traced."""
        return self.compiled.traces

    def start(
        self,
        key: Array,
        args: tuple = (),
        *,
        initial: Initial | None = None,
        jitter: float = 1.5,
    ) -> ChainState:
        """State of the chains before the first iteration.

        Chains start around a point with the scatter of its Laplace approximation times
        ``jitter``, at most 2 in unconstrained space, and with its covariance as inverse mass
        matrix.

        Parameters
        ----------
        key : PRNG key
            Randomness of starts and chains.
        args : tuple
            Arguments of the model.
        initial : mapping of str to array, or WarmStart, optional
            Values of sites, usually the profile maximum; others, and all by default, start at
            the median of their prior. A warm start also replaces the Laplace approximation.
        jitter : float
            Scatter in units of the Laplace approximation.

        Returns
        -------
        ChainState
            State, with a leading axis of chains.

        Raises
        ------
        ConfigurationError
            If a name in ``initial`` is not a sampled site, or a value lies on the edge of, or
            outside, its support.
        ConvergenceError
            If the density is not finite around the start.
        """
        return self._start(key, self._scatter(args, initial), None, args, jitter)

    def advance(
        self, state: ChainState, args: tuple = (), count: int | None = None
    ) -> tuple[ChainState, Chunk]:
        """One chunk of all chains.

        Parameters
        ----------
        state : ChainState
            From :meth:`start` or an earlier chunk.
        args : tuple
            Arguments of the model.
        count : int, optional
            Iterations, at most and by default ``chunk``.

        Returns
        -------
        tuple of ChainState and Chunk
            The new state, and the draws with leading axes (count, chains).
        """
        return self._advance(state, None, args, self.chunk if count is None else count)

    def run(
        self,
        key: Array,
        args: tuple = (),
        *,
        initial: Initial | None = None,
        jitter: float = 1.5,
        gates: Gates | None = None,
        progress: Progress | None = None,
        checkpoint: Checkpoint | None = None,
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
        checkpoint : Checkpoint, optional
            Keeps blocks and state; SIGINT and SIGTERM then end the run after a block.

        Returns
        -------
        Posterior
            Draws and verdict; failing the gates is a verdict, not an exception.

        Raises
        ------
        ConfigurationError
            As in :meth:`start`.
        CheckpointError
            If the kept run is another one, or a block cannot be written.
        RunInterrupted
            If a signal stopped a kept run.
        """

        def begin() -> ChainState:
            return self.start(key, args, initial=initial, jitter=jitter)

        def finish(state: ChainState | None, chunks: list[Chunk], forced: list[str]) -> Posterior:
            settings = self.settings(jitter=jitter, **({"forced": forced} if forced else {}))
            return self.collect(chunks, gates=gates, settings=settings, state=state)

        return self._drive(key, begin, None, args, 0, finish, progress, checkpoint)

    def run_many(
        self,
        key: Array,
        args: tuple,
        axes: PyTree,
        *,
        initial: Initial | Sequence[Initial | None] | None = None,
        jitter: float = 1.5,
        gates: Gates | None = None,
        progress: Progress | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> list[Posterior]:
        """Runs of many data sets or masses side by side, in one compiled program.

        Lane k is the run with the key ``fold_in(key, k)`` and the k-th slice of the arguments.

        Parameters
        ----------
        key : PRNG key
            Randomness.
        args : tuple
            Arguments of the model, those that differ stacked.
        axes : pytree
            Prefix of ``args``, as in ``jax.vmap``: the stacked axis, or None where shared.
        initial : mapping or WarmStart, or a sequence of one for each lane, optional
            As in :meth:`start`.
        jitter, gates, progress, checkpoint
            As in :meth:`run`.

        Returns
        -------
        list of Posterior
            One for each lane.

        Raises
        ------
        ConfigurationError
            As in :meth:`start`, or if the stacked lengths differ.
        CheckpointError, RunInterrupted
            As in :meth:`run`.
        """
        mapped, shared, size = split_arguments(args, axes)
        keys = jax.vmap(lambda k: jax.random.fold_in(key, k))(jnp.arange(size))
        one_for_all = initial is None or isinstance(initial, (Mapping, WarmStart))
        starts: list[Any] = [initial] * size if one_for_all else list(initial)  # type: ignore[arg-type]
        if len(starts) != size:
            raise ConfigurationError(f"{len(starts)} starts for {size} data sets: give one each")

        def lane_args(k: int) -> tuple:
            return eqx.combine(jax.tree.map(lambda x: x[k], mapped), shared)

        def begin() -> ChainState:
            scatters = [self._scatter(lane_args(k), start) for k, start in enumerate(starts)]
            return self._start(keys, stack_scatters(scatters), mapped, shared, jitter)

        def finish(
            state: ChainState | None, chunks: list[Chunk], forced: list[str]
        ) -> list[Posterior]:
            def lane(k: int) -> Posterior:
                settings = self.settings(jitter=jitter, lane=k)
                settings |= {"forced": forced} if forced else {}
                parts = [jax.tree.map(lambda x: x[:, k], c) for c in chunks]
                one = None if state is None else jax.tree.map(lambda x: x[k], state)
                return self.collect(parts, gates=gates, settings=settings, state=one)

            return [lane(k) for k in range(size)]

        return self._drive(key, begin, mapped, shared, size, finish, progress, checkpoint)

    def settings(self, **more: Any) -> dict[str, Any]:
        """Settings of the sampler as plain values, for the result."""
        return {
            "sampler": "NUTS",
            "chains": self.chains,
            "warmup": self.warmup,
            "draws": self.draws,
            "target_accept": self.target_accept,
            "max_tree_depth": self.max_tree_depth,
            "dense_mass": self.dense_mass,
            **more,
        }

    def collect(
        self,
        chunks: Sequence[Chunk],
        *,
        gates: Gates | None = None,
        settings: dict[str, Any] | None = None,
        state: ChainState | None = None,
    ) -> Posterior:
        """Join chunks, drop the warm-up and judge the rest.

        Parameters
        ----------
        chunks : sequence of Chunk
            In order, from the first iteration on.
        gates : Gates, optional
            Thresholds of convergence.
        settings : dict, optional
            Stored with the result.
        state : ChainState, optional
            The last one; its step sizes and mass matrix are stored with the result.

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
        computed = frozenset(whole.sites) - frozenset(self.compiled.sites)
        convergence = check_gates(
            whole.sites, whole.diverging, saturated, fixed=computed, gates=gates
        )
        adaptation = {}
        if state is not None:
            adapt = state.kernel.adapt_state
            adaptation = {
                "step_size": np.asarray(adapt.step_size),
                "inverse_mass_matrix": np.asarray(adapt.inverse_mass_matrix[0]),
            }
        return Posterior(
            draws=whole.sites,
            diverging=whole.diverging,
            saturated=saturated,
            energy=whole.energy,
            accept_prob=whole.accept_prob,
            num_steps=whole.num_steps,
            convergence=convergence,
            settings=settings or {},
            adaptation=adaptation,
            gates=Gates() if gates is None else gates,
        )

    def _scatter(self, args: tuple, initial: Initial | None) -> Scatter:
        warm = isinstance(initial, WarmStart)
        values = initial.initial if isinstance(initial, WarmStart) else dict(initial or {})
        centre = self.compiled.origin(args, values)
        size = sum(int(np.size(x)) for x in centre.values())
        covariance = jnp.full((size, size), jnp.nan)
        if warm:
            covariance = jnp.asarray(initial.covariance, float)  # type: ignore[union-attr]
            if covariance.shape != (size, size) or not np.all(np.isfinite(covariance)):
                raise ConfigurationError(
                    f"covariance of a warm start must be finite and of shape {(size, size)}, "
                    f"found shape {covariance.shape}"
                )
        return Scatter(centre, covariance)

    def _start(
        self, key: Array, scatter: Scatter, mapped: PyTree, shared: tuple, jitter: float
    ) -> ChainState:
        known = bool(np.all(np.isfinite(np.asarray(scatter.covariance))))
        # The largest fraction of the scatter at which the density is finite for all chains.
        for fraction in (1.0, 0.3, 0.1, 0.0):
            scale = jnp.asarray(fraction * jitter, float)
            state = self.compiled.begin(key, scale, scatter, mapped, shared, known)
            if np.all(np.isfinite(np.asarray(state.kernel.potential_energy))):
                return state
        raise ConvergenceError(
            "the log density is not finite at the starts of the chains; give another `initial` "
            "point"
        )

    def _advance(
        self, state: ChainState, mapped: PyTree, shared: tuple, count: int
    ) -> tuple[ChainState, Chunk]:
        state, mapped, shared = self.placement.place(state, mapped, shared)
        state, chunk = self.compiled.advance(state, mapped, shared, jnp.asarray(count))
        if count < self.chunk:
            chunk = jax.tree.map(lambda x: np.asarray(x)[:count], chunk)
        return state, chunk

    def _header(self, key: Array, checkpoint: Checkpoint, lanes: int) -> dict[str, Any]:
        """What decides the bits of a run, and must not change when it is resumed."""
        typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
        return {
            "format": FORMAT,
            "identity": dict(checkpoint.identity),
            "key": np.asarray(jax.random.key_data(key) if typed else key).tolist(),
            "versions": versions(),
            "dtype": str(jnp.zeros(()).dtype),
            "chains": self.chains,
            "lanes": lanes,
            "warmup": self.warmup,
            "chunk": self.chunk,
            "target_accept": self.target_accept,
            "max_tree_depth": self.max_tree_depth,
            "dense_mass": self.dense_mass,
            "device": self.placement.kind,
            "devices": self.placement.count,
        }

    def _drive(
        self,
        key: Array,
        begin: Callable[[], ChainState],
        mapped: PyTree,
        shared: tuple,
        lanes: int,
        finish: Callable[[ChainState | None, list[Chunk], list[str]], Any],
        progress: Progress | None,
        checkpoint: Checkpoint | None,
    ) -> Any:
        """The loop: chunks until all draws are there, each kept if asked for."""
        total = self.warmup + self.draws
        chunks: list[Chunk] = []
        state: ChainState | None = None
        store = None
        if checkpoint is not None:
            store = CheckpointStore(checkpoint, self._header(key, checkpoint, lanes))
            state, kept = store.open(self._template(mapped, shared, lanes))
            chunks = [_unpack(block) for block in kept]
        done = sum(len(c.diverging) for c in chunks)
        pace = Pace(self.chunk, checkpoint)
        with nullcontext() if store is None else graceful_interrupts() as signals:
            if state is None and done < total:
                state = begin()
            while done < total:
                assert state is not None
                state, chunk = self._advance(state, mapped, shared, pace.next(total - done))
                chunks.append(jax.device_get(chunk))
                rows = len(chunks[-1].diverging)
                done += rows
                pace.tick(rows)
                if store is not None:
                    try:
                        store.save(len(chunks) - 1, _pack(chunks[-1]), state, done)
                    except CheckpointError as error:
                        enough = done >= self.warmup + 4
                        error.partial = finish(state, chunks, store.forced) if enough else None
                        raise
                if progress is not None:
                    progress(done, total, _info(chunks[-1]))
                if signals is not None and done < total:
                    signals.check(f"{done} of {total} iterations are kept; resume to go on")
        return finish(state, chunks, [] if store is None else store.forced)

    def _template(self, mapped: PyTree, shared: tuple, lanes: int) -> ChainState:
        """Shapes of a state, without running or compiling anything."""
        args = shared
        if mapped is not None:
            args = eqx.combine(jax.tree.map(lambda x: x[0], mapped), shared)
        centre = self.compiled.prepare(args)
        size = sum(int(np.size(x)) for x in centre.values())
        scatter = Scatter(centre, jnp.zeros((size, size)))
        key = jax.random.key(0)
        if mapped is not None:
            scatter = stack_scatters([scatter] * lanes)
            key = jax.random.split(key, lanes)
        return eqx.filter_eval_shape(
            self.compiled.begin, key, jnp.zeros(()), scatter, mapped, shared, True
        )


class Pace:
    """How many iterations the next block has: ``chunk``, or fewer where they are slow."""

    def __init__(self, chunk: int, checkpoint: Checkpoint | None) -> None:
        self.chunk = chunk
        self.seconds = math.inf if checkpoint is None else checkpoint.seconds
        self.rate: float | None = None
        self.began = time.perf_counter()

    def next(self, left: int) -> int:
        """Iterations of the next block, at most ``left``."""
        if math.isinf(self.seconds):
            count = self.chunk
        elif self.rate is None:
            count = min(_FIRST, self.chunk)
        else:
            count = min(self.chunk, max(1, int(self.seconds / self.rate)))
        self.began = time.perf_counter()
        return min(count, left)

    def tick(self, rows: int) -> None:
        """Note that a block of so many iterations has just ended."""
        self.rate = max((time.perf_counter() - self.began) / rows, 1e-9)


def _info(chunk: Chunk) -> dict[str, float]:
    return {
        "divergences": float(np.sum(chunk.diverging)),
        "accept_prob": float(np.mean(chunk.accept_prob)),
        "steps": float(np.mean(chunk.num_steps)),
    }


def _pack(chunk: Chunk) -> dict[str, np.ndarray]:
    """Chunk as named arrays; sites as ``site:<name>``."""
    rest = {name: np.asarray(getattr(chunk, name)) for name in Chunk._fields if name != "sites"}
    return rest | {f"site:{name}": np.asarray(x) for name, x in chunk.sites.items()}


def _unpack(arrays: Mapping[str, np.ndarray]) -> Chunk:
    rest: dict[str, Any] = dict(arrays)
    sites = {n: rest.pop(n) for n in list(rest) if n.startswith("site:")}
    return Chunk(sites={n.removeprefix("site:"): x for n, x in sites.items()}, **rest)


def sample(
    model: Callable[..., Any],
    args: tuple,
    key: Array,
    *,
    initial: Initial | None = None,
    jitter: float = 1.5,
    gates: Gates | None = None,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
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
    initial : mapping of str to array, or WarmStart, optional
        Where to start, in the units of the sites.
    jitter : float
        Scatter of the starts in units of the Laplace approximation.
    gates : Gates, optional
        Thresholds of convergence.
    progress : callable, optional
        Called after each chunk with (done, total, info).
    checkpoint : Checkpoint, optional
        Keeps blocks and state on disk.
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
    CheckpointError, RunInterrupted
        As in :meth:`Sampler.run`.

    References
    ----------
    Hoffman & Gelman 2014 (arXiv:1111.4246).
    """
    return Sampler(model, **settings).run(
        key,
        args,
        initial=initial,
        jitter=jitter,
        gates=gates,
        progress=progress,
        checkpoint=checkpoint,
    )
