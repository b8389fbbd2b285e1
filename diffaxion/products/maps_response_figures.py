"""Responses of channels to components, and redshift distributions of the galaxies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..environments.halos import unwise_blue
from ..sky.components import Spectra
from ..sky.passbands import Passbands
from ..sky.responses import component_response
from .maps_curves import DASHES, look
from .plot_style import OTHERS, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LABELS = {
    "screening": "screening",
    "cmb": "CMB",
    "tsz": "tSZ",
    "cib": "CIB",
    "cib-dbeta": r"CIB, $\mathrm{d}/\mathrm{d}\beta$",
    "cib-dT": r"CIB, $\mathrm{d}/\mathrm{d}T$",
}
# What the text of the published analysis says of samples whose tables are not bundled.
MEAN_REDSHIFTS = {"Green": 1.1, "Red": 1.5}


@styled
def plot_responses(
    bands: Passbands,
    spectra: Spectra,
    names: Sequence[str] = ("screening", "cmb", "tsz", "cib", "cib-dbeta"),
) -> Figure:
    """Spectra of components and, as points, their averages over the passbands (Fig. S1).

    Parameters
    ----------
    bands : Passbands
        n channels.
    spectra : Spectra
        Frequency dependence.
    names : sequence of str
        Components.

    Returns
    -------
    matplotlib Figure
        Thermodynamic units, each component divided by its largest magnitude below 400 GHz.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S1.
    """
    figure = new_figure(6.4, 4.6)
    axes: Any = figure.subplots()
    nu = np.geomspace(22.0, 700.0, 240)
    centre = np.asarray(np.sum(bands.nu_GHz * bands.weight, axis=1) / np.sum(bands.weight, axis=1))
    for k, name in enumerate(names):
        curve = np.asarray(spectra.response(name, nu))
        size = np.abs(curve[nu < 400.0]).max()
        style = look(k)
        colour, dash = style["color"], style["ls"]
        axes.plot(nu, curve / size, color=colour, ls=dash, label=_LABELS.get(name, name))
        points = np.asarray(component_response(name, bands, spectra)) / size
        axes.plot(
            centre, points, ls="none", marker=style["marker"] or "x", ms=4.5, color=colour,
            mfc="white", zorder=4,
        )  # fmt: skip
    axes.axhline(0.0, color=OTHERS, lw=0.7)
    axes.set(xscale="log", xlim=(22.0, 700.0), ylim=(-1.15, 2.2))
    axes.set_xticks(centre, [n.lstrip("0") for n in bands.names])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("frequency [GHz], channels at the mean of their band")
    axes.set_ylabel(r"response, thermodynamic, over its largest below 400 GHz")
    figure.legend(loc="outside upper center", ncols=3, handlelength=3.0)
    return figure


@styled
def plot_redshifts(extra: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None) -> Figure:
    """Redshift distribution of the galaxies, and mean redshifts of other samples (Fig. S5).

    Parameters
    ----------
    extra : mapping of str to (array, array), optional
        Further distributions: z and dN/dz.

    Returns
    -------
    matplotlib Figure
        dN/dz, of integral 1.

    References
    ----------
    Krolewski et al. 2020, arXiv:1909.07412; Goldstein et al. 2024, arXiv:2409.10514, Fig. S5.
    """
    blue = unwise_blue()
    figure = new_figure(5.6, 3.8)
    axes: Any = figure.subplots()
    z = np.asarray(blue.z)
    fine = np.linspace(z[0], z[-1], 400)
    density = np.interp(fine, z, np.asarray(blue.dndz))
    axes.fill_between(fine, density, color="#2166ac", alpha=0.25, lw=0)
    axes.plot(fine, density, color="#2166ac", label="unWISE Blue (bundled table)")
    for k, (name, (at, value)) in enumerate((extra or {}).items(), 1):
        axes.plot(at, value, **look(k), label=name)
    top = 1.15 * density.max()
    for k, (name, mean) in enumerate(MEAN_REDSHIFTS.items(), 1):
        axes.axvline(mean, color="0.25", ls=DASHES[k], lw=1.1, label=f"{name}: mean z = {mean:g}")
    axes.set(xlim=(0.0, 2.2), ylim=(0.0, top))
    axes.set_xlabel("redshift z")
    axes.set_ylabel(r"$\mathrm{d}N/\mathrm{d}z$, integral 1")
    axes.legend(loc="upper right")
    return figure
