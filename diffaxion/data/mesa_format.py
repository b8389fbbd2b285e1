"""Text layer of the MESA readers: lines of a file to named columns with line numbers.

Four layouts are recognised: MESA's own logs (header block, then numbered columns; MESA
documentation, "Output"), MIST evolutionary tracks (``.track.eep``: ``#`` header whose last line
names the columns; Choi et al. 2016), comma-separated tables, and ``profiles.index``.
"""

from __future__ import annotations

import itertools
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError

# Fortran writes 1.0D-99, and drops the letter when the exponent needs three digits: 1.234-100.
_BARE_EXPONENT = re.compile(r"(?<=[0-9.])([+-][0-9]{3})$")


def parse_number(token: str) -> float:
    """A number as Fortran or C write it; raises ValueError for anything else."""
    try:
        return float(token)
    except ValueError:
        text = token.replace("D", "E").replace("d", "e")
        return float(_BARE_EXPONENT.sub(r"E\1", text))


@dataclass(frozen=True)
class TextTable:
    """Columns of a text file, with what is needed for a useful message.

    Attributes
    ----------
    source : str
        Path of the file.
    header : dict of str to float
        Numbers of the header block by name.
    names : tuple of str
        Column names, in order.
    values : array, shape (rows, columns)
        Data.
    lines : array of int, shape (rows,)
        Line of the file on which each row stands, counted from 1.
    """

    source: str
    header: dict[str, float]
    names: tuple[str, ...]
    values: np.ndarray
    lines: np.ndarray

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def column(self, name: str) -> np.ndarray:
        """One column, shape (rows,)."""
        return self.values[:, self.names.index(name)]

    def error(self, row: int, column: str, problem: str) -> DataError:
        """Error that names file, line and column."""
        return DataError(f"{self.source}: line {self.lines[row]}, column {column!r}: {problem}")

    def require(self, ok: np.ndarray, column: str, problem: str) -> None:
        """Raise for the first row where ``ok`` is False; ``{value}`` in the text is filled in."""
        if not np.all(ok):
            row = int(np.argmin(ok))
            value = self.column(column)[row] if column in self else float("nan")
            raise self.error(row, column, problem.format(value=f"{value:.6g}"))

    def first_of(self, *names: str) -> str | None:
        """The first of the names that is a column, or None."""
        return next((n for n in names if n in self.names), None)


def _read_lines(path: str | Path) -> list[str]:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not a text file (byte {error.start})") from error
    lines = text.splitlines()
    if not any(line.strip() for line in lines):
        raise DataError(f"{path}: is empty")
    return lines


def _rows(
    source: str, names: tuple[str, ...], body: list[tuple[int, list[str]]]
) -> tuple[np.ndarray, np.ndarray]:
    if len(set(names)) != len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise DataError(f"{source}: column {twice!r} is named twice")
    values = np.empty((len(body), len(names)))
    for k, (line, tokens) in enumerate(body):
        if len(tokens) != len(names):
            raise DataError(
                f"{source}: line {line}: {len(tokens)} values, expected {len(names)} columns "
                f"({names[0]} ... {names[-1]}); the file may be truncated"
            )
        for j, token in enumerate(tokens):
            try:
                values[k, j] = parse_number(token)
            except ValueError:
                raise DataError(
                    f"{source}: line {line}, column {names[j]!r}: {token!r} is not a number"
                ) from None
    if not body:
        raise DataError(f"{source}: has column names but no data rows")
    return values, np.array([line for line, _ in body])


def _header_values(source: str, names: list[str], line: str) -> dict[str, float]:
    try:
        tokens = shlex.split(line)
    except ValueError:
        tokens = line.split()
    if len(tokens) != len(names):
        raise DataError(
            f"{source}: line 3: {len(tokens)} header values for {len(names)} header names"
        )
    header = {}
    for name, token in zip(names, tokens, strict=True):
        try:
            header[name] = parse_number(token)
        except ValueError:
            continue  # a string such as the version or the date
    return header


def _comment_values(comments: list[str]) -> dict[str, float]:
    """Numbers of a MIST header, whose comments alternate lines of names and of values."""
    header: dict[str, float] = {}
    for above, below in itertools.pairwise(comments):
        names, tokens = above.split(), below.split()
        if len(names) < 2 or len(names) != len(tokens) or any(map(_is_number, names)):
            continue
        pairs = zip(names, tokens, strict=True)
        header |= {name: parse_number(x) for name, x in pairs if _is_number(x)}
    return header


