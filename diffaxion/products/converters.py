"""Posteriors for other programs: ArviZ (0.2x and 1.x) and GetDist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ConfigurationError
from ..inference import Posterior
from ..parameters import latex_label


def _import(name: str, purpose: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"{purpose} needs the package {name!r}: pip install 'diffaxion[plots]'"
        ) from error


def to_arviz(posterior: Posterior) -> Any:
    """Posterior as ArviZ holds it: ``InferenceData`` in 0.2x, ``DataTree`` in 1.x.

    Groups ``posterior`` (all sites) and ``sample_stats`` (``diverging``, ``energy``,
    ``acceptance_rate``, ``n_steps``, ``reached_max_treedepth``), with dimensions
    (chain, draw, ...). Settings of the sampler are not carried over.

    Parameters
    ----------
    posterior : Posterior
        Draws, shape (chains, draws, ...).

    Returns
    -------
    arviz.InferenceData or xarray.DataTree
        What the installed version uses.

    Raises
    ------
    ConfigurationError
        If ArviZ is not installed.

    References
    ----------
    ArviZ, ``from_dict``: since 1.0 its argument is a mapping of groups; InferenceData schema.
    """
    arviz = _import("arviz", "this conversion")
    groups = {
        "posterior": dict(posterior.draws),
        "sample_stats": {
            "diverging": posterior.diverging,
            "energy": posterior.energy,
            "acceptance_rate": posterior.accept_prob,
            "n_steps": posterior.num_steps,
            "reached_max_treedepth": posterior.saturated,
        },
    }
    if int(arviz.__version__.split(".")[0]) < 1:
        return arviz.from_dict(**groups)
    return arviz.from_dict(groups)


def to_getdist(
    posterior: Posterior,
    names: Sequence[str] | None = None,
    *,
    ranges: Mapping[str, tuple[float | None, float | None]] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Any:
    """Posterior as GetDist's ``MCSamples``, chains kept apart.

    Parameters
    ----------
    posterior : Posterior
        Draws, shape (chains, draws).
    names : sequence of str, optional
        Scalar sites; default all that vary, standardised ones (``..._std``) left out.
    ranges : mapping of str to pair, optional
        Hard lower and upper bounds of priors, None where open; GetDist corrects its densities
        there.
    labels : mapping of str to str, optional
        LaTeX without dollar signs; default from the dotted path and its unit.

    Returns
    -------
    getdist.MCSamples
        Samples with equal weights; GetDist drops constants and its burn-in is off.

    Raises
    ------
    ConfigurationError
        If GetDist is not installed, or a name is no scalar site.

    References
    ----------
    Lewis 2019 (arXiv:1910.13970).
    """
    getdist = _import("getdist", "this conversion")
    if names is None:
        names = [
            n
            for n, x in posterior.draws.items()
            if np.ndim(x) == 2 and not n.endswith("_std") and np.ptp(x) > 0.0
        ]
    if not names:
        raise ConfigurationError("no scalar site varies: name the sites to convert")
    chosen = list(names)
    for name in [*chosen, *(ranges or {}), *(labels or {})]:
        if posterior.flat(name).ndim != 1:
            raise ConfigurationError(f"{name!r} is not a scalar site: convert its elements")
    shown = {n: _math(latex_label(n)) for n in chosen} | dict(labels or {})
    # GetDist splits names at dots and blanks in its own files.
    plain = {n: n.replace(".", "_").replace(" ", "_") for n in chosen}
    chains = [
        np.stack([posterior.draws[n][c] for n in chosen], axis=1)
        for c in range(len(posterior.energy))
    ]
    return getdist.MCSamples(
        samples=chains,
        names=[plain[n] for n in chosen],
        labels=[shown[n] for n in chosen],
        ranges={plain[n]: list(r) for n, r in (ranges or {}).items() if n in plain},
        sampler="mcmc",
        settings={"ignore_rows": 0},
    )


def _math(label: str) -> str:
    """Label with words and dollar signs as the inside of one formula."""
    parts = label.split("$")
    return "".join(
        part if k % 2 else rf"\mathrm{{{part.replace(' ', '~').replace('_', '~')}}}"
        for k, part in enumerate(parts)
        if part
    )
