"""Profile-likelihood limits over every bound nuisance parameter.

Where only X-ray spectra take part the strength is a = (g/1e-12 GeV^-1)^4, in which they are
linear; with a CMB probe it is u = (g/1e-12 GeV^-1)^2, and X rays enter through a = u|u|. There the
second derivative in u jumps at u = 0, and the fits start on both sides. Strengths are measured
in units of the limit that is expected at fixed nuisances, so that all masses are alike.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..inference.limits import Q_95, LimitResult
from ..inference.problem import Expansion, Problem
from ..inference.profile import ProfileResult, profile_limit
from ..likelihoods.poisson import TemplatePoisson
from ..parameters.priors import HalfNormalAbove, LogNormal, Normal
from .analysis import AnalysisData, Points, log_prob_of
from .count_points import IMAGE_PARTS
from .moments import CouplingMoments, coupling_moments_at, expected_strength

# A uniform prior is a box in z; Phi(4) leaves out 3e-5 of it at each end.
_BOX = 4.0
# A parameter without penalty can have several local maxima (the distance of Westerlund 1 has, by
# interference along the line): it is scanned on these values of its z for the starts of the fits.
_SCAN = np.linspace(-3.0, 3.0, 25)
_GRID = np.linspace(0.0, 6.0, 601)[1:]
_ITERATIONS = 18
_STEP = 1e-5
# With curvatures by differences the last steps shrink by a factor, not quadratically; a millionth
# of ln L moves a limit by less than that.
_TOLERANCE = 1e-6
# Parts of the world that probes of order 1 and 2 depend on.
_SCREENING = ("cosmology", "halos", "residuals")
_XRAY = ("galaxy", "clusters", "instruments", *IMAGE_PARTS)


class ProfileData(eqx.Module):
    """What the likelihood of a profile depends on besides strength and nuisances.

    Attributes
    ----------
    shared : AnalysisData
        Without coupling and mass among its paths.
    m_a_eV : float array, shape ()
        Mass [eV].
    scale : float array, shape ()
        Unit of the strength.
    order : int, static
        1 if the strength is u, 2 if it is a.
    """

    shared: AnalysisData
    m_a_eV: Float[Array, ""]
    scale: Float[Array, ""]
    order: int = eqx.field(static=True)

    def loglike(
        self, strength: Float[Array, ""], nuisances: Float[Array, " k"]
    ) -> Float[Array, ""]:
        """ln L at a strength in units of ``scale`` and standardised nuisances."""
        shared = eqx.tree_at(lambda d: d.world.axion.m_a_eV, self.shared, self.m_a_eV)
        world, responses = shared.responses(nuisances)
        x = self.scale * strength
        points = shared.points_in(world)
        if self.order == 1:
            return shared.log_prob(x, responses, points, profiled=True)
        rows = zip(points, responses, strict=True)
        return sum((log_prob_of(p, x * r, profiled=True) for p, r in rows), jnp.zeros(()))


def profile_loglike(
    strength: Float[Array, ""], nuisances: Float[Array, " k"], data: ProfileData
) -> Float[Array, ""]:
    """Log likelihood of a strength and standardised nuisances at one mass.

    Parameters
    ----------
    strength : float array, shape ()
        In units of ``data.scale``, signed.
    nuisances : float array, shape (k,)
        Standard normals of the bound paths.
    data : ProfileData
        World, priors, models, data, mass [eV].

    Returns
    -------
    float array, shape ()
        ln L without Gaussian constraint terms; those of one-sided priors, which are not
        quadratic in the standard normal, are included.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Goldstein et al. 2024, arXiv:2409.10514.
    """
    free = data.shared.bindings.free_priors
    one_sided = [p.penalty(z) for p, z in zip(free, nuisances) if isinstance(p, HalfNormalAbove)]
    return data.loglike(strength, nuisances) - sum(one_sided, jnp.zeros(()))


def _curvature(
    x: Float[Array, " n"], data: ProfileData, moving: tuple[int, ...]
) -> tuple[Array, Array, Array]:
    """Value, gradient and Hessian of ln L, by differences of the gradient in some coordinates.

    Second derivatives of a sight line by automatic differentiation would take three times as
    long to compile; Newton steps need them to a few digits only.
    """
    n, at = x.shape[0], np.array(moving)
    nudges = _STEP * np.eye(n)[at]
    slope_of = jax.value_and_grad(lambda y: data.loglike(y[0], y[1:]))
    values, slopes = jax.vmap(slope_of)(jnp.concatenate([x[None], x + nudges]))
    rows = (slopes[1:] - slopes[0])[:, at] / _STEP
    block = 0.5 * (rows + rows.T)
    return values[0], slopes[0], jnp.zeros((n, n)).at[np.ix_(at, at)].set(block)


def _moving(shared: AnalysisData, order: int) -> tuple[int, ...]:
    """Strength, and nuisances that can touch the probes of an order."""
    prefixes = _XRAY if order == 2 else _SCREENING
    # A tie may carry a parameter over to the other probes.
    sources = {t.source for t in shared.bindings.ties}
    names = enumerate(shared.bindings.names)
    return (0, *(k + 1 for k, n in names if n.split(".")[0] in prefixes or n in sources))


def _expand(strength: Array, nuisances: Array, data: ProfileData) -> Expansion:
    """Expansion of ln L, to which the probes of each order add in their own nuisances."""
    x = jnp.concatenate([strength[None], nuisances])
    n = x.shape[0]
    value, slope, core = jnp.zeros(()), jnp.zeros(n), jnp.zeros((n, n))
    for order in sorted(set(data.shared.orders)):
        chosen = data.shared.part(order)
        assert chosen is not None
        part = ProfileData(chosen, data.m_a_eV, data.scale, data.order)
        terms = _curvature(x, part, _moving(data.shared, order))
        value, slope, core = value + terms[0], slope + terms[1], core + terms[2]
    for k, prior in enumerate(data.shared.bindings.free_priors):
        if isinstance(prior, HalfNormalAbove):
            z = nuisances[k]
            value = value - prior.penalty(z)
            slope = slope.at[k + 1].add(-jax.grad(prior.penalty)(z))
            core = core.at[k + 1, k + 1].add(-jax.grad(jax.grad(prior.penalty))(z))
    return Expansion(value, slope, core, jnp.zeros((n, 0)), jnp.zeros((0,)))


def _without_signal(nuisances: Array, data: ProfileData) -> ProfileData:
    """Asimov data: what is expected without axions, nothing at all or the background counts."""
    shared = data.shared
    moved = shared.points
    if any(isinstance(p, TemplatePoisson) for p in moved):
        moved = shared.points_in(shared.bindings.apply(shared.world, nuisances))
    rows = zip(shared.points, moved, strict=True)
    empty = tuple(p.with_data(_background(m)) for p, m in rows)
    return eqx.tree_at(lambda d: d.shared.points, data, empty)


def _background(points: Points) -> Float[Array, "..."]:
    """Data that are expected without axions, counts at their best backgrounds."""
    if not isinstance(points, TemplatePoisson):
        return jnp.zeros_like(points.data)
    counts, shape = points.counts, points.background_template
    level = jnp.sum(counts, axis=-1) / jnp.sum(shape, axis=-1)
    return level[:, None] * shape


def profile_over_nuisances(
    data: AnalysisData,
    m_a_eV: np.ndarray,
    q_threshold: float = Q_95,
    scanned: CouplingMoments | None = None,
) -> ProfileResult:
    """Profile-likelihood limits with all nuisances, at many masses in one program.

    Parameters
    ----------
    data : AnalysisData
        World, priors and data; neither ``axion.u`` nor ``axion.m_a_eV`` may be bound.
    m_a_eV : array, shape (k,)
        Masses [eV].
    q_threshold : float
        z^2.
    scanned : CouplingMoments, optional
        Moments at :func:`scan_points`, fields of shape (k, points), if they are at hand.

    Returns
    -------
    ProfileResult
        Fields with a leading axis (k,); strengths are a = (g/1e-12 GeV^-1)^4 for X rays alone,
        with bands of constant sigma, and u = (g/1e-12 GeV^-1)^2 where a CMB probe takes part,
        with self-consistent bands (constant ones if it is alone).

    References
    ----------
    Rolke, Lopez & Conrad 2005, arXiv:physics/0403059; Cowan et al. 2011, arXiv:1007.1727.
    """
    masses = jnp.asarray(m_a_eV, float)
    problem = _problem(data)
    flat = np.flatnonzero(~np.asarray(problem.gaussian))
    if scanned is None:
        at = jnp.asarray(scan_points(data))
        found = coupling_moments_at(data, at, masses, exact=False)
        scanned = CouplingMoments(*(np.asarray(x) for x in found))
    moments = scanned
    here = CouplingMoments(*(x[:, 0] for x in moments))
    scale = np.asarray(expected_strength(here, data.order, q_threshold))
    maxima, crossings = _starts(moments, scale, flat, data)
    return _profile_masses(
        problem,
        data,
        (masses, jnp.asarray(scale), jnp.asarray(maxima), jnp.asarray(crossings)),
        jnp.asarray(q_threshold, float),
        data.order,
    )


def scan_points(data: AnalysisData) -> np.ndarray:
    """Nuisances at which moments are needed for the starts of the fits.

    Parameters
    ----------
    data : AnalysisData
        Priors.

    Returns
    -------
    array, shape (points, k)
        The centre of all priors, then a scan of each parameter without penalty.

    References
    ----------
    None: a grid.
    """
    flat = np.flatnonzero(~np.asarray(_problem(data).gaussian))
    z = np.zeros((1 + flat.size * _SCAN.size, data.bindings.size))
    for j, k in enumerate(flat):
        z[1 + j * _SCAN.size : 1 + (j + 1) * _SCAN.size, k] = _SCAN
    return z


def _problem(data: AnalysisData) -> Problem:
    """The likelihood with its penalties and boxes."""
    # The solver's own penalty is z^2/2: right for normal and log-normal priors, not for others.
    penalised = np.array([isinstance(p, Normal | LogNormal) for p in data.bindings.free_priors])
    penalised = penalised.astype(bool)
    box = np.where(penalised, np.inf, _BOX)
    return Problem(profile_loglike, penalised, lower=-box, upper=box, expand=_expand)


def _starts(
    moments: CouplingMoments, scale: np.ndarray, flat: np.ndarray, data: AnalysisData
) -> tuple[np.ndarray, np.ndarray]:
    """Starts of the maxima and of the crossings at n masses, shape (n, 3, 1 + K) each.

    A maximum is sought on both sides of zero strength, because a signal of order 2 is flat there
    in u; the flat parameters start where the scan finds the best fit of each sign. A crossing is
    sought where the limit is weakest, expected or observed.
    """
    n, size = scale.size, data.bindings.size
    unit = scale if data.order == 1 else np.sqrt(scale)
    # ln L on grids of u of both signs, shape (n, rows, nodes).
    grid = _GRID * unit[:, None, None]
    rows = CouplingMoments(*(np.asarray(x)[..., None] for x in moments))
    above, below = rows.log_like(grid), rows.log_like(-grid)
    top = np.maximum(above.max(axis=-1), 0.0)
    last = np.sum(
        np.cumsum((above >= top[..., None] - 0.5 * Q_95)[..., ::-1], axis=-1) > 0, axis=-1
    )
    quiet = CouplingMoments(0.0 * rows.score, rows.information, 0.0 * rows.score_u, rows[3])
    reach = np.sum(quiet.log_like(grid) >= -0.5 * Q_95, axis=-1)

    def grid_best(side: np.ndarray) -> np.ndarray:
        return _GRID[np.argmax(side.max(axis=1), axis=-1)][:, None]

    figures = (above.max(axis=-1), below.max(axis=-1), last, reach)
    best = [np.zeros((n, size)) for _ in figures]
    for j, k in enumerate(flat):
        block = slice(1 + j * _SCAN.size, 1 + (j + 1) * _SCAN.size)
        for start, figure in zip(best, figures, strict=True):
            start[:, k] = _SCAN[np.argmax(figure[:, block], axis=1)]
    plus, minus, observed, expected = best
    # In units of ``scale``; the strength of the highest point of each side.
    sides = (grid_best(above), grid_best(below))
    up, down = (x if data.order == 1 else x**2 for x in sides)
    ones, nothing = np.ones((n, 1)), np.zeros((n, size))
    maxima = [(ones, nothing), (up, plus), (-down, minus)]
    crossings = [(ones, nothing), (ones, observed), (ones, expected)]
    return tuple(  # type: ignore[return-value]
        np.stack([np.concatenate(x, axis=1) for x in pairs], axis=1)
        for pairs in (maxima, crossings)
    )


@eqx.filter_jit
def _profile_masses(
    problem: Problem,
    shared: AnalysisData,
    per_mass: tuple[Array, Array, Array, Array],
    q_threshold: Float[Array, ""],
    order: int,
) -> ProfileResult:
    mixed = len(set(shared.orders)) > 1

    def one(at: tuple[Array, Array, Array, Array]) -> ProfileResult:
        mass, scale, starts, crossing_starts = at
        result = profile_limit(
            problem,
            _without_signal,
            ProfileData(shared, mass, scale, order),
            starts=starts,
            crossing_starts=crossing_starts,
            q_threshold=q_threshold,
            bands="self_consistent" if mixed else "constant",
            iterations=_ITERATIONS,
            differentiable=False,
            widest=1.0,
            tolerance=_TOLERANCE,
        )
        return _in_strength(result, scale)

    return jax.lax.map(one, per_mass)


def _in_strength(result: ProfileResult, scale: Array) -> ProfileResult:
    """The same result with strengths in u or a instead of units of ``scale``."""
    limit = result.limit
    names = ("a_hat", "sigma", "a_95", "pcl", "median", "minus1", "plus1", "plus2")

    def fields(r: LimitResult) -> tuple[Array, ...]:
        return tuple(getattr(r, n) for n in names)

    scaled = eqx.tree_at(fields, limit, tuple(x * scale for x in fields(limit)))
    points = ("best", "null", "crossing", "asimov")
    moved = tuple(getattr(result, n).at[0].multiply(scale) for n in points)
    return eqx.tree_at(
        lambda r: (r.limit, *(getattr(r, n) for n in points)), result, (scaled, *moved)
    )
