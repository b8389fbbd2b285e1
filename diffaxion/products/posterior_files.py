"""Posterior draws in HDF5, and the summary of a run in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..inference.sample import Posterior
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
    headline prior), ``sampler`` (divergences, energies, steps). The provenance record is the
    JSON attribute ``provenance`` of the file.

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
            for name, values in posterior.draws.items():
                group = "standardised" if name.endswith("_std") else "parameters"
                file.create_dataset(f"{group}/{name.removesuffix('_std')}", data=values)
            file.create_dataset("parameters/g_GeV", data=g_GeV)
            for name, values in headline.items():
                file.create_dataset(f"uniform_g/{name}", data=values)
            for name in ("diverging", "saturated", "energy", "accept_prob", "num_steps"):
                file.create_dataset(f"sampler/{name}", data=getattr(posterior, name))

    return atomic_write(path, write)


def parameter_summary(posterior: Posterior) -> dict[str, dict[str, float]]:
    """Mean, sd, quantiles, R-hat and effective size of every parameter.

    Parameters
    ----------
    posterior : Posterior
        Draws, shape (chains, draws).

    Returns
    -------
    dict
        Dotted path to ``mean, sd, q05, q50, q95, r_hat, ess, ess_tail``, in the parameter's
        unit; values of shape ().

    References
    ----------
    Vehtari et al. 2021, arXiv:1903.08008 (split R-hat, bulk and tail sizes).
    """
    found = {}
    for name, draws in posterior.draws.items():
        if name.endswith("_std") or np.ndim(draws) != 2:
            continue
        low, middle, high = np.quantile(draws, [0.05, 0.5, 0.95])
        diagnostics = posterior.convergence
        found[name] = {
            "mean": float(draws.mean()),
            "sd": float(draws.std(ddof=1)),
            "q05": float(low),
            "q50": float(middle),
            "q95": float(high),
            "r_hat": float(diagnostics.r_hat.get(name, np.nan)),
            "ess": float(diagnostics.ess_bulk.get(name, np.nan)),
            "ess_tail": float(diagnostics.ess_tail.get(name, np.nan)),
        }
    return found
