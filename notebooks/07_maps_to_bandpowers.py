# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 7. From frequency maps to bandpowers
#
# Notebook 5 turned a cross-spectrum $C_\ell^{Tg}$ into a limit. Here it is measured: maps of the
# sky at eight frequencies become one map of the screening, which is then correlated with galaxies.
# The cleaned map is a sum of channels whose weights keep the spectrum of the screening and remove
# those of chosen foregrounds,
#
# $$w = C^{-1}A\,(A^T C^{-1} A)^{-1} e_0, \qquad A^T w = e_0,$$
#
# with $C$ the covariance of the channels around each point, at each *needlet* scale, and $A$ their
# responses to the components, the screening first.
#
# **Everything below is simulated**: a small toy sky with an injected signal far above what is
# allowed. No measurement is shown.

# %%
# %matplotlib inline
import tempfile
from pathlib import Path

import healpy
import jax
import matplotlib.pyplot as plt
import numpy as np

from diffaxion.data import read_bandpowers, write_bandpowers
from diffaxion.sky import (
    MaskSpectra,
    NeedletILC,
    apodise,
    component_response,
    diffusive_inpaint,
    galactic_mask,
    gaussian_beam,
    linear_bins,
    measure_cross,
    needlet_ilc,
    planck_passbands,
    push_through,
    remove_monopole_dipole,
    simulate_sky,
    toy_sky,
)

# %% [markdown]
# ## Responses
#
# How bright is each component in each channel, in the unit of a CMB temperature? The spectra are
# integrated over the bundled passbands of Planck. Screening looks like the CMB above 200 GHz; the
# channels below tell them apart. `cib-dbeta` is a *moment*, the derivative of the CIB with respect
# to its index: it takes up what a wrong index leaves. The index assumed here, 1.5, is wrong on
# purpose; the CIB that follows the galaxies on this sky has 1.75.

# %%
BETA = 1.5
bands = planck_passbands()
spectra, settings = toy_sky(nside=64, strength=100.0)
sed = settings.spectra(cib_temperature_K=24.0, cib_beta=BETA)
names = ("screening", "cmb", "tsz", "cib", "cib-dbeta", "dust")
responses = {name: np.asarray(component_response(name, bands, sed)) for name in names}

print(f"{'channel [GHz]':>16}" + "".join(f"{c:>10}" for c in bands.names))
for name in names:
    print(f"{name:>16}" + "".join(f"{a:10.4g}" for a in responses[name]))


def cib_of(beta):
    return component_response("cib", bands, settings.spectra(cib_temperature_K=24.0, cib_beta=beta))


_, slope = jax.jvp(cib_of, (BETA,), (1.0,))
print("\nThe moment is the derivative:", np.allclose(slope, responses["cib-dbeta"], rtol=1e-10))

fig, axes = plt.subplots(figsize=(6.4, 3.8))
for name in names:
    axes.plot(bands.nominal_GHz, np.abs(responses[name] / responses[name][6]), "o-", label=name)
axes.set_xscale("log")
axes.set_yscale("log")
axes.set_xticks(bands.nominal_GHz, bands.names)
axes.minorticks_off()
axes.set_xlabel("channel [GHz]")
axes.set_ylabel("|response| over that at 353 GHz")
axes.legend(fontsize=8, ncols=2)
plt.show()

# %% [markdown]
# ## A simulated sky
#
# Galaxies, CMB, Compton $y$, two shells of the CIB and the screening are correlated Gaussian
# fields; dust and synchrotron follow the Galactic latitude in lognormal clouds; beams, noise and
# Poisson counts of galaxies complete it. At `nside` 64 all beams are twelve times those of Planck.
# The injected strength is
# $A = (g/10^{-11}\,\mathrm{GeV}^{-1})^2 = 100$ at $m_a = 10^{-12}$ eV.
#
# Preparation is that of real maps: monopole and dipole are fitted outside a Galactic mask, then the
# Galactic plane is filled in from its rim. Filled pixels are not measured later.

# %%
sky = simulate_sky(spectra, bands, settings, seed=7)
print(sky.nature)
plane = galactic_mask(sky.nside, 10.0)
flat = [remove_monopole_dipole(m, sky.masks["temperature"]).values for m in sky.maps_K]
maps_K = diffusive_inpaint(np.array(flat), plane)


def draw(axes, values, title, unit, mask=None):
    """A map of the sky; longitude grows to the left, masked pixels are white."""
    lon, lat = np.meshgrid(np.linspace(-180.0, 180.0, 361), np.linspace(-90.0, 90.0, 181))
    at = healpy.ang2pix(sky.nside, -lon, lat, lonlat=True)
    shown = values[at] if mask is None else np.where(mask[at] > 0.5, values[at], np.nan)
    top = np.nanpercentile(np.abs(shown), 98.0)
    image = axes.pcolormesh(
        np.radians(lon), np.radians(lat), shown, cmap="RdBu_r", vmin=-top, vmax=top, rasterized=True
    )
    axes.set_xticklabels([])
    axes.set_yticklabels([])
    axes.set_title(title, fontsize=9)
    plt.colorbar(image, ax=axes, orientation="horizontal", shrink=0.6, label=unit)


