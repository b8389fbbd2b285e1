"""Opening FITS files that may be damaged: every failure names file, HDU and keyword.

Whatever the FITS library raises or warns about becomes a :class:`~diffaxion.errors.DataError`; what
it would do with a damaged header is prevented by :mod:`diffaxion.data.fits_layout`.
"""

from __future__ import annotations

import io
import math
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import DataError, DiffaxionError, DiffaxionWarning, nearest_names
from .fits_layout import fits_layout

UNPACKED_BYTES_MAX = 2**30
"""Length up to which a compressed file is unpacked: a small file may hold an enormous one."""

GZIP_MAGIC = b"\x1f\x8b"
MODULES = ("FPMA", "FPMB")
ACCEPTED = ("PrimaryHDU", "ImageHDU", "BinTableHDU")


@contextmanager
def open_fits(path: str | Path, wanted: str) -> Iterator[FitsFile]:
    """Open a FITS file, plain or ``.gz``; every error inside becomes a DataError.

    ``wanted`` says what is looked for, for the messages. Arrays must be taken out of the file
    inside the block: the file is closed afterwards, and warnings are not shown inside.
    """
    from astropy.io import fits

    try:
        handle = open(path, "rb")  # noqa: SIM115 (closed below; this message is about opening)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be opened ({error.strerror or error}); wanted: {wanted}"
        ) from None
    with handle, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            content, length = _content(path, handle, wanted)
            offsets = fits_layout(content, length, f"{path} (wanted: {wanted})")
            content.seek(0)
            # A handle of our own: the library keeps no file open when it fails half-way.
            with fits.open(
                content,
                mode="readonly",
                memmap=False,
                lazy_load_hdus=True,
                disable_image_compression=True,
                ignore_missing_simple=False,
                uint=True,
            ) as hdus:
                yield FitsFile(str(path), wanted, content, offsets, hdus)
        except DiffaxionError:
            raise
        except Exception as error:
            first = str(error).strip().split("\n")[0][:200]
            raise DataError(
                f"{path}: cannot be read as FITS ({type(error).__name__}: {first}); "
                f"wanted: {wanted}. The file may be truncated or damaged"
            ) from None


def _content(path: str | Path, handle: BinaryIO, wanted: str) -> tuple[BinaryIO, int]:
    """The (unpacked) bytes as a file, and how many there are."""
    start = handle.read(30)
    content: BinaryIO = handle
    if start[:2] == GZIP_MAGIC:
        handle.seek(0)
        content = io.BytesIO(_unpack(path, handle, wanted))
        start = content.read(30)
    if not start:
        raise DataError(f"{path}: is empty (0 bytes); wanted: {wanted}")
    if start[:9] != b"SIMPLE  =":
        raise DataError(
            f"{path}: is not a FITS file (starts with {start[:9]!r}, expected 'SIMPLE  ='); "
            f"wanted: {wanted}"
        )
    length = content.seek(0, io.SEEK_END)
    content.seek(0)
    return content, length


def _unpack(path: str | Path, handle: BinaryIO, wanted: str) -> bytes:
    unpack = zlib.decompressobj(wbits=31)
    parts, total = [], 0
    while not unpack.eof:
        block = handle.read(1 << 20)
        if not block:
            raise DataError(f"{path}: the compressed file is truncated; wanted: {wanted}")
        while block and not unpack.eof:
            try:
                parts.append(unpack.decompress(block, 1 << 24))
            except zlib.error as error:
                raise DataError(f"{path}: cannot be unpacked ({error}); wanted: {wanted}") from None
            total += len(parts[-1])
            block = unpack.unconsumed_tail
            if total > UNPACKED_BYTES_MAX:
                raise DataError(
                    f"{path}: unpacks to more than {UNPACKED_BYTES_MAX} bytes; unpack it "
                    f"yourself if that is intended; wanted: {wanted}"
                )
    return b"".join(parts)


