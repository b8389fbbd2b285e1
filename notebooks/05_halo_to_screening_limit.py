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
# # 5. From a halo to a limit
#
# Around every galaxy and cluster the plasma frequency falls outwards. Where it equals the mass of
# the axion a photon of the cosmic microwave background may turn into an axion: the sphere of
# resonance is seen as a faint dark disc with a dark rim. All halos together make a pattern that
# follows the galaxies, and its correlation with a galaxy survey, $C_\ell^{Tg}$, limits the coupling
# (Goldstein et al. 2024, arXiv:2409.10514). Per crossing
#
# $$P = \pi g^2 B^2 \omega \left|\frac{dm_\gamma^2}{dr}\right|^{-1}, \qquad
#   m_\gamma^2 = \frac{4\pi\alpha\,n_e}{m_e}, \qquad n_e(r_\mathrm{res}) \propto m_a^2,$$
#
# so that the signal is $u\,R_\ell$ with $u = (g/10^{-12}\,\mathrm{GeV}^{-1})^2$ and a *response*
# $R_\ell < 0$: photons are removed.

# %%
# %matplotlib inline
import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from diffaxion.analyses import (
    run_screening_limits,
    screening_curve,
    screening_data,
    screening_section,
    screening_spectrum,
    screening_world,
)
from diffaxion.conversion import axion_halo_probability, resonance_log_density
from diffaxion.environments.cosmology import planck_cosmology
from diffaxion.environments.halos import agn_gas, halo_field, halo_grid
from diffaxion.observables.cmb import limb_kernel
from diffaxion.products import load_overlay

# %% [markdown]
# ## One halo: electrons and field
#
# Three halos at $z = 0.5$: gas with feedback by active nuclei, and the mean field of IllustrisTNG.
# Dashed lines mark the densities of resonance. Between 0.1 and 1.1 $R_{200c}$ the fields of the
# simulation are trusted; conversion outside of that is not counted.

# %%
grid = halo_grid(planck_cosmology(), jnp.array([0.5]), jnp.array([1e12, 1e13, 1e14, 1e15]))
gas, field = agn_gas(), halo_field("tng-smooth")
axion_masses = jnp.array([2.5e-13, 5e-13, 1.5e-12])
x = jnp.geomspace(0.06, 1.8, 60)

ln_density, slope = gas.log_density(grid, x[:, None, None])
b_muG = field(grid, x[:, None, None] * jnp.ones((1, 1, 4)))

fig, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.8))
for k, mass in enumerate(grid.mass_Msun):
    label = rf"$10^{{{np.log10(mass):.0f}}}\,M_\odot$"
    left.plot(x, jnp.exp(ln_density[:, 0, k]), label=label)
    right.plot(x, b_muG[:, 0, k], label=label)
for mass in axion_masses:
    density = float(jnp.exp(resonance_log_density(mass)))
    left.axhline(density, color="0.5", ls="--", lw=0.8)
    left.text(0.06, 1.1 * density, f"{mass:.1e} eV", fontsize=8)
for axes in (left, right):
    axes.axvspan(0.1, 1.1, color="0.95")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("$r/R_{200c}$")
left.set_ylabel("electron density [cm$^{-3}$]")
right.set_ylabel(r"magnetic field [$\mu$G]")
right.legend()
plt.show()

# %% [markdown]
# ## The resonance
#
# `crossings` solves $n_e = n_\mathrm{res}$ for every halo at once and gives the slope there. The
# probability is tiny at any coupling that is still allowed, which makes the signal exactly
# proportional to $g^2$.

# %%
for mass in axion_masses:
    found = gas.crossings(grid, resonance_log_density(mass))
    p = axion_halo_probability(
        mass, field(grid, found.x), found.x, found.slope, grid.r200c_Mpc, 0.5, 353.0
    )
    theta = found.x * grid.r200c_Mpc * 1.5 / grid.chi_Mpc
    print(f"m_a = {mass:.1e} eV:")
    for k, halo in enumerate(grid.mass_Msun):
        print(
            f"  M = {halo:.0e} Msun: r = {found.x[0, 0, k]:8.3g} R200c, seen under "
            f"{np.degrees(theta[0, 0, k]) * 60:7.3g} arcmin, P = {p[0, 0, k]:.1e} at g = 1e-12"
        )

# %% [markdown]
# A sight line crosses the sphere twice, and the slant brightens the limb. The multipoles of that
# image have a closed form, $I_\ell = 2\pi\theta^2\,\sin a/a$ with $a = (\ell + 1/2)\,\theta$.

# %%
ell = jnp.geomspace(10.0, 4000.0, 200)
fig, axes = plt.subplots()
for arcmin in (1.0, 3.0, 10.0):
    radius = np.radians(arcmin / 60.0)
    axes.plot(ell, limb_kernel(ell, radius) / limb_kernel(0.0, radius), label=f"{arcmin:g} arcmin")
axes.set_xscale("log")
axes.set_xlabel(r"multipole $\ell$")
axes.set_ylabel(r"$I_\ell/I_0$")
axes.legend(title=r"$\theta_\mathrm{res}$")
plt.show()

