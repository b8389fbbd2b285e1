"""Many data sets side by side: their arguments, their starts, and the devices they lie on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from ..errors import ConfigurationError
from .chains import Scatter


def split_arguments(args: tuple, axes: PyTree) -> tuple[PyTree, PyTree, int]:
    """Stacked and shared leaves of the arguments, and the length of the stack.

    Parameters
    ----------
    args : tuple
        Arguments of the model.
    axes : pytree
        Prefix of ``args``: the stacked axis of its arrays, or None where shared.

    Returns
    -------
    tuple of pytree, pytree and int
        Two trees of the structure of ``args``, the first with its leading axis stacked and None
        for shared leaves, the second the other way round.

    Raises
    ------
    ConfigurationError
        If nothing is stacked, or the lengths differ.
    """

    def move(axis: int | None, part: PyTree) -> PyTree:
        def one(x: Any) -> Any:
            if axis is None or not eqx.is_array_like(x):
                return None
            return jnp.moveaxis(jnp.asarray(x), axis, 0)

        return jax.tree.map(one, part)

    def rest(axis: int | None, part: PyTree) -> PyTree:
        return jax.tree.map(
            lambda x: None if axis is not None and eqx.is_array_like(x) else x, part
        )

    none = {"is_leaf": lambda x: x is None}
    mapped = jax.tree.map(move, axes, args, **none)
    shared = jax.tree.map(rest, axes, args, **none)
    sizes = {x.shape[0] for x in jax.tree.leaves(mapped)}
    if len(sizes) != 1:
        raise ConfigurationError(
            f"stacked arguments have lengths {sorted(sizes)}: at least one array must be stacked, "
            "and all to the same length"
        )
    return mapped, shared, sizes.pop()


def stack_scatters(scatters: Sequence[Scatter]) -> Scatter:
    """One set of starts with a leading axis of lanes."""
    return jax.tree.map(lambda *x: jnp.stack(x), *scatters)


class Placement:
    """Lanes, or the chains of one run, over a one-dimensional mesh of devices.

    Parameters
    ----------
    devices : sequence of devices, optional
        None or a single one places nothing.
    """

    def __init__(self, devices: Sequence[Any] | None = None) -> None:
        chosen = list(devices or [])
        self.count = max(len(chosen), 1)
        first = chosen[0] if chosen else jax.devices()[0]
        self.kind = f"{first.platform} {first.device_kind}"
        self._mesh = Mesh(np.array(chosen), ("lanes",)) if len(chosen) > 1 else None

    def place(self, state: PyTree, mapped: PyTree, shared: PyTree) -> tuple[PyTree, PyTree, PyTree]:
        """State and stacked arguments spread over the devices, the others on all of them."""
        if self._mesh is None:
            return state, mapped, shared
        whole = NamedSharding(self._mesh, PartitionSpec())
        spread = NamedSharding(self._mesh, PartitionSpec("lanes"))
        size = jax.tree.leaves(state.kernel)[0].shape[0]
        if size % self.count:
            kind = "chains" if mapped is None else "data sets"
            raise ConfigurationError(
                f"{size} {kind} cannot be spread evenly over {self.count} devices"
            )
        # One run has one matrix for all its chains.
        matrix = whole if mapped is None else spread
        state = type(state)(
            jax.device_put(state.kernel, spread), jax.device_put(state.prior_covariance, matrix)
        )
        return state, _put(mapped, spread), _put(shared, whole)


def _put(tree: PyTree, sharding: NamedSharding) -> PyTree:
    arrays, rest = eqx.partition(tree, eqx.is_array)
    return eqx.combine(jax.device_put(arrays, sharding), rest)
