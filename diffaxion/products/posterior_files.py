"""Posterior draws in HDF5, and the summary of a run in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..inference import Posterior
from ..provenance import atomic_write, jsonable


def write_posterior(
    path: str | Path,
    posterior: Posterior,
    g_GeV: np.ndarray,
    headline: Mapping[str, np.ndarray],
    record: Mapping[str, Any],
) -> Path:
    """Write ``posterior.h5``: one dataset per parameter, shape (chains, draws).

    Groups: ``parameters`` (dotted paths in their units, prior uniform in g^2) and
    ``standardised`` (their standard normals), ``uniform_g`` (equally weighted draws with the
    headline prior), ``sampler`` (divergences, energies, steps, step sizes and mass matrix). The
    provenance record and the settings of the sampler are the JSON attributes ``provenance`` and
    ``settings`` of the file; ``converged`` and ``reasons`` are the verdict of the gates.

    Parameters
    ----------
    path : str or Path
        Destination.
    posterior : Posterior
        Draws, shape (chains, draws).
    g_GeV : array, shape (chains, draws)
        Couplings of the run [GeV^-1].
    headline : mapping of str to array, shape (d,)
        Draws with the prior uniform in g, by path.
    record : mapping
        Provenance: seed, versions, configuration.

    Returns
    -------
    Path
        The destination.

    References
    ----------
    The HDF Group, HDF5.
    """
    import json

    import h5py

    def write(temporary: Path) -> None:
        with h5py.File(temporary, "w") as file:
            file.attrs["provenance"] = json.dumps(jsonable(record))
            file.attrs["converged"] = posterior.converged
            file.attrs["reasons"] = json.dumps(list(posterior.reasons))
            file.attrs["settings"] = json.dumps(jsonable(posterior.settings))
            for name, values in posterior.draws.items():
                group = "standardised" if name.endswith("_std") else "parameters"
                file.create_dataset(f"{group}/{name.removesuffix('_std')}", data=values)
            file.create_dataset("parameters/g_GeV", data=g_GeV)
            for name, values in headline.items():
                file.create_dataset(f"uniform_g/{name}", data=values)
            for name in ("diverging", "saturated", "energy", "accept_prob", "num_steps"):
                file.create_dataset(f"sampler/{name}", data=getattr(posterior, name))
            for name, values in posterior.adaptation.items():
                file.create_dataset(f"sampler/{name}", data=values)

    return atomic_write(path, write)


def parameter_summary(posterior: Posterior) -> dict[str, dict[str, float]]:
    """Mean, sd, quantiles, R-hat and effective sizes of every parameter that varies.

    Parameters
    ----------
    posterior : Posterior
        Draws, shape (chains, draws).

    Returns
    -------
    dict
        Dotted path to ``mean, sd, q05, q50, q95, r_hat, ess, ess_bulk, ess_tail``, in the
        parameter's unit; values of shape (). ``ess`` is the smaller of the other two.

    References
    ----------
    Vehtari et al. 2021, arXiv:1903.08008 (split R-hat, bulk and tail sizes).
    """
    found = {}
    for name, draws in _scalars(posterior).items():
        if not _varies(posterior, name):
            continue
        low, middle, high = np.quantile(draws, [0.05, 0.5, 0.95])
        diagnostics = posterior.convergence
        bulk = float(diagnostics.ess_bulk.get(name, np.nan))
        tail = float(diagnostics.ess_tail.get(name, np.nan))
        found[name] = {
            "mean": float(draws.mean()),
            "sd": float(draws.std(ddof=1)),
            "q05": float(low),
            "q50": float(middle),
            "q95": float(high),
            "r_hat": float(diagnostics.r_hat.get(name, np.nan)),
            "ess": min(bulk, tail),
            "ess_bulk": bulk,
            "ess_tail": tail,
        }
    return found


def fixed_values(posterior: Posterior) -> dict[str, float]:
    """Parameters with a fixed value, by path.

    Parameters
    ----------
    posterior : Posterior
        Draws, shape (chains, draws).

    Returns
    -------
    dict
        Dotted path to value, in the parameter's unit, shape ().

    References
    ----------
    None: a table.
    """
    scalars = _scalars(posterior).items()
    return {n: float(x.flat[0]) for n, x in scalars if not _varies(posterior, n)}


def _varies(posterior: Posterior, name: str) -> bool:
    """Whether a parameter is free or follows one that is; a stuck chain stays among these."""
    return f"{name}_std" in posterior.draws or bool(np.ptp(posterior.draws[name]) > 0.0)


def _scalars(posterior: Posterior) -> dict[str, np.ndarray]:
    """Draws of numbers in their own units."""
    draws = posterior.draws.items()
    return {n: x for n, x in draws if not n.endswith("_std") and np.ndim(x) == 2}
