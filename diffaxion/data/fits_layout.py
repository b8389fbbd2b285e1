"""Where the headers and data of a FITS file lie, from its structural keywords alone.

A FITS library believes a header: a damaged TFIELDS makes it prepare 10^11 columns, a negative
NAXIS2 sends it back to where it came from. This scan reads the few keywords that give the layout,
compares them with the length of the file, and lets the library see only what fits.
"""

from __future__ import annotations

import math
import re
from typing import BinaryIO

from ..errors import DataError

CARD, BLOCK = 80, 2880
AXES_MAX, COLUMNS_MAX, HDU_MAX = 10, 999, 200
HEADER_BLOCKS_MAX = 2000
_STRUCTURE = re.compile(r"(NAXIS\d*|BITPIX|PCOUNT|GCOUNT|TFIELDS)")
_WHOLE = re.compile(r"\s*([+-]?\d{1,15})\s*(/.*)?")
_BITS = (8, 16, 32, 64, -32, -64)


def fits_layout(content: BinaryIO, length: int, where: str) -> list[int]:
    """Offsets of the headers of all HDUs whose data lie inside of the file.

    ``where`` names file and purpose for messages. Bytes after the last HDU are ignored.
    """
    offsets: list[int] = []
    at = 0
    while at < length and len(offsets) < HDU_MAX:
        content.seek(at)
        start = content.read(8)
        if offsets and start != b"XTENSION":
            break
        keys, end = _structure(content, at, f"{where}, HDU {len(offsets)}")
        size = _data_size(keys, f"{where}, HDU {len(offsets)}")
        if end + size > length:
            raise DataError(
                f"{where}, HDU {len(offsets)}: the header announces {size} bytes of data ({keys}) "
                f"from byte {end} on, but the file has {length} bytes; it is truncated or its "
                "header is damaged"
            )
        offsets.append(at)
        at = end + math.ceil(size / BLOCK) * BLOCK
    return offsets


def _structure(content: BinaryIO, at: int, where: str) -> tuple[dict[str, int], int]:
    """Structural keywords of the header at an offset, and where its data start."""
    keys: dict[str, int] = {}
    content.seek(at)
    for k in range(HEADER_BLOCKS_MAX):
        block = content.read(BLOCK)
        if len(block) < BLOCK:
            raise DataError(f"{where}: the header has no END; the file is truncated")
        for c in range(0, BLOCK, CARD):
            card = block[c : c + CARD].decode("latin1")
            if card[:8] == "END     ":
                return keys, at + (k + 1) * BLOCK
            name, _, value = card.removeprefix("HIERARCH").partition("=")
            name = name.strip().upper()
            if not _STRUCTURE.fullmatch(name):
                continue
            number = _WHOLE.fullmatch(value)
            if not number or keys.get(name, int(number[1])) != int(number[1]):
                raise DataError(
                    f"{where}: {name} = {value.split('/')[0].strip()!r}, expected one whole number"
                )
            keys[name] = int(number[1])
    raise DataError(f"{where}: the header has no END within {HEADER_BLOCKS_MAX} blocks")


def _data_size(keys: dict[str, int], where: str) -> int:
    """Bytes of data that a header announces."""

    def whole(name: str, default: int, high: int | None = None) -> int:
        value = keys.get(name, default)
        if value < 0 or (high is not None and value > high):
            limit = f" from 0 to {high}" if high is not None else " >= 0"
            raise DataError(f"{where}: {name} = {value}, expected a whole number{limit}")
        return value

    axes = whole("NAXIS", -1, AXES_MAX)
    whole("TFIELDS", 0, COLUMNS_MAX)
    if keys.get("BITPIX") not in _BITS:
        raise DataError(f"{where}: BITPIX = {keys.get('BITPIX')}, expected one of {_BITS}")
    if axes == 0:
        return 0
    values = math.prod(whole(f"NAXIS{i + 1}", -1) for i in range(axes))
    return abs(keys["BITPIX"]) // 8 * whole("GCOUNT", 1) * (whole("PCOUNT", 0) + values)
