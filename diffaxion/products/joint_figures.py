"""Figures of the main job: limits, signal modes, corner plots, nuisances against their priors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from ..analyses.analysis import MASS, STRENGTH
from ..analyses.joint import JointResult
from ..analyses.joint_posterior import PosteriorRun
from ..analyses.limit_curves import JOINT
from ..constants import G_REF_GEV
from .joint_curves import BAYES, PROFILE, bayes_curve, fixed_curves, profile_curve, published_curves
from .limit_plots import plot_limits
from .overlays import load_overlay, overlay_names
from .posterior_plots import plot_corner, plot_nuisances

if TYPE_CHECKING:
    from matplotlib.figure import Figure

G_LABEL = r"$g_{a\gamma\gamma}$ [$10^{-12}$ GeV$^{-1}$]"
M_LABEL = r"$\log_{10}(m_a/\mathrm{eV})$"
# More panels than these cannot be read; the others are in the plot of all nuisances.
CORNER_NUISANCES = 8
# The published curves of both halves are drawn as such, not among other experiments.
_OWN = ("super_star_clusters", "planck_unwise")
# Where a single experiment loses its sensitivity its curve may leave the figure.
_CEILING = 30.0


def limits_figure(result: JointResult) -> Figure:
    """The joint limits with bands, and each experiment, over published ones and other searches.

    Parameters
    ----------
    result : JointResult
        The run.

    Returns
    -------
    matplotlib Figure
        Masses [eV], couplings [GeV^-1].

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305, Fig. 3; Goldstein et al. 2024,
    arXiv:2409.10514, Fig. 3; overlays name their own.
    """
    main, *parts = result.curves
    own = [profile_curve(main), *([bayes_curve(main)] if main.bayes else [])]
    curves = [*own, *map(profile_curve, parts)]
    names = {"joint": "joint", "xray": "X rays", "cmb": "CMB"}
    labels = {
        (c.curve, c.method): names.get(c.curve, c.curve)
        + {PROFILE: ", profile", BAYES: r", Bayes, uniform in $g \geq 0$"}[c.method]
        for c in curves
    }
    published = published_curves()
    shown = {"xray": bool(result.configuration.likelihoods.xray)}
    shown["cmb"] = result.configuration.likelihoods.cmb != "none"
    ours = np.concatenate([c.limit[c.ok] for c in own])
    every = np.concatenate([c.limit[c.ok] for c in curves])
    ends = (float(main.m_a_eV[0]), float(main.m_a_eV[-1]))
    overlays = [load_overlay(n) for n in overlay_names() if n not in _OWN]
    limits = None
    if ours.size:
        top = min(3.0 * float(every.max()), _CEILING * float(ours.max()))
        near = [x.g_GeV[(x.m_a_eV >= ends[0]) & (x.m_a_eV <= ends[1])] for x in overlays]
        bottom = float(np.concatenate([ours, *near]).min()) / 1.6
        limits = (max(bottom, float(ours.min()) / 14.0), top)
    return plot_limits(
        curves,
        published=[c for n, c in published.items() if shown[n]],
        overlays=overlays,
        mass_range_eV=ends,
        coupling_range_GeV=limits,
        labels=labels,
    )


def signals_figure(result: JointResult) -> Figure:
    """X-ray limits at fixed nuisances in both signal modes, over the published limit.

    Parameters
    ----------
    result : JointResult
        The run, with scans.

    Returns
    -------
    matplotlib Figure
        Masses [eV], couplings [GeV^-1].

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305, Fig. 3.
    """
    # The last scan of a mode is that of all targets.
    signal = result.configuration.model.signal
    modes = sorted(result.scans, key=lambda m: m != signal)
    base = result.scans[signal][-1].name.replace(JOINT, "xray")
    names = {base if m == signal else f"{base}-{m}": m for m in modes}
    chosen = [c for c in fixed_curves(result) if c.method == "pcl" and c.curve in names]
    labels = {(c.curve, c.method): f"{names[c.curve]} signal" for c in chosen}
    others = [load_overlay(n) for n in overlay_names() if n != "super_star_clusters"]
    return plot_limits(
        chosen, published=[published_curves()["xray"]], overlays=others, labels=labels
    )


def ranked_nuisances(result: JointResult, run: PosteriorRun) -> list[str]:
    """Nuisances by their largest impact over masses; without impacts, by correlation with u.

    Parameters
    ----------
    result : JointResult
        The run.
    run : PosteriorRun
        One posterior.

    Returns
    -------
    list of str
        Paths, the most important first.

    References
    ----------
    None: a sort.
    """
    names = [n for n in run.analysis.names if n not in (MASS, STRENGTH)]
    size: dict[str, float] = dict.fromkeys(names, 0.0)
    for row in result.impacts:
        if row.path in size:
            size[row.path] = max(size[row.path], row.impact)
    if not result.impacts:
        u = np.log(run.posterior.flat(STRENGTH))
        for n in names:
            z = run.posterior.flat(f"{n}_std")
            size[n] = float(abs(np.corrcoef(z, u)[0, 1])) if np.ptp(z) > 0.0 else 0.0
    return sorted(names, key=lambda n: -size[n])


def corner_draws(
    result: JointResult, run: PosteriorRun, most: int = CORNER_NUISANCES
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Draws and labels of the corner plot, with the prior uniform in g where that is allowed.

    Parameters
    ----------
    result : JointResult
        The run.
    run : PosteriorRun
        One posterior.
    most : int
        Number of nuisances that are shown, those with the largest impact.

    Returns
    -------
    draws : dict of str to array, shape (d,)
        g [1e-12 GeV^-1], log10 of the mass [eV], nuisances in their units.
    labels : dict of str to str
        LaTeX labels.

    References
    ----------
    None: a selection.
    """
    found = run.headline or {"g_GeV": run.g_GeV(), **run.posterior.draws}
    draws = {"g": found["g_GeV"] / G_REF_GEV}
    labels = {"g": G_LABEL, **run.analysis.data.bindings.labels}
    if MASS in run.analysis.names:
        draws["log10_m"] = np.log10(found[MASS])
        labels["log10_m"] = M_LABEL
    draws |= {n: found[n] for n in ranked_nuisances(result, run)[:most]}
    # Two lines are as wide as a panel: what the parameter belongs to, and its name.
    broken = {n: x if x.startswith("$") else x.replace(" ", "\n", 1) for n, x in labels.items()}
    return draws, broken


