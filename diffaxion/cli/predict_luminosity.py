"""``diffaxion predict luminosity``: axion luminosity of one star, or of the stars of a target."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer

from ..errors import ConfigurationError, ValidityError
from .options import Json, Quiet, Seed, emit, parse_numbers
from .predict_cluster import parse_thresholds, predict_cluster, show_cluster

# A flag is raised when more than this share of the luminosity comes from outside validity.
FLAG_SHARE = 0.01


def _profile_star(
    path: str, shells: str, remainder_zeta: float | None, zeta_metals: float | None
) -> tuple[Any, dict[str, Any]]:
    from ..constants import R_SUN_CM, R_SUN_MESA_CM
    from ..data.mesa import read_profile
    from ..environments.stars.profile import profile_from_mesa

    # The thin rule exists to compare with published luminosities, which took the IAU radius.
    mesa = read_profile(path, R_SUN_CM if shells == "thin" else R_SUN_MESA_CM)
    star = profile_from_mesa(mesa, shells, remainder_zeta, zeta_metals)
    facts = {
        "model": "profile",
        "source": path,
        "zones": len(mesa.radius_cm),
        "shells": shells,
        "rsun_cm": mesa.rsun_cm,
        "remainder_zeta": zeta_metals if mesa.lumped_metals else (remainder_zeta or 0.0),
    }
    return star, facts


def _eddington_star(
    text: str, shells: str, remainder_zeta: float | None
) -> tuple[Any, dict[str, Any]]:
    from ..constants import KELVIN_TO_KEV
    from ..environments.stars.composition import parse_composition
    from ..environments.stars.eddington import EddingtonStar, check_star

    parts = text.split(",")
    if len(parts) != 3:
        raise ConfigurationError(
            f"--star {text!r}: expected MASS_MSUN,TC_K,COMPOSITION, for instance "
            "30,4e7,H1=0.7:He4=0.28:C12=0.01"
        )
    if shells != "exact":
        raise ConfigurationError(
            f"--shells {shells}: applies to --profile only; a star of the Eddington model is "
            "integrated exactly"
        )
    mass, t_c = parse_numbers(",".join(parts[:2]), "--star MASS_MSUN,TC_K", "Msun, K")
    check_star(float(mass), float(t_c))
    star = EddingtonStar(mass, t_c * KELVIN_TO_KEV, parse_composition(parts[2], remainder_zeta))
    facts = {
        "model": "eddington",
        "source": text,
        "beta": float(star.beta),
        "central_density_g_cm3": float(star.rho_c_g_cm3),
        "remainder_zeta": remainder_zeta or 0.0,
    }
    return star, facts


def predict_luminosity(
    profile: str | None = None,
    star: str | None = None,
    coupling_GeV: float = 1e-12,
    band_keV: tuple[float, float] = (10.0, 80.0),
    shells: str = "exact",
    remainder_zeta: float | None = None,
    zeta_metals: float | None = None,
) -> dict[str, Any]:
    """Axion luminosity of a stellar profile or of an Eddington star.

    Parameters
    ----------
    profile : str, optional
        MESA ``profileN.data`` or comma-separated profile; exactly one of this and ``star``.
    star : str, optional
        ``MASS_MSUN,TC_K,H1=0.7:He4=0.28:...`` [IAU solar masses, K].
    coupling_GeV : float, optional
        Axion-photon coupling g [GeV^-1].
    band_keV : tuple of float, optional
        Band of the second luminosity [keV].
    shells : str, optional
        ``exact``, or ``thin`` (4 pi R^2 dr with the outer face and 1 Rsun = 6.957e10 cm where
        the file gives no unit), which reproduces published luminosities 2.4-2.8 % too high.
    remainder_zeta : float, optional
        Weight of the mass that the listed isotopes leave out; default 0.
    zeta_metals : float, optional
        Weight of all metals, for profiles without isotopes.

    Returns
    -------
    dict
        Scalars of shape (): ``total_erg_s``, ``band_erg_s`` [erg/s], ``mean_energy_keV`` (L/N
        over all energies) [keV], facts of the star, ``flags`` (share of the luminosity from
        zones outside each condition of validity) and ``outside_validity``.

    Raises
    ------
    ConfigurationError
        If not exactly one of profile and star is given, or an option is malformed.
    DataError
        If the profile is unusable or mass fractions sum to more than 1.01.
    ValidityError
        If the coupling is negative, or the mass or temperature is not positive.

    References
    ----------
    Raffelt 1988, Phys. Rev. D 37, 1356; Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    import jax.numpy as jnp

    from ..constants import G_REF_GEV
    from ..conversion.stellar import (
        band_luminosity,
        flagged_fractions,
        mean_energy_keV,
        total_luminosity,
    )

    if (profile is None) == (star is None):
        raise ConfigurationError(
            "give exactly one of --profile FILE and --star MASS,TC,COMPOSITION"
        )
    if not 0.0 <= coupling_GeV < math.inf:
        raise ValidityError(
            f"coupling = {coupling_GeV!r} GeV^-1: expected a finite number >= 0, e.g. 1e-12"
        )
    lo, hi = band_keV
    if not 0.0 < lo < hi < math.inf:
        raise ConfigurationError(f"band = {lo:g},{hi:g} keV: expected 0 < LO < HI")
    for name, value in (("remainder_zeta", remainder_zeta), ("zeta_metals", zeta_metals)):
        if value is not None and not 0.0 <= value < math.inf:
            raise ConfigurationError(f"{name} = {value!r}: expected a finite number >= 0")
    if profile is not None:
        model, facts = _profile_star(profile, shells, remainder_zeta, zeta_metals)
    else:
        model, facts = _eddington_star(str(star), shells, remainder_zeta)
    zones = model.profile()
    u = (coupling_GeV / G_REF_GEV) ** 2
    flags = flagged_fractions(zones, lo)
    too_hot = bool(getattr(model, "outside_validity", False))
    return {
        "total_erg_s": u * float(total_luminosity(zones)),
        "band_erg_s": u * float(band_luminosity(zones, jnp.asarray(lo), jnp.asarray(hi))),
        "mean_energy_keV": float(mean_energy_keV(zones)),
        "coupling_GeV": coupling_GeV,
        "band_keV": [lo, hi],
        **facts,
        "mass_Msun": float(zones.mass_Msun),
        "max_temperature_keV": float(jnp.max(zones.temperature_keV)),
        "flags": flags,
        "outside_validity": too_hot or any(f > FLAG_SHARE for f in flags.values()),
        "convention": "CODATA constants; massless axion; both photon polarisations; L ~ g^2",
    }


