"""Files of simulated skies, and the small one that travels with the package.

All arrays are plain (no pickle): maps in float32, masks as bytes, a_lm of the components that were
put in as complex64, spectra, responses, and the settings as JSON text. The file says what it is.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..provenance import atomic_write, versions
from .galactic_sky import GalacticSky
from .simulation import SimulatedSky
from .simulation_settings import SkySettings
from .sky_spectra import GALAXIES, SCREENING, CIBShell, SkySpectra

FORMAT = "diffaxion simulated sky 1"
_MASKS = ("temperature", "galaxies", "holes")


def write_simulated_sky(
    path: str | Path,
    sky: SimulatedSky,
    *,
    truth: Sequence[str] = (SCREENING, GALAXIES),
    compressed: bool = False,
) -> Path:
    """Write a simulated sky completely or not at all.

    Parameters
    ----------
    path : str or Path
        Destination, ``.npz``.
    sky : SimulatedSky
        The sky.
    truth : sequence of str
        Components whose a_lm are kept; those that the sky lacks are left out.
    compressed : bool
        Whether to compress, which takes long for large maps and gains little.

    Returns
    -------
    Path
        The file.

    References
    ----------
    None: a format of this package.
    """
    spectra = sky.spectra
    arrays: dict[str, Any] = {
        "format": FORMAT,
        "nature": sky.nature,
        "names": np.array(sky.names),
        "maps_K": sky.maps_K.astype(np.float32),
        "fwhm_arcmin": sky.fwhm_arcmin,
        "noise_uK_arcmin": sky.noise_uK_arcmin,
        "galaxies": sky.galaxies.astype(np.float32),
        "shot_noise_sr": sky.shot_noise_sr,
        "seed": sky.seed,
        "index": sky.index,
        "settings": json.dumps(asdict(sky.settings)),
        "versions": json.dumps(versions()),
        "spectra_names": np.array(spectra.names),
        "spectra_covariance": spectra.covariance,
        "spectra_label": spectra.label,
        "cib_shells": np.array(
            [[s.temperature_K, s.beta, s.share, s.correlation] for s in spectra.shells]
        ).reshape(-1, 4),
    }
    arrays |= {f"mask_{k}": m.astype(np.uint8) for k, m in sky.masks.items()}
    arrays |= {f"response_{k}": r for k, r in sky.responses.items()}
    kept = [k for k in truth if k in sky.truth]
    arrays |= {f"truth_{k}": sky.truth[k].astype(np.complex64) for k in kept}
    save = np.savez_compressed if compressed else np.savez
    return atomic_write(path, lambda p: save(p, **arrays))


def read_simulated_sky(path: str | Path) -> SimulatedSky:
    """Read a simulated sky.

    Parameters
    ----------
    path : str or Path
        File of :func:`write_simulated_sky`.

    Returns
    -------
    SimulatedSky
        In float64; ``truth`` holds the components that the file keeps.

    Raises
    ------
    DataError
        If the file cannot be read, is of another kind, or lacks an array.

    References
    ----------
    None: a format of this package.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a readable .npz file ({error})") from None
    found = str(arrays.get("format", "none"))
    if found != FORMAT:
        raise DataError(
            f"{path}: format {found!r}, expected {FORMAT!r}: a file of a simulated sky, as "
            "write_simulated_sky makes it"
        )
    try:
        return _assemble(arrays)
    except KeyError as error:
        raise DataError(f"{path}: array {error} is missing, write the file again") from None


def _assemble(arrays: dict[str, np.ndarray]) -> SimulatedSky:
    def group(prefix: str) -> dict[str, np.ndarray]:
        return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

    settings = json.loads(str(arrays["settings"]))
    settings["components"] = tuple(settings["components"])
    settings["galactic"] = GalacticSky(**settings["galactic"])
    spectra = SkySpectra(
        tuple(str(n) for n in arrays["spectra_names"]),
        arrays["spectra_covariance"],
        tuple(CIBShell(*(float(v) for v in row)) for row in arrays["cib_shells"]),
        str(arrays["spectra_label"]),
    )
    return SimulatedSky(
        names=tuple(str(n) for n in arrays["names"]),
        maps_K=arrays["maps_K"].astype(float),
        fwhm_arcmin=arrays["fwhm_arcmin"],
        noise_uK_arcmin=arrays["noise_uK_arcmin"],
        galaxies=arrays["galaxies"].astype(float),
        shot_noise_sr=float(arrays["shot_noise_sr"]),
        masks={k: arrays[f"mask_{k}"].astype(float) for k in _MASKS},
        truth={k: v.astype(complex) for k, v in group("truth_").items()},
        responses=group("response_"),
        spectra=spectra,
        settings=SkySettings(**settings),
        seed=int(arrays["seed"]),
        index=int(arrays["index"]),
        nature=str(arrays["nature"]),
    )


def bundled_simulated_sky() -> SimulatedSky:
    """The small simulated sky that travels with the package: nside 32, eight channels, A = 30.

    A toy for tutorials and tests, made by ``scripts/make_simulated_sky.py``; not data.

    Returns
    -------
    SimulatedSky
        Maps [K_CMB], galaxies, masks and what was put in.

    References
    ----------
    A toy after Goldstein et al. 2024, arXiv:2409.10514.
    """
    folder = Path(str(files("diffaxion.data"))) / "simulated"
    return read_simulated_sky(folder / "simulated_sky_nside32.npz")