def standardised_draws(run: PosteriorRun) -> dict[str, np.ndarray]:
    """Standard normals of all nuisances, with the prior uniform in g where that is allowed.

    Parameters
    ----------
    run : PosteriorRun
        One posterior.

    Returns
    -------
    dict of str to array, shape (d,)
        z by path, dimensionless.

    References
    ----------
    Betancourt & Girolami 2013, arXiv:1312.0906 (non-centred parametrisation).
    """
    bindings = run.analysis.data.bindings
    found = {}
    for name, prior in zip(bindings.names, bindings.free_priors, strict=True):
        if name in (MASS, STRENGTH):
            continue
        if run.headline:
            found[name] = np.asarray(prior.to_standard(jnp.asarray(run.headline[name])))
        else:
            found[name] = run.posterior.flat(f"{name}_std")
    return found


def run_suffix(result: JointResult, run: PosteriorRun) -> str:
    """What is appended to the names of the files of a posterior.

    Parameters
    ----------
    result : JointResult
        The run.
    run : PosteriorRun
        One posterior.

    Returns
    -------
    str
        Empty for the first one, ``_mass`` for a second one with the mass sampled, ``_fixed`` for
        a second one with the mass fixed.

    References
    ----------
    None: a name.
    """
    if run is result.runs[0]:
        return ""
    return "_mass" if run.m_a_eV is None else "_fixed"


def joint_figures(result: JointResult) -> dict[str, Any]:
    """All figures by file name.

    Parameters
    ----------
    result : JointResult
        The run.

    Returns
    -------
    dict of str to matplotlib Figure
        ``limits.png``, ``signals.png`` with X rays, and for each posterior ``corner.png`` and
        ``nuisances.png``, those of a second one with its suffix.

    References
    ----------
    None: a selection.
    """
    figures: dict[str, Any] = {"limits.png": limits_figure(result)}
    if result.scans:
        figures["signals.png"] = signals_figure(result)
    for run in result.runs:
        end = run_suffix(result, run)
        draws, labels = corner_draws(result, run)
        figures[f"corner{end}.png"] = plot_corner(draws, labels, use_corner=False)
        z = standardised_draws(run)
        if z:
            figures[f"nuisances{end}.png"] = plot_nuisances(z, run.analysis.data.bindings.labels)
    return figures