def register(app: typer.Typer) -> None:
    """Add the command ``luminosity`` to a group of commands."""

    @app.command("luminosity")
    def luminosity(
        profile: Annotated[
            str | None,
            typer.Option("--profile", metavar="FILE", help="MESA profileN.data or CSV profile."),
        ] = None,
        star: Annotated[
            str | None,
            typer.Option(
                "--star",
                metavar="MASS_MSUN,TC_K,COMPOSITION",
                help="Eddington model, e.g. 30,4e7,H1=0.7:He4=0.28:C12=0.01.",
            ),
        ] = None,
        coupling: Annotated[
            float, typer.Option("--coupling", metavar="G", help="Coupling [GeV^-1].")
        ] = 1e-12,
        band: Annotated[str, typer.Option("--band", metavar="LO,HI", help="Band [keV].")] = "10,80",
        shells: Annotated[
            str,
            typer.Option("--shells", help="Volumes: exact, or thin as in published work."),
        ] = "exact",
        remainder_zeta: Annotated[
            float | None,
            typer.Option(
                "--remainder-zeta", help="Charge weight of the unlisted mass [default: 0]."
            ),
        ] = None,
        zeta_metals: Annotated[
            float | None,
            typer.Option("--zeta-metals", help="Charge weight of metals, if not resolved."),
        ] = None,
        cluster: Annotated[
            str | None,
            typer.Option(
                "--cluster",
                metavar="NAME|FILE",
                help="Target: quintuplet, wd1, arches, betelgeuse or a TOML file; the options "
                "below choose its stars.",
            ),
        ] = None,
        tracks: Annotated[
            str | None,
            typer.Option(
                "--tracks",
                metavar="DIR",
                help="Stellar-evolution runs (MESA folders, MIST tracks) [default: the built-in "
                "nodes of one 85 Msun track].",
            ),
        ] = None,
        index: Annotated[
            str | None,
            typer.Option(
                "--index",
                metavar="FILE",
                help="CSV: run, initial_mass_Msun, initial_rotation_km_s, metallicity "
                "[default: DIR/index.csv, else the headers].",
            ),
        ] = None,
        structure: Annotated[
            str, typer.Option("--structure", help="eddington, or profiles: saved ones correct it.")
        ] = "eddington",
        weight: Annotated[
            str, typer.Option("--weight", help="Weight of a time step: time or step.")
        ] = "time",
        track_weight: Annotated[
            str, typer.Option("--track-weight", help="Weight of a track: population or equal.")
        ] = "population",
        rules: Annotated[
            str, typer.Option("--rules", help="Rules of spectral classes: paper or geneva.")
        ] = "paper",
        threshold: Annotated[
            list[str] | None,
            typer.Option("--threshold", metavar="NAME=VALUE", help="Threshold of the rules."),
        ] = None,
        ages: Annotated[
            str, typer.Option("--ages", help="cluster: the window of the target; all.")
        ] = "cluster",
        log_tc_max: Annotated[
            float | None,
            typer.Option("--log-tc-max", help="Leave out hotter steps [default: flag above 8.7]."),
        ] = None,
        draws: Annotated[int, typer.Option("--draws", help="Draws of the stars.")] = 500,
        seed: Seed = 1,
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """Axion luminosity of one star or of a target: total, in a band, and mean energy.

        Example: diffaxion predict luminosity --star 30,4e7,H1=0.7:He4=0.28:C12=0.01 --json

        Example: diffaxion predict luminosity --cluster wd1 --tracks runs --ages cluster
        """
        edges = parse_numbers(band, "--band", "keV")
        chosen = {
            "tracks": tracks,
            "index": index,
            "structure": structure,
            "weight": weight,
            "track_weight": track_weight,
            "rules": rules,
            "thresholds": parse_thresholds(threshold or []),
            "ages": ages,
            "log_t_c_max": log_tc_max,
            "draws": draws,
            "seed": seed,
        }
        if cluster is not None:
            if star is not None or band != "10,80":
                raise ConfigurationError(
                    "--cluster: takes neither --star nor --band; its band is 10,80 keV"
                )
            result = predict_cluster(
                cluster, coupling, profile, shells, remainder_zeta, zeta_metals, chosen, quiet
            )
            show_cluster(result, as_json)
            return
        if tracks is not None or index is not None:
            raise ConfigurationError("--tracks and --index need --cluster NAME|FILE")
        if edges.size != 2:
            raise ConfigurationError(f"--band {band!r}: expected two energies LO,HI [keV]")
        result = predict_luminosity(
            profile,
            star,
            coupling,
            (float(edges[0]), float(edges[1])),
            shells,
            remainder_zeta,
            zeta_metals,
        )
        emit(result, as_json)
