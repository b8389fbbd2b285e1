"""``diffaxion predict screening``: angular spectra of photon-to-axion screening in halos."""

from __future__ import annotations

import warnings
from typing import Annotated, Any

import numpy as np
import typer

from ..errors import ConfigurationError, DiffaxionWarning, ValidityError
from . import screening_options as model_options
from .options import Json, emit, parse_numbers

COUPLING_GEV = 1e-11
UNITS = {"Tg": "uK", "TT": "uK^2", "gg": "dimensionless"}
# Power of the strength u, proportional to the square of the coupling.
ORDER = {"Tg": 1, "TT": 2, "gg": 0}
# Lengths to which the list of multipoles is filled up, so that a compiled program serves many.
_LENGTHS = (4, 16, 64, 256)


def _check_numbers(**values: tuple[float | None, str, bool]) -> None:
    for name, (value, unit, zero) in values.items():
        if value is None or (np.isfinite(value) and (value > 0.0 or (zero and value == 0.0))):
            continue
        bound = ">= 0" if zero else "> 0"
        raise ValidityError(f"--{name} = {value:g} {unit}: expected a finite number {bound}")


def _filled(ell: np.ndarray) -> np.ndarray:
    """Multipoles with the last one repeated up to one of few lengths."""
    size = next((n for n in _LENGTHS if n >= ell.size), ell.size)
    return np.concatenate([ell, np.full(size - ell.size, ell[-1])])