fig, rows = plt.subplots(2, 2, figsize=(9.0, 6.2), subplot_kw={"projection": "mollweide"})
for axes, channel in zip(rows.flat, ("030", "143", "353")):
    draw(axes, 1e6 * maps_K[sky.names.index(channel)], f"simulated, {channel} GHz", r"$\mu$K")
draw(rows.flat[3], sky.galaxies, "simulated galaxies", "overdensity", sky.masks["galaxies"])
for axes in rows.flat:
    axes.set_xlabel("Galactic longitude", fontsize=7)
    axes.set_ylabel("latitude", fontsize=7)
plt.show()

# %% [markdown]
# ## Needlets
#
# Filters $h_j(\ell)$ with $\sum_j h_j^2 = 1$ split each map by scale. A channel takes part where
# its beam still resolves the scale. The covariance is averaged over a Gaussian wide enough that
# the weights do not eat more than about 1 % of the signal.
#
# All deprojection sets share one covariance, so that three cost little more than one.

# %%
ilc = NeedletILC.small(sky.nside)
sets = {"none": (), "tSZ + CIB": ("tsz", "cib"), "+ moment": ("tsz", "cib", "cib-dbeta")}
known = responses | {"true CIB": sky.responses["cib-1"]}
in_uK = {name: a if name == "tsz" else 1e-6 * a for name, a in known.items()}
noise = 1e-6 * np.radians(sky.noise_uK_arcmin / 60.0)
cleaned = needlet_ilc(list(maps_K), sky.beams(), in_uK, sets, ilc, names=sky.names, noise=noise)

fig, axes = plt.subplots(figsize=(6.4, 3.0))
for report, h in zip(cleaned["none"].scales, ilc.bank()):
    axes.plot(h)
    axes.text(np.argmax(h), 1.02, f"{report.scale}", ha="center")
    print(
        f"scale {report.scale}: covariance averaged over {report.fwhm_deg:5.1f} deg, channels",
        ", ".join(report.channels),
    )
axes.set_ylim(0.0, 1.12)
axes.set_xlabel(r"multipole $\ell$")
axes.set_ylabel("$h_j$, scale $j$ as numbered")
plt.show()

# %% [markdown]
# ## Cleaned maps
#
# Without deprojection the least variance wins, and what is left of the foregrounds correlates with
# galaxies. Each constraint costs noise. Strong as it is, the injected screening is hard to see in
# a map; its correlation with the galaxies is not.

# %%
beam = gaussian_beam(ilc.common_fwhm_arcmin, sky.lmax)
screening = healpy.alm2map(healpy.almxfl(sky.truth["screening"], beam), sky.nside)
mask_T = sky.masks["temperature"]
fig, rows = plt.subplots(2, 2, figsize=(9.0, 6.2), subplot_kw={"projection": "mollweide"})
for axes, (name, result) in zip(rows.flat, cleaned.items()):
    values = result.map()
    draw(axes, values, f"simulated, cleaned, deprojected: {name}", r"$\mu$K at 353 GHz", mask_T)
    print(f"{name:10} rms {values[mask_T > 0].std():.3g} uK")
draw(rows.flat[3], screening, "simulated, injected screening", r"$\mu$K at 353 GHz", mask_T)
for axes in rows.flat:
    axes.set_xlabel("Galactic longitude", fontsize=7)
    axes.set_ylabel("latitude", fontsize=7)
plt.show()

# %% [markdown]
# ## Weights and responses
#
# Weights and what they do to a component need no simulation: the mean of $w^T a$ is reported for
# every response that was given, deprojected or not.

# %%
fig, columns = plt.subplots(1, 3, figsize=(10.0, 3.4), sharey=True)
for axes, (name, result) in zip(columns, cleaned.items()):
    for report in result.scales:
        weights = 1e-6 * report.mean_weights
        axes.plot(report.channels, weights, "o-", ms=3, lw=0.8, label=f"scale {report.scale}")
    axes.axhline(0.0, color="k", lw=0.6)
    axes.set_yscale("symlog", linthresh=0.1)
    axes.tick_params(axis="x", labelrotation=60)
    axes.set_title(f"simulated, deprojected: {name}", fontsize=9)
    axes.set_xlabel("channel [GHz]")
columns[0].set_ylabel("mean weight")
columns[0].legend(fontsize=7)
plt.show()

