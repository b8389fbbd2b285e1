"""A report as one HTML file without external resources.

Everything is inside the file: figures as base64, the style sheet, no scripts. All text is
escaped. Wide tables scroll inside their own box, so that the page can be read on a phone.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from ..provenance import atomic_write
from .plot_style import figure_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CSS = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 16px/1.55 Georgia, 'Times New Roman', serif; color: #222; background: #fff;
  margin: 0 auto; max-width: 54rem; padding: 1rem 1.1rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.2; border-bottom: 2px solid #8b0000; padding-bottom: .4rem; }
h2 { font-size: 1.25rem; margin-top: 2.2rem; }
nav { font-size: .9rem; } nav a { margin-right: .9rem; white-space: nowrap; } a { color: #2166ac; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .88rem; }
caption, figcaption { font-size: .88rem; color: #555; text-align: left; padding: .3rem 0; }
th, td { border-bottom: 1px solid #ddd; padding: .28rem .7rem .28rem 0; text-align: left;
  vertical-align: top; }
th { border-bottom: 1.5px solid #888; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1.2rem 0; } img { max-width: 100%; height: auto; }
pre { background: #f6f6f6; padding: .7rem; overflow-x: auto; font-size: .8rem; line-height: 1.4; }
.note { border-left: 4px solid #e08214; background: #fdf6ec; padding: .5rem .8rem; }
footer { margin-top: 3rem; border-top: 1px solid #ddd; color: #666; font-size: .82rem; }
"""


@dataclass(frozen=True)
class Table:
    """A table of a report.

    Attributes
    ----------
    columns : sequence of str
        Headings, with units in brackets.
    rows : sequence of sequences
        Cells: text, numbers (shown with four digits) or None (empty).
    caption : str
        Text above the table.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""


@dataclass(frozen=True)
class Image:
    """A figure of a report.

    Attributes
    ----------
    figure : matplotlib Figure or bytes
        The figure, or the bytes of a PNG file.
    caption : str
        Text below the figure, also read to those who cannot see it.
    """

    figure: Figure | bytes
    caption: str


@dataclass(frozen=True)
class Note:
    """A highlighted paragraph: a caveat that the reader must not miss.

    Attributes
    ----------
    text : str
        The text.
    """

    text: str


@dataclass(frozen=True)
class Verbatim:
    """Text shown as it is, such as a configuration or BibTeX.

    Attributes
    ----------
    text : str
        The text.
    """

    text: str


def _number(value: float) -> str:
    if not math.isfinite(value):
        return ""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.4g}"
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{mantissa}&times;10<sup>{int(exponent)}</sup>"


def _cell(value: Any) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, bool):
        return f"<td>{'yes' if value else 'no'}</td>"
    if isinstance(value, int):
        return f'<td class="n">{value}</td>'
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return _cell(value.item())
    if isinstance(value, float):
        return f'<td class="n">{_number(value)}</td>'
    return f"<td>{html.escape(str(value))}</td>"


def _table(table: Table) -> str:
    for row in table.rows:
        if len(row) != len(table.columns):
            raise DataError(
                f"report table {table.caption!r}: a row has {len(row)} cells, the table has "
                f"{len(table.columns)} columns"
            )
    caption = f"<caption>{html.escape(table.caption)}</caption>" if table.caption else ""
    head = "".join(f"<th>{html.escape(c)}</th>" for c in table.columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in table.rows)
    return (
        f'<div class="scroll"><table>{caption}<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}</tbody></table></div>"
    )


def _block(item: Any) -> str:
    """HTML of one item of a section."""
    if isinstance(item, str):
        return f"<p>{html.escape(item)}</p>"
    if isinstance(item, Note):
        return f'<p class="note">{html.escape(item.text)}</p>'
    if isinstance(item, Verbatim):
        return f"<pre>{html.escape(item.text)}</pre>"
    if isinstance(item, Table):
        return _table(item)
    if isinstance(item, Mapping):
        return _table(Table(("quantity", "value"), list(item.items())))
    if isinstance(item, Image):
        png = item.figure if isinstance(item.figure, bytes) else figure_bytes(item.figure)
        if not png.startswith(b"\x89PNG"):
            raise DataError(f"report figure {item.caption!r}: the bytes are not a PNG file")
        code = base64.b64encode(png).decode()
        text = html.escape(item.caption, quote=True)
        return (
            f'<figure><img alt="{text}" src="data:image/png;base64,{code}">'
            f"<figcaption>{text}</figcaption></figure>"
        )
    if isinstance(item, (list, tuple)):
        return "<ul>" + "".join(f"<li>{html.escape(str(x))}</li>" for x in item) + "</ul>"
    raise DataError(
        f"report item {item!r} ({type(item).__name__}): expected text, Note, Verbatim, Table, "
        "Image, a mapping or a list"
    )


def build_report(
    title: str, sections: Mapping[str, Any], provenance: Mapping[str, Any] | None = None
) -> str:
    """The HTML text of a report.

    Parameters
    ----------
    title : str
        Title of the page.
    sections : mapping of str to item or list of items
        Headings and what stands under them: text (a paragraph), :class:`Note`,
        :class:`Verbatim`, :class:`Table`, :class:`Image`, a mapping (a table of two columns) or
        a list inside the list (bullets).
    provenance : mapping, optional
        Record of :func:`diffaxion.provenance.provenance_record`; shown at the end.

    Returns
    -------
    str
        A complete HTML page without external resources.

    Raises
    ------
    DataError
        If an item is of another kind, a table is ragged or a figure is not a PNG.

    References
    ----------
    WHATWG HTML living standard; RFC 2397 (data URLs).
    """
    blocks, links = [], []
    for number, (heading, items) in enumerate(sections.items(), start=1):
        name = html.escape(heading)
        links.append(f'<a href="#s{number}">{name}</a>')
        listed = items if isinstance(items, list) else [items]
        body = "\n".join(map(_block, listed))
        blocks.append(f'<section id="s{number}"><h2>{name}</h2>\n{body}</section>')
    foot = ""
    if provenance:
        versions = provenance.get("versions", {})
        rows = {
            **{
                k: provenance[k]
                for k in ("created_utc", "seed", "config_sha256")
                if k in provenance
            },
            "versions": ", ".join(f"{k} {v}" for k, v in versions.items()),
            **{
                k: v for k, v in provenance.get("devices", {}).items() if isinstance(v, (str, bool))
            },
        }
        foot = f"<footer><h2>Provenance</h2>\n{_block(rows)}</footer>"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_CSS}</style></head>\n"
        f"<body><h1>{html.escape(title)}</h1>\n<nav>{' '.join(links)}</nav>\n"
        + "\n".join(blocks)
        + f"\n{foot}\n</body></html>\n"
    )


def write_report(
    path: str | Path,
    title: str,
    sections: Mapping[str, Any],
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Write a report, completely or not at all.

    Parameters
    ----------
    path : str or Path
        Destination, usually ``report.html``.
    title : str
        Title of the page.
    sections : mapping of str to item or list of items
        As in :func:`build_report`.
    provenance : mapping, optional
        As in :func:`build_report`.

    Returns
    -------
    Path
        The destination.

    Raises
    ------
    DataError
        As in :func:`build_report`.

    References
    ----------
    WHATWG HTML living standard; RFC 2397 (data URLs).
    """
    return atomic_write(path, build_report(title, sections, provenance))
