"""Residual foregrounds of measured bandpowers as parameters of an analysis.

A file of bandpowers may carry templates (see :mod:`diffaxion.data.bandpowers`): what an uncertain
spectrum of the cosmic infrared background, say, leaves in each bin per unit of an amplitude. The
amplitudes are leaves ``residuals.NAME`` of the world with normal priors of their own, so that they
appear in the posterior. Where only the coupling is of interest they are integrated out exactly.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from ..likelihoods.gaussian import GaussianPoints
from ..likelihoods.residuals import ResidualTemplates
from ..observables.world import World
from ..parameters.bind import Bindings
from ..parameters.priors import Normal

PREFIX = "residuals"


def residual_priors(residuals: ResidualTemplates | None) -> dict[str, dict[str, Any]]:
    """Priors of the amplitudes, by path, as entries of a configuration.

    Parameters
    ----------
    residuals : ResidualTemplates or None
        Templates [uK] with their widths.

    Returns
    -------
    dict of str to dict
        Normal priors centred on 0; empty without templates.

    References
    ----------
    None: the file of bandpowers states them.
    """
    if residuals is None:
        return {}
    return {
        f"{PREFIX}.{name}": {"dist": "normal", "mean": 0.0, "sigma": float(sigma)}
        for name, sigma in zip(residuals.names, residuals.sigma)
    }


def residual_leaves(residuals: ResidualTemplates | None) -> dict[str, Any]:
    """Amplitudes at the fiducial point, zero, for ``World.residuals``.

    Parameters
    ----------
    residuals : ResidualTemplates or None
        Templates [uK].

    Returns
    -------
    dict of str to float array, shape ()
        By name.

    References
    ----------
    None: a part of a tree.
    """
    return {} if residuals is None else {name: jnp.zeros(()) for name in residuals.names}


def without_residuals(probe: Any, points: GaussianPoints, world: World) -> GaussianPoints:
    """Data of a probe minus the residual foregrounds of a world.

    Parameters
    ----------
    probe : probe
        Forward model; those without residuals leave the data alone.
    points : GaussianPoints
        Its data [uK].
    world : World
        Root tree with the amplitudes.

    Returns
    -------
    GaussianPoints
        Data (n,) with the same covariance.

    References
    ----------
    None: a subtraction.
    """
    if getattr(probe, "residuals", None) is None:
        return points
    return points.with_data(points.data - probe.background(world))


def marginalise_residuals(
    probe: Any, points: GaussianPoints, bindings: Bindings
) -> tuple[Any, GaussianPoints]:
    """Probe and data without those residuals whose amplitude has an untied normal prior.

    Parameters
    ----------
    probe : probe
        Forward model.
    points : GaussianPoints
        Its data [uK].
    bindings : Bindings
        Priors by path; a centre that is not 0 shifts the data.

    Returns
    -------
    probe : probe
        With the residuals that are left: those fixed, tied or with another prior.
    points : GaussianPoints
        With the others integrated out, C + sum_k sigma_k^2 c_k c_k^T.

    References
    ----------
    Bridle et al. 2002, astro-ph/0112114.
    """
    residuals = getattr(probe, "residuals", None)
    if residuals is None:
        return probe, points
    priors = dict(zip(bindings.paths, bindings.priors))
    tied = {*bindings.tied_paths, *(t.source for t in bindings.ties)}
    paths = [f"{PREFIX}.{name}" for name in residuals.names]
    gone = [k for k, p in enumerate(paths) if isinstance(priors.get(p), Normal) and p not in tied]
    if not gone:
        return probe, points
    chosen: list[Any] = [priors[paths[k]] for k in gone]
    out = _subset(residuals, gone, jnp.stack([p.sigma for p in chosen]))
    centre = out.background(jnp.stack([p.mean for p in chosen]))
    points = out.marginalise(points.with_data(points.data - centre))
    stay = [k for k in range(len(paths)) if k not in gone]
    kept = _subset(residuals, stay, residuals.sigma[np.array(stay)]) if stay else None
    return probe.with_residuals(kept), points


def _subset(residuals: ResidualTemplates, rows: list[int], sigma: Any) -> ResidualTemplates:
    names = tuple(residuals.names[k] for k in rows)
    return ResidualTemplates(residuals.templates[np.array(rows)], sigma, names)
