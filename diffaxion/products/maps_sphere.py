"""HEALPix maps drawn on the Mollweide projection, with matplotlib alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .plot_style import new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 900
# Lightness grows with the value, also through zero: in print the signs can be told apart.
COLOURS = "cividis"


def mollweide_pixels(nside: int, width: int = _WIDTH) -> np.ndarray:
    """RING pixel of every point of an image of the sky, -1 outside the ellipse.

    Longitude 0 is in the centre and increases to the left, as maps of the sky are drawn.

    Parameters
    ----------
    nside : int
        Resolution of the map.
    width : int
        Width of the image; its height is half of it.

    Returns
    -------
    int array, shape (width // 2, width)
        Rows from south to north.

    References
    ----------
    Snyder 1987, Map Projections: A Working Manual, USGS Professional Paper 1395, page 249.
    """
    import healpy

    x = np.linspace(-2.0, 2.0, width) * (1.0 - 0.5 / width)
    y = np.linspace(-1.0, 1.0, width // 2) * (1.0 - 1.0 / width)
    grid_x, grid_y = np.meshgrid(x, y)
    inside = (0.5 * grid_x) ** 2 + grid_y**2 < 1.0
    auxiliary = np.arcsin(np.where(inside, grid_y, 0.0))
    sine = (2.0 * auxiliary + np.sin(2.0 * auxiliary)) / math.pi
    longitude = -math.pi * grid_x / (2.0 * np.cos(auxiliary))
    theta = math.pi / 2.0 - np.arcsin(np.clip(sine, -1.0, 1.0))
    pixels = healpy.ang2pix(nside, theta, np.where(inside, longitude, 0.0))
    return np.where(inside, pixels, -1)


def draw_sky(
    axes: Axes,
    values: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    limits: tuple[float, float],
    colours: str = COLOURS,
) -> Any:
    """Draw one map into axes; pixels without weight are white.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    values : array, shape (npix,)
        Map, RING.
    mask : array, shape (npix,), optional
        Weights.
    limits : tuple of two floats
        Values at the ends of the colours.
    colours : str
        Name of a colour map.

    Returns
    -------
    matplotlib image
        For a colour bar.

    References
    ----------
    Snyder 1987, USGS Professional Paper 1395.
    """
    from matplotlib.patches import Ellipse

    pixels = mollweide_pixels(math.isqrt(values.size // 12))
    shown = np.where(pixels >= 0, values[np.maximum(pixels, 0)], np.nan)
    if mask is not None:
        shown = np.where(mask[np.maximum(pixels, 0)] > 0.0, shown, np.nan)
    image = axes.imshow(
        shown, origin="lower", extent=(-2.0, 2.0, -1.0, 1.0), cmap=colours, vmin=limits[0],
        vmax=limits[1], interpolation="nearest", aspect="equal",
    )  # fmt: skip
    edge = Ellipse((0.0, 0.0), 4.0, 2.0, fill=False, ec="0.2", lw=0.8)
    axes.add_patch(edge)
    image.set_clip_path(edge)
    axes.set_axis_off()
    axes.set_xlim(-2.02, 2.02)
    axes.set_ylim(-1.02, 1.02)
    return image


def symmetric_limit(values: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Value that 98 per cent of the pixels do not exceed, rounded to two digits."""
    chosen = values if mask is None else values[mask > 0.0]
    top = float(np.quantile(np.abs(chosen), 0.98)) if chosen.size else 1.0
    return float(f"{top:.1e}") if top > 0.0 else 1.0


@styled
def plot_skies(
    skies: Mapping[str, tuple[np.ndarray, np.ndarray | None]],
    *,
    label: str,
    title: str = "",
    columns: int = 2,
    shared: bool = True,
    signed: bool = True,
    limits: Sequence[tuple[float, float]] | None = None,
) -> Figure:
    """Several maps, each with its mask.

    Parameters
    ----------
    skies : mapping of str to (array, array or None)
        Map and mask by title.
    label : str
        Quantity and unit for the colour bars.
    title : str
        Title of the figure; says that maps are simulated where they are.
    columns : int
        Maps in a row.
    shared : bool
        Whether all maps have the same colours.
    signed : bool
        Whether colours are symmetric around 0.
    limits : sequence of (float, float), optional
        Ends of the colours of each map.

    Returns
    -------
    matplotlib Figure
        Mollweide projections.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Figs. S2, S4.
    """
    columns = min(columns, len(skies))
    rows = -(-len(skies) // columns)
    # A panel of a row of maps: half as high as wide, and its title and colour bar.
    panel = 7.2 / columns
    extra = 0.85 if not shared else 0.3
    figure = new_figure(7.2, rows * (0.5 * panel + extra) + 0.6)
    grid = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    chosen = list(limits) if limits else [_limits(v, m, signed) for v, m in skies.values()]
    if shared and not limits:
        chosen = [(min(a for a, _ in chosen), max(b for _, b in chosen))] * len(skies)
    image: Any = None
    for axes, (name, (values, mask)), ends in zip(grid, skies.items(), chosen):
        image = draw_sky(axes, values, mask, limits=ends)
        axes.set_title(name, fontsize=9.5)
        if not shared:
            bar = figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.7, pad=0.02)
            bar.set_label(label, fontsize=8.5)
            bar.ax.tick_params(labelsize=8)
    for axes in grid[len(skies) :]:
        axes.set_axis_off()
    if shared:
        used = list(grid[: len(skies)])
        bar = figure.colorbar(image, ax=used, orientation="horizontal", shrink=0.5, pad=0.02)
        bar.set_label(label)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def _limits(values: np.ndarray, mask: np.ndarray | None, signed: bool) -> tuple[float, float]:
    if signed:
        top = symmetric_limit(values, mask)
        return -top, top
    chosen = values if mask is None else values[mask > 0.0]
    low, high = np.quantile(chosen, [0.02, 0.98])
    return float(low), float(high if high > low else low + 1.0)
