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
# # 1. From a star to its axion spectrum
#
# A thermal photon in the electric field of a nucleus or an electron can turn into an axion: the
# *Primakoff effect*. For a massless axion the rate of a photon of energy $E$ at temperature $T$ is
#
# $$\Gamma(E) = \frac{g_{a\gamma\gamma}^2 T\,\kappa^2}{32\pi} \left[
#   \left(1 + \frac{\kappa^2}{4E^2}\right)\ln\left(1 + \frac{4E^2}{\kappa^2}\right) - 1\right],
#   \qquad \kappa^2 = \frac{4\pi\alpha}{T}\,\frac{\rho}{m_u}\,\zeta ,$$
#
# with $\zeta = \sum_i X_i (Z_i^2 + Z_i)/A_i$, ions and electrons. Integrated over a star this gives
# the luminosity $dL/dE$, which grows steeply with the core temperature. Here we build a massive
# star, look at its spectrum, and differentiate it.
#
# Every luminosity of diffaxion is *per unit* $u = (g/10^{-12}\,\mathrm{GeV}^{-1})^2$.

# %%
# %matplotlib inline
import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt

from diffaxion.analyses import cluster_ensemble
from diffaxion.constants import KELVIN_TO_KEV
from diffaxion.conversion import (
    AnchoredShape,
    band_luminosity,
    eddington_luminosity,
    eddington_spectrum,
    flagged_fractions,
    luminosity_spectrum,
    mean_energy_keV,
    total_luminosity,
    universal_shape,
)
from diffaxion.environments.stars import EddingtonStar, parse_composition

# %% [markdown]
# ## A star from three numbers
#
# Eddington's standard model is a polytrope of index 3: its mass and composition fix
# $\beta = P_\mathrm{gas}/P$, and with the central temperature also its density,
# $\rho_c = (a_r \mu m_u / 3 k_B)\,[\beta/(1-\beta)]\,T_c^3$. A Wolf-Rayet star of type WC burns
# helium: what is left of it is helium, carbon and oxygen.

# %%
wolf_rayet = parse_composition("He4=0.35:C12=0.45:O16=0.18:Ne20=0.02")
star = EddingtonStar(30.0, 2.0e8 * KELVIN_TO_KEV, wolf_rayet)
print(f"charge weight zeta      {float(wolf_rayet.zeta):8.3f}")
print(f"mean molecular weight   {float(wolf_rayet.mu):8.3f}")
print(f"beta = P_gas/P          {float(star.beta):8.3f}")
print(f"central density         {float(star.rho_c_g_cm3):8.1f} g/cm^3")
print(f"central temperature     {float(star.t_c_keV):8.2f} keV")

# %% [markdown]
# The star is integrated over 32 Gauss-Legendre zones. Its luminosity over all energies, between 10
# and 80 keV (the band of NuSTAR), and the mean axion energy:

# %%
zones = star.profile()
print(f"L            = {float(total_luminosity(zones)):.3e} erg/s")
in_band = band_luminosity(zones, jnp.array(10.0), jnp.array(80.0))
print(f"L(10-80 keV) = {float(in_band):.3e} erg/s")
print(f"<E>          = {float(mean_energy_keV(zones)):.1f} keV")

energy = jnp.linspace(1.0, 150.0, 150)
spectrum = jax.jit(luminosity_spectrum)

fig, axes = plt.subplots()
for t_c in (1.0e8, 1.5e8, 2.0e8, 2.5e8):
    hot = EddingtonStar(30.0, t_c * KELVIN_TO_KEV, wolf_rayet)
    axes.plot(energy, spectrum(hot.profile(), energy), label=rf"$T_c$ = {t_c:.1e} K")
axes.axvspan(10.0, 80.0, color="0.93", zorder=0, label="NuSTAR")
axes.set_yscale("log")
axes.set_ylim(1e28, 1e33)
axes.set_xlabel("axion energy $E$ [keV]")
axes.set_ylabel(r"$dL/dE$ at $g = 10^{-12}$ GeV$^{-1}$ [erg s$^{-1}$ keV$^{-1}$]")
axes.set_title(r"A WC star of 30 $M_\odot$")
axes.legend()
plt.show()

# %% [markdown]
# ## One shape for all Eddington stars
#
# $\kappa^2/T^2 \propto \rho/T^3$ is the same everywhere in a polytrope of index 3, so that the
# spectrum is a function of $E/T_c$ and of the single number $q = \kappa/T$ of the star, times a
# prefactor from which the density cancels. This *universal spectrum* agrees with the sum over
# zones.

# %%
summed, universal = spectrum(zones, energy), jax.jit(eddington_spectrum)(star, energy)
print(f"largest difference of the spectra: {float(jnp.max(jnp.abs(universal / summed - 1))):.1e}")
ratio = eddington_luminosity(star) / total_luminosity(zones)
print(f"difference of the luminosities:    {float(ratio - 1):.1e}")

x = jnp.linspace(0.05, 15.0, 200)
fig, axes = plt.subplots()
for q in (0.1, 0.4, 1.5):
    shape = universal_shape(x, jnp.array(q))
    axes.plot(x, shape / jnp.max(shape), label=f"$q$ = {q:g}")
