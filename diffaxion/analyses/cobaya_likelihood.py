r"""A Cobaya likelihood of any analysis, with its priors as Cobaya's block of parameters.

In Python, with the samplers of Cobaya::

    from diffaxion.analyses import cobaya_info, joint_recipe, joint_world, load_configuration
    settings = load_configuration("xray")
    recipe = joint_recipe(settings, joint_world(settings), spectra)
    analysis = recipe.analysis(axion_priors(settings, sampled=True))
    info = cobaya_info(analysis) | {"sampler": {"mcmc": None}, "output": "chains/xray"}
    updated_info, sampler = cobaya.run.run(info)

As a YAML file for ``cobaya-run``, which builds the analysis itself from a configuration::

    info = cobaya_info(analysis, configuration="my.toml", sampled=True)
    pathlib.Path("my.yaml").write_text(cobaya.yaml.yaml_dump(info))

Parameters are called after their paths, ``clusters.wd1.distance_kpc`` becomes
``clusters_wd1_distance_kpc`` and ``b_arm_muG[3]`` becomes ``b_arm_muG_3``; priors are on the
parameters themselves in their units, and ``g_GeV`` [GeV^-1] is a derived parameter. Other
likelihoods of Cobaya may stand beside this one. Cobaya is an extra,
``pip install 'diffaxion[adapters]'``, and imported only when the class is asked for.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..errors import ConfigurationError
from ..parameters import (
    HalfNormalAbove,
    LogNormal,
    LogUniform,
    Normal,
    Prior,
    Uniform,
    UniformRoot,
    latex_label,
)
from ..parameters.bind import Bindings
from .analysis import Analysis, AnalysisData

COUPLING = "g_GeV"
_COUPLING_LATEX = r"g_{a\gamma\gamma}\ [\mathrm{GeV}^{-1}]"


def cobaya_names(bindings: Bindings) -> dict[str, str]:
    """Names of the free parameters in Cobaya: letters, digits and underscores.

    Parameters
    ----------
    bindings : Bindings
        Priors by path.

    Returns
    -------
    dict of str to str
        Name by path, in the order of z.

    Raises
    ------
    ConfigurationError
        If two paths would have one name.

    References
    ----------
    Torrado & Lewis 2021, arXiv:2005.05290 (Cobaya).
    """
    found: dict[str, str] = {}
    for path in bindings.names:
        name = re.sub(r"\W+", "_", path).strip("_")
        if name in (*found.values(), COUPLING):
            raise ConfigurationError(f"parameter path {path!r}: the name {name!r} is taken")
        found[path] = name
    return found


def cobaya_prior(prior: Prior, path: str = "prior") -> dict[str, Any]:
    """The same prior as Cobaya states it: bounds, or a distribution of ``scipy.stats``.

    Parameters
    ----------
    prior : Prior
        Of a free parameter.
    path : str
        Its path, for messages.

    Returns
    -------
    dict
        Such as ``{"dist": "norm", "loc": 4.6, "scale": 0.3}``, in the unit of the parameter.

    Raises
    ------
    ConfigurationError
        If Cobaya has no such prior in one dimension.

    References
    ----------
    Torrado & Lewis 2021, arXiv:2005.05290 (Cobaya).
    """
    if isinstance(prior, Normal):
        return {"dist": "norm", "loc": float(prior.mean), "scale": float(prior.sigma)}
    if isinstance(prior, LogNormal):
        return {"dist": "lognorm", "s": float(prior.sigma_ln), "scale": float(prior.median)}
    if isinstance(prior, Uniform):
        return {"min": float(prior.low), "max": float(prior.high)}
    if isinstance(prior, LogUniform):
        return {"dist": "loguniform", "a": float(prior.low), "b": float(prior.high)}
    if isinstance(prior, HalfNormalAbove):
        return {"dist": "halfnorm", "loc": float(prior.edge), "scale": float(prior.sigma)}
    if isinstance(prior, UniformRoot) and float(prior.low) == 0.0:
        return {"dist": "powerlaw", "a": 0.5, "scale": float(prior.high)}
    raise ConfigurationError(
        f"{path}: Cobaya has no one-dimensional prior for {prior.describe()}; use another prior, "
        "or a low edge of 0 with one that is uniform in the root"
    )


def _math(label: str) -> str:
    """A label with parts in dollars as one expression in mathematics, as Cobaya wants it."""
    parts = label.split("$")
    text = (r"\mathrm{" + p.replace(" ", r"\ ") + "}" if p else "" for p in parts[::2])
    return "".join(t + m for t, m in zip(text, [*parts[1::2], ""], strict=True))


def cobaya_params(bindings: Bindings) -> dict[str, dict[str, Any]]:
    """Cobaya's ``params`` block: priors, reference points, steps, labels, and the derived g.

    Parameters
    ----------
    bindings : Bindings
        Priors by path.

    Returns
    -------
    dict of str to dict
        By name in Cobaya; plain numbers and text that YAML can hold.

    Raises
    ------
    ConfigurationError
        If Cobaya has no such prior.

    References
    ----------
    Torrado & Lewis 2021, arXiv:2005.05290 (Cobaya).
    """
    rows = zip(cobaya_names(bindings).items(), bindings.free_priors, strict=True)
    block: dict[str, dict[str, Any]] = {
        name: {
            "prior": cobaya_prior(prior, path),
            "ref": float(prior.centre),
            "proposal": float(prior.width),
            "latex": _math(latex_label(path)),
        }
        for (path, name), prior in rows
    }
    return block | {COUPLING: {"latex": _COUPLING_LATEX}}


def cobaya_info(
    analysis: Analysis, configuration: str | None = None, *, sampled: bool = False
) -> dict[str, Any]:
    """Likelihood and parameters of an analysis, ready for ``cobaya.run`` or ``get_model``.

    Parameters
    ----------
    analysis : Analysis
        World, priors, probes, data.
    configuration : str, optional
        TOML file (or name of a bundled one) from which the likelihood builds the same analysis
        again; the result is then plain text and numbers, for a YAML file.
    sampled : bool
        With a configuration: whether the mass is sampled or fixed.

    Returns
    -------
    dict
        Blocks ``likelihood`` and ``params``.

    Raises
    ------
    ConfigurationError
        If Cobaya has no prior of some kind, or cannot be imported.

    References
    ----------
    Torrado & Lewis 2021, arXiv:2005.05290 (Cobaya).
    """
    params = cobaya_params(analysis.data.bindings)
    if configuration is not None:
        name = f"{__name__}.DiffaxionLikelihood"
        entry = {"configuration": configuration, "mass": "sampled" if sampled else "fixed"}
        return {"likelihood": {name: entry}, "params": params}
    bound = type("DiffaxionLikelihood", (_likelihood_class(),), {"_analysis": analysis})
    return {"likelihood": {"diffaxion": {"external": bound}}, "params": params}


@eqx.filter_jit
def _loglike_at(data: AnalysisData, x: Float[Array, " k"]) -> tuple[Array, Array]:
    """ln L and g [GeV^-1] at values x, shape (k,), of the free parameters in their units."""
    values = {name: x[k] for k, name in enumerate(data.bindings.names)}
    world = data.bindings.apply_values(data.world, values)
    return data.log_prob(world.axion.u, data.responses_in(world)), world.axion.g_GeV


def _configured_analysis(configuration: str, mass: str) -> Analysis:
    """The analysis of the main job, as its posteriors use it."""
    from .config import check_choice, load_configuration
    from .configured import axion_priors
    from .joint_model import joint_recipe, joint_world
    from .star_clusters import published_spectrum

    check_choice("mass", mass, ("fixed", "sampled"))
    settings = load_configuration(configuration)
    targets = settings.model.targets if settings.likelihoods.xray else []
    recipe = joint_recipe(settings, joint_world(settings), [published_spectrum(t) for t in targets])
    sampled = mass == "sampled"
    fixed = None if sampled else settings.mass.fixed_eV
    return recipe.analysis(axion_priors(settings, sampled), m_a_eV=fixed)


@functools.cache
def _likelihood_class() -> type:
    """The class, made when it is first needed because its base is Cobaya's."""
    try:
        from cobaya.likelihood import Likelihood
    except ImportError as error:
        raise ConfigurationError(
            f"Cobaya cannot be imported ({error}): pip install 'diffaxion[adapters]'"
        ) from None

    class DiffaxionLikelihood(Likelihood):
        """ln L of an analysis, at values of its free parameters; derives ``g_GeV``."""

        configuration: str | None = None
        mass: str = "fixed"
        _analysis: Analysis | None = None

        def initialize(self) -> None:
            if self._analysis is None:
                if self.configuration is None:
                    raise ConfigurationError(
                        "DiffaxionLikelihood needs the option `configuration: FILE.toml`"
                    )
                self._analysis = _configured_analysis(self.configuration, self.mass)
            self._data = self._analysis.data
            self._order = tuple(cobaya_names(self._data.bindings).values())

        def get_requirements(self) -> dict[str, None]:
            return dict.fromkeys(self._order)

        def get_can_provide_params(self) -> list[str]:
            return [COUPLING]

        def logp(self, _derived: dict[str, float] | None = None, **values: float) -> float:
            x = jnp.asarray([values[name] for name in self._order], float)
            loglike, g = _loglike_at(self._data, x)
            if _derived is not None:
                _derived[COUPLING] = float(g)
            return float(loglike)

    return DiffaxionLikelihood


def __getattr__(name: str) -> Any:
    if name == "DiffaxionLikelihood":
        return _likelihood_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
