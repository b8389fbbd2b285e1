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
# # 2. From a sight line to a conversion probability
#
# On its way to us an axion can turn into a photon in the Galactic magnetic field. To first order
# in the coupling the amplitudes of the two polarisations $i = l, b$ are
#
# $$A_i = \frac{g_{a\gamma\gamma}}{2}\int_0^d B_i(s)\,e^{i\Phi(s)}\,ds, \qquad
#   \frac{d\Phi}{ds} = \frac{m_a^2 - \omega_\mathrm{pl}^2(s)}{2E}, \qquad
#   \omega_\mathrm{pl}^2 = \frac{4\pi\alpha\,n_e}{m_e},$$
#
# and $p = |A_l|^2 + |A_b|^2$. A strong field is not enough: the phase must not run. At keV energies
# and small masses it is the free electrons that decide.

# %%
# %matplotlib inline
import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from diffaxion.conversion import (
    Axion,
    PowerLawCorrelation,
    conversion_probability,
    probability_over_masses,
    random_field_probability,
    realise_field,
)
from diffaxion.environments.galaxy import (
    YMW16,
    Galaxy,
    LinePath,
    field_names,
    jf12_turbulence,
    magnetic_field,
    sample_path,
    uniform_fractions,
)
from diffaxion.environments.stars import cluster

# %% [markdown]
# ## The medium toward Quintuplet
#
# A `Galaxy` holds a magnetic field, an electron density and the Sun's place. The name of a field
# chooses one of the published models; the default for the inner kiloparsec, where they are not
# defined, is the one of the papers that used them. Nodes sit on both sides of every jump of the
# field (spiral arms, rings, the inner sphere), so that integrals and their gradients are right.

# %%
print("field models:", ", ".join(field_names()))
source = cluster("quintuplet")
density = YMW16()
galaxies = {name: Galaxy(magnetic_field(name), density) for name in ("jf12", "uf23-base")}
fractions = uniform_fractions(600)
sample = eqx.filter_jit(sample_path)


def toward(galaxy):
    line = galaxy.sightline(source.longitude_deg, source.latitude_deg, source.distance_kpc)
    return line, sample(line, galaxy.field, galaxy.density, fractions)


paths = {name: toward(galaxy)[1] for name, galaxy in galaxies.items()}

fig, (top, bottom) = plt.subplots(2, 1, sharex=True, figsize=(6.4, 6.0))
for name, path in paths.items():
    (line,) = top.plot(path.s_kpc, path.b_b_muG, label=rf"{name}, $B_b$")
    top.plot(path.s_kpc, path.b_l_muG, color=line.get_color(), ls="--", label=rf"{name}, $B_l$")
top.set_ylabel(r"transverse field [$\mu$G]")
top.legend(fontsize=8, ncols=2)
bottom.plot(paths["jf12"].s_kpc, paths["jf12"].n_e_cm3, color="black")
bottom.set_yscale("log")
bottom.set_xlabel("distance from the Sun [kpc]")
bottom.set_ylabel("$n_e$ (YMW16) [cm$^{-3}$]")
plt.show()

# %% [markdown]
# ## Probability against energy and mass
#
# At higher energies the phase runs more slowly, so that on the whole $p$ rises with the energy. The
# mass matters once $m_a$ is comparable with the plasma frequency, $\omega_\mathrm{pl} = 1.2\times
# 10^{-11}$ eV for $n_e = 0.1$ cm$^{-3}$; where the two are equal on part of the way, the phase
# stands still and $p$ has a peak. Far above it $p$ falls.

# %%
energy = jnp.linspace(10.0, 80.0, 71)
born = jax.jit(conversion_probability)
light = Axion(1e-13, 1.0)
masses = jnp.geomspace(1e-13, 1e-10, 60)
over_masses = jax.jit(probability_over_masses)

fig, (left, right) = plt.subplots(1, 2, sharey=True, figsize=(9.0, 4.0))
for name, path in paths.items():
    left.plot(energy, born(path, light, energy), label=name)
    right.plot(masses, over_masses(path, light.u, masses, jnp.array([30.0]))[:, 0], label=name)
left.set_yscale("log")
left.set_xlabel("energy [keV]")
left.set_ylabel(r"$p$ at $g = 10^{-12}$ GeV$^{-1}$")
left.set_title(r"$m_a = 10^{-13}$ eV")
right.set_xscale("log")
right.set_xlabel("$m_a$ [eV]")
right.set_title("$E$ = 30 keV")
left.legend()
plt.show()

# %% [markdown]
# ## Gradients of the probability
#
# JF12 has a vertical "X" field of strength $B_X = 4.6\,\mu$G in the halo, which dominates toward
# the Galactic centre. Logarithmic slopes of $p$ say how well a parameter must be known: for a field
# of one component the slope would be 2. One reverse pass gives the slopes of all parameters. The
# electrons do not change with the field, so that the densities found above serve as a table.

