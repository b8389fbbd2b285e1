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
# # 4. From a limit to a posterior
#
# A limit with every astrophysical number fixed says how constraining the data are, not how well
# the model is known. Here numbers of the world become *nuisance parameters*: a prior is bound to a
# leaf by its dotted path, and the coupling $u = (g/10^{-12}\,\mathrm{GeV}^{-1})^2$, the mass and
# the nuisances are sampled together by NUTS, which needs the gradient of the whole chain of
# notebooks 1 to 3.
#
# One cluster, small grids and short chains will do here. `diffaxion joint` takes both clusters and
# more of everything.

# %%
# %matplotlib inline
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from diffaxion.analyses import (
    Recipe,
    axion_priors,
    build_world,
    configured_bindings,
    coupling_moments,
    marginal_limits,
    parse_configuration,
    published_spectrum,
    uniform_g_draws,
)
from diffaxion.errors import ConfigurationError
from diffaxion.products import plot_corner, plot_nuisances

# %% [markdown]
# ## Priors by path
#
# Paths follow the tree: attributes, keys and indices. Each prior is a transformation of a standard
# normal, so that the sampler sees parameters of one scale. The conversion probability depends on
# the electron density along each sight line and on the strength of the X field; both are known to
# tens of per cent only.

# %%
settings = parse_configuration(
    {
        "model": {"targets": ["quintuplet"]},
        "mass": {"prior_eV": [1e-13, 1e-11]},
        "likelihoods": {"cmb": "none"},
        "numerics": {"sampler_nodes": 48, "sampler_energies_per_bin": 1},
        "priors": {
            "clusters.quintuplet.ln_luminosity": {"dist": "normal", "mean": 0.0, "sigma": 0.209},
            "clusters.quintuplet.ln_density": {"dist": "normal", "mean": 0.0, "sigma": 0.2},
            "galaxy.field.outer.norm_x": {"dist": "log_normal", "median": 1.0, "sigma_ln": 0.3},
        },
    }
)
world = build_world(settings.model)
spectra = [published_spectrum(target) for target in settings.model.targets]
recipe = Recipe(settings, world, spectra, cmb=None, cmb_points=None, surrogate=None)
analysis = recipe.analysis(axion_priors(settings, sampled=True))

for row in analysis.explain()[:-1]:
    print(f"{row['path']:36} {row['prior']:28} {row['unit']}")

# %% [markdown]
# What does not depend on a bound path is computed once, before the sampler starts. A path that
# does not exist is refused with its nearest neighbours:

# %%
print(analysis.explain()[-1])
try:
    wrong = {"galaxy.field.outer.norm_y": {"dist": "normal", "mean": 1.0, "sigma": 0.1}}
    misspelt = settings.model_copy(update={"priors": wrong})
    configured_bindings(misspelt, world).check(world)
except ConfigurationError as error:
    print(error)

# %% [markdown]
# ## One density for any sampler
#
# `logdensity` is a plain function of the vector $z$ of standard normals: likelihood plus prior.
# Other samplers and optimisers can use it and its gradient as they are.

# %%
value_and_gradient = jax.jit(jax.value_and_grad(analysis.logdensity))
start = {"axion.u": jnp.array(8.0), "axion.m_a_eV": jnp.array(1e-12)}
z = analysis.data.bindings.standardise(start)
value, gradient = value_and_gradient(z)
print(f"ln posterior at u = 8, m_a = 1e-12 eV: {float(value):.3f}")
for name, slope in zip(analysis.names, gradient):
    print(f"  d/dz of {name:36} {float(slope):+.4f}")

# %% [markdown]
# ## A short run
#
# Two chains; nearly all of the time is compilation. A run is judged by the split $\hat R$, the
# effective sample sizes and the divergences; gates that it fails are named.

# %%
posterior = analysis.sample(
    jax.random.key(1),
    initial=start,
    chains=2,
    warmup=200,
    draws=700,
    chunk=100,
    target_accept=0.8,
    dense_mass=True,
)
print(f"divergences: {int(posterior.diverging.sum())}")
print(f"steps per draw: {posterior.num_steps.mean():.1f}")
failed = [reason for reason in posterior.reasons if "_std" not in reason]
print("\n".join(failed) or "passed all gates")

# %%
draws = {"g": np.sqrt(posterior.draws["axion.u"])}
draws["log10_m"] = np.log10(posterior.draws["axion.m_a_eV"])
for name in analysis.names:
    if not name.startswith("axion."):
        draws[name] = posterior.draws[name]
labels = dict(analysis.data.bindings.labels)
labels["g"] = r"$g_{a\gamma\gamma}$ [$10^{-12}$ GeV$^{-1}$]"
labels["log10_m"] = r"$\log_{10}(m_a/\mathrm{eV})$"
plot_corner(draws, labels)

# %% [markdown]
# The nuisances come back as they went in: the data contain no signal and say nothing about them.

# %%
nuisances = [n for n in analysis.names if not n.startswith("axion.")]
plot_nuisances({n: posterior.draws[f"{n}_std"] for n in nuisances}, labels)

# %% [markdown]
# ## Limits under several priors
#
# The run had a prior uniform in $u \propto g^2$. For each draw of the nuisances the likelihood of
# the coupling is known in closed form, $\ln L = S a - I a^2/2$ with $a = u^2$, so that any other
# prior costs one quadrature per draw and no new run. A Bayesian limit means nothing without its
# prior: always quote it.

# %%
points = np.stack([posterior.flat(f"{n}_std") for n in analysis.names], axis=-1)
moments = coupling_moments(analysis.data, jnp.asarray(points))
u_max = settings.coupling.u_max
for limit in marginal_limits(moments, u_max):
    shown = limit.reason or f"g < {limit.g_95_GeV * 1e12:.2f}e-12 GeV^-1 (95 %)"
    print(f"prior {limit.prior:32} {shown}")

# %%
index, g = uniform_g_draws(moments, u_max, seed=1)
mass = posterior.flat("axion.m_a_eV")[index]
fig, axes = plt.subplots()
axes.hist(np.sqrt(posterior.flat("axion.u")), 30, density=True, histtype="step", label="$g^2$")
axes.hist(g * 1e12, 30, density=True, histtype="step", label="$g$")
axes.set_xlabel(r"$g_{a\gamma\gamma}$ [$10^{-12}$ GeV$^{-1}$]")
axes.set_ylabel("posterior density")
axes.legend(title="prior uniform in")
plt.show()
for low, high in ((1e-13, 1e-12), (1e-12, 1e-11)):
    inside = (mass >= low) & (mass < high)
    print(
        f"m_a in [{low:g}, {high:g}] eV: g < {np.quantile(g[inside], 0.95) * 1e12:.2f}e-12 GeV^-1"
    )
