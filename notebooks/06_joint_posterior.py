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
# # 6. Two experiments, one posterior
#
# X rays of star clusters (notebook 3) and the screening of the microwave background (notebook 5)
# measure the same coupling. X-ray counts grow as $g^4$, the screening signal as $g^2$. With
# $u = (g/10^{-12}\,\mathrm{GeV}^{-1})^2$ and $a = u|u|$ both live in one likelihood,
#
# $$\ln L(u) = S_2 a - \tfrac12 I_2 a^2 + S_1 u - \tfrac12 I_1 u^2,$$
#
# whose four moments depend on the nuisances and on the mass. One cluster, two nuisances, small
# grids and short chains will do here; `diffaxion joint` takes both clusters and 30 nuisances.

# %%
# %matplotlib inline
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from diffaxion.analyses import (
    CouplingMoments,
    axion_priors,
    coupling_moments,
    expected_strength,
    joint_recipe,
    joint_world,
    limit_at_fixed_nuisances,
    marginal_limits,
    nuisance_impacts,
    parse_configuration,
    profile_over_nuisances,
    published_spectrum,
    savage_dickey,
)
from diffaxion.products import plot_corner

# %% [markdown]
# ## Priors by path
#
# A prior binds a number of the model by its path, in either half. The recast of the published
# Planck x unWISE curve is anchored here to the conventions of the paper, which needs no calculation
# at start-up.

# %%
MASS = 1e-12
settings = parse_configuration(
    {
        "model": {"targets": ["quintuplet"]},
        "likelihoods": {"cmb": "recast", "anchor": "paper"},
        "screening": {"n_z": 12, "n_mass": 32},
        "mass": {"fixed_eV": MASS, "prior_eV": [0.9e-12, 1.1e-12]},
        "numerics": {"sampler_nodes": 32, "sampler_energies_per_bin": 1},
        "priors": {
            "clusters.quintuplet.ln_luminosity": {"dist": "normal", "mean": 0.0, "sigma": 0.209},
            "halos.field.ln_amplitude": {"dist": "normal", "mean": 0.0, "sigma": 0.3},
        },
    }
)
world = joint_world(settings)
recipe = joint_recipe(settings, world, [published_spectrum("quintuplet")])
analysis = recipe.analysis(axion_priors(settings, sampled=False), m_a_eV=MASS)
for row in analysis.explain()[:-1]:
    print(f"{row['path']:36} {row['prior']:28} {row['unit']}")
print(recipe.cmb.describe())

# %% [markdown]
# ## Four numbers
#
# At given nuisances the likelihood is known in closed form. At this mass both experiments are about
# equally sensitive, so that both together gain most.

# %%
centre = coupling_moments(analysis.data, jnp.zeros((1, len(analysis.names))))
none = jnp.zeros(1)
parts = {
    "X rays": CouplingMoments(centre.score, centre.information, none, none),
    "CMB": CouplingMoments(none, none, centre.score_u, centre.information_u),
    "joint": centre,
}
u = np.linspace(-10.0, 30.0, 200)
fig, axes = plt.subplots()
for name, moments in parts.items():
    axes.plot(u, -2.0 * moments.log_like(u), label=name)
    found, expected = limit_at_fixed_nuisances(moments)[0], expected_strength(moments, 1)[0]
    print(f"{name:7} g < {found**0.5:.2f}e-12 GeV^-1, expected {float(expected) ** 0.5:.2f}e-12")
axes.set_xlabel(r"$u = (g/10^{-12}\,\mathrm{GeV}^{-1})^2$")
axes.set_ylabel(r"$-2\,\ln[L(u)/L(0)]$")
axes.set_ylim(-2.0, 12.0)
axes.legend()
plt.show()

# %% [markdown]
# ## Posterior
#
# The run is uniform in $u$; nearly all of its time is compilation. Judge it by its gates.

# %%
posterior = analysis.sample(
    jax.random.key(1),
    chains=2,
    warmup=200,
    draws=600,
    chunk=200,
    target_accept=0.8,
    dense_mass=True,
)
print(f"divergences: {int(posterior.diverging.sum())}")
failed = [reason for reason in posterior.reasons if "_std" not in reason]
print("\n".join(failed) or "passed all gates")

# %%
nuisances = [name for name in analysis.names if not name.startswith("axion.")]
draws = {"g": np.sqrt(posterior.draws["axion.u"])}
draws |= {name: posterior.draws[name] for name in nuisances}
labels = dict(analysis.data.bindings.labels)
labels["g"] = r"$g_{a\gamma\gamma}$ [$10^{-12}$ GeV$^{-1}$]"
plot_corner(draws, labels)

# %% [markdown]
# ## The prior of the coupling
#
# For every draw of the nuisances one quadrature in $u$ gives the posterior of the coupling under
# any prior. The spread below is no uncertainty of the data: it is the choice of the prior, and a
# Bayesian limit is never quoted without it. The last one depends on the end of its own range.

# %%
z = np.stack([posterior.flat(f"{n}_std") for n in analysis.names], axis=-1)
moments = coupling_moments(analysis.data, jnp.asarray(z))
u_max = settings.coupling.u_max
for limit in marginal_limits(moments, u_max):
    shown = limit.reason or f"g < {limit.g_95_GeV * 1e12:.2f}e-12 GeV^-1 (95 %)"
    print(f"prior {limit.prior:32} {shown}")
evidence = savage_dickey(moments, u_max)
print(f"ln B01 = {evidence.log_b01:.2f} +- {evidence.error:.2f} for u uniform on [0, {u_max:g}]")

# %% [markdown]
# ## Profile
#
# The frequentist limit maximises over the nuisances instead. Newton steps move the strength and all
# nuisances at once, for all masses in one compiled program, with the limit that is expected without
# signal and its bands.

# %%
masses = np.geomspace(*settings.mass.prior_eV, 5)
profile = profile_over_nuisances(recipe.analysis().data, masses).limit.to_coupling(order=1)
fig, axes = plt.subplots()
low, high = np.asarray(profile.minus1) * 1e12, np.asarray(profile.plus1) * 1e12
axes.fill_between(masses * 1e12, low, high, alpha=0.3, label=r"expected, $\pm 1\sigma$")
axes.plot(masses * 1e12, np.asarray(profile.pcl) * 1e12, label="power-constrained limit")
axes.set_xlabel(r"$m_a$ [$10^{-12}$ eV]")
axes.set_ylabel(r"$g_{a\gamma\gamma}$ [$10^{-12}$ GeV$^{-1}$]")
axes.legend()
plt.show()

# %% [markdown]
# ## What matters
#
# The derivative of the limit with respect to a nuisance, times the width that the data leave it.

# %%
mean, width = z.mean(axis=0), z.std(axis=0)
impacts = nuisance_impacts(analysis.data, mean, width, MASS)
for row in sorted(impacts, key=lambda r: -r.impact):
    print(f"{row.path:36} d ln g95/d zeta = {row.d_ln_g:+.4f}, times width {row.impact:.4f}")
