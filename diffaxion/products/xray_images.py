"""Figures of count images: where counts, stars and signal are, and what was fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analyses.count_limits import CountFlux
from ..analyses.xray_fit import CountFit
from ..analyses.xray_observation import Observation
from ..data.sky_grid import tangent_offsets_arcsec
from ..errors import DataError
from ..observables.xray.psf import PointSpread
from .plot_style import MASKED, SERIES, halo, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Monotonic in lightness: the same order in colour and in grey.
_COLOURS = "cividis"
_SHOWN_ARCSEC = 12.0
_CONTAINED = 0.9


@dataclass(frozen=True)
class ImageView:
    """An image of one target, ready to be drawn; positions in arcmin from the centre of its region.

    Attributes
    ----------
    east_arcmin, north_arcmin : array, shape (ny + 1, nx + 1)
        Corners of the pixels.
    excess : array, shape (ny, nx)
        Counts minus fitted background per pixel, NaN outside of the region.
    template : array, shape (ny, nx)
        Expected share of the signal per pixel, NaN outside of the region.
    stars_arcmin : array, shape (2, n)
        Positions of the stars.
    radius_arcmin, contained_arcmin : float
        Region of interest, and the circle that holds 90 per cent of the light of a point.
    pixel_arcsec : float
        Size of a pixel.
    title : str
        Target, energies, and that the data are simulated if they are.
    stars_label : str
        Where the stars are from.
    """

    east_arcmin: np.ndarray
    north_arcmin: np.ndarray
    excess: np.ndarray
    template: np.ndarray
    stars_arcmin: np.ndarray
    radius_arcmin: float
    contained_arcmin: float
    pixel_arcsec: float
    title: str
    stars_label: str


def contained_arcsec(psf: PointSpread, share: float = _CONTAINED) -> float:
    """Radius of the circle around a point that holds a share of its light.

    Parameters
    ----------
    psf : PointSpread
        Point-spread function.
    share : float
        The share, below 1.

    Returns
    -------
    float
        Radius, at most 1000 [arcsec].

    References
    ----------
    None: a numerical integral.
    """
    r = np.linspace(0.0, 1000.0, 2001)
    angle = 2.0 * np.pi * (np.arange(36) + 0.5) / 36.0
    ring = np.asarray(psf.density(r[:, None] * np.cos(angle), r[:, None] * np.sin(angle)))
    steps = 2.0 * np.pi * r * ring.mean(axis=1)
    inside = np.concatenate([[0.0], np.cumsum(0.5 * (steps[1:] + steps[:-1]) * np.diff(r))])
    return float(np.interp(share, inside, r))


def image_view(
    observation: Observation,
    signal: np.ndarray,
    energies_keV: tuple[float, float] | None = None,
    shown_arcsec: float = _SHOWN_ARCSEC,
) -> ImageView:
    """Sum the images of an observation for a figure.

    Parameters
    ----------
    observation : Observation
        Target and images.
    signal : array, shape (bins, exposures, ny, nx)
        Expected counts of a signal, for the template.
    energies_keV : tuple of two floats, optional
        Bins inside these energies; all by default [keV].
    shown_arcsec : float
        Pixels are joined up to about this size, for the eye [arcsec].

    Returns
    -------
    ImageView
        Counts minus background, A = sum c/sum B in each bin.

    Raises
    ------
    DataError
        If no bin is inside the energies.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305, Fig. 1.
    """
    stack = observation.stack
    low, high = energies_keV or (float(stack.low_keV[0]), float(stack.high_keV[-1]))
    bins = (stack.low_keV >= low - 1e-6) & (stack.high_keV <= high + 1e-6)
    if not bins.any():
        raise DataError(f"{stack.source}: no bin lies inside {low:g}-{high:g} keV")
    used = np.asarray(stack.mask.all(axis=0))
    scale = np.sum(stack.counts * used, (1, 2, 3)) / np.sum(stack.background * used, (1, 2, 3))
    excess = np.sum(stack.counts - scale[:, None, None, None] * stack.background, axis=1)
    factor = max(1, round(shown_arcsec / stack.grids[0].pixel_arcsec))
    ny, nx = (n // factor for n in used.shape)

    def joined(image: np.ndarray) -> np.ndarray:
        blocks = np.where(used, image, 0.0)[: ny * factor, : nx * factor]
        total = blocks.reshape(ny, factor, nx, factor).sum(axis=(1, 3))
        return np.where(part > 0.0, total / np.where(part > 0.0, part, 1.0), np.nan)

    share = used[: ny * factor, : nx * factor].reshape(ny, factor, nx, factor)
    # Blocks at the edge of the region are shown for the part that is inside.
    part = share.mean(axis=(1, 3))
    part = np.where(part >= 0.5, part, 0.0)
    template = np.asarray(signal)[bins].sum(axis=(0, 1))
    grid = stack.grids[0].rebin(factor)
    y, x = np.indices((ny + 1, nx + 1)) - 0.5
    ra, dec, radius = observation.region
    corner_ra, corner_dec = grid.world(x, y)
    east, north = tangent_offsets_arcsec(corner_ra, corner_dec, ra, dec) / 60.0
    stars = observation.stars
    places = tangent_offsets_arcsec(np.asarray(stars.ra_deg), np.asarray(stars.dec_deg), ra, dec)
    nature = "" if stack.nature == "measured" else f" ({stack.nature.split(':')[0].split(',')[0]})"
    return ImageView(
        east,
        north,
        joined(excess[bins].sum(axis=0)),
        joined(template / template.sum()),
        places / 60.0,
        radius,
        contained_arcsec(observation.psf) / 60.0,
        grid.pixel_arcsec,
        f"{observation.facts.label}{nature}, {low:g}-{high:g} keV",
        stars.label,
    )


@styled
def plot_count_images(views: Sequence[ImageView]) -> Figure:
    """Counts minus background of one or more targets, with stars, circles and the template.

    Parameters
    ----------
    views : sequence of ImageView
        Targets, drawn side by side.

    Returns
    -------
    matplotlib Figure
        East is to the left. The inset shows the template of the signal.

    Raises
    ------
    DataError
        If there is nothing to draw.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305, Fig. 1.
    """
    if not views:
        raise DataError("plot_count_images needs at least one image")
    figure = new_figure(0.4 + 4.9 * len(views), 4.9)
    columns: Any = figure.subplots(1, len(views), squeeze=False)[0]
    for axes, view in zip(columns, views, strict=True):
        reach = 1.12 * view.radius_arcmin
        top = float(np.nanpercentile(np.abs(view.excess), 99.0))
        mesh = axes.pcolormesh(
            view.east_arcmin, view.north_arcmin, view.excess, cmap=_COLOURS, vmin=-top, vmax=top,
            rasterized=True,
        )  # fmt: skip
        axes.set_facecolor("0.88")
        axes.set_aspect("equal")
        axes.set_xlim(reach, -reach)
        axes.set_ylim(-reach, reach)
        bar = figure.colorbar(mesh, ax=axes, shrink=0.82, pad=0.02)
        bar.set_label(f"counts $-$ background per {view.pixel_arcsec:.0f}'' pixel")
        _circle(axes, view.contained_arcmin, "white", "--", "90 % of a point source")
        _circle(axes, view.radius_arcmin, "black", "-", "region of interest")
        axes.plot(
            *view.stars_arcmin, ls="none", marker="*", ms=7, mfc="white", mec="black", mew=0.6,
            label="stars", zorder=5,
        )  # fmt: skip
        axes.set_xlabel("east [arcmin]")
        axes.set_ylabel("north [arcmin]")
        axes.set_title(view.title, fontsize=10)
        axes.text(
            0.02, 0.02, view.stars_label, transform=axes.transAxes, fontsize=7, color="0.2",
            path_effects=halo(), zorder=8,
        )  # fmt: skip
        _inset(axes, view)
    handles, labels = columns[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=3, fontsize=8.5, frameon=True,
        facecolor="0.75", edgecolor="0.4",
    )  # fmt: skip
    return figure


def _circle(axes: Axes, radius: float, colour: str, style: str, label: str) -> None:
    angle = np.linspace(0.0, 2.0 * np.pi, 181)
    axes.plot(
        radius * np.cos(angle), radius * np.sin(angle), color=colour, ls=style, lw=1.2,
        label=label, path_effects=halo(2.0) if colour == "black" else None, zorder=4,
    )  # fmt: skip


def _inset(axes: Axes, view: ImageView) -> None:
    """The template in a corner, on a logarithmic scale of two decades."""
    small = axes.inset_axes((0.73, 0.73, 0.26, 0.26), zorder=9)
    top = float(np.nanmax(view.template))
    shown = np.log10(np.maximum(view.template / top, 1e-2))
    small.pcolormesh(
        view.east_arcmin, view.north_arcmin, shown, cmap=_COLOURS, vmin=-2.0, vmax=0.0,
        rasterized=True,
    )  # fmt: skip
    small.set_facecolor("0.88")
    small.set_aspect("equal")
    small.set_xlim(view.radius_arcmin, -view.radius_arcmin)
    small.set_ylim(-view.radius_arcmin, view.radius_arcmin)
    small.tick_params(
        which="both", bottom=False, top=False, left=False, right=False, labelbottom=False,
        labelleft=False,
    )  # fmt: skip
    small.text(
        0.5, 0.03, "signal template", transform=small.transAxes, ha="center", va="bottom",
        fontsize=6.5, path_effects=halo(),
    )  # fmt: skip


@styled
def plot_flux_points(
    flux: CountFlux,
    predictions: Sequence[tuple[str, np.ndarray]] = (),
    title: str = "",
) -> Figure:
    """Flux points with asymmetric errors, and predicted signals.

    Parameters
    ----------
    flux : CountFlux
        Points, shape (bins,) [1e-4 counts s^-1 keV^-1].
    predictions : sequence of (label, array of shape (bins,))
        Curves in the same unit.
    title : str
        Target, and that the data are simulated if they are.

    Returns
    -------
    matplotlib Figure
        Open symbols mark fits at the edge of their domain.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305, Fig. 2.
    """
    figure = new_figure(5.2, 3.9)
    axes = figure.subplots()
    centre, half = 0.5 * (flux.low_keV + flux.high_keV), 0.5 * (flux.high_keV - flux.low_keV)
    edges = np.append(flux.low_keV, flux.high_keV[-1])
    axes.axhline(0.0, color="0.6", lw=0.7, zorder=1)
    touching = np.allclose(flux.low_keV[1:], flux.high_keV[:-1])
    for k, (label, curve) in enumerate(predictions):
        colour = SERIES[k % len(SERIES)][0]
        style = ("-", "--", ":")[k % 3]
        if touching:
            axes.stairs(curve, edges, baseline=None, color=colour, lw=1.6, ls=style, label=label)
        else:
            axes.plot(centre, curve, color=colour, marker="_", ms=10, ls="none", label=label)
    odd = flux.at_boundary | flux.a_at_zero
    for keep, face, label in (
        (~odd, "black", "fit of each bin"),
        (odd, "white", "at the edge of the domain"),
    ):
        if np.any(keep):
            axes.errorbar(
                centre[keep], flux.flux[keep], np.stack([flux.minus, flux.plus])[:, keep],
                half[keep], fmt="o", ms=3.6, mfc=face, color="black", elinewidth=1.0, label=label,
                zorder=4,
            )  # fmt: skip
    axes.set_xlim(edges[0], edges[-1])
    axes.margins(y=0.18)
    axes.set_xlabel("energy [keV]")
    axes.set_ylabel(r"$dF/dE$ [$10^{-4}$ counts keV$^{-1}$ s$^{-1}$]")
    axes.legend(loc="best", fontsize=8)
    axes.set_title(title, fontsize=10)
    return figure


@styled
def plot_bin_counts(fit: CountFit, k: int = 0, title: str = "") -> Figure:
    """Observed counts of each energy bin, the fitted background, and what is left.

    Parameters
    ----------
    fit : CountFit
        Fit of one target or of all; images of the same bin are summed.
    k : int
        Which mass.
    title : str
        Target, and that the data are simulated if they are.

    Returns
    -------
    matplotlib Figure
        Two panels above each other.

    References
    ----------
    None: a figure.
    """
    bins, which = np.unique(np.stack([fit.low_keV, fit.high_keV]), axis=1, return_inverse=True)
    which = np.ravel(which)

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(which, weights=values, minlength=bins.shape[1])

    counts = total(fit.counts)
    background, signal = total(fit.background[k]), total(fit.signal[k])
    low, high = bins
    centre = 0.5 * (low + high)
    members = [frozenset(np.asarray(fit.targets)[which == b]) for b in range(low.size)]
    error = np.sqrt(np.maximum(background + signal, 1.0))
    figure = new_figure(5.2, 4.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1.0))
    width = high - low
    names: tuple[str | None, str | None] = ("fitted background", "background + signal")
    for run in _runs(low, high, members):
        edges = np.append(low[run], high[run[-1]])
        upper.stairs((background / width)[run], edges, color=SERIES[1][0], lw=1.5, label=names[0])
        both = ((background + signal) / width)[run]
        upper.stairs(both, edges, color=SERIES[0][0], ls="--", lw=1.3, label=names[1])
        shown = (signal / error)[run]
        lower.stairs(shown, edges, baseline=None, color=SERIES[0][0], ls="--", lw=1.3)
        names = (None, None)
    upper.errorbar(
        centre, counts / width, np.sqrt(np.maximum(counts, 1.0)) / width, 0.5 * width, fmt="o",
        ms=3.4, color="black", elinewidth=0.9, label="counts in the region",
    )  # fmt: skip
    upper.set_yscale("log")
    upper.set_ylabel("counts per keV")
    upper.legend(fontsize=8)
    upper.set_title(title, fontsize=10)
    lower.axhline(0.0, color=MASKED, lw=0.8)
    lower.plot(centre, (counts - background) / error, "o", ms=3.4, color="black")
    lower.set_ylabel(r"(counts $-$ bkg)/$\sigma$")
    lower.set_xlabel("energy [keV]")
    lower.set_xlim(low.min(), high.max())
    return figure


def _runs(low: np.ndarray, high: np.ndarray, members: list[frozenset]) -> list[list[int]]:
    """Bins of the same targets that touch each other, which one line of steps may join."""
    runs: list[list[int]] = []
    for group in dict.fromkeys(members):
        for b in (b for b, found in enumerate(members) if found == group):
            last = runs[-1][-1] if runs else None
            touching = last is not None and members[last] == group
            if last is not None and touching and np.isclose(high[last], low[b]):
                runs[-1].append(b)
            else:
                runs.append([b])
    return runs
