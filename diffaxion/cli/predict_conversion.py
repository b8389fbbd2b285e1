"""``diffaxion predict conversion``: axion-photon probability along one sight line."""

from __future__ import annotations

import warnings
from typing import Annotated, Any

import numpy as np
import typer

from ..errors import ConfigurationError, DiffaxionWarning, ValidityError
from .options import Json, emit, parse_numbers


def predict_conversion(
    energy_keV: np.ndarray,
    m_a_eV: float,
    coupling_GeV: float = 1e-12,
    target: str | None = None,
    direction: tuple[float, float, float] | None = None,
    sun_kpc: float = 8.3,
    field: str = "jf12",
    inner: str = "preset",
    inner_b_z_muG: float | None = None,
    density: str = "ymw16",
    engine: str = "auto",
    turbulence: str = "none",
    column_1e22_cm2: float = 0.0,
    nodes: int = 2000,
) -> dict[str, Any]:
    """Conversion probability along one sight line, with what it was computed from.

    Parameters
    ----------
    energy_keV : array, shape (e,)
        Energies [keV], > 0.
    m_a_eV : float
        Axion mass [eV], > 0.
    coupling_GeV : float
        Coupling [GeV^-1], >= 0.
    target : str, optional
        Bundled target; exclusive with ``direction``.
    direction : tuple of three floats, optional
        Longitude, latitude [deg] and distance [kpc].
    sun_kpc : float
        Distance of the Sun from the centre, for the field only [kpc].
    field, inner, density, turbulence : str
        Names of the models.
    inner_b_z_muG : float, optional
        B_z within 1 kpc of the centre [muG].
    engine : str
        ``born``, ``exact`` or ``auto``.
    column_1e22_cm2 : float
        Hydrogen column of photoelectric absorption [1e22 cm^-2].
    nodes : int
        Base nodes of the sight line.

    Returns
    -------
    dict
        ``energy_keV``, ``probability`` (lists of e numbers) and the settings in use.

    Raises
    ------
    ConfigurationError, ValidityError
        On unknown names, on a distance or mass <= 0, a negative coupling or column, numbers that
        are not finite, and energies outside 5-80 keV with a column.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Raffelt & Stodolsky 1988, PRD 37, 1237.
    """
    import equinox as eqx
    import jax.numpy as jnp

    from ..analyses.config import ModelSection, check_choice
    from ..analyses.star_clusters import build_galaxy
    from ..conversion.absorption import photoelectric_cross_section_cm2, uniform_hydrogen_cm3
    from ..conversion.axion import Axion
    from ..conversion.engine import conversion_probability, resolve_engine
    from ..conversion.galactic import random_field_probability
    from ..environments.galaxy.sightline import sample_path, uniform_fractions
    from ..environments.stars.clusters import cluster

    if (target is None) == (direction is None):
        raise ConfigurationError(
            "give either --target NAME or all of --longitude, --latitude and --distance"
        )
    for name, value, unit, zero in (
        ("--mass", m_a_eV, "eV", False),
        ("--coupling", coupling_GeV, "GeV^-1", True),
        ("--sun", sun_kpc, "kpc", False),
        ("--column", column_1e22_cm2, "1e22 cm^-2", True),
        ("--distance", 1.0 if direction is None else direction[2], "kpc", False),
        *(("--energy", float(e), "keV", False) for e in energy_keV),
    ):
        if not (np.isfinite(value) and (value > 0.0 or (zero and value == 0.0))):
            bound = ">= 0" if zero else "> 0"
            hint = "; for the massless limit give a tiny mass such as 1e-16" * (name == "--mass")
            raise ValidityError(
                f"{name} = {value:g} {unit}: expected a finite number {bound}{hint}"
            )
    for name, value in (
        ("--longitude", 0.0 if direction is None else direction[0]),
        ("--latitude", 0.0 if direction is None else direction[1]),
        ("--inner-bz", inner_b_z_muG or 0.0),
    ):
        if not np.isfinite(value) or (name == "--latitude" and abs(value) > 90.0):
            bound = " between -90 and 90 deg" * (name == "--latitude")
            raise ValidityError(f"{name} = {value:g}: expected a finite number{bound}")
    check_choice("--engine", engine, ("auto", "born", "exact"))
    check_choice("--turbulence", turbulence, ("none", "jf12", "jf12b"))
    if nodes < 2:
        raise ValidityError(f"--nodes = {nodes}: expected at least 2")
    if density == "ne2001" and target is None:
        raise ConfigurationError(
            "--density ne2001 is tabulated along the sight lines of the targets quintuplet and wd1 "
            "only: give --target, or use --density ymw16"
        )
    model = ModelSection(
        targets=[target or "direction"],
        field=field,
        inner=inner,
        inner_b_z_muG=inner_b_z_muG,
        density=density,
        turbulence=turbulence,  # type: ignore[arg-type]
        r_sun_kpc=sun_kpc,
    )
    galaxy = build_galaxy(model)
    if direction is None:
        source = cluster(str(target))
        place = (source.longitude_deg, source.latitude_deg, source.distance_kpc)
    else:
        longitude, latitude, distance = (jnp.asarray(x, float) for x in direction)
        place = (longitude, latitude, distance)
    line = galaxy.sightline(*place)
    density_model = galaxy.density_toward(target or "direction")
    if density == "ne2001":
        density_model.check(line)  # type: ignore[attr-defined]
    energy, sigma = jnp.asarray(energy_keV), None
    if column_1e22_cm2 > 0.0:
        sigma = photoelectric_cross_section_cm2(energy)
    path = eqx.filter_jit(sample_path)(line, galaxy.field, density_model, uniform_fractions(nodes))
    if m_a_eV > 1e-10:
        warnings.warn(
            f"m_a = {m_a_eV:g} eV is above 1e-10 eV: edges of the field model and the ends of the "
            "line set this probability (FIELD_STRUCTURE); do not quote it as a prediction",
            DiffaxionWarning,
            stacklevel=2,
        )
    axion = Axion.from_g(m_a_eV, coupling_GeV)
    if sigma is not None:
        n_h = uniform_hydrogen_cm3(jnp.asarray(column_1e22_cm2 * 1e22), path.s_kpc)
        path = type(path)(path.s_kpc, path.b_l_muG, path.b_b_muG, path.n_e_cm3, n_h)
    used = resolve_engine(engine, path, axion, energy)
    p = conversion_probability(path, axion, energy, used, cross_section_cm2=sigma)
    if galaxy.turbulence is not None:
        p = p + axion.u * random_field_probability(
            galaxy.turbulence, line, path, energy, axion.m_a_eV
        )
    return {
        "energy_keV": [float(e) for e in energy_keV],
        "probability": [float(x) for x in np.asarray(p)],
        "m_a_eV": m_a_eV,
        "coupling_GeV": coupling_GeV,
        "longitude_deg": float(place[0]),
        "latitude_deg": float(place[1]),
        "distance_kpc": float(place[2]),
        "r_sun_kpc": sun_kpc,
        "field": field,
        "inner": inner,
        "inner_b_z_muG": inner_b_z_muG,
        "density": density,
        "turbulence": turbulence,
        "column_1e22_cm2": column_1e22_cm2,
        "engine": used,
        "nodes": int(path.s_kpc.size),
    }


