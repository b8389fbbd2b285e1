"""Observations without a list of files: which image is what, from names alone.

Names are those of the standard processing where it has one, and follow it otherwise:

    nu40010005001A01_10to15keV_sk.img     counts, one per energy bin; or nu40010005001A01_cl.evt
    nu40010005001A01_ex.img               exposure; or one per bin, ..._10to15keV_ex.img
    nu40010005001A01_10to15keV_bgd.img    expected background counts, one per bin
    nu40010005001A01_sr.arf, .rmf         responses, optional

``.fits`` in place of ``.img``, and ``.gz`` after either, are recognised. Nothing in a name says
where the target is: its name comes from elsewhere, and exposures are not aligned.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import DataError
from .file_list import FILE_LIST, ObservationFiles, parse_file_list, read_file_list

_BAND = re.compile(
    r"(nu(\d{11})([AB])\d\d)_(\d+(?:\.\d+)?)to(\d+(?:\.\d+)?)keV_(sk|ex|bgd)\.(?:img|fits)(?:\.gz)?"
)
_WHOLE = re.compile(
    r"(nu(\d{11})([AB])\d\d)_(?:(ex)\.(?:img|fits)|(cl)\.evt|sr\.(arf|rmf))(?:\.gz)?"
)
_SCIENCE = "01"
_EXAMPLE = "nu40010005001A01_10to15keV_sk.img"


def observation_files(path: str | Path) -> ObservationFiles:
    """The files of an observation: as listed, or as their names say.

    Parameters
    ----------
    path : str or Path
        ``observation.toml``, or a folder that holds it, or a folder of files with names of the
        standard processing.

    Returns
    -------
    ObservationFiles
        Checked list; energies in keV.

    Raises
    ------
    DataError
        If there is neither a list nor a file with such a name, or files are missing; all of them
        are named.

    References
    ----------
    NuSTAR Data Analysis Software Guide (names of files).
    """
    path = Path(path)
    if path.is_dir() and not (path / FILE_LIST).exists():
        return parse_file_list(path / FILE_LIST, _discover(path))
    return read_file_list(path)


def bundled_observation() -> Path:
    """Folder of the bundled simulated observation of Quintuplet: a toy for tutorials, not data.

    Returns
    -------
    Path
        Folder with ``observation.toml`` and 7 energy bins of 10 keV, made by
        ``scripts/make_simulated_observation.py`` with a signal of g = 5.5e-12 GeV^-1.

    References
    ----------
    None: simulated.
    """
    return Path(str(files("diffaxion.data") / "simulated" / "simulated_quintuplet"))


def _discover(folder: Path) -> dict[str, Any]:
    """Content of a list for a folder without one."""
    bands: dict[str, dict[str, dict[tuple[float, float], str]]] = {}
    whole: dict[str, dict[str, str]] = {}
    for file in sorted(folder.iterdir()):
        if found := _BAND.fullmatch(file.name):
            band = (float(found[4]), float(found[5]))
            bands.setdefault(found[1], {}).setdefault(found[6], {})[band] = file.name
        elif found := _WHOLE.fullmatch(file.name):
            whole.setdefault(found[1], {})[found[4] or found[5] or found[6]] = file.name
    # The processing leaves events of other modes (02 occultation, ..., 06 without star tracker)
    # beside those of science, 01: they are taken only where images of theirs were made.
    science = {s for s, known in whole.items() if "cl" in known and s.endswith(_SCIENCE)}
    stems = sorted({*bands} | science)
    images = [kinds.get(kind, {}) for kinds in bands.values() for kind in ("sk", "bgd")]
    bins = sorted({band for found in images for band in found})
    if not stems or not bins:
        raise DataError(
            f"{folder}: has neither {FILE_LIST} nor images with names such as {_EXAMPLE}; write "
            f"{FILE_LIST}, which says which file is what (`diffaxion xray simulate` writes an "
            "example)"
        )
    rows = [_exposure(folder, s, bins, bands.get(s, {}), whole.get(s, {})) for s in stems]
    return {"bins_keV": [list(b) for b in bins], "exposures": rows}


def _exposure(
    folder: Path,
    stem: str,
    bins: list[tuple[float, float]],
    bands: dict[str, dict[tuple[float, float], str]],
    whole: dict[str, str],
) -> dict[str, Any]:
    """Row of a list for one observation and module."""
    missing: list[str] = []

    def each(kind: str) -> list[str]:
        known = bands.get(kind, {})
        missing.extend(f"{stem}_{a:g}to{b:g}keV_{kind}.img" for a, b in bins if (a, b) not in known)
        return [known.get(b, "") for b in bins]

    row: dict[str, Any] = {"obs_id": stem[2:13], "module": f"FPM{stem[13]}"}
    if "cl" in whole and "sk" not in bands:
        row["events"] = whole["cl"]
    else:
        row["counts"] = each("sk")
    row["background"] = each("bgd")
    if "ex" in whole:
        row["exposure"] = whole["ex"]
    elif "ex" in bands:
        row["exposure"] = each("ex")
    else:
        missing.append(f"{stem}_ex.img")
    if missing:
        shown = ", ".join(missing[:6]) + (f" and {len(missing) - 6} more" if missing[6:] else "")
        raise DataError(
            f"{folder}: has no {FILE_LIST}, and of {stem} these files are missing: {shown}; "
            f"rename yours, or name them in {FILE_LIST}"
        )
    return row | {key: whole[key] for key in ("arf", "rmf") if key in whole}
