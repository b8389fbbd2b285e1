"""``diffaxion predict luminosity --cluster``: axion luminosity of a target from its stars."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import typer

from ..errors import ConfigurationError


def parse_thresholds(items: list[str]) -> dict[str, float]:
    """Thresholds ``NAME=VALUE`` of spectral classes.

    Parameters
    ----------
    items : list of str
        Values of the option.

    Returns
    -------
    dict of str to float
        Threshold by name.

    Raises
    ------
    ConfigurationError
        If an item is malformed or named twice.

    References
    ----------
    None: a notation.
    """
    found: dict[str, float] = {}
    for item in items:
        name, _, text = item.partition("=")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or name in found:
            raise ConfigurationError(
                f"--threshold {item!r}: expected NAME=NUMBER, each name once, such as x_wn=0.05"
            )
        found[name] = value
    return found


def _progress(quiet: bool):
    """Writer of the progress of long stages on standard error, on a terminal only."""
    if quiet or not sys.stderr.isatty():
        return None

    def report(stage: str, done: int, total: int) -> None:
        end = "\n" if done == total else ""
        print(f"\r{stage}: {done} of {total}", end=end, file=sys.stderr, flush=True)

    return report


def predict_cluster(
    target: str,
    coupling_GeV: float = 1e-12,
    profile: str | None = None,
    shells: str = "exact",
    remainder_zeta: float | None = None,
    zeta_metals: float | None = None,
    settings: dict[str, Any] | None = None,
    quiet: bool = True,
) -> dict[str, Any]:
    """Axion luminosity of a target from draws of its stars, or from one star's profile.

    Parameters
    ----------
    target : str
        Bundled target or TOML file.
    coupling_GeV : float, optional
        Axion-photon coupling g [GeV^-1].
    profile : str, optional
        Profile of the star of a target that consists of one.
    shells, remainder_zeta, zeta_metals : optional
        Of :func:`~diffaxion.cli.predict_luminosity.predict_luminosity`, for a profile.
    settings : dict, optional
        Keys of :class:`~diffaxion.analyses.ensemble_config.EnsembleSection`.
    quiet : bool, optional
        No progress on standard error.

    Returns
    -------
    dict
        Median and 68 % interval of the luminosity in 10-80 keV and over all energies [erg/s],
        shares, what they were made from, and priors for an analysis.

    Raises
    ------
    ConfigurationError
        If the target, a setting or a class of stars is unknown, or a profile is given for more
        than one star or not given for a red supergiant.
    DataError
        If a file is malformed.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    from pydantic import ValidationError

    from ..analyses.cluster_ensembles import cluster_ensemble, warn_if_far
    from ..analyses.ensemble_config import EnsembleSection
    from ..constants import G_REF_GEV
    from ..data.cluster_files import load_cluster
    from .predict_luminosity import predict_luminosity

    facts = load_cluster(target)
    if profile is not None:
        stars = sum(facts.stars.counts.values())
        if stars != 1:
            raise ConfigurationError(
                f"--profile with target {target}: describes one star, the target counts {stars}; "
                "use --tracks DIR with --structure profiles"
            )
        found = predict_luminosity(
            profile, None, coupling_GeV, (10.0, 80.0), shells, remainder_zeta, zeta_metals
        )
        where = {
            "distance_kpc": facts.sightline.distance_kpc,
            "unverified": facts.unverified(),
        }
        return {"target": facts.name, **found, **where}
    if not 0.0 <= coupling_GeV < math.inf:
        raise ConfigurationError(
            f"coupling = {coupling_GeV!r} GeV^-1: expected a finite number >= 0, e.g. 1e-12"
        )
    try:
        section = EnsembleSection(**(settings or {}))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigurationError(f"ensemble: {'; '.join(lines)}") from None
    made = cluster_ensemble(facts, section, _progress(quiet))
    warn_if_far(made)
    u = (coupling_GeV / G_REF_GEV) ** 2
    return {"coupling_GeV": coupling_GeV, **_scaled(made.summary(), u)}


def _scaled(values: dict[str, Any], u: float) -> dict[str, Any]:
    """Luminosities, which are quadratic in the coupling, multiplied by u."""

    def times(x: Any) -> Any:
        if isinstance(x, dict):
            return {k: times(v) for k, v in x.items()}
        return None if x is None else u * x

    return {k: times(v) if k.endswith("_erg_s") else v for k, v in values.items()}


def show_cluster(found: dict[str, Any], as_json: bool) -> None:
    """Print a result: one JSON object, or lines for people and priors to copy.

    Parameters
    ----------
    found : dict
        Of :func:`predict_cluster`.
    as_json : bool
        Whether to print JSON.

    Returns
    -------
    None
        Called for what it prints.

    References
    ----------
    None: a table.
    """
    if as_json:
        typer.echo(json.dumps(found))
        return
    rows = {k: v for k, v in found.items() if k != "priors" and v is not None and v != []}
    width = max(len(k) for k in rows)
    for key, value in rows.items():
        typer.echo(f"{key:<{width}}  {_text(value)}")
    if found.get("priors"):
        typer.echo("\n# for the signal 'ensemble':\n[priors]")
        for path, prior in found["priors"].items():
            inside = ", ".join(
                f"{k} = {json.dumps(v) if isinstance(v, str) else f'{v:.4g}'}"
                for k, v in prior.items()
            )
            typer.echo(f'"{path}" = {{ {inside} }}')


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "  ".join(_text(v) for v in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
