"""Figures of the ingredients of screening spectra (Figs. S1, S3, S13, S14) and of variants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from ..analyses.reproduce_screening import REFERENCE_MASS_EV, Z_MAX_TEMPERATURE, ScreeningStudy
from ..analyses.screening_profiles import field_curves, simulated_profiles
from ..constants import HBAR_EV_S, K_B_EV_K, T_CMB_K
from ..likelihoods.bandpower_covariance import DEPROJECTIONS, toy_map_spectrum
from ..observables.cmb.sed import REFERENCE_GHZ, dark_photon_sed, screening_sed
from .plot_style import SERIES, new_figure, styled
from .screening_figures import DASHES, DEPROJECTION_LABELS, draw_series, mass_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLANCK_GHZ = (30.0, 44.0, 70.0, 100.0, 143.0, 217.0, 353.0, 545.0)
# Modified blackbody of the toy sky; the paper's numbers are missing from the text available.
CIB_TEMPERATURE_K, CIB_INDEX = 10.7, 1.7
_SHOWN_COUPLINGS = (1e-11, 3e-11)
_LABELS = {
    "beta = 100": r"$\beta=100$",
    "beta = 10": r"$\beta=10$",
    "x_lo = 0.05": "inner cut 0.05",
    "x_lo = 0.2": "inner cut 0.2",
    "x_hi = 1.0": "outer cut 1.0",
    "x_hi = 1.3": "outer cut 1.3",
    "floor 10^12 Msun": r"floor $10^{12}\,M_\odot$",
}


def foreground_seds(nu_GHz: np.ndarray) -> dict[str, np.ndarray]:
    """Spectral shapes in thermodynamic units, 1 at 353 GHz.

    CMB and kSZ: 1. tSZ: x coth(x/2) - 4. CIB: nu^beta B_nu(T_d)/(dB_nu/dT)(T_CMB), with
    T_d = 10.7 K and beta = 1.7. Axions: 1 - e^-x. Dark photons: (1 - e^-x)/x^2. x = h nu/(k T_CMB).

    Parameters
    ----------
    nu_GHz : array, shape (n,)
        Frequencies [GHz].

    Returns
    -------
    dict of str to array, shape (n,)
        Shapes by component, dimensionless.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S1.
    """
    nu = np.append(np.asarray(nu_GHz, float), REFERENCE_GHZ)
    x = 2.0 * np.pi * HBAR_EV_S * 1e9 * nu / (K_B_EV_K * T_CMB_K)
    tsz = x / np.tanh(0.5 * x) - 4.0
    dust = nu ** (CIB_INDEX + 3.0) / np.expm1(x * T_CMB_K / CIB_TEMPERATURE_K)
    cib = dust / (x**4 * np.exp(x) / np.expm1(x) ** 2)
    shapes = {
        "axion screening": np.asarray(screening_sed(jnp.asarray(nu))),
        "dark-photon screening": np.asarray(dark_photon_sed(jnp.asarray(nu))),
        "CMB, kSZ": np.ones_like(nu),
        "tSZ": tsz,
        "CIB": cib,
    }
    return {name: values[:-1] / values[-1] for name, values in shapes.items()}


@styled
def plot_seds() -> Figure:
    """Spectral shapes of screening and of other components (Fig. S1).

    Returns
    -------
    matplotlib Figure
        Thermodynamic units, 1 at 353 GHz; Planck channels are marked [GHz].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S1.
    """
    figure = new_figure(6.2, 4.2)
    axes: Any = figure.subplots()
    nu = np.geomspace(20.0, 700.0, 160)
    for channel in PLANCK_GHZ:
        axes.axvline(channel, color="0.85", lw=4.0, zorder=0.5)
    draw_series(axes, nu, foreground_seds(nu))
    axes.axhline(0.0, color="0.4", lw=0.7)
    axes.set(xscale="log", xlim=(20.0, 700.0), ylim=(-1.2, 3.2))
    axes.set_xticks(PLANCK_GHZ, [f"{c:g}" for c in PLANCK_GHZ])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("frequency [GHz], Planck channels")
    axes.set_ylabel(r"$\Delta T(\nu)/\Delta T(353\ \mathrm{GHz})$, thermodynamic")
    figure.legend(loc="outside upper center", ncols=3, handlelength=3.0)
    return figure


@styled
def plot_temperature(study: ScreeningStudy) -> Figure:
    """C_l^TT of screening with constant beta beside toy map spectra (Fig. S3).

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    matplotlib Figure
        l (l+1) C_l/(2 pi) [uK^2] against l.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S3.
    """
    figure = new_figure(6.2, 4.6)
    axes: Any = figure.subplots()
    ell = np.geomspace(10.0, 2400.0, 240)
    scale = ell * (ell + 1.0) / (2.0 * np.pi)
    maps = {
        f"toy map, {DEPROJECTION_LABELS[name]}": scale
        * np.asarray(toy_map_spectrum(jnp.asarray(ell), name))
        for name in DEPROJECTIONS
    }
    for k, (label, values) in enumerate(maps.items()):
        axes.plot(
            ell, values, color=str(0.1 + 0.17 * k), ls=DASHES[k], lw=1.2, label=label
        )  # fmt: skip
    at = study.ell
    for k, g in enumerate(_SHOWN_COUPLINGS):
        colour, marker = SERIES[k]
        values = at * (at + 1.0) / (2.0 * np.pi) * study.tt_beta * (g / 1e-12) ** 4
        axes.plot(
            at, values, color=colour, marker=marker or "x", ms=3.6, lw=1.8, markevery=4,
            label=rf"screening, $g={g / 1e-11:g}\times10^{{-11}}$ GeV$^{{-1}}$",
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlim=(10.0, 2400.0))
    axes.set_xlabel(r"multipole $\ell$")
    axes.set_ylabel(r"$\ell(\ell+1)\,C_\ell^{TT}/2\pi$ [$\mu$K$^2$], 353 GHz")
    axes.set_title(
        rf"$m_a={REFERENCE_MASS_EV / 1e-13:g}\times10^{{-13}}$ eV, $\beta=100$, "
        rf"$z<{Z_MAX_TEMPERATURE:g}$",
        fontsize=9.5,
    )
    figure.legend(loc="outside upper center", ncols=2, handlelength=3.0)
    return figure


@styled
def plot_fields(z: float = 0.5) -> Figure:
    """Simulated fields in eight bins of mass beside the models (Fig. S13).

    Parameters
    ----------
    z : float
        One of the redshifts of the simulations.

    Returns
    -------
    matplotlib Figure
        B [muG] against r/R200c in eight panels.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S13.
    """
    figure = new_figure(8.0, 4.9)
    panels = figure.subplots(2, 4, sharex=True, sharey=True)
    x = np.geomspace(0.07, 2.0, 60)
    profiles = simulated_profiles(z)
    centres = 10.0 ** np.array([0.5 * sum(p.log10_mass) for p in profiles])
    curves = field_curves(centres, z, x)
    styles: dict[str, dict[str, Any]] = {
        "piecewise": {"color": SERIES[0][0], "lw": 2.2, "label": "quintic (the paper's)"},
        "smooth": {"color": "#9ecae1", "lw": 1.0, "ls": "--", "label": "smooth (default)"},
        "beta = 10": {"color": "black", "lw": 1.0, "ls": ":", "label": r"$\beta=10$"},
        "beta = 100": {"color": "black", "lw": 1.0, "ls": "-.", "label": r"$\beta=100$"},
    }
    for k, (axes, profile) in enumerate(zip(panels.flat, profiles, strict=True)):
        for name, style in styles.items():
            axes.plot(
                x, curves[name][:, k], **{**style, "label": style["label"] if k == 0 else None}
            )
        simulation = "TNG100-1" if profile.log10_mass[0] < 14.0 else "TNG300-1"
        axes.errorbar(
            profile.x, profile.b_muG, profile.error_muG,
            fmt="o" if simulation == "TNG100-1" else "s", ms=3.2, color="0.3", mfc="white",
            elinewidth=0.9, capsize=1.5, zorder=4,
            label="mean of simulated halos" if k == 0 else None,
        )  # fmt: skip
        low, high = profile.log10_mass
        axes.text(
            0.96, 0.95, f"{low:g}–{high:g}\n{simulation}, {profile.n_halos} halos",
            transform=axes.transAxes, ha="right", va="top", fontsize=7.5,
        )  # fmt: skip
        axes.axvspan(0.1, 1.1, color="0.95", zorder=0)
        axes.set(xscale="log", yscale="log", xlim=(0.07, 2.0), ylim=(3e-3, 60.0))
    figure.supxlabel(
        r"$r/R_{200\mathrm{c}}$   (panels: $\log_{10} M_{200\mathrm{c}}/M_\odot$, "
        rf"$z={z:g}$)",
        fontsize=10.5,
    )
    figure.supylabel(r"$B$ [$\mu$G]", fontsize=10.5)
    figure.legend(loc="outside upper center", ncols=5, handlelength=2.6, columnspacing=1.2)
    return figure


@styled
def plot_cumulative(study: ScreeningStudy) -> Figure:
    """Cumulative contributions to C_l^Tg by mass and by redshift (Fig. S14).

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    matplotlib Figure
        Shares at l = 100 and 1000, simulated field and beta = 100.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S14.
    """
    from scipy.interpolate import PchipInterpolator

    figure = new_figure(7.4, 3.9)
    left, right = figure.subplots(1, 2, sharey=True)
    columns = {l: int(np.argmin(np.abs(study.ell - l))) for l in (100.0, 1000.0)}
    labels = {"default": "TNG, smooth", "beta = 100": r"$\beta=100$"}
    for axes, x, shares in (
        (left, study.mass_edges_Msun, study.by_mass),
        (right, study.z_edges, study.by_redshift),
    ):
        # Shares are known at the edges of cells and rise monotonically in between.
        fine = (
            np.linspace(x[0], x[-1], 400) if x is study.z_edges else np.geomspace(x[0], x[-1], 400)
        )
        scale = np.asarray if x is study.z_edges else np.log
        curves = {
            rf"{labels[name]}, $\ell={l:g}$": PchipInterpolator(scale(x), shares[name][:, j])(
                scale(fine)
            )
            for l, j in columns.items()
            for name in labels
        }
        draw_series(axes, fine, curves)
        axes.set_ylim(0.0, 1.03)
    left.set(xscale="log", xlim=(1e11, 5e15))
    left.set_xlabel(r"$M_\mathrm{vir}$ [$M_\odot$]")
    left.set_ylabel(r"$C_\ell^{T\mathrm{g}}(<)\,/\,C_\ell^{T\mathrm{g}}$")
    right.set_xlim(0.0, 1.2)
    right.set_xlabel("redshift")
    handles, names = left.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=4, handlelength=3.0)
    return figure


@styled
def plot_breakdown(study: ScreeningStudy) -> Figure:
    """Change of C_l by every switch between ``parity`` and ``default``.

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    matplotlib Figure
        One panel per mass; percent against l.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, and its public code (``parity``).
    """
    found = study.breakdown
    figure = new_figure(8.0, 5.4)
    panels = figure.subplots(2, 4, sharex=True, sharey=True)
    short = (r"$r(z)\to1$", "constants", r"$P(k)$, growth, norm", "grid", "smooth field", "taper")
    for k, axes in enumerate(panels.flat):
        steps = {name: found.steps_percent[s, k] for s, name in enumerate(short)}
        draw_series(axes, found.ell, steps, lw=1.1)
        axes.plot(
            found.ell, found.total_percent[k], color="black", lw=2.4, label="all after the first"
        )
        axes.axhline(0.0, color="0.5", lw=0.6)
        axes.set(xscale="log", ylim=(-22.0, 6.0))
        axes.set_title(rf"{found.m_a_eV[k] / 1e-13:.3g}$\times10^{{-13}}$ eV", fontsize=9)
        axes.set_xticks([100, 300, 1000], ["100", "300", "1000"])
    figure.supxlabel(r"multipole $\ell$", fontsize=10.5)
    figure.supylabel(r"change of $C_\ell^{T\mathrm{g}}$ [%]", fontsize=10.5)
    handles, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=4, handlelength=3.0)
    return figure


@styled
def plot_variants(study: ScreeningStudy) -> Figure:
    """Expected limits of variants over the default's, and forecast over published.

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    matplotlib Figure
        Ratios against mass: models, cuts, deprojections.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Figs. S11 to S15.
    """
    figure = new_figure(8.4, 3.9)
    panels = figure.subplots(1, 3)
    default = study.expected_GeV["default"]
    groups = (
        ("HOD K23", "NFW gas", "shock-heating gas", "beta = 100", "beta = 10", "piecewise field"),
        ("x_lo = 0.05", "x_lo = 0.2", "x_hi = 1.0", "x_hi = 1.3", "floor 10^12 Msun"),
    )
    for axes, names, title in zip(panels, groups, ("models", "cuts"), strict=False):
        curves = {_LABELS.get(n, n): study.expected_GeV[n] / default for n in names}
        draw_series(axes, study.m_a_eV, curves, lw=1.1)
        axes.set(yscale="log", ylim=(0.25, 12.0))
        axes.set_yticks([0.3, 0.5, 1, 2, 5, 10], ["0.3", "0.5", "1", "2", "5", "10"])
        axes.set_title(f"{title}: variant / default", fontsize=9.5)
        axes.legend(loc="upper center", fontsize=7.5)
    ratios = {
        DEPROJECTION_LABELS[n]: v / study.published_GeV for n, v in study.forecast_GeV.items()
    }
    draw_series(panels[2], study.m_a_eV, ratios, lw=1.1)
    panels[2].set_ylim(0.6, 2.4)
    panels[2].set_title("expected (toy noise) / published", fontsize=9.5)
    panels[2].legend(loc="upper left", fontsize=7.5)
    for axes in panels:
        axes.axhline(1.0, color="0.4", lw=0.7, zorder=0.5)
        mass_axis(axes)
    panels[0].set_ylabel(r"ratio of $g_{95}$")
    return figure
