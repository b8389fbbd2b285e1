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
# # 3. From a spectrum to a limit
#
# The number of photons from axions scales as $g^2$ for their production times $g^2$ for their
# conversion. With the *strength* $a = (g/10^{-12}\,\mathrm{GeV}^{-1})^4$ the prediction in the
# energy bin $i$ is $a\,R_i(m_a)$, where the *response* $R$ holds the whole model: stars, distance,
# magnetic field, electrons, effective area. For counts $d_i \pm \sigma_i$ with Gaussian errors
#
# $$-2\ln L(a) = \sum_i \frac{(d_i - a R_i)^2}{\sigma_i^2}
#   = \mathrm{const} + \frac{(a - \hat a)^2}{\sigma_a^2}, \qquad
#   \hat a = \sigma_a^2\sum_i \frac{d_i R_i}{\sigma_i^2}, \quad
#   \sigma_a^{-2} = \sum_i \frac{R_i^2}{\sigma_i^2},$$
#
# so that the 95 % limit is $\hat a + 1.645\,\sigma_a$, expected are $(1.645 \pm N)\,\sigma_a$, and
# the limit on $g$ is the fourth root. A power constraint keeps a downward fluctuation from
# excluding more than the $-1\sigma$ expectation.

# %%
# %matplotlib inline
import equinox as eqx
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from diffaxion.analyses import (
    build_probes,
    build_world,
    limit_curves,
    parse_configuration,
    response_curve,
)
from diffaxion.conversion import AnchoredShape, class_spectra
from diffaxion.numerics import gauss_legendre
from diffaxion.products import (
    load_overlay,
    plot_spectra,
    published_spectrum_panels,
    published_star_cluster_limits,
)

# %% [markdown]
# ## The data
#
# NuSTAR spectra of two clusters of massive stars, as published by Dessert, Foster & Safdi (2020),
# with their prediction. Grey bins are not used.

# %%
plot_spectra(published_spectrum_panels())

# %% [markdown]
# ## The world, the response and the limit
#
# A configuration names the parts; `build_world` puts them into one tree whose leaves are all the
# numbers of the model. A *probe* maps a world to the response of one spectrum. There are two
# signals:
#
# - **published**: the published signal curve of each cluster, times the ratio of our conversion
#   probability to that of the published set-up, bin by bin;
# - **anchored**: our own stellar spectra, normalised to the published luminosity, folded with an
#   effective area (a public template, not the calibration of the observation).

# %%
settings = parse_configuration({"numerics": {"nodes": 600, "energies_per_bin": 3}})
world = build_world(settings.model)
probes, spectra = {}, {}
for signal in ("published", "anchored"):
    probes[signal], spectra[signal] = build_probes(world, settings, signal)

masses = jnp.array([1e-13, 1e-11])
fig, columns = plt.subplots(1, 2, figsize=(9.0, 3.8))
for axes, published, anchored, data in zip(columns, *probes.values(), spectra["published"]):
    centre = 0.5 * (data.low_keV + data.high_keV)
    for probe, style in ((published, "-"), (anchored, "--")):
        rows = response_curve(probe, world, probe.prepare(world), masses)
        for mass, row, colour in zip(masses, rows, ("C0", "C1")):
            label = f"{probe.mode}, $m_a$ = {mass:.0e} eV"
            axes.plot(centre, row, style, color=colour, label=label)
    axes.set_yscale("log")
    axes.set_xlabel("energy [keV]")
    axes.set_title(world.clusters[data.target].label)
columns[0].set_ylabel("response [$10^{-4}$ counts s$^{-1}$ keV$^{-1}$ per $a$]")
columns[1].legend(fontsize=8)
plt.show()

# %% [markdown]
# Limits at a dozen masses, for each cluster and for both together. Above $10^{-10}$ eV (not shown
# here) the jumps of the field model would set the answer; there the curves carry a flag.

# %%
grid = np.geomspace(1e-13, 1e-10, 13)


def scan(world, signal):
    points = [s.points for s in spectra[signal]]
    return {c.name: c for c in limit_curves(world, probes[signal], points, grid)}