# %%
base = galaxies["jf12"]
line, path = toward(base)
distances, electrons = path.s_kpc, path.n_e_cm3


def log_p(field, ln_density, energy_keV):
    table = (distances, electrons * jnp.exp(ln_density))
    path = sample_path(line, field, None, fractions, table)
    return jnp.log(conversion_probability(path, light, energy_keV[None])[0])


slope = jax.jit(jax.grad(log_p, argnums=(0, 1)))
field_slopes, density_slope = slope(base.field, jnp.zeros(()), jnp.array(30.0))
outer = base.field.outer
print("at 30 keV, logarithmic slopes of p:")
for name in ("b_x_muG", "theta_x0_deg", "r_x_kpc", "z_0_kpc", "b_n_muG"):
    value = getattr(outer, name) * getattr(field_slopes.outer, name)
    print(f"  {name:16} {float(value):+.3f}")
print(f"  {'n_e':16} {float(density_slope):+.3f}")

energies = np.linspace(10.0, 80.0, 15)
slopes = [slope(base.field, jnp.zeros(()), jnp.asarray(e)) for e in energies]
fig, axes = plt.subplots()
axes.plot(energies, [s[0].outer.b_x_muG * outer.b_x_muG for s in slopes], label="$B_X$")
axes.plot(energies, [s[1] for s in slopes], label="$n_e$")
axes.axhline(0.0, color="0.7", lw=0.8)
axes.set_xlabel("energy [keV]")
axes.set_ylabel(r"$\partial \ln p / \partial \ln \theta$")
axes.legend()
plt.show()

# %% [markdown]
# ## Large couplings: the exact chain
#
# First order fails once $p$ approaches one. The exact engine multiplies the transfer matrices of
# the three states $(A_l, A_b, a)$ and is unitary; the first-order engine is proportional to $g^2$
# and is what signed fits use. `engine="auto"` switches at $p = 10^{-2}$ and says so.

# %%
exact = jax.jit(conversion_probability, static_argnames="engine")
couplings = np.geomspace(1e-12, 3e-10, 25)
at = jnp.array([60.0])
first = [born(path, Axion.from_g(1e-13, g), at)[0] for g in couplings]
chain = [exact(path, Axion.from_g(1e-13, g), at, engine="exact")[0] for g in couplings]

fig, axes = plt.subplots()
axes.loglog(couplings, first, label="first order")
axes.loglog(couplings, chain, label="exact chain")
axes.axhline(1.0, color="0.7", lw=0.8)
axes.set_xlabel(r"$g_{a\gamma\gamma}$ [GeV$^{-1}$]")
axes.set_ylabel("$p$ at 60 keV")
axes.legend()
plt.show()

# %% [markdown]
# ## Turbulence
#
# The random field has no direction, but its power at the wave number $|d\Phi/ds|$ converts axions
# too. For a Gaussian field with a known correlation the mean of $p$ over realisations is a closed
# one-dimensional integral. Single realisations scatter around it.

# %%
turbulence = jf12_turbulence()
mean = jax.jit(random_field_probability)(turbulence, line, path, energy, light.m_a_eV)
regular = born(path, light, energy)

# %%
correlation = PowerLawCorrelation().with_coherence(turbulence.coherence_kpc)
positions = jax.vmap(line.position_kpc)(path.s_kpc)
field_here = jnp.stack([path.b_l_muG, path.b_b_muG], axis=1)
variance = jax.vmap(turbulence.transverse_variance_muG2)(positions, field_here)


@jax.jit
def one_sky(latent):
    d_l, d_b = realise_field(latent, path.s_kpc, variance, correlation)
    whole = LinePath(path.s_kpc, path.b_l_muG + d_l, path.b_b_muG + d_b, path.n_e_cm3)
    return conversion_probability(whole, light, energy)


latents = jax.random.normal(jax.random.key(0), (40, 2, 600))
skies = jax.lax.map(one_sky, latents)

fig, axes = plt.subplots()
axes.plot(energy, skies.T, color="0.85", lw=0.7)
axes.plot(energy, regular, label="regular field")
axes.plot(energy, regular + mean, label="regular + mean of the random field")
axes.plot(energy, jnp.mean(skies, axis=0), "k:", label="mean of 40 realisations")
axes.set_yscale("log")
axes.set_xlabel("energy [keV]")
axes.set_ylabel(r"$p$ at $g = 10^{-12}$ GeV$^{-1}$")
axes.legend()
plt.show()
print(f"random field at 30 keV: {float(mean[20] / regular[20]):.1%} of the regular one")