def _is_number(token: str) -> bool:
    try:
        parse_number(token)
    except ValueError:
        return False
    return True


def read_header(path: str | Path) -> dict[str, float]:
    """Numbers of the header block of a MESA log, without reading its columns.

    Parameters
    ----------
    path : str or Path
        ``profileN.data`` or ``history.data``.

    Returns
    -------
    dict of str to float
        Values by name, units as in the file; empty if the file has no such block.

    Raises
    ------
    DataError
        If the file cannot be read, or names and values differ in number.

    References
    ----------
    MESA documentation, "Output" (docs.mesastar.org).
    """
    try:
        with Path(path).open(encoding="utf-8") as handle:
            lines = [line for line, _ in zip(handle, range(3), strict=False)]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not a text file (byte {error.start})") from error
    if len(lines) < 3 or not _is_numbering(lines[0]):
        return {}
    return _header_values(str(path), lines[1].split(), lines[2])


def _is_numbering(line: str) -> bool:
    tokens = line.split()
    return bool(tokens) and all(t.isdigit() for t in tokens) and tokens[0] == "1"


def read_table(path: str | Path) -> TextTable:
    """Read a MESA log, a MIST track or a comma-separated table.

    Parameters
    ----------
    path : str or Path
        File to read.

    Returns
    -------
    TextTable
        All columns as float64.

    Raises
    ------
    DataError
        If the file is missing, empty, binary, in none of the layouts, or a row is malformed.
    """
    source = str(path)
    lines = _read_lines(path)
    data = [(n, x) for n, x in enumerate(lines, 1) if x.strip() and not x.lstrip().startswith("#")]
    comments = [x.lstrip("# \t") for x in lines if x.lstrip().startswith("#")]
    header: dict[str, float] = {}
    if data and "," in data[0][1]:
        names = tuple(t.strip() for t in data[0][1].split(","))
        body = [(n, [t.strip() for t in x.split(",")]) for n, x in data[1:]]
    elif len(lines) >= 6 and _is_numbering(lines[0]) and _is_numbering(lines[4]):
        header = _header_values(source, lines[1].split(), lines[2])
        names = tuple(lines[5].split())
        body = [(n, x.split()) for n, x in enumerate(lines[6:], 7) if x.strip()]
    elif comments and data and len(comments[-1].split()) >= 2:
        header = _comment_values(comments)
        names = tuple(comments[-1].split())
        body = [(n, x.split()) for n, x in data]
    else:
        raise DataError(
            f"{source}: is neither a MESA log (line 1 and 5 number the columns), a MIST track "
            "('#' header that ends with the column names) nor a comma-separated table; "
            "the file may be truncated"
        )
    values, where = _rows(source, names, body)
    return TextTable(source, header, names, values, where)


def read_profiles_index(path: str | Path) -> dict[int, int]:
    """Read ``profiles.index``: which profile file belongs to which model.

    Parameters
    ----------
    path : str or Path
        File whose first line starts with a count, followed by lines of model number, priority
        and profile number.

    Returns
    -------
    dict of int to int
        Profile number by model number; after a restart the last entry counts.

    Raises
    ------
    DataError
        If the file is unreadable, a line is not three integers, or lines are missing.

    References
    ----------
    MESA documentation, "Output" (docs.mesastar.org).
    """
    lines = _read_lines(path)
    first = lines[0].split()
    if not first or not first[0].isdigit():
        raise DataError(f"{path}: line 1: expected the number of profiles, found {lines[0]!r}")
    table: dict[int, int] = {}
    rows = [(n, x.split()) for n, x in enumerate(lines[1:], 2) if x.strip()]
    for n, tokens in rows:
        if len(tokens) != 3 or not all(t.isdigit() for t in tokens):
            raise DataError(
                f"{path}: line {n}: expected model number, priority and profile number, "
                f"found {' '.join(tokens)!r}"
            )
        table[int(tokens[0])] = int(tokens[2])
    if len(rows) != int(first[0]):
        raise DataError(
            f"{path}: line 1 announces {first[0]} profiles, {len(rows)} lines follow; "
            "the file may be truncated"
        )
    return table