curves = {signal: scan(world, signal) for signal in probes}
print("g < [1e-12 GeV^-1] at m_a = 1e-13 eV, 95 %:")
for signal, by_name in curves.items():
    for name, curve in by_name.items():
        limit, median = curve.coupling.pcl[0] * 1e12, curve.coupling.median[0] * 1e12
        print(f"  {signal:10} {name:12} {limit:5.2f}   (expected {median:5.2f})")

# %%
joint = curves["published"]["joint"].coupling
paper = published_star_cluster_limits()["joint"]
cast = load_overlay("cast")

fig, axes = plt.subplots(figsize=(6.4, 4.8))
axes.fill_between(grid, joint.minus1, joint.plus2, color="#fdee9b", label=r"expected, $2\sigma$")
axes.fill_between(grid, joint.minus1, joint.plus1, color="#7fbf7b", label=r"expected, $1\sigma$")
axes.plot(grid, joint.median, "k-.", lw=0.9, label="expected, median")
axes.plot(grid, joint.pcl, "C0", lw=2, label="joint limit, signal published")
axes.plot(grid, curves["anchored"]["joint"].coupling.pcl, "C1", label="signal anchored")
axes.plot(paper.m_a_eV, paper.limit, "k:", label="published joint limit")
axes.plot(cast.m_a_eV, cast.g_GeV, color="0.5", label=cast.label)
axes.set_xscale("log")
axes.set_yscale("log")
axes.set_xlim(grid[0], grid[-1])
axes.set_ylim(2e-12, 1e-10)
axes.set_xlabel("axion mass $m_a$ [eV]")
axes.set_ylabel(r"coupling $|g_{a\gamma\gamma}|$ [GeV$^{-1}$]")
axes.legend(fontsize=8)
plt.show()

# %% [markdown]
# The limit from the published points is somewhat weaker than the published limit; the cause is not
# known, and nothing has been tuned to remove it. `diffaxion reproduce xray` prints all comparisons.
#
# ## What if the stars were half as hot?
#
# The world is a pytree: `equinox.tree_at` replaces leaves. With the anchored signal, halving the
# core temperature of every star does two things. It softens the spectrum, and it lowers the
# luminosity, which the models of the stars give as well.

# %%
TEMPERATURE = jnp.log(0.5)
population = AnchoredShape().population
energy, weight = gauss_legendre(32, 10.0, 80.0)


def band_luminosity(counts, scale):
    return counts @ class_spectra(population, energy, ("WC", "WN"), scale) @ weight


def with_cluster(world, name, **leaves):
    def where(w):
        return [getattr(w.clusters[name], leaf) for leaf in leaves]

    return eqx.tree_at(where, world, [jnp.asarray(v) for v in leaves.values()])


softer, cooler = world, world
for name, source in world.clusters.items():
    counts = source.class_counts
    ratio = band_luminosity(counts, jnp.exp(TEMPERATURE)) / band_luminosity(counts, 1.0)
    print(f"{source.label:14} L(10-80 keV) falls to {float(ratio):.1%}")
    softer = with_cluster(softer, name, ln_core_temperature=TEMPERATURE)
    changes = {"ln_core_temperature": TEMPERATURE, "ln_luminosity": jnp.log(ratio)}
    cooler = with_cluster(cooler, name, **changes)

# %%
fig, axes = plt.subplots()
for label, changed in (
    ("fiducial stars", world),
    ("halved $T_c$, same luminosity", softer),
    ("halved $T_c$ and its luminosity", cooler),
):
    axes.plot(grid, scan(changed, "anchored")["joint"].coupling.median, label=label)
axes.set_xscale("log")
axes.set_yscale("log")
axes.set_xlabel("axion mass $m_a$ [eV]")
axes.set_ylabel(r"median expected limit on $|g_{a\gamma\gamma}|$ [GeV$^{-1}$]")
axes.legend()
plt.show()

# %% [markdown]
# At the same luminosity a softer spectrum is easier to see: it has more photons per erg, at
# energies where the telescope is larger. The lower luminosity outweighs that. Even so the limit on
# $g$ moves by the fourth root only: an order of magnitude in the signal is less than a factor of
# two in $g$. How nuisances enter a posterior is the subject of notebook 4.