def register(app: typer.Typer) -> None:
    """Add the command ``conversion`` to a group of commands."""

    @app.command("conversion")
    def conversion(
        mass: Annotated[float, typer.Option("--mass", metavar="M", help="Axion mass [eV].")],
        energy: Annotated[
            str, typer.Option("--energy", metavar="E1,E2,...", help="Photon energies [keV].")
        ],
        target: Annotated[
            str | None,
            typer.Option("--target", metavar="NAME", help="quintuplet, wd1 or arches."),
        ] = None,
        longitude: Annotated[
            float | None, typer.Option("--longitude", help="Galactic longitude [deg].")
        ] = None,
        latitude: Annotated[
            float | None, typer.Option("--latitude", help="Galactic latitude [deg].")
        ] = None,
        distance: Annotated[
            float | None, typer.Option("--distance", help="Distance from the Sun [kpc].")
        ] = None,
        sun: Annotated[
            float, typer.Option("--sun", help="R_sun of the magnetic field only [kpc].")
        ] = 8.3,
        field: Annotated[
            str,
            typer.Option(
                "--field",
                help="jf12, jf12b, jf12c, jf12-solenoidal, ptkn11-ass (ptkn11), ptkn11-bss, "
                "uf23-base, -expX, -neCL, -twistX, -nebCor, -cre10, -synCG or -spur.",
            ),
        ] = "jf12",
        inner_bz: Annotated[
            float | None,
            typer.Option("--inner-bz", metavar="UG", help="(0, 0, B_z) within 1 kpc [muG]."),
        ] = None,
        mask_inner: Annotated[
            bool, typer.Option("--mask-inner", help="B = 0 within 1 kpc of the centre.")
        ] = False,
        inner: Annotated[
            str,
            typer.Option(
                "--inner",
                help="Inner kiloparsec otherwise: preset, uniform, mask, continue, strong, "
                "intercloud, radio_arc.",
            ),
        ] = "preset",
        density: Annotated[
            str, typer.Option("--density", help="ymw16, or ne2001 (quintuplet and wd1 only).")
        ] = "ymw16",
        turbulence: Annotated[
            str,
            typer.Option(
                "--turbulence", help="none, jf12 or jf12b: expected contribution of turbulence."
            ),
        ] = "none",
        coupling: Annotated[
            float, typer.Option("--coupling", metavar="G", help="Coupling [GeV^-1].")
        ] = 1e-12,
        engine: Annotated[str, typer.Option("--engine", help="born, exact or auto.")] = "auto",
        column: Annotated[
            float,
            typer.Option("--column", help="Hydrogen column of absorption [1e22 cm^-2]."),
        ] = 0.0,
        nodes: Annotated[int, typer.Option("--nodes", help="Base nodes of the sight line.")] = 2000,
        as_json: Json = False,
    ) -> None:
        """Axion-photon conversion probability along a Galactic sight line.

        Example: diffaxion predict conversion --target quintuplet --mass 1e-13 --energy 10,80 --json
        """
        place = (longitude, latitude, distance)
        if any(x is not None for x in place) and any(x is None for x in place):
            raise ConfigurationError("--longitude, --latitude and --distance go together")
        if mask_inner and inner_bz is not None:
            raise ConfigurationError("--mask-inner and --inner-bz exclude each other: give one")
        if (mask_inner or inner_bz is not None) and inner != "preset":
            raise ConfigurationError("--inner excludes --mask-inner and --inner-bz: give one")
        if mask_inner:
            inner = "mask"
        elif inner_bz is not None:
            inner = "uniform"
        result = predict_conversion(
            parse_numbers(energy, "--energy", "keV"),
            mass,
            coupling,
            target,
            None if longitude is None else (longitude, float(latitude or 0), float(distance or 0)),
            sun,
            field,
            inner,
            inner_bz,
            density,
            engine,
            turbulence,
            column,
            nodes,
        )
        emit(result, as_json)
