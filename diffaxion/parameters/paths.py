"""Dotted paths to the float leaves of a pytree of modules, dictionaries, lists and tuples.

The grammar is ``name(.name | [index] | ['key'])*``: attributes of modules and string keys of
dictionaries are written with a dot, items of lists and tuples in brackets, and one element of an
array leaf as ``[i]`` or ``[i,j]``. Examples: ``axion.u``, ``clusters.wd1.distance_kpc``,
``galaxy.field.b_arm_muG[3]``. Only inexact arrays are leaves; static choices have no path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..errors import ConfigurationError, nearest_names

Tree = TypeVar("Tree")

# Arrays larger than this are tables: their elements can be addressed but are not listed.
LISTED_ELEMENTS = 64
_ELEMENT = re.compile(r"^(?P<leaf>.*)\[(?P<index>\s*\d+\s*(?:,\s*\d+\s*)*)\]$", re.DOTALL)


class _Location(NamedTuple):
    """A resolved path: position of the leaf in the flattened tree, and the element of it."""

    position: int
    element: tuple[int, ...] | None


def _segment(key: Any, first: bool) -> str:
    """One step of a path from the key that JAX attaches to it."""
    if isinstance(key, jax.tree_util.GetAttrKey):
        return key.name if first else f".{key.name}"
    if isinstance(key, jax.tree_util.DictKey):
        if isinstance(key.key, str) and key.key.isidentifier():
            return key.key if first else f".{key.key}"
        return f"[{key.key!r}]"
    if isinstance(key, jax.tree_util.SequenceKey):
        return f"[{key.idx}]"
    return f"[{key.key!r}]" if hasattr(key, "key") else f"[{key}]"


def _flatten(tree: Any) -> tuple[list[Any], Any, dict[str, int]]:
    """Leaves, structure, and the position of every inexact array by its path."""
    pairs, structure = jax.tree_util.tree_flatten_with_path(tree)
    positions = {
        "".join(_segment(k, n == 0) for n, k in enumerate(keys)): position
        for position, (keys, leaf) in enumerate(pairs)
        if eqx.is_inexact_array(leaf)
    }
    return [leaf for _, leaf in pairs], structure, positions


def _elements(path: str, shape: tuple[int, ...]) -> list[str]:
    return [f"{path}[{','.join(map(str, index))}]" for index in np.ndindex(shape)]


def leaf_paths(tree: Any, *, elements: bool = True) -> list[str]:
    """Paths of all inexact-array leaves of a pytree.

    Parameters
    ----------
    tree : pytree
        Modules, dictionaries, lists and tuples of arrays.
    elements : bool
        Whether to list, after each array of at most 64 elements, the path of every element.

    Returns
    -------
    list of str
        Paths in the order of the flattened tree.

    References
    ----------
    Grammar of paths: the docstring of this module.
    """
    leaves, _, positions = _flatten(tree)
    found: list[str] = []
    for path, position in positions.items():
        found.append(path)
        shape = np.shape(leaves[position])
        if elements and shape and np.prod(shape) <= LISTED_ELEMENTS:
            found += _elements(path, shape)
    return found


def _unknown(path: str, leaves: list[Any], positions: dict[str, int]) -> ConfigurationError:
    below = [p for p in positions if p.startswith((f"{path}.", f"{path}["))]
    if below:
        shown = ", ".join(below[:8]) + (", ..." if len(below) > 8 else "")
        return ConfigurationError(
            f"parameter path {path!r} names a group, not a leaf; the leaves below it are {shown}"
        )
    known = list(positions)
    match = _ELEMENT.match(path)
    if match is None:
        known += [
            e
            for p, k in positions.items()
            if 0 < np.prod(np.shape(leaves[k]), dtype=int) <= LISTED_ELEMENTS
            for e in (_elements(p, np.shape(leaves[k])) if np.shape(leaves[k]) else [])
        ]
    if not positions:
        return ConfigurationError(f"parameter path {path!r}: this tree has no float leaves")
    wanted = match["leaf"] if match else path
    return ConfigurationError(f"unknown parameter path {path!r}: {nearest_names(wanted, known)}")


def _locate(path: str, leaves: list[Any], positions: dict[str, int]) -> _Location:
    """Resolve one path, or explain why it cannot be."""
    if path in positions:
        return _Location(positions[path], None)
    match = _ELEMENT.match(path)
    if match is None or match["leaf"] not in positions:
        raise _unknown(path, leaves, positions)
    position = positions[match["leaf"]]
    shape = np.shape(leaves[position])
    index = tuple(int(i) for i in match["index"].split(","))
    if len(index) != len(shape) or any(i >= n for i, n in zip(index, shape)):
        raise ConfigurationError(
            f"parameter path {path!r}: {match['leaf']} has shape {shape}, so its indices are "
            + (f"[{','.join(f'0..{n - 1}' for n in shape)}]" if shape else "none: it is a scalar")
        )
    return _Location(position, index)


def canonical_path(path: str) -> str:
    """The path with blanks and leading zeros removed from the index of an element.

    Parameters
    ----------
    path : str
        Dotted path.

    Returns
    -------
    str
        The one spelling under which parameters are compared.

    References
    ----------
    Grammar of paths: the docstring of this module.
    """
    match = _ELEMENT.match(path.strip())
    if match is None:
        return path.strip()
    return f"{match['leaf']}[{','.join(str(int(i)) for i in match['index'].split(','))}]"


def path_exists(tree: Any, path: str) -> bool:
    """Whether ``path`` names a float leaf of the tree or an element of one.

    Parameters
    ----------
    tree : pytree
        Modules, dictionaries, lists and tuples of arrays.
    path : str
        Dotted path.

    Returns
    -------
    bool
        True if :func:`get_path` would find it.

    References
    ----------
    Grammar of paths: the docstring of this module.
    """
    leaves, _, positions = _flatten(tree)
    try:
        _locate(path, leaves, positions)
    except ConfigurationError:
        return False
    return True


def get_path(tree: Any, path: str) -> jax.Array:
    """Value of a leaf or of one element of it.

    Parameters
    ----------
    tree : pytree
        Modules, dictionaries, lists and tuples of arrays.
    path : str
        Dotted path.

    Returns
    -------
    array, shape of the leaf, or () for an element
        The value, in the unit that the name of the leaf states.

    Raises
    ------
    ConfigurationError
        If no leaf has this path; the message lists the nearest ones.

    References
    ----------
    Grammar of paths: the docstring of this module.
    """
    leaves, _, positions = _flatten(tree)
    at = _locate(path, leaves, positions)
    leaf = jnp.asarray(leaves[at.position])
    return leaf if at.element is None else leaf[at.element]


def set_paths(tree: Tree, values: Mapping[str, Any]) -> Tree:
    """Copy of a pytree in which the named leaves or elements have new values.

    Parameters
    ----------
    tree : pytree
        Modules, dictionaries, lists and tuples of arrays; it is not changed.
    values : mapping of str to array
        New value by path; the shape must be that of the leaf, or () for an element. Values may
        be traced. The dtype of the leaf is kept.

    Returns
    -------
    pytree
        The same structure with the new values.

    Raises
    ------
    ConfigurationError
        If a path is unknown, a shape differs, or a leaf and its element are both given.

    References
    ----------
    Grammar of paths: the docstring of this module.
    """
    leaves, structure, positions = _flatten(tree)
    new = list(leaves)
    written: dict[tuple[int, tuple[int, ...] | None], str] = {}
    for path, given in values.items():
        at = _locate(path, leaves, positions)
        clash = written.get((at.position, at.element)) or written.get((at.position, None))
        if at.element is None and clash is None:
            clash = next((p for (k, _), p in written.items() if k == at.position), None)
        if clash is not None:
            raise ConfigurationError(f"parameter paths {clash!r} and {path!r} set the same number")
        written[at.position, at.element] = path
        leaf = jnp.asarray(new[at.position])
        value = jnp.asarray(given)
        wanted = leaf.shape if at.element is None else ()
        if value.shape != wanted:
            hint = ""
            if at.element is None and value.shape == () and wanted:
                hint = f"; one element is written {path}[{','.join('0' * len(wanted))}]"
            raise ConfigurationError(
                f"parameter path {path!r}: expected shape {wanted}, got {value.shape}{hint}"
            )
        value = value.astype(leaf.dtype)
        new[at.position] = value if at.element is None else leaf.at[at.element].set(value)
    return jax.tree_util.tree_unflatten(structure, new)
