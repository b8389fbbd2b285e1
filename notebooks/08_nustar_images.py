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
# # 8. Images of NuSTAR, from pixels to a limit
#
# Notebook 3 took spectra as published. Here the data are what a telescope gives: counts in pixels,
# for every energy bin, observation and focal-plane module, with an exposure map and a model of the
# background. In the pixel $p$ of bin $i$ one expects
#
# $$\mu_{ip} = S_i\,T_{ip} + A_i\,B_{ip},\qquad \ln L = \sum_{ip} c_{ip}\ln\mu_{ip} - \mu_{ip},$$
#
# where $T$ is what the stars look like through the point-spread function and the exposure, $B$ the
# background map with a free scale $A_i$ in each bin, and $S_i = a\,R_i(m_a)$ the counts that axions
# would add.
#
# The observation of this notebook is **simulated**: Quintuplet with its real exposure, a background
# as bright as the published errors say, stars at random places, and a signal of
# $g = 5.5\times10^{-12}\,\mathrm{GeV}^{-1}$. Its folder looks like that of real data;
# `diffaxion xray simulate` makes others.

# %%
# %matplotlib inline
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from diffaxion.analyses import (
    count_flux,
    count_limits,
    expected_signal,
    fit_counts,
    inject_signal,
    observation_settings,
    observation_world,
    parse_configuration,
    read_observation,
    response_curve,
)
from diffaxion.data import bundled_observation
from diffaxion.products import image_view, plot_count_images, plot_flux_points

# %% [markdown]
# ## What the folder holds
#
# `observation.toml` says which file is what: one image of counts and one of the background per bin,
# an exposure, and the region of interest. Everything is checked when it is read: coordinates,
# units, bins, signs.

# %%
folder = bundled_observation()
print("\n".join((folder / "observation.toml").read_text().splitlines()[1:11]))
observation = read_observation(folder)
stack = observation.stack
print(f"\n{stack.nature}: {stack.n_exposures} exposures, {stack.exposure_s.sum() / 1e3:.0f} ks")
pixels, size = int(stack.mask[0].sum()), stack.grids[0].pixel_arcsec
print(f"{pixels} pixels of {size:.1f} arcsec in the region")

# %% [markdown]
# ## Where the counts are
#
# Counts minus the fitted background, summed over all energies. The inset shows the template of the
# signal; half of the light of a star falls within half an arcminute, 90 % within the dashed circle.

# %%
template = expected_signal(stack, np.ones(stack.n_bins), observation.stars, observation.psf)
plot_count_images([image_view(observation, template)])

# %% [markdown]
# ## The world behind the pixels
#
# As before, one tree holds all numbers of the model: now with the stars, the PSF, and the pointing
# of every exposure. Each has a path, and a prior can be bound to it.

# %%
settings = parse_configuration({"numerics": {"nodes": 300, "energies_per_bin": 2}})
settings = observation_settings(settings, [observation])
world, images = observation_world(settings, [observation])
probe, points = images[0]
print("targets", list(world.clusters), " PSF of", list(world.psf))
print("pointings", list(world.pointings))
containment = float(points.signal_template[0].sum())
print(f"{100 * containment:.1f} % of the signal is inside the region")

# %% [markdown]
# ## Flux points
#
# With the signal of every bin free one gets a spectrum, with asymmetric errors and negative values
# where counts fluctuate down. A published spectrum is such a table.

# %%
flux = count_flux(probe, points)
plot_flux_points(flux, title="Quintuplet (simulated)")

# %% [markdown]
# ## The fit of a signal
#
# An axion of given mass fixes the shape in energy, so that all bins together measure one strength
# $a = (g/10^{-12}\,\mathrm{GeV}^{-1})^4$.

# %%
MASSES = np.array([1e-13, 1e-11])
(fit,) = fit_counts(world, images, MASSES)
for k, mass in enumerate(MASSES):
    result = fit.scan.strength
    print(
        f"m_a = {mass:.0e} eV: a = {result.a_hat[k]:.0f} +- {result.sigma[k]:.0f}, "
        f"local significance {result.z_local[k]:.1f} sigma"
    )
print(f"injected: a = {5.5**4:.0f}")
print("scales of the background:", np.round(fit.background_scale[0], 3))

# %% [markdown]
# ## Limits, without and with a signal in the data
#
# The limit on $g$ from the likelihood of the pixels. With a signal in the data it lies above the
# expected band, and above the injected coupling. Adding a stronger signal to the same counts,
# $c' = c + \mathrm{Poisson}(S)$, moves it further: limits must never exclude what is there.

# %%
grid = np.geomspace(1e-13, 1e-10, 8)
(curve,) = count_limits(world, images, grid)

COUPLING = 9e-12
rates = np.asarray(response_curve(probe.spectrum, world, {}, jnp.array([1e-13]))[0])
rates = (COUPLING * 1e12) ** 4 * rates
added = expected_signal(stack, rates, observation.stars, observation.psf)
stronger = inject_signal(stack, added, seed=2, label="g=9e-12/GeV")
print(stronger.nature)
print(f"{stronger.counts.sum() - stack.counts.sum():.0f} counts added")
counts = stronger.rows(stronger.counts)[0]
(loud,) = count_limits(world, [(probe, points.with_data(counts))], grid)

fig, axes = plt.subplots(figsize=(6.2, 4.4))
band = curve.coupling
axes.fill_between(grid, band.minus1, band.plus2, color="#fdee9b", label=r"expected, $2\sigma$")
axes.fill_between(grid, band.minus1, band.plus1, color="#7fbf7b", label=r"expected, $1\sigma$")
axes.plot(grid, band.median, "k-.", lw=0.9, label="expected, median")
axes.plot(grid, band.pcl, "C0", lw=2, label="limit (simulated data)")
axes.plot(grid, loud.coupling.pcl, "C1--", lw=2, label="with a second signal, 9e-12")
axes.axhline(5.5e-12, color="0.5", lw=0.8, ls=":", label="coupling of the first signal")
axes.set_xscale("log")
axes.set_yscale("log")
axes.set_xlabel("axion mass $m_a$ [eV]")
axes.set_ylabel(r"coupling $|g_{a\gamma\gamma}|$ [GeV$^{-1}$]")
axes.legend(fontsize=8)
plt.show()

# %% [markdown]
# ## From here
#
# - The same from a shell: `diffaxion xray fit bundled`, `diffaxion xray flux bundled`, `diffaxion
#   limit xray --data bundled`; `--data` may be given once per target.
# - Real data: put images of `nuproducts` and `nuskybgd` into a folder with an `observation.toml`,
#   name a star list and responses there, and leave the rest as it is.
# - Backgrounds tilted by 5 % across the region, stars spread by 20 arcsec, other radii:
#   `benchmarks/xray_simulated.py` measures what they do.