print("response, mean over the sky, at needlet scale 0, 1, ...")
for name, result in cleaned.items():
    for component in ("screening", "cmb", "cib", "true CIB", "dust"):
        print(f"{name:>10} {component:>10}", np.round(result.responses(component), 4))
    print(f"{name:>10}  noise [uK]", np.round([s.noise_rms for s in result.scales], 2))

# %% [markdown]
# Weights are frozen with the map: any other map of the same channels can be pushed through them.
# Here goes the CIB alone, shell by shell; the moment removes most of what the wrong index leaves.

# %%
for shell in ("cib-1", "cib-2"):
    component = sky.component_maps_K(shell)
    before = 1e6 * component[6].std()
    for name, alm in zip(cleaned, push_through(list(cleaned.values()), list(component))):
        after = healpy.alm2map(alm, sky.nside).std()
        print(f"simulated {shell}: {before:.3g} uK at 353 GHz, {after:.3g} uK left with {name}")

# %% [markdown]
# ## Bandpowers
#
# The masked maps are transformed, the coupling of multipoles by the masks is inverted in bins, and
# the Gaussian covariance follows from the spectra of the maps themselves. The theory of a bandpower
# is $\sum_\ell F_{b\ell} B_\ell C_\ell^{Tg}$ with the windows $F$, never $C_\ell$ at a centre:
# `predict` does that.

# %%
bins = linear_bins(14, 2 * sky.nside)
mask_T, mask_g = (apodise(sky.masks[k], 4.0) for k in ("temperature", "galaxies"))
shared = MaskSpectra(3 * sky.nside - 1)
measured = {
    name: measure_cross(
        result.map(),
        mask_T,
        sky.galaxies,
        mask_g,
        bins,
        fwhm_arcmin=result.fwhm_arcmin,
        lmax=sky.lmax,
        mask_spectra=shared,
    )
    for name, result in cleaned.items()
}
full = measured["+ moment"]
injected = full.predict(spectra.cross("screening", "galaxies"))

fig, axes = plt.subplots(figsize=(6.8, 4.2))
centre = bins.centres()
axes.plot(centre, 1e3 * centre * injected, "k_", ms=22, mew=1.5, label="injected")
for k, (name, m) in enumerate(measured.items()):
    value, error = 1e3 * centre * m.cl_Tg_uK, 1e3 * centre * m.error_uK
    axes.errorbar(centre + 2.0 * (k - 1), value, error, fmt="o", ms=4, label=f"measured, {name}")
axes.axhline(0.0, color="0.6", lw=0.8)
axes.set_title("simulated sky: not data", fontsize=9)
axes.set_xlabel(r"multipole $\ell$")
axes.set_ylabel(r"$\ell\,C_\ell^{Tg}$ [nK]")
axes.legend(fontsize=8)
plt.show()

# %% [markdown]
# ## Null test
#
# $\chi^2$ of the bandpowers against nothing, and against what was put in. Without deprojection the
# second test fails: foregrounds that follow the galaxies hide part of the signal. Both other sets
# pass; what the wrong index leaves of the CIB is below the errors of this small sky, as the mean
# responses said it would be.

# %%
for name, m in measured.items():
    null, right = m.null_test(), m.null_test(prediction=injected)
    print(
        f"{name:10} against zero: chi2 {null.chi2:6.1f} of {null.dof}, PTE {null.pte:.2g}; "
        f"against the injected signal: chi2 {right.chi2:6.1f}, PTE {right.pte:.2g}"
    )

shape = injected / 100.0
inverse = np.linalg.inv(full.cov_uK2)
error = (shape @ inverse @ shape) ** -0.5
strength = error**2 * (shape @ inverse @ full.cl_Tg_uK)
print(f"\nfitted strength A = {strength:.0f} +- {error:.0f}; injected 100")

# %% [markdown]
# ## The file that limits are made of
#
# Bandpowers, covariance, windows and beam go into one small file, which `diffaxion limit screening`
# and `diffaxion joint` read; one from a simulation says so. It is kept in a temporary folder here.

# %%
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "bandpowers.npz"
    write_bandpowers(path, full.bandpowers(slice(1, None), nature=sky.nature))
    back = read_bandpowers(path)
print(back.nature)
print(f"{back.n_bins} bandpowers from l = {back.ell_lo[0]:.0f} to {back.ell_hi[-1]:.0f},")
print(f"beam {back.fwhm_arcmin:g} arcmin, map normalised at {back.nu_GHz:g} GHz")

fig, axes = plt.subplots(figsize=(6.4, 3.2))
axes.plot(back.window_ell, back.window.T)
axes.set_title("windows of the bandpowers of a simulated sky", fontsize=9)
axes.set_xlabel(r"multipole $\ell$")
axes.set_ylabel(r"$F_{b\ell}$")
plt.show()

# %% [markdown]
# From the command line the same way is `diffaxion maps run`, for a simulated sky or for files of
# frequency maps; `diffaxion maps robustness` varies what was chosen here, from masks to the
# spectrum of the CIB.
