"""A stack of images in one file: ``.npz`` or ``.h5`` with plain arrays, nothing that runs code.

    counts, exposure, background   (bins, exposures, ny, nx), or (bins, ny, nx) for one exposure
    bin_edges_keV                  (bins + 1,) edges or (bins, 2) pairs
    wcs                            FITS header of the grid as text, one or one per exposure
    exposure_s                     (exposures,) EXPOSURE [s]

and optionally mask, module, obs_id, shift_arcsec, exposure_unit, nature and asimov.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, nearest_names
from ..provenance import atomic_write
from .image_stack import ImageStack
from .image_stack_checks import check_seconds
from .sky_grid import SkyGrid, grid_from_header

BYTES_MAX = 2**31
"""Length up to which an array is read: a small file may announce an enormous one."""

REQUIRED = ("counts", "exposure", "background", "bin_edges_keV", "wcs", "exposure_s")
OPTIONAL = ("mask", "module", "obs_id", "shift_arcsec", "exposure_unit", "nature", "asimov")
NPZ, HDF5 = (".npz",), (".h5", ".hdf5")


def write_image_stack(path: str | Path, stack: ImageStack) -> Path:
    """Write a stack to one file, completely or not at all.

    Parameters
    ----------
    path : str or Path
        Destination, ending in ``.npz``, ``.h5`` or ``.hdf5``.
    stack : ImageStack
        Content; the names of response files are not stored.

    Returns
    -------
    Path
        The destination.

    Raises
    ------
    DataError
        If the ending is another.
    DiffaxionError
        If the system refuses to write.

    References
    ----------
    The NumPy .npz format (NumPy Enhancement Proposal 1); HDF5.
    """
    path = Path(path)
    arrays: dict[str, np.ndarray] = {
        "counts": stack.counts,
        "exposure": stack.exposure,
        "background": stack.background,
        "bin_edges_keV": np.stack([stack.low_keV, stack.high_keV], axis=-1),
        "wcs": np.array([_header_text(g) for g in stack.grids]),
        "exposure_s": stack.exposure_s,
        "mask": stack.mask,
        "module": np.array(stack.modules),
        "obs_id": np.array(stack.obs_ids),
        "shift_arcsec": stack.shift_arcsec,
        "exposure_unit": np.array(stack.exposure_unit),
        "nature": np.array(stack.nature),
        "asimov": np.array(stack.asimov),
    }
    if path.suffix in NPZ:
        return atomic_write(
            path,
            lambda p: np.savez_compressed(p, allow_pickle=False, **arrays),
        )
    if path.suffix in HDF5:
        return atomic_write(path, lambda p: _write_hdf5(p, arrays))
    raise DataError(f"{path}: a stack of images is written as .npz or .h5")


def _write_hdf5(path: Path, arrays: dict[str, np.ndarray]) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        for name, value in arrays.items():
            if value.dtype.kind == "U":
                value = np.char.encode(value, "utf-8")
            packed = {"compression": "gzip"} if value.ndim > 2 else {}
            file.create_dataset(name, data=value, **packed)


def load_stack_file(path: str | Path, asimov: bool = False) -> ImageStack:
    """Read a stack from an ``.npz`` or ``.h5`` file; every failure is a DataError."""
    path = Path(path)
    arrays = _read_npz(path) if path.suffix in NPZ else _read_hdf5(path)
    for key in REQUIRED:
        if key not in arrays:
            raise DataError(
                f"{path}: key {key!r} is missing ({nearest_names(key, arrays)}); expected "
                f"{', '.join(REQUIRED)}"
            )
    maps: dict[str, Any] = {}
    for key in ("counts", "exposure", "background", "mask"):
        if key in arrays:
            value = arrays[key]
            flat = value.ndim == (2 if key == "mask" else 3)
            maps[key] = np.expand_dims(value, -3) if flat else value
    if maps["counts"].ndim != 4 or maps["counts"].size == 0:
        raise DataError(
            f"{path}: counts have shape {arrays['counts'].shape}, expected (bins, exposures, "
            "rows, columns) or (bins, rows, columns)"
        )
    n, shape = maps["counts"].shape[1], maps["counts"].shape[2:]
    headers = [str(x) for x in np.atleast_1d(arrays["wcs"])]
    if len(headers) not in (1, n):
        raise DataError(f"{path}: wcs has {len(headers)} headers, expected 1 or {n}")
    grids = [grid_from_header(_parse_header(path, h), shape, f"{path}, wcs") for h in headers]
    edges = arrays["bin_edges_keV"]
    if edges.ndim == 1:
        edges = np.stack([edges[:-1], edges[1:]], axis=-1)
    if edges.ndim != 2 or edges.shape[-1] != 2 or edges.dtype.kind not in "fiu":
        raise DataError(f"{path}: bin_edges_keV has shape {edges.shape} and type {edges.dtype}")
    extra: dict[str, Any] = {
        name: tuple(str(x) for x in np.atleast_1d(arrays[key]).ravel())
        for name, key in (("modules", "module"), ("obs_ids", "obs_id"))
        if key in arrays
    }
    for key in ("exposure_unit", "nature"):
        if key in arrays:
            extra[key] = str(arrays[key].reshape(-1)[0]) if arrays[key].size else ""
    if "shift_arcsec" in arrays:
        extra["shift_arcsec"] = _real(path, arrays, "shift_arcsec")
    if "asimov" in arrays and arrays["asimov"].size == 1:
        asimov = asimov or bool(arrays["asimov"].reshape(-1)[0])
    stack = ImageStack(
        **maps,
        low_keV=edges[:, 0],
        high_keV=edges[:, 1],
        grids=tuple(grids) if len(grids) == n else tuple(grids) * n,
        exposure_s=np.atleast_1d(_real(path, arrays, "exposure_s")),
        source=str(path),
        asimov=asimov,
        **extra,
    )
    if stack.exposure_unit == "s":
        tops = stack.exposure.max(axis=(0, 2, 3))
        for top, time in zip(tops.tolist(), stack.exposure_s.tolist(), strict=True):
            # Relative areas of modules may have been multiplied in.
            check_seconds(f"{path}: exposure_unit is 's'", top, time, most=2.0)
    return stack


def _real(path: Path, arrays: dict[str, np.ndarray], key: str) -> np.ndarray:
    if arrays[key].dtype.kind not in "fiu":
        raise DataError(f"{path}: {key} has type {arrays[key].dtype}, expected real numbers")
    return arrays[key].astype(float)


def _header_text(grid: SkyGrid) -> str:
    """A grid as FITS cards, one per line."""
    from astropy.io import fits

    return fits.Header(grid.header().items()).tostring(sep="\n", endcard=False, padding=False)


def _parse_header(path: Path, text: str) -> dict[str, Any]:
    """Keywords of FITS cards in a text, one per line or 80 characters each."""
    import warnings

    from astropy.io import fits

    from .fits_checks import plain_header

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return plain_header(fits.Header.fromstring(text, sep="\n" if "\n" in text else ""))
        except Exception as error:
            raise DataError(f"{path}: wcs is not a FITS header ({error})") from None


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    """Arrays of an .npz archive, each no longer than its file says."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = {}
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                if name not in REQUIRED + OPTIONAL:
                    continue
                if info.file_size > BYTES_MAX:
                    raise DataError(f"{path}: {name} has {info.file_size} bytes, too many to read")
                with archive.open(info) as member:
                    found[name] = _array(path, name, member.read(info.file_size))
            return found
    except (OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise _unreadable(path, error) from None
    except (zipfile.BadZipFile, zlib.error, KeyError, OverflowError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: cannot be read as a stack of images ({error})")


def _array(path: Path, name: str, content: bytes) -> np.ndarray:
    """One .npy array, whose header must agree with its length; no pickle."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
    if dtype.hasobject or dtype.kind not in "fiubU":
        raise DataError(
            f"{path}: {name} has type {dtype}, expected plain numbers or text (no pickle)"
        )
    rest = content[file.tell() :]
    if math.prod(shape) * dtype.itemsize != len(rest):
        raise DataError(
            f"{path}: {name} announces shape {shape}, but has {len(rest)} bytes; it is damaged"
        )
    values = np.frombuffer(rest, dtype) if rest else np.zeros(0, dtype)
    return values.reshape(shape, order="F" if fortran else "C")


def _read_hdf5(path: Path) -> dict[str, np.ndarray]:
    """Datasets of an HDF5 file that lie in the file itself."""
    import h5py

    found = {}
    try:
        with h5py.File(path, "r") as file:
            for name in REQUIRED + OPTIONAL:
                link = file.get(name, getlink=True)
                if link is None:
                    continue
                if not isinstance(link, h5py.HardLink):
                    raise DataError(f"{path}: {name} is a link; expected the data themselves")
                data = file[name]
                if not isinstance(data, h5py.Dataset) or data.is_virtual or data.external:
                    raise DataError(f"{path}: {name} is not a dataset stored in this file")
                if math.prod(data.shape) * data.dtype.itemsize > BYTES_MAX:
                    raise DataError(f"{path}: {name} has shape {data.shape}, too large to read")
                text = h5py.check_string_dtype(data.dtype) is not None
                if not text and data.dtype.kind not in "fiub":
                    raise DataError(f"{path}: {name} has type {data.dtype}, expected numbers")
                found[name] = np.asarray(data.asstr()[()], dtype=str) if text else data[()]
    except DataError:
        raise
    except Exception as error:
        raise _unreadable(path, error) from None
    return {name: np.asarray(value) for name, value in found.items()}