# %% [markdown]
# ## All halos: the spectrum
#
# A *section* names the choices of a model; `screening_world` holds its numbers, the model its
# grids. `prepare` computes what does not depend on what varies; `screening_curve` then makes one
# spectrum after the other in one compiled program.

# %%
data = screening_data("recast")
section = screening_section("default")
world = screening_world(section)
model = screening_spectrum(section, data.windows.node_ell)
responses = screening_curve(model, world, model.prepare(world), axion_masses)

fig, axes = plt.subplots()
for mass, row in zip(axion_masses, responses):
    axes.plot(model.ell, -row * model.ell, label=f"$m_a$ = {mass:.1e} eV")
axes.set_yscale("log")
axes.set_xlabel(r"multipole $\ell$")
axes.set_ylabel(r"$-\ell\,C_\ell^{Tg}$ at $g = 10^{-12}$ GeV$^{-1}$ [$\mu$K]")
axes.legend()
plt.show()

# %% [markdown]
# ## The limit
#
# The measured bandpowers are not public. The *recast* takes the width of the measurement from the
# published limit and rescales the signal by our model; its assumptions travel with it.

# %%
for line in data.caveats:
    print("-", line)
masses = np.geomspace(2.2e-13, 2e-12, 16)
limits = run_screening_limits(section, data, masses)
published = load_overlay("planck_unwise")

fig, axes = plt.subplots(figsize=(6.0, 4.4))
axes.plot(masses, limits.bayes["uniform_g"].limit, "C0", lw=2, label="recast, our model")
axes.plot(published.m_a_eV, published.g_GeV, "k:", label="published")
axes.set_xscale("log")
axes.set_yscale("log")
axes.set_xlim(masses[0], masses[-1])
axes.set_ylim(1e-12, 2e-11)
axes.set_xlabel("axion mass $m_a$ [eV]")
axes.set_ylabel(r"coupling $g_{a\gamma\gamma}$, 95 % [GeV$^{-1}$]")
axes.legend()
plt.show()

# %% [markdown]
# ## What does the limit depend on?
#
# Everything is differentiable, the radius of resonance included. The limit scales as the root of
# the response, $d\ln g_{95} = -\frac12\,d\ln R$, and one reverse pass gives the derivative with
# respect to every number of the world. Scaling the field is the check: $g_{95} \propto 1/B$.

# %%
LEAVES = {
    r"$\ln B$": lambda w: w.halos.field.ln_amplitude,
    r"$\ln B$ above $10^{14}\,M_\odot$": lambda w: w.halos.field.ln_amplitude_massive,
    r"$\ln n_e$": lambda w: w.halos.gas.rho_0.amplitude,
    r"$\ln\beta$ of the gas": lambda w: w.halos.gas.beta.amplitude,
    r"$\alpha_s$": lambda w: w.halos.hod.alpha_s,
    r"$\log_{10} M_\mathrm{min}$": lambda w: w.halos.hod.log10_m_min,
    r"$\log_{10} M_1$": lambda w: w.halos.hod.log10_m_1,
}
PATHS = ("axion", "halos.field", "halos.gas", "halos.hod.alpha_s")
PATHS += ("halos.hod.log10_m_min", "halos.hod.log10_m_1")
cache = model.prepare(world, PATHS)
free, rest = eqx.partition(world, eqx.is_inexact_array)


@eqx.filter_jit
@eqx.filter_grad
def slope_of_ln_limit(free, rest, mass):
    moved = eqx.tree_at(lambda w: w.axion.m_a_eV, eqx.combine(free, rest), mass)
    bandpowers = data.windows.from_nodes(model.response(moved, cache))
    return -0.5 * jnp.log(data.recast.response(bandpowers, mass)[0])


rows = []
for mass in axion_masses:
    slopes = slope_of_ln_limit(free, rest, mass)
    logs = [w(world) if r"\ln n" in name or "beta" in name else 1.0 for name, w in LEAVES.items()]
    rows.append([float(w(slopes) * scale) for w, scale in zip(LEAVES.values(), logs)])

fig, axes = plt.subplots(figsize=(6.4, 3.8))
height = np.arange(len(LEAVES))
for k, (mass, row) in enumerate(zip(axion_masses, rows)):
    axes.barh(height + 0.25 * (k - 1), row, 0.22, label=f"$m_a$ = {mass:.1e} eV")
axes.set_yticks(height, LEAVES)
axes.axvline(0.0, color="k", lw=0.8)
axes.set_xlabel(r"$d\,\ln g_{95}/d\theta$")
axes.set_ylabel(r"parameter $\theta$")
axes.legend(fontsize=8)
plt.show()

count = sum(np.size(leaf) for leaf in jax.tree.leaves(free))
print(f"one reverse pass: {count} derivatives; d ln g95/d ln B = {rows[0][0]:.12f}")

# %% [markdown]
# The field enters most directly: a factor of two in $B$ is a factor of two in the limit. How much
# the slopes of the gas matter depends on the mass of the axion, because they decide which halos
# resonate inside the trusted region. `diffaxion limit screening` and `diffaxion reproduce
# screening` do all this from the command line.
