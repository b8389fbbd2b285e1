"""Count images among the probes of an analysis: their data in a world, and their moments.

A probe of count images has a response in counts over the whole PSF, as a spectrum has one in
rates; the templates that share it among pixels belong to the data, and move with the world where
PSF, offsets, star weights or background tilts are bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..errors import ConfigurationError
from ..inference.limits import GaussianMoments, linear_moments
from ..likelihoods.poisson import TemplatePoisson
from ..numerics import safe_divide, safe_log
from ..observables.world import World
from ..observables.xray.cluster_counts import ClusterCounts
from ..observables.xray.cluster_spectrum import Cache, ClusterSpectrum

# Parts of the world that only count images depend on.
IMAGE_PARTS = ("stars", "psf", "pointings")
_TEMPLATES = ("signal_template", "background_template")


def spectral_part(probe: Any) -> ClusterSpectrum | None:
    """The spectrum of a cluster that a probe predicts, if it predicts one.

    Parameters
    ----------
    probe : probe
        Any forward model.

    Returns
    -------
    ClusterSpectrum or None
        The probe itself, or that behind its count images.

    References
    ----------
    None: a selection.
    """
    if isinstance(probe, ClusterCounts):
        return probe.spectrum
    return probe if isinstance(probe, ClusterSpectrum) else None


def with_spectral_part(probe: Any, **changes: Any) -> Any:
    """The probe with other choices in its spectrum.

    Parameters
    ----------
    probe : ClusterSpectrum or ClusterCounts
        Forward model.
    **changes
        Fields of ClusterSpectrum.

    Returns
    -------
    ClusterSpectrum or ClusterCounts
        A copy.

    References
    ----------
    None: a substitution.
    """
    if isinstance(probe, ClusterCounts):
        return replace(probe, spectrum=replace(probe.spectrum, **changes))
    return replace(probe, **changes)


def image_points(
    probe: ClusterCounts, points: TemplatePoisson, world: World, cache: Cache | None = None
) -> TemplatePoisson:
    """Counts with the templates that they have in a world.

    Parameters
    ----------
    probe : ClusterCounts
        Forward model.
    points : TemplatePoisson
        Counts, shape (rows, p).
    world : World
        With stars, PSF and pointings.
    cache : dict, optional
        Items that do not depend on what is free.

    Returns
    -------
    TemplatePoisson
        Likelihood of the same counts.

    References
    ----------
    None: assembly.
    """
    return TemplatePoisson(points.counts, *probe.templates(world, cache))


def moving_points(probe: Any, points: Any, world: World, cache: Cache) -> Any:
    """Points of a probe in a bound world: those of count images whose templates are not cached.

    Parameters
    ----------
    probe : probe
        Any forward model.
    points : GaussianPoints or TemplatePoisson
        Its data at the fiducial world.
    world : World
        Bound world.
    cache : dict
        Items of the probe that do not depend on what is free.

    Returns
    -------
    GaussianPoints or TemplatePoisson
        The same object where nothing moves.

    References
    ----------
    None: assembly.
    """
    if not isinstance(probe, ClusterCounts) or all(name in cache for name in _TEMPLATES):
        return points
    return image_points(probe, points, world, cache)


def strength_moments(response: Float[Array, " n"], points: Any) -> GaussianMoments:
    """Score and expected information of a strength at 0; of counts, with backgrounds profiled.

    For counts, at A = sum c/sum B and in each row,

        score = r sum T (c/(A B) - 1),   information = r^2 [sum T^2/(A B) - (sum T)^2/(A sum B)].

    Parameters
    ----------
    response : float array, shape (n,)
        Signal per unit strength.
    points : GaussianPoints or TemplatePoisson
        Data.

    Returns
    -------
    GaussianMoments
        Exact for Gaussian points; for counts the first terms of an expansion.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727.
    """
    if not isinstance(points, TemplatePoisson):
        return linear_moments(response, points)
    c, t, b = points.counts, points.signal_template, points.background_template
    total = jnp.sum(b, axis=-1)
    # A row without counts has an error too: that of one count.
    level = jnp.maximum(jnp.sum(c, axis=-1), 1.0) / total
    mu = level[:, None] * b
    score = jnp.sum(t * (safe_divide(c, mu) - 1.0), axis=-1)
    information = jnp.sum(safe_divide(t * t, mu), axis=-1)
    information -= jnp.sum(t, axis=-1) ** 2 / (level * total)
    return GaussianMoments(jnp.sum(response * score), jnp.sum(response**2 * information))


def log_null(points: Any) -> Float[Array, ""]:
    """ln L without signal up to a constant of the data; of counts, at the best backgrounds.

    Parameters
    ----------
    points : GaussianPoints or TemplatePoisson
        Data.

    Returns
    -------
    float array, shape ()
        ln L.

    References
    ----------
    None: a likelihood.
    """
    if not isinstance(points, TemplatePoisson):
        return -0.5 * jnp.sum(points.whiten(points.data) ** 2)
    # Of sum c ln(A B) - sum c the total counts are constant.
    c, b = points.counts, points.background_template
    share = safe_divide(b, jnp.sum(b, axis=-1, keepdims=True))
    return jnp.sum(c * safe_log(share))


def refuse_counts(points: Sequence[Any], what: str) -> None:
    """Raise where a closed form in the coupling is asked of counts, which have none.

    Parameters
    ----------
    points : sequence of GaussianPoints or TemplatePoisson
        Data.
    what : str
        What needs the closed form, for the message.

    Returns
    -------
    None
        Nothing; Gaussian points pass.

    Raises
    ------
    ConfigurationError
        If some of the data are counts.

    References
    ----------
    None: a validation.
    """
    if any(isinstance(p, TemplatePoisson) for p in points):
        raise ConfigurationError(
            f"{what} needs Gaussian points, but some of the data are counts in pixels: use NUTS "
            "draws (Analysis.sample) or the profile likelihood, or flux points of the images"
        )


def refuse_idle_images(probes: Sequence[Any], free: Sequence[str]) -> None:
    """Raise where a path of stars, PSF or pointings moves no template.

    Parameters
    ----------
    probes : sequence of probes
        Forward models.
    free : sequence of str
        Bound paths that vary.

    Returns
    -------
    None
        Nothing; paths that have an effect pass.

    Raises
    ------
    ConfigurationError
        If no count image depends on a path.

    References
    ----------
    None: a validation.
    """
    images = [p for p in probes if isinstance(p, ClusterCounts)]
    for path in free:
        if path.split(".")[0] not in IMAGE_PARTS:
            continue
        if not any(p.touched((path,)) & {*_TEMPLATES} for p in images):
            raise ConfigurationError(
                f"parameter path {path!r} moves no template: no count image of this analysis "
                "depends on it; remove its prior"
            )
