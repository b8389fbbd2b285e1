"""Options of the screening model that its commands share, and the choices made from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..analyses.screening_config import ScreeningSection

ConfigurationName = Annotated[
    str,
    typer.Option("--configuration", metavar="NAME", help="default (physics first) or parity."),
]
Galaxies = Annotated[
    str | None,
    typer.Option(
        "--galaxies",
        metavar="NAME|FILE",
        help="unwise-blue, or a table with columns z and dndz, of integral 1.",
    ),
]
Occupation = Annotated[
    str | None, typer.Option("--hod", metavar="NAME", help="Galaxies per halo: K22 or K23.")
]
Gas = Annotated[
    str | None,
    typer.Option(
        "--gas",
        metavar="NAME|FILE",
        help="agn, sh, nfw, or a CSV with columns x, n_e_cm3 and optionally z, log10_M200c.",
    ),
]
Field = Annotated[
    str | None,
    typer.Option(
        "--field",
        metavar="NAME|FILE",
        help="tng, tng-smooth, beta:VALUE, constant:MICROGAUSS, or a CSV with columns x, B_muG "
        "and optionally z, log10_M200c.",
    ),
]
MassCap = Annotated[
    float | None,
    typer.Option(
        "--mass-cap",
        metavar="MSUN",
        help="Largest M200c in the pressure of a field beta:VALUE [Msun].",
    ),
]
Concentration = Annotated[
    str | None,
    typer.Option("--concentration", metavar="NAME", help="duffy08 or bhattacharya13."),
]
Power = Annotated[
    str | None,
    typer.Option(
        "--power",
        metavar="NAME|FILE",
        help="Linear P(k): camb, eisenstein-hu, or a table of z, k_Mpc, power_Mpc3.",
    ),
]


def chosen_section(configuration: str, **options: Any) -> tuple[ScreeningSection, dict[str, Any]]:
    """Choices of a configuration under explicit options, and those options.

    Parameters
    ----------
    configuration : str
        ``default`` or ``parity``.
    **options
        Values of the command line under the keys of ``ScreeningSection``; None was not given.

    Returns
    -------
    section : ScreeningSection
        All choices [Msun, GHz].
    explicit : dict
        The options that were given.

    Raises
    ------
    ConfigurationError
        On unknown names and impossible values.

    References
    ----------
    None: a command line.
    """
    from ..analyses.config import check_choice
    from ..analyses.screening_config import screening_section

    check_choice("--configuration", configuration, ("default", "parity"))
    explicit = {name: value for name, value in options.items() if value is not None}
    for name, allowed in (
        ("concentration", ("duffy08", "bhattacharya13")),
        ("boson", ("axion", "dark-photon")),
    ):
        if name in explicit:
            check_choice(f"--{name}", explicit[name], allowed)
    return screening_section(configuration, **explicit), explicit


def bandpower_source(text: str) -> str:
    """``--data`` in the form that the reader of kinds takes: a file is ``file:PATH``.

    Parameters
    ----------
    text : str
        What the user wrote.

    Returns
    -------
    str
        The same kind, with a bare path marked as one.

    References
    ----------
    None: a command line.
    """
    path = Path(text)
    is_path = path.is_file() or len(path.parts) > 1 or path.suffix == ".npz"
    return f"file:{text}" if is_path and not text.startswith("file:") else text