axes.set_xlabel("$E/T_c$")
axes.set_ylabel("$dL/dE$, relative to its maximum")
axes.legend()
plt.show()

# %% [markdown]
# ## Gradients: what the luminosity depends on
#
# Every number of a star is a leaf of a pytree. One reverse pass gives the derivatives with respect
# to all of them; for positive numbers the logarithmic slope $\partial\ln L/\partial\ln\theta$ is
# the most readable. The core temperature matters most, and it matters more in the high bins.


# %%
def log_band(star):
    return jnp.log(band_luminosity(star.profile(), jnp.array(10.0), jnp.array(80.0)))


slopes = jax.jit(jax.grad(log_band))(star)
print(f"d ln L(10-80 keV) / d ln T_c = {float(slopes.t_c_keV * star.t_c_keV):+.2f}")
print(f"d ln L(10-80 keV) / d ln M   = {float(slopes.mass_Msun * star.mass_Msun):+.2f}")
for name, value in zip(wolf_rayet.isotopes, slopes.composition.fractions):
    print(f"d ln L(10-80 keV) / d X({name:4}) = {float(value):+.2f}")


@jax.jit
def slope_of_temperature(ln_t_c):
    def log_spectrum(x):
        hot = EddingtonStar(30.0, jnp.exp(x), wolf_rayet)
        return jnp.log(luminosity_spectrum(hot.profile(), energy))

    return jax.jvp(log_spectrum, (ln_t_c,), (jnp.ones(()),))[1]


fig, axes = plt.subplots()
for t_c in (1.0e8, 2.0e8):
    slope = slope_of_temperature(jnp.log(t_c * KELVIN_TO_KEV))
    axes.plot(energy, slope, label=rf"$T_c$ = {t_c:.1e} K")
axes.set_xlabel("axion energy $E$ [keV]")
axes.set_ylabel(r"$\partial \ln (dL/dE) / \partial \ln T_c$")
axes.legend()
plt.show()

# %% [markdown]
# The formula above leaves out the photon's plasma mass, degeneracy and the recoil of electrons.
# Where they matter a zone is flagged. This is the share of the luminosity from flagged zones:

# %%
for name, share in flagged_fractions(zones, 10.0).items():
    print(f"{name:14} {share:6.1%} of the luminosity")

# %% [markdown]
# ## A cluster
#
# The signal of a cluster is dominated by its Wolf-Rayet stars. `AnchoredShape` averages Eddington
# stars over the tracks of a population for each class of stars and weights them with the numbers
# of stars; the result is normalised to $\int_{10}^{80} S\,dE = 1$ and multiplies a published
# luminosity. Quintuplet has 13 WC and 1 WN stars, Westerlund 1 has 8 and 14.

# %%
model = AnchoredShape()
shape_of = jax.jit(lambda counts, ln_t: model(energy, counts, ln_t))
fig, axes = plt.subplots()
for name, counts in (("Quintuplet", [13.0, 1.0]), ("Westerlund 1", [8.0, 14.0])):
    counts = jnp.array(counts)
    (line,) = axes.plot(energy, shape_of(counts, jnp.array(0.0)), label=name)
    cool = shape_of(counts, jnp.log(jnp.array(0.5)))
    label = f"{name}, every $T_c$ halved"
    axes.plot(energy, cool, color=line.get_color(), ls="--", label=label)
axes.set_xlim(10.0, 80.0)
axes.set_xlabel("axion energy $E$ [keV]")
axes.set_ylabel("spectral shape $S(E)$ [keV$^{-1}$]")
axes.legend()
plt.show()

# %% [markdown]
# Halving the core temperatures makes the spectrum softer. Notebook 3 shows what that does to the
# limit on the coupling.

# %% [markdown]
# ## Its stars, drawn from an ensemble
#
# Which stars a cluster holds is known by class only. `cluster_ensemble` draws as many stars of each
# class as the target counts, 500 times, and returns the luminosity, its spread and the spectrum
# with the leading modes of its uncertainty. Without tracks of your own the stars are those of *one*
# 85 solar mass track: the result is far below the published luminosity, and so is the spread. With
# a folder of MESA runs it is `cluster_ensemble("wd1", EnsembleSection(tracks="runs"))`, or
# `diffaxion predict luminosity --cluster wd1 --tracks runs`.

# %%
drawn = cluster_ensemble("wd1")
table = drawn.summary()
for key in ("made_from", "stars", "band_erg_s", "sigma_ln", "published_erg_s"):
    print(f"{key:16} {table[key]}")

fig, axes = plt.subplots()
axes.plot(energy, drawn.shape(energy), label="mean")
for z in (-1.0, 1.0):
    moved = eqx.tree_at(lambda s: s.z, drawn.shape, drawn.shape.z.at[0].set(10.0 * z))
    axes.plot(energy, moved(energy), ls="--", label=f"first mode at {10 * z:+.0f} sigma")
axes.set_xlim(10.0, 80.0)
axes.set_xlabel("axion energy $E$ [keV]")
axes.set_ylabel("spectral shape $S(E)$ [keV$^{-1}$]")
axes.set_title(f"Westerlund 1, {table['made_from']}")
axes.legend()
plt.show()
