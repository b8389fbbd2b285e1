"""What the commands of ``diffaxion calibrate`` share: options, models, draws of a posterior."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigurationError
from .options import parse_numbers
from .tasks import task_folder, task_record

if TYPE_CHECKING:
    from ..analyses.config import Configuration
    from ..analyses.joint_model import Recipe


def settings_of(config: str | None) -> Configuration:
    from ..analyses.config import load_configuration

    return load_configuration(config)


def mass_of(text: str | None, settings: Configuration) -> float:
    if text is None:
        return settings.mass.fixed_eV
    values = parse_numbers(text, "--mass", "eV")
    if values.size != 1 or values[0] <= 0.0:
        raise ConfigurationError(f"--mass = {text!r}: expected one mass > 0 [eV]")
    return float(values[0])


def couplings_of(text: str | None) -> np.ndarray | None:
    if text is None:
        return None
    values = parse_numbers(text, "--strength", "GeV^-1")
    if np.any(values < 0.0) or np.any(values > 1e-9):
        raise ConfigurationError(
            f"--strength = {text!r}: expected couplings between 0 and 1e-9 GeV^-1, such as 3e-12"
        )
    return values


def bank_size(given: int | None, default: int) -> int:
    if given is None:
        return default
    if not 100 <= given <= 10_000_000:
        raise ConfigurationError(f"--bank = {given}: expected 100 to 10000000 draws")
    return given


def prepare(
    command: str,
    settings: Configuration,
    options: dict[str, Any],
    seed: int,
    out: str | None,
    overwrite: bool,
    task: Any = None,
) -> tuple[Path, dict[str, Any]]:
    """Folder of the results and their provenance."""
    from ..provenance import prepare_output, provenance_record
    from ..runtime import enable_cache

    config = settings.model_dump(mode="json") | {"calibration": options}
    record = provenance_record(seed, config) | task_record(task)
    name = f"calibrate-{command}"
    folder = prepare_output(task_folder(out, name, task), name, overwrite=overwrite)
    enable_cache()
    return folder, record


def recipe_of(settings: Configuration, report: Any) -> Recipe:
    """World, models and data, checked."""
    from ..analyses.checks import check_priors, check_spectra
    from ..analyses.configured_images import (
        configured_observations,
        configured_spectra,
        with_configured_images,
    )
    from ..analyses.joint_model import joint_recipe, joint_world

    report("models", 0.0)
    images = configured_observations(settings)
    settings = with_configured_images(settings, images)
    world = joint_world(settings)
    spectra = configured_spectra(settings, images)
    if spectra:
        check_spectra(world, spectra, settings.model.signal)
    check_priors(world, settings, spectra)
    return joint_recipe(settings, world, spectra)


def analysis_of(recipe: Recipe, sampled: bool) -> Any:
    """Analysis without coupling among its priors, with the mass if it is sampled.

    Simulated data have the residual foregrounds of the bandpowers in their covariance.
    """
    from ..analyses.analysis import STRENGTH
    from ..analyses.configured import axion_priors

    axion = axion_priors(recipe.configuration, sampled)
    return recipe.analysis({k: v for k, v in axion.items() if k != STRENGTH}).marginalised()


def data_at(recipe: Recipe, m_a_eV: float | None) -> Any:
    from ..analyses.prior_bank import at_mass

    return at_mass(analysis_of(recipe, False).data, m_a_eV)


def posterior_file(source: str | None) -> Path | None:
    """posterior.h5 of a folder, or the file itself; None if the source is a configuration."""
    if source is None:
        return None
    path = Path(source)
    if path.is_dir():
        inside = path / "posterior.h5"
        if not inside.exists():
            raise ConfigurationError(
                f"{path}: holds no posterior.h5; expected a folder that `diffaxion joint` wrote"
            )
        return inside
    return path if path.suffix in (".h5", ".hdf5") else None


def chains_of(path: Path) -> tuple[Configuration, dict[str, Any]]:
    """Configuration and draws of a posterior."""
    from ..analyses.config import parse_configuration
    from ..products.merge import read_posterior

    found = read_posterior(path)
    config = {k: v for k, v in found["record"]["config"].items() if k != "calibration"}
    return parse_configuration(config, str(path)), found


def weighted_draws(recipe: Recipe, mass: float | None, draws: int, seed: int, bank: int) -> Any:
    """Data, responses and couplings of draws from the priors, weighted by their likelihood."""
    from ..analyses.prior_bank import expected_u, observed_posterior

    data = data_at(recipe, mass)
    u_max = min(recipe.configuration.coupling.u_max, 8.0 * expected_u(data))
    responses, found = observed_posterior(data, u_max, draws, seed=seed, bank=bank)
    return data, responses, found.u


def draws_of_chains(
    recipe: Recipe, chains: dict[str, Any], draws: int, seed: int, path: Path | None
) -> Any:
    """Data, responses and couplings of draws of a run."""
    import jax.numpy as jnp

    from ..analyses.analysis import MASS, STRENGTH
    from ..analyses.prior_bank import at_mass, probe_responses
    from ..errors import DataError

    standard, values = chains["standardised"], chains["parameters"]
    sampled = MASS in standard
    data = analysis_of(recipe, sampled).data
    if not sampled:
        data = at_mass(data, recipe.configuration.mass.fixed_eV)
    lacking = [n for n in data.bindings.names if n not in standard]
    if lacking or STRENGTH not in values:
        raise DataError(
            f"{path}: no draws of {', '.join(lacking) or STRENGTH}: it was made with other priors"
        )
    u = values[STRENGTH].ravel()
    pick = np.random.default_rng(seed).choice(u.size, size=min(draws, u.size), replace=False)
    z = np.stack([standard[n].ravel()[pick] for n in data.bindings.names], axis=-1)
    return data, probe_responses(data, jnp.asarray(z)), u[pick]
