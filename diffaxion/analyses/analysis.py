"""An analysis: a world, priors bound to its paths, forward models and their data."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..environments.galaxy.base import MagneticField
from ..environments.galaxy.field_table import FieldTable, tabulate_field
from ..errors import ConfigurationError
from ..inference.limits import Q_95
from ..inference.posterior import Posterior
from ..inference.profile import ProfileResult
from ..likelihoods.poisson import TemplatePoisson
from ..observables.world import World
from ..observables.xray.cluster_counts import ClusterCounts
from ..observables.xray.cluster_spectrum import Cache, ClusterSpectrum, responses_together
from ..parameters.bind import Bindings
from ..parameters.paths import get_path, set_paths
from ..runtime import require_x64
from .count_points import (
    image_points,
    moving_points,
    refuse_idle_images,
    spectral_part,
    with_spectral_part,
)
from .residual_foregrounds import marginalise_residuals, without_residuals

STRENGTH = "axion.u"
MASS = "axion.m_a_eV"

# GaussianPoints or TemplatePoisson: most of what takes points knows which from the probe.
Points = Any


class Probe(Protocol):
    """A forward model: the signal is u |u|^(order - 1) * response, shape (n,)."""

    order: ClassVar[int]

    def prepare(self, world: World, free: tuple[str, ...]) -> Cache:
        """What does not depend on the free paths."""
        ...

    def response(self, world: World, cache: Cache | None = None) -> Float[Array, " n"]:
        """Signal per unit of u |u|^(order - 1)."""
        ...


class AnalysisData(eqx.Module):
    """Everything numerical that the density depends on: an argument of compiled programs.

    Attributes
    ----------
    world : World
        Root tree at its fiducial point.
    bindings : Bindings
        Priors by path.
    probes : tuple of probes
        Forward models; those of X-ray spectra have order 2, those of the CMB order 1.
    points : tuple of GaussianPoints or TemplatePoisson
        Data, in the order of the probes; counts for those of images.
    caches : tuple of dict
        What does not depend on the bound paths.
    field_paths : tuple of str, static
        Bound paths of the field in which it is affine: the coefficients of cached tables.
    """

    world: World
    bindings: Bindings
    probes: tuple[Any, ...]
    points: tuple[Points, ...]
    caches: tuple[Cache, ...]
    field_paths: tuple[str, ...] = eqx.field(static=True, default=())

    @property
    def orders(self) -> tuple[int, ...]:
        """Order of each probe."""
        return tuple(p.order for p in self.probes)

    @property
    def order(self) -> int:
        """Order of the strength in which limits are made: 2 if all probes are, else 1."""
        return min(self.orders)

    def part(self, order: int) -> AnalysisData | None:
        """The same analysis with the probes of one order only; None if there is none."""
        keep = [k for k, n in enumerate(self.orders) if n == order]
        if not keep:
            return None
        return AnalysisData(
            self.world,
            self.bindings,
            tuple(self.probes[k] for k in keep),
            tuple(self.points[k] for k in keep),
            tuple(self.caches[k] for k in keep),
            self.field_paths,
        )

    def responses_in(self, world: World) -> tuple[Float[Array, " n"], ...]:
        """Response of each probe in a bound world; cached tables take their coefficients there."""
        c = _coefficients(world, self.field_paths)
        caches = [{**x, "coefficients": c} if "field" in x else x for x in self.caches]
        parts = [spectral_part(p) for p in self.probes]
        lines = {k: line for k, line in enumerate(parts) if line is not None}
        known: dict[int, Array] = {}
        if lines:
            found = responses_together([*lines.values()], world, [caches[k] for k in lines])
            known = dict(zip(lines, found, strict=True))
        for k in lines:
            probe = self.probes[k]
            known[k] = probe.counts(known[k]) if isinstance(probe, ClusterCounts) else known[k]
        return tuple(
            known[k] if k in known else p.response(world, caches[k])
            for k, p in enumerate(self.probes)
        )

    def responses(self, z: Float[Array, " k"]) -> tuple[World, tuple[Float[Array, " n"], ...]]:
        """World at standard normals z, shape (k,), and the response of each probe."""
        world = self.bindings.apply(self.world, z)
        return world, self.responses_in(world)

    def points_in(self, world: World) -> tuple[Points, ...]:
        """Data of each probe in a bound world: without its residuals, with its templates."""
        rows = zip(self.probes, self.points, self.caches, strict=True)
        moved = [(p, moving_points(p, d, world, c)) for p, d, c in rows]
        return tuple(without_residuals(p, d, world) for p, d in moved)

    def marginalised(self) -> AnalysisData:
        """The same analysis with the Gaussian amplitudes of residual foregrounds integrated out.

        Amplitudes with another prior, or that ties bind, stay parameters.
        """
        rows = zip(self.probes, self.points, strict=True)
        found = [marginalise_residuals(p, d, self.bindings) for p, d in rows]
        return AnalysisData(
            self.world,
            self.bindings,
            tuple(probe for probe, _ in found),
            tuple(points for _, points in found),
            self.caches,
            self.field_paths,
        )

    def log_prob(
        self,
        u: Float[Array, ""],
        responses: Sequence[Array],
        points: Sequence[Points] | None = None,
        profiled: bool = False,
    ) -> Float[Array, ""]:
        """Log likelihood at a signed u for given responses and data, by default the raw data.

        Backgrounds of counts are integrated out, or ``profiled``.
        """
        strength = {1: u, 2: u * jnp.abs(u)}
        rows = zip(self.orders, self.points if points is None else points, responses, strict=True)
        terms = ((p, strength[n] * r) for n, p, r in rows)
        return sum((log_prob_of(p, s, profiled) for p, s in terms), jnp.zeros(()))

    def loglike(self, z: Float[Array, " k"]) -> Float[Array, ""]:
        """Log likelihood of the data at z, shape (k,), without any prior."""
        return _loglike(self, self.bindings.apply(self.world, z))


def log_prob_of(points: Points, signal: Float[Array, " n"], profiled: bool) -> Float[Array, ""]:
    """Log likelihood of a signal, shape (n,), in one data set; see ``AnalysisData.log_prob``."""
    if profiled and isinstance(points, TemplatePoisson):
        return points.log_profile(signal)
    return points.log_prob(signal)


# Compiled on its own as well, because NumPyro runs a model eagerly when it sets it up.
@eqx.filter_jit
def _loglike(data: AnalysisData, world: World) -> Float[Array, ""]:
    """Log likelihood of the data in a bound world."""
    return data.log_prob(world.axion.u, data.responses_in(world), data.points_in(world))


def logdensity(data: AnalysisData, z: Float[Array, " k"]) -> Float[Array, ""]:
    """Log posterior density of the standardised parameters, for any sampler.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, data.
    z : float array, shape (k,)
        Standard normals, in the order of ``data.bindings.names``, dimensionless.

    Returns
    -------
    float array, shape ()
        ln L + ln prior, up to the evidence.

    References
    ----------
    None: the definition of a posterior.
    """
    return data.loglike(z) + data.bindings.log_prior(z)


def numpyro_model(data: AnalysisData) -> None:
    """The same density as a NumPyro model; sites carry the dotted paths.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, data.

    Returns
    -------
    None
        Called for its sampling statements.

    References
    ----------
    Phan, Pradhan & Jankowiak 2019, arXiv:1912.11554 (NumPyro).
    """
    import numpyro

    world = data.bindings.numpyro_sites(data.world)
    numpyro.factor("loglike", _loglike(data, world))


class Analysis:
    """World, priors and probes of one inference.

    Parameters
    ----------
    world : World
        Root tree at its fiducial point.
    priors : mapping of str to prior, or Bindings
        Priors by dotted path; ``axion.u`` and ``axion.m_a_eV`` among them if they vary.
    probes : sequence of probes
        Forward models.
    points : sequence of GaussianPoints or TemplatePoisson
        Data, in the order of the probes; counts for those of images.
    ties : mapping, optional
        Tied paths.

    Attributes
    ----------
    data : AnalysisData
        The numerical content, an argument of every compiled program.

    Raises
    ------
    ConfigurationError
        If a path is unknown (the nearest are listed), a value lies outside its prior, or a free
        path has no effect because the signal is the published curve; or if JAX was switched to
        float32 after the import.
    """

    def __init__(
        self,
        world: World,
        priors: dict[str, Any] | Bindings,
        probes: Sequence[Any],
        points: Sequence[Points],
        ties: dict[str, Any] | None = None,
    ) -> None:
        require_x64()
        bindings = priors if isinstance(priors, Bindings) else Bindings(priors, ties)
        bindings.check(world)
        # Fixed values and ties hold from the start: what is cached must know them.
        world = bindings.apply_values(world, {})
        free = (*bindings.names, *bindings.tied_paths)
        field_paths = tuple(p for p in free if p.startswith("galaxy.field"))
        probes = [_absorbing(probe, (*bindings.paths, *bindings.tied_paths)) for probe in probes]
        refuse_idle(probes, free)
        refuse_idle_images(probes, free)
        caches = []
        for probe in probes:
            line = spectral_part(probe)
            if line is None:
                # A mass that no prior binds is not fixed: profiles run over masses.
                unbound = () if MASS in (*bindings.paths, *free) else (MASS,)
                caches.append(probe.prepare(world, (*free, *unbound)))
                continue
            reach = self._reach(world, bindings, probe.target)
            cache = probe.prepare(world, free, reach)
            if "electrons" in cache and "direction" not in line.touched(free):
                table = _field_table(world, field_paths, line, cache, reach)
                cache |= {} if table is None else {"field": table}
            caches.append(cache)
        # Values that priors fix may have moved the templates.
        rows = zip(probes, points, caches, strict=True)
        data = tuple(
            image_points(p, d, world, c) if isinstance(p, ClusterCounts) else d for p, d, c in rows
        )
        self.data = AnalysisData(world, bindings, tuple(probes), data, tuple(caches), field_paths)

    @staticmethod
    def _reach(world: World, bindings: Bindings, target: str) -> float | None:
        """Largest distance inside the priors, eight standard deviations out [kpc]."""
        path = f"clusters.{target}.distance_kpc"
        if path not in (*bindings.names, *bindings.tied_paths):
            return None
        ends = (bindings.apply(world, jnp.full(bindings.size, z)) for z in (-8.0, 8.0))
        return max(float(get_path(end, path)) for end in ends)

    @property
    def names(self) -> tuple[str, ...]:
        """Paths of the free parameters, in the order of z."""
        return self.data.bindings.names

    def marginalised(self) -> Analysis:
        """The same analysis with the amplitudes of residual foregrounds integrated out.

        Their paths stay, without an effect, so that draws have the same parameters.
        """
        other = copy.copy(self)
        other.data = self.data.marginalised()
        return other

    def logdensity(self, z: Float[Array, " k"]) -> Float[Array, ""]:
        """Log posterior density at standard normals z, shape (k,)."""
        return logdensity(self.data, z)

    def loglike(self, z: Float[Array, " k"]) -> Float[Array, ""]:
        """Log likelihood at standard normals z, shape (k,)."""
        return self.data.loglike(z)

    def explain(self) -> list[dict[str, Any]]:
        """Paths, priors, units and widths, and which items are computed once."""
        rows = [
            {"path": r.path, "prior": r.prior, "unit": r.unit, "width": r.width}
            for r in self.data.bindings.explain()
        ]
        cached = {
            getattr(p, "target", type(p).__name__): sorted(c)
            for p, c in zip(self.data.probes, self.data.caches)
        }
        return [*rows, {"cached": cached}]

    def sample(
        self, key: Array, initial: Mapping[str, Any] | None = None, **settings: Any
    ) -> Posterior:
        """Posterior draws by NUTS; see :func:`diffaxion.inference.sample.sample`.

        Parameters
        ----------
        key : PRNG key
            Randomness.
        initial : mapping of str to float, optional
            Values of parameters, by path, where the chains start; the medians of the priors by
            default.
        **settings
            Of the sampler, and ``progress``, ``gates``, ``checkpoint``.

        Returns
        -------
        Posterior
            Draws of every path, and of its standard normal as ``<path>_std``.
        """
        from .sampling import sample_density

        return sample_density(self.data, key, initial, **settings)

    def profile(self, m_a_eV: ArrayLike, q_threshold: float = Q_95) -> ProfileResult:
        """Profile-likelihood limits over all nuisances.

        Parameters
        ----------
        m_a_eV : array, shape (k,)
            Masses [eV].
        q_threshold : float
            z^2.

        Returns
        -------
        ProfileResult
            As :func:`~diffaxion.analyses.profile_over_nuisances` gives it.
        """
        from .profile_nuisances import profile_over_nuisances

        return profile_over_nuisances(self.data, np.atleast_1d(np.asarray(m_a_eV)), q_threshold)

    def fisher(self, strength: ArrayLike, m_a_eV: ArrayLike | None = None) -> Float[Array, "n n"]:
        """Fisher information on strength and nuisances at the centre of the priors.

        Parameters
        ----------
        strength : float array, shape ()
            a for probes of order 2 alone, else u.
        m_a_eV : float array, shape (), optional
            Mass [eV].

        Returns
        -------
        float array, shape (1 + k, 1 + k)
            As :func:`~diffaxion.analyses.fisher_matrix` gives it.
        """
        from .information import fisher_matrix

        return fisher_matrix(self.data, strength, m_a_eV=m_a_eV)


def _absorbing(probe: Any, bound: Sequence[str]) -> Any:
    """The probe, with absorption switched on if its hydrogen column is bound."""
    line = spectral_part(probe)
    if line is None or f"clusters.{line.target}.column_1e22_cm2" not in bound:
        return probe
    return with_spectral_part(probe, absorption=True)


def refuse_idle(probes: Sequence[Any], free: Sequence[str]) -> None:
    """Raise where a path would act through stellar spectra or areas that no probe uses.

    Parameters
    ----------
    probes : sequence of probes
        Forward models; only those of clusters are looked at.
    free : sequence of str
        Bound paths that vary.

    Returns
    -------
    None
        Nothing; paths that have an effect pass.

    Raises
    ------
    ConfigurationError
        If a path has no effect in the mode of the signal.

    References
    ----------
    None: a validation.
    """
    lines = [p for p in map(spectral_part, probes) if p is not None]
    for path in free:
        users = [p for p in lines if "weights" in p.touched((path,))]
        if not users or not all(p.ignores(path) for p in users):
            continue
        published = all(p.mode == "published" for p in users)
        mode = "published signal curve" if published else f"signal {users[0].mode!r}"
        other = "the signal 'anchored'" if published else "another signal"
        raise ConfigurationError(
            f"parameter path {path!r} has no effect on the {mode}: remove its prior, or use {other}"
        )


def _coefficients(world: World, paths: tuple[str, ...]) -> Float[Array, " m"]:
    """Values of the given paths, shape (m,)."""
    return jnp.stack([get_path(world, p) for p in paths]) if paths else jnp.zeros(0)


class _FieldOf(eqx.Module):
    """Field of a world as a function of some of its numbers."""

    world: World
    paths: tuple[str, ...] = eqx.field(static=True)

    def __call__(self, c: Float[Array, " m"]) -> MagneticField:
        return set_paths(self.world, {p: c[k] for k, p in enumerate(self.paths)}).galaxy.field


def _field_table(
    world: World, paths: tuple[str, ...], probe: ClusterSpectrum, cache: Cache, reach: float | None
) -> FieldTable | None:
    """Table of the field toward a target, affine in the bound paths, if it is."""
    line = probe.sightline(world)
    fixed = (probe.fractions, cache["electrons"]) if reach is None else None
    return tabulate_field(
        _FieldOf(world, paths),
        _coefficients(world, paths),
        line,
        float(line.distance_kpc) if reach is None else reach,
        fixed,
    )
