"""Options of the commands that read images of NuSTAR, and how they are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from ..analyses.config import Configuration
    from ..analyses.xray_observation import Observation

Folders = Annotated[
    list[str],
    typer.Argument(
        metavar="DIR...",
        help="Folders with observation.toml, or with files named as in the standard processing; "
        "`diffaxion xray simulate` writes an example, `bundled` is one.",
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="NAME|FILE",
        help="Target: quintuplet, wd1, arches, betelgeuse, or a TOML file "
        "[default: as observation.toml says].",
    ),
]
Stars = Annotated[
    str | None,
    typer.Option(
        "--stars",
        metavar="FILE",
        help="Star list (CSV: ra_deg, dec_deg, class, and weight or luminosity) "
        "[default: as observation.toml says, else all stars at the centre].",
    ),
]
Psf = Annotated[
    str | None,
    typer.Option(
        "--psf",
        metavar="FILE",
        help="PSF: CSV (radius_arcsec, density) or FITS image [default: a model of NuSTAR's].",
    ),
]
Roi = Annotated[
    float | None,
    typer.Option(
        "--roi", metavar="ARCMIN", help="Radius of the region [default: as observation.toml says]."
    ),
]
Rebin = Annotated[int, typer.Option("--rebin", min=1, help="Join blocks of pixels.")]
By = Annotated[
    str,
    typer.Option(
        "--by",
        help="What has a background of its own: all (one per energy bin), module, observation or "
        "exposure.",
    ),
]
Unmasked = Annotated[bool, typer.Option("--unmasked", help="Keep the discs around other sources.")]
AllEnergies = Annotated[
    bool,
    typer.Option("--all-energies", help="Keep bins below the lowest energy of the target."),
]
Signal = Annotated[
    str | None,
    typer.Option(
        "--signal", help="anchored, ensemble or published [default: anchored for images]."
    ),
]
Config = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="TOML with field, density, stars and numerics."),
]
MASS_EV = 1e-13
SIGNALS = ("anchored", "ensemble", "published")


def grouping(by: str) -> Any:
    """The option --by, checked."""
    from ..analyses.config import check_choice
    from ..analyses.count_images import Grouping

    return check_choice("--by", by, get_args(Grouping))


def signal_mode(signal: str | None) -> str:
    """The option --signal for images, checked."""
    from ..analyses.config import check_choice

    return check_choice("--signal", signal or "anchored", SIGNALS)


def read_folders(folders: Sequence[str], **choices: Any) -> list[Observation]:
    """Observations of folders that differ.

    Parameters
    ----------
    folders : sequence of str
        Folders or files.
    **choices
        As :func:`~diffaxion.analyses.xray_observation.read_observation`.

    Returns
    -------
    list of Observation
        In the order given.

    Raises
    ------
    ConfigurationError
        If there is none, or one is named twice.
    DataError
        If a file is unusable.

    References
    ----------
    None: input.
    """
    from ..analyses.configured_images import data_path
    from ..analyses.xray_observation import read_observation

    paths = [data_path(folder) for folder in folders]
    if not paths or len({p.resolve() for p in paths}) != len(paths):
        raise ConfigurationError(
            f"data folders {', '.join(folders)}: expected one or more different folders"
        )
    radius = choices.get("radius_arcmin")
    if radius is not None and not 0.0 < radius <= 30.0:
        raise ConfigurationError(f"--roi = {radius:g} arcmin: expected 0 < radius <= 30")
    return [read_observation(path, **choices) for path in paths]


def image_settings(
    config: str | None, observations: Sequence[Observation], signal: str
) -> Configuration:
    """Configuration of observations: their targets, X rays only.

    Parameters
    ----------
    config : str or None
        File, or a bundled configuration.
    observations : sequence of Observation
        Data.
    signal : str
        Mode.

    Returns
    -------
    Configuration
        Settings.

    Raises
    ------
    ConfigurationError
        If the file is unusable.

    References
    ----------
    None: configuration.
    """
    from ..analyses.config import load_configuration
    from ..analyses.xray_world import observation_settings

    return observation_settings(load_configuration(config), observations, signal)


def natures(observations: Sequence[Observation]) -> list[str]:
    """What the data are, where they were not measured."""
    found = dict.fromkeys(o.stack.nature for o in observations if o.stack.nature != "measured")
    return list(found)


def prepare(
    command: str, out: str | None, overwrite: bool, seed: int | None, chosen: dict[str, Any]
) -> tuple[Path, dict[str, Any]]:
    """Folder of the results and their provenance; the cache of compiled programs is on."""
    from ..provenance import prepare_output, provenance_record
    from ..runtime import enable_cache

    folder = prepare_output(out, f"xray-{command}", overwrite=overwrite)
    enable_cache()
    return folder, provenance_record(seed, chosen)


def finish(
    folder: Path, summary: dict[str, Any], record: dict[str, Any], name: str = "summary.json"
) -> None:
    """Write the summary of a command and its provenance."""
    from ..provenance import write_json

    write_json(folder / name, summary)
    write_json(folder / "provenance.json", record)