class FitsFile:
    """HDUs of one open file that lie inside of it, with lookups that explain themselves.

    Attributes
    ----------
    path, wanted : str
        File and what is looked for, for messages.
    hdus : list
        Readable HDUs in order.
    """

    def __init__(
        self, path: str, wanted: str, content: BinaryIO, offsets: list[int], hdus: Any
    ) -> None:
        self.path, self.wanted = path, wanted
        self._content = content
        self.hdus: list[Any] = []
        for k, offset in enumerate(offsets):
            hdu = hdus[k]
            if hdu.fileinfo()["hdrLoc"] != offset:
                raise DataError(f"{path}, HDU {k}: lies at another place than its header says")
            if type(hdu).__name__ in ACCEPTED:
                self.hdus.append(hdu)

    def table(
        self,
        names: Sequence[str],
        hduclas: Sequence[tuple[str, str]] = (),
        alone: bool = False,
    ) -> FitsTable:
        """The first binary table called one of ``names``, or with (keyword, value) ``hduclas``.

        With ``alone`` a second table of such a name is an error: both are parts of one thing.
        """
        tables = [h for h in self.hdus if type(h).__name__ == "BinTableHDU"]
        named = [hdu for hdu in tables if str(hdu.name).strip().upper() in names]
        if alone and len(named) > 1:
            raise DataError(
                f"{self.path}: has {len(named)} tables {' or '.join(map(repr, names))}, which are "
                f"to be added; expected one: join them; wanted: {self.wanted}"
            )
        for hdu in named:
            return FitsTable(self.path, hdu)
        for key, value in hduclas:
            for hdu in tables:
                if str(hdu.header.get(key, "")).strip().upper() == value:
                    return FitsTable(self.path, hdu)
        have = [str(h.name) or "primary" for h in self.hdus]
        raise DataError(
            f"{self.path}: has no table {' or '.join(map(repr, names))} (HDUs: {', '.join(have)}); "
            f"wanted: {self.wanted}"
        )

    def image(self) -> tuple[dict[str, Any], Any]:
        """Header and handle of the first HDU that holds a two-dimensional image."""
        for hdu in self.hdus:
            if type(hdu).__name__ == "BinTableHDU":
                continue
            if hdu.header["NAXIS"] == 2 and hdu.header["NAXIS1"] and hdu.header["NAXIS2"]:
                return plain_header(hdu.header), hdu
        have = [f"{h.name or 'primary'} (NAXIS {h.header['NAXIS']})" for h in self.hdus]
        raise DataError(
            f"{self.path}: has no two-dimensional image (HDUs: {', '.join(have)}); "
            f"wanted: {self.wanted}"
        )

    def pixels(
        self, hdu: Any, box: tuple[slice, slice] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pixel values of an image HDU as float64 and where they are undefined (BLANK).

        Only the rows of ``box`` are read from the disk.
        """
        head = hdu.header
        ny, nx = head["NAXIS2"], head["NAXIS1"]
        rows, columns = box or (slice(0, ny), slice(0, nx))
        bits = head["BITPIX"]
        kind = np.dtype(f">{'f' if bits < 0 else 'u' if bits == 8 else 'i'}{abs(bits) // 8}")
        self._content.seek(hdu.fileinfo()["datLoc"] + rows.start * nx * kind.itemsize)
        wanted = (rows.stop - rows.start) * nx * kind.itemsize
        data = self._content.read(wanted)
        raw = np.frombuffer(data, kind).reshape(rows.stop - rows.start, nx)[:, columns]
        blank = head.get("BLANK") if bits > 0 else None
        undefined = raw == blank if _whole(blank) else np.zeros(raw.shape, bool)
        scale = number_in(self.path, head, "BSCALE", 1.0)
        zero = number_in(self.path, head, "BZERO", 0.0)
        return raw.astype(float) * scale + zero, undefined


class FitsTable:
    """Columns of one binary table as plain arrays."""

    def __init__(self, path: str, hdu: Any) -> None:
        self.where = f"{path}, HDU {str(hdu.name).strip() or 'table'}"
        self.path = path
        self.header = plain_header(hdu.header)
        self._hdu = hdu
        self.names = [str(n).strip().upper() for n in hdu.columns.names]
        self.rows = int(hdu.header["NAXIS2"])
        if self.rows == 0 or not hdu.header["NAXIS1"]:
            raise DataError(f"{self.where}: has no rows (NAXIS2 = {self.rows})")
        self._data = hdu.data

    def index(self, name: str) -> int:
        """Zero-based position of a column."""
        if name not in self.names:
            raise DataError(
                f"{self.where}: column {name} is missing ({nearest_names(name, self.names)}); "
                f"columns are {', '.join(self.names)}"
            )
        return self.names.index(name)

    def keyword(self, prefix: str, name: str) -> Any:
        """Value of e.g. TLMIN of a column; None if the header has none."""
        return self.header.get(f"{prefix}{self.index(name) + 1}")

    def column(self, name: str, vector: bool = False) -> np.ndarray:
        """A column of numbers as float64, shape (rows,), or (rows, k) where ``vector``."""
        values = np.asarray(self._data.field(self.index(name)))
        if values.dtype.kind not in "fiub":
            raise DataError(
                f"{self.where}: column {name} holds {values.dtype}, expected real numbers"
            )
        values = values.astype(float)
        if vector and values.ndim == 1:
            values = values[:, None]
        if values.ndim != (2 if vector else 1):
            raise DataError(
                f"{self.where}: column {name} has shape {values.shape}, expected "
                f"{'(rows, k)' if vector else 'one number per row'}"
            )
        return values

    def is_variable(self, name: str) -> bool:
        """Whether a column has variable-length rows (format P or Q)."""
        code = str(self._hdu.columns[self.index(name)].format).lstrip("0123456789")
        return code[:1] in ("P", "Q")

    def ragged(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """All values of a fixed or variable-length column in a row, and the length of each row."""
        if not self.is_variable(name):
            values = self.column(name, vector=True)
            return values.ravel(), np.full(self.rows, values.shape[1])
        self._check_heap(name)
        parts = [np.asarray(x) for x in self._data.field(self.index(name))]
        if any(x.dtype.kind not in "fiub" or x.ndim != 1 for x in parts):
            raise DataError(f"{self.where}: column {name} holds rows that are not real numbers")
        return np.concatenate(parts).astype(float), np.array([x.size for x in parts])

    def _check_heap(self, name: str) -> None:
        """Refuse row lengths and offsets that leave the heap, or rows that share its bytes."""
        pairs = np.asarray(self._data.view(np.ndarray)[self._data.dtype.names[self.index(name)]])
        counts, offsets = pairs.astype(np.int64).T
        column = self._hdu.columns[self.index(name)]
        code = str(column.format).lstrip("0123456789")[1:2]
        width = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "E": 4, "D": 8}.get(code)
        if width is None:
            raise DataError(
                f"{self.where}: column {name} has format {column.format}, expected numbers"
            )
        head = self.header
        table = head["NAXIS1"] * head["NAXIS2"]
        start = head.get("THEAP", table)
        heap = table + head.get("PCOUNT", 0) - start if _whole(start) else -1
        bad = (counts < 0) | (offsets < 0) | (offsets + counts * width > heap)
        # Float sums cannot wrap around, as damaged 64-bit lengths may.
        if heap < 0 or start < table or bad.any() or np.sum(counts * float(width)) > heap:
            raise DataError(
                f"{self.where}: the variable-length column {name} points outside of its heap "
                f"(THEAP {start}, PCOUNT {head.get('PCOUNT')}); the file is damaged"
            )


def plain_header(header: Any) -> dict[str, Any]:
    """A header as a dict; cards that cannot be parsed are left out."""
    found: dict[str, Any] = {}
    for card in header.cards:
        try:
            key, value = card.keyword, card.value
        except Exception:
            continue  # a damaged card: its keyword is then missing, and a reader says so
        if key and key not in found and isinstance(value, (bool, int, float, str)):
            found[key] = value
    return found


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def number_in(where: str, header: Any, key: str, default: float | None = None) -> float:
    """A finite number of a header; without a default the keyword must be there."""
    value = header.get(key, default)
    if value is None:
        raise DataError(f"{where}: keyword {key} is missing ({nearest_names(key, header)})")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise DataError(f"{where}: {key} = {value!r}, expected a finite number")
    try:
        return float(value)
    except OverflowError:
        raise DataError(f"{where}: {key} is too large for a number") from None


def text_in(header: Any, key: str) -> str:
    """A text of a header, stripped; empty if it is not there."""
    value = header.get(key, "")
    return value.strip() if isinstance(value, str) else str(value)


def exposure_in(where: str, header: Any) -> float:
    """The EXPOSURE keyword [s], which must be positive."""
    value = number_in(where, header, "EXPOSURE")
    if value <= 0.0:
        raise DataError(f"{where}: EXPOSURE = {value:g} s, expected a time > 0")
    return value


def check_finite(where: str, name: str, values: np.ndarray) -> None:
    """Refuse NaN and infinity in an array, with the first place."""
    bad = ~np.isfinite(values)
    if bad.any():
        first = np.argwhere(bad)[0].tolist()
        raise DataError(
            f"{where}: {name} holds {bad.sum()} values that are not finite, the first at {first}"
        )


def check_counts(where: str, name: str, counts: np.ndarray, asimov: bool) -> None:
    """Refuse counts that are negative, not finite, or (unless ``asimov``) not whole numbers."""
    check_finite(where, name, counts)
    if counts.size and counts.min() < 0.0:
        raise DataError(
            f"{where}: {name} reaches {counts.min():g}, expected counts >= 0; is it a rate or "
            "background-subtracted? Use the counts as detected"
        )
    uneven = counts != np.round(counts)
    if uneven.any() and not asimov:
        raise DataError(
            f"{where}: {name} holds {uneven.sum()} values that are not whole numbers, the first "
            f"{counts[uneven][0]:g}; is it a rate, smoothed or background-subtracted? Use the "
            "counts as detected (asimov=True for expected counts)"
        )


def identity(where: str, header: Any, required: bool) -> tuple[str, str]:
    """Module (INSTRUME) and OBS_ID; what is not from NuSTAR is worth a warning."""
    telescope = text_in(header, "TELESCOP")
    module, obs_id = text_in(header, "INSTRUME").upper(), text_in(header, "OBS_ID")
    if telescope.upper() == "NUSTAR":
        if required and module not in MODULES:
            raise DataError(f"{where}: INSTRUME = {module!r}, expected FPMA or FPMB")
    elif telescope or required:
        warnings.warn(
            f"{where}: TELESCOP = {telescope!r}, expected 'NuSTAR': point-spread function, "
            "channels and defaults are those of NuSTAR",
            DiffaxionWarning,
            stacklevel=3,
        )
    return module, obs_id