def predict_screening(
    m_a_eV: float,
    ell: np.ndarray,
    coupling_GeV: float | None = None,
    epsilon: float | None = None,
    spectrum: str = "Tg",
    configuration: str = "default",
    passband: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Spectrum of screening with what it was computed from.

    Parameters
    ----------
    m_a_eV : float
        Mass of the boson [eV], > 0.
    ell : array, shape (l,)
        Multipoles, >= 2.
    coupling_GeV : float, optional
        Coupling of an axion [GeV^-1], >= 0; default 1e-11.
    epsilon : float, optional
        Kinetic mixing of a dark photon, >= 0; default 1e-8.
    spectrum : str
        ``Tg`` (temperature and galaxies, negative), ``TT`` or ``gg``.
    configuration : str
        ``default`` or ``parity``.
    passband : str, optional
        File with frequencies [GHz] and transmission; exclusive with ``nu_GHz``.
    **options
        Keys of :class:`~diffaxion.analyses.ScreeningSection`; None leaves the configuration's
        choice.

    Returns
    -------
    dict
        ``ell``, ``cl_1h``, ``cl_2h``, ``cl`` (lists of l numbers), ``units``, ``configuration``,
        mass and coupling, the explicit options in ``overrides`` and all choices in ``options``.

    Raises
    ------
    ConfigurationError, DataError, ValidityError
        On unknown names, unusable files, and numbers that are out of range.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    from ..analyses.config import check_choice
    from ..analyses.screening import screening_spectrum, screening_terms, screening_world
    from ..analyses.screening_checks import check_tables, resonant_masses, warn_tangential
    from ..constants import G_REF_GEV
    from ..conversion.landau_zener import EPSILON_REF
    from ..observables.cmb.sed import REFERENCE_GHZ
    from ..runtime import enable_cache

    kind: Any = check_choice("--spectrum", spectrum, tuple(UNITS))
    _check_numbers(
        mass=(m_a_eV, "eV", False),
        coupling=(coupling_GeV, "GeV^-1", True),
        epsilon=(epsilon, "", True),
        frequency=(options.get("nu_GHz"), "GHz", False),
    )
    _check_numbers(**{"mass-cap": (options.get("field_mass_cap_Msun"), "Msun", False)})
    bad = ell[~(ell >= 2.0)]
    if bad.size:
        raise ValidityError(f"--ell = {bad[0]:g}: expected multipoles >= 2")
    section, explicit = model_options.chosen_section(configuration, **options)
    axion = section.boson == "axion"
    if axion and epsilon is not None:
        raise ConfigurationError(
            "--epsilon is the mixing of a dark photon: add --boson dark-photon"
        )
    if not axion and coupling_GeV is not None:
        raise ConfigurationError(
            "--coupling is that of an axion: give --epsilon with --boson dark-photon"
        )
    if not axion and "field" in explicit:
        raise ConfigurationError("--field does not act on dark photons, which convert without one")
    if passband is not None and "nu_GHz" in explicit:
        raise ConfigurationError("--frequency and --passband exclude each other: give one")
    band = 1.0 if passband is None else _band_factor(passband, section.boson)

    if axion:
        strength = {"coupling_GeV": COUPLING_GEV if coupling_GeV is None else coupling_GeV}
        u = (strength["coupling_GeV"] / G_REF_GEV) ** 2
    else:
        strength = {"epsilon": EPSILON_REF if epsilon is None else epsilon}
        u = (strength["epsilon"] / EPSILON_REF) ** 2
    world = screening_world(section, m_a_eV)
    check_tables(section, world, ell)
    model = screening_spectrum(section, _filled(ell))
    enable_cache()
    one, two = (np.asarray(x)[: ell.size] for x in screening_terms(model, world, None, kind))
    if kind != "gg":
        warn_tangential(model, world, m_a_eV)
    if kind != "gg" and not np.any(one) and not np.any(two):
        low, high = resonant_masses(model, world)
        if not low <= m_a_eV <= high:
            warnings.warn(
                f"m_a = {m_a_eV:g} eV resonates in no halo, the spectrum is 0: with these options "
                f"masses between {low:.3g} and {high:.3g} eV do",
                DiffaxionWarning,
                stacklevel=2,
            )
    factor = (u * band) ** ORDER[kind]
    return {
        "ell": [float(x) for x in ell],
        "cl_1h": [float(x) for x in factor * one],
        "cl_2h": [float(x) for x in factor * two],
        "cl": [float(x) for x in factor * (one + two)],
        "units": UNITS[kind],
        "configuration": configuration,
        "spectrum": kind,
        "boson": section.boson,
        "m_a_eV": m_a_eV,
        **strength,
        "nu_GHz": section.nu_GHz if passband is None else REFERENCE_GHZ,
        "passband": passband,
        "passband_factor": band,
        "overrides": explicit,
        "options": section.model_dump(mode="json"),
    }


def _band_factor(path: str, boson: str) -> float:
    """Signal in a passband relative to 353 GHz."""
    import jax.numpy as jnp

    from ..data.passband import read_passband
    from ..observables.cmb.sed import dark_photon_sed, passband_average, screening_sed

    nu, transmission = (jnp.asarray(x) for x in read_passband(path))
    sed = screening_sed if boson == "axion" else dark_photon_sed
    return float(passband_average(sed(nu), nu, transmission))


def _flat(result: dict[str, Any]) -> dict[str, Any]:
    """For people: each choice on its own line, and nothing that is not there."""
    text = {k: v for k, v in result.items() if k not in ("options", "overrides")}
    if result["passband"] is None:
        text = {k: v for k, v in text.items() if not k.startswith("passband")}
    text |= {
        f"{key}{' (given)' * (key in result['overrides'])}": " ".join(map(str, value))
        if isinstance(value, list)
        else str(value)
        for key, value in result["options"].items()
        if key not in text and value is not None
    }
    return text


def register(app: typer.Typer) -> None:
    """Add the command ``screening`` to a group of commands."""

    @app.command("screening")
    def screening(
        mass: Annotated[float, typer.Option("--mass", metavar="M", help="Mass [eV].")],
        ell: Annotated[
            str, typer.Option("--ell", metavar="L1,L2,...", help="Multipoles, 2 or more.")
        ],
        coupling: Annotated[
            float | None,
            typer.Option("--coupling", metavar="G", help="Coupling [GeV^-1] [default: 1e-11]."),
        ] = None,
        spectrum: Annotated[
            str,
            typer.Option("--spectrum", metavar="KIND", help="Tg, TT or gg, one- and two-halo."),
        ] = "Tg",
        configuration: model_options.ConfigurationName = "default",
        galaxies: model_options.Galaxies = None,
        hod: model_options.Occupation = None,
        gas: model_options.Gas = None,
        field: model_options.Field = None,
        mass_cap: model_options.MassCap = None,
        concentration: model_options.Concentration = None,
        power: model_options.Power = None,
        boson: Annotated[
            str | None, typer.Option("--boson", metavar="KIND", help="axion or dark-photon.")
        ] = None,
        epsilon: Annotated[
            float | None,
            typer.Option("--epsilon", metavar="E", help="Mixing of a dark photon [default: 1e-8]."),
        ] = None,
        frequency: Annotated[
            float | None,
            typer.Option("--frequency", metavar="GHZ", help="Of the CMB map [default: 353]."),
        ] = None,
        passband: Annotated[
            str | None,
            typer.Option(
                "--passband", metavar="FILE", help="Columns nu_GHz, transmission: average over it."
            ),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Spectra of CMB screening: photons that convert to axions in halos.

        Tg is negative: screening removes photons. Explicit options override the configuration.

        Example: diffaxion predict screening --mass 3e-13 --coupling 1e-11 --ell 100,1000 --json
        """
        result = predict_screening(
            mass,
            parse_numbers(ell, "--ell", "multipoles"),
            coupling,
            epsilon,
            spectrum,
            configuration,
            passband,
            galaxies=galaxies,
            hod=hod,
            gas=gas,
            field=field,
            field_mass_cap_Msun=mass_cap,
            concentration=concentration,
            power=power,
            boson=boson,
            nu_GHz=frequency,
        )
        emit(result if as_json else _flat(result), as_json)
