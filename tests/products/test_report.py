"""The report is one complete, escaped file; citations name what was used."""

import html.parser
from typing import ClassVar

import equinox as eqx
import numpy as np
import pytest

from diffaxion.environments.galaxy.base import UniformField
from diffaxion.errors import DataError
from diffaxion.products import (
    Image,
    Note,
    Table,
    Verbatim,
    build_report,
    collect_references,
    find_reference,
    format_citations,
    write_report,
)
from diffaxion.products.bibliography import BIBLIOGRAPHY, BY_ARXIV, SOFTWARE
from diffaxion.provenance import provenance_record

# The smallest PNG: one pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


class _Checker(html.parser.HTMLParser):
    """Collects links and checks that every element is closed."""

    VOID: ClassVar[set[str]] = {"meta", "img", "br"}

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v for k, v in attrs if k in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


SECTIONS = {
    "Limits & bands": [
        "g < 3.6e-12 <b>not bold</b>",
        Table(
            ("m_a [eV]", "limit", "ok"), [(1e-13, np.float64(3.6e-12), True), (1.5, None, False)]
        ),
        Image(PNG, 'A figure with "quotes"'),
    ],
    "Setup": {"seed": 7, "model": "JF12 <script>alert(1)</script>", "empty": float("nan")},
    "Caveats": [Note("not converged"), ["one", "two < three"], Verbatim("[axion]\nm = 1 < 2")],
}


def test_report_is_well_formed_escaped_and_needs_nothing_from_outside():
    page = build_report("diffaxion <joint>", SECTIONS, provenance_record(7, {"a": 1}))
    checker = _Checker()
    checker.feed(page)
    assert checker.open == []
    assert "script" not in checker.tags
    assert "b" not in checker.tags
    for link in checker.links:
        assert link.startswith(("#", "data:image/png;base64,"))
    assert "http" not in page
    assert "&lt;joint&gt;" in page
    assert "3.600&times;10<sup>-12</sup>" in page
    assert "width=device-width" in page
    assert "config_sha256" in page
    assert page.count("<h2>") == 4


def test_bad_items_are_named():
    with pytest.raises(DataError, match="expected text, Note"):
        build_report("t", {"a": [object()]})
    with pytest.raises(DataError, match="2 cells, the table has 1"):
        build_report("t", {"a": Table(("x",), [(1, 2)])})
    with pytest.raises(DataError, match="not a PNG"):
        build_report("t", {"a": Image(b"GIF89a", "c")})


def test_report_is_written_whole(tmp_path):
    path = write_report(tmp_path / "report.html", "t", {"a": "text"})
    assert path.read_text(encoding="utf-8").endswith("</html>\n")


class _Model(eqx.Module):
    references: ClassVar[tuple[str, ...]] = (
        "Jansson & Farrar 2012, ApJ 757, 14 (arXiv:1204.3662)",
        "Dessert:2020lil",
    )
    inner: object
    parts: dict


class _Inner(eqx.Module):
    references: ClassVar[tuple[str, ...]] = ("Somebody 1999, private notes", "Dessert:2020lil")


def test_references_of_everything_inside_are_collected_once_and_in_order():
    model = _Model(UniformField(np.ones(3)), {"a": [_Inner()], "b": (_Inner(), 3.0)})
    found = collect_references(model, software=False)
    assert found == [*_Model.references, "Somebody 1999, private notes"]
    assert collect_references(model)[-3:] == list(SOFTWARE)
    assert collect_references(3.0, None, software=False) == []


def test_keys_and_arxiv_numbers_find_the_entry():
    assert find_reference("Dessert:2020lil").doi == "10.1103/PhysRevLett.125.261102"
    assert find_reference("text (arXiv:1204.3662), Table 1").key == "Jansson:2012pc"
    assert find_reference("no number") is None
    assert find_reference("arXiv:9999.99999") is None
    assert all(BIBLIOGRAPHY[entry.key] is entry for entry in BY_ARXIV.values())


def test_plain_and_bibtex():
    texts = ["Dessert:2020lil", "Dessert et al. (arXiv:2008.03305)", "Somebody 1999, notes"]
    plain = format_citations(texts).splitlines()
    assert plain == [
        "Dessert, Foster & Safdi (2020), X-ray Searches for Axions from Super Star Clusters, "
        "Phys. Rev. Lett. 125, 261102, arXiv:2008.03305, doi:10.1103/PhysRevLett.125.261102.",
        "Somebody 1999, notes.",
    ]
    bib = format_citations(texts, "bibtex")
    assert bib.count("@article{Dessert:2020lil,") == 1
    assert "@misc{Somebody1999notes," in bib
    assert bib.count("{") == bib.count("}")
    assert format_citations([]) == ""
    everything = format_citations(BIBLIOGRAPHY, "bibtex")
    assert everything.count("\n@") + 1 == len(BIBLIOGRAPHY)
