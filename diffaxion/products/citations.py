"""What to cite: the references of the models that were really used."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from .bibliography import BIBLIOGRAPHY, BY_ARXIV, SOFTWARE, Reference

_ARXIV = re.compile(r"\b(\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})\b")


def collect_references(*objects: Any, software: bool = True) -> list[str]:
    """References of every module inside the given objects, each once, in order of appearance.

    Parameters
    ----------
    *objects : pytree
        Modules, mappings, lists and tuples; modules name their papers in the class variable
        ``references``.
    software : bool
        Whether to end with the programs that every result rests on.

    Returns
    -------
    list of str
        Keys of the bibliography or free text, as the modules give them.

    References
    ----------
    None: a walk over the ``references`` of the classes.
    """
    found: dict[str, None] = {}
    seen: set[int] = set()

    def visit(thing: Any) -> None:
        if id(thing) in seen:
            return
        if isinstance(thing, Mapping):
            children = list(thing.values())
        elif isinstance(thing, (list, tuple)):
            children = list(thing)
        elif dataclasses.is_dataclass(thing) and not isinstance(thing, type):
            given = getattr(type(thing), "references", ())
            if isinstance(given, tuple):
                found.update(dict.fromkeys(str(reference) for reference in given))
            children = [getattr(thing, f.name, None) for f in dataclasses.fields(thing)]
        else:
            return
        seen.add(id(thing))
        for child in children:
            visit(child)

    for thing in objects:
        visit(thing)
    if software:
        found.update(dict.fromkeys(SOFTWARE))
    return list(found)


def find_reference(text: str) -> Reference | None:
    """Entry of the bibliography that a key, or a text with an arXiv number, stands for.

    Parameters
    ----------
    text : str
        Key, or free text such as ``Jansson & Farrar 2012 (arXiv:1204.3662)``.

    Returns
    -------
    Reference or None
        The entry; None if the bibliography has none.

    References
    ----------
    arXiv identifier scheme, https://info.arxiv.org/help/arxiv_identifier.html.
    """
    if text in BIBLIOGRAPHY:
        return BIBLIOGRAPHY[text]
    match = _ARXIV.search(text)
    return BY_ARXIV.get(match[1]) if match else None


def _short_authors(authors: str) -> str:
    names = [name.split(",")[0].strip() for name in authors.split(" and ")]
    if len(names) > 3 or names[-1] == "others":
        return f"{names[0]} et al."
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} & {names[-1]}"


def _plain(entry: Reference) -> str:
    parts = [f"{_short_authors(entry.authors)} ({entry.year}), {entry.title}"]
    parts += [part for part in (entry.journal,) if part]
    if entry.arxiv:
        parts.append(f"arXiv:{entry.arxiv}")
    if entry.doi:
        parts.append(f"doi:{entry.doi}")
    return ", ".join(parts + [part for part in (entry.url,) if part]) + "."


def _bibtex(entry: Reference) -> str:
    kind = "article" if entry.journal or entry.arxiv else "software"
    fields = {
        "author": entry.authors,
        "title": f"{{{entry.title}}}",
        "year": str(entry.year),
        "journal": entry.journal,
        "eprint": entry.arxiv,
        "archivePrefix": "arXiv" if entry.arxiv else "",
        "doi": entry.doi,
        "url": entry.url,
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return f"@{kind}{{{entry.key},\n" + "\n".join(lines) + "\n}"


def format_citations(references: Iterable[str], style: Literal["plain", "bibtex"] = "plain") -> str:
    """References as lines of text or as BibTeX entries.

    Parameters
    ----------
    references : iterable of str
        Keys or texts, usually of :func:`collect_references`.
    style : str
        ``plain`` or ``bibtex``. Texts that the bibliography does not know are kept as they are,
        in BibTeX as ``@misc`` entries.

    Returns
    -------
    str
        One reference after the other, each once, ending with a line feed.

    References
    ----------
    BibTeX format, http://www.bibtex.org/Format/.
    """
    written: dict[str, None] = {}
    for text in references:
        entry = find_reference(text)
        if entry is not None:
            written[_plain(entry) if style == "plain" else _bibtex(entry)] = None
        elif style == "plain":
            written[text.rstrip(".") + "."] = None
        else:
            words = re.findall(r"[A-Za-z0-9]+", text)
            number = _ARXIV.search(text)
            eprint = f"  eprint = {{{number[1]}}},\n" if number else ""
            written[f"@misc{{{''.join(words[:3])},\n{eprint}  note = {{{text}}},\n}}"] = None
    separator = "\n" if style == "plain" else "\n\n"
    return separator.join(written) + "\n" if written else ""
