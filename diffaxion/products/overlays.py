"""Published limits that travel with the package, for overlays and comparisons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.registry import BundledTable, load_table, table_names
from ..errors import unknown_name
from .limit_files import LimitCurve


@dataclass(frozen=True)
class PublishedLimit:
    """A published limit of another analysis, for overlays.

    Attributes
    ----------
    name : str
        Name of the bundled table without ``limits_``.
    label : str
        Text for a figure.
    m_a_eV, g_GeV : array, shape (n,)
        Masses [eV] and upper limits [GeV^-1].
    source, licence, arxiv : str
        Provenance.
    """

    name: str
    label: str
    m_a_eV: np.ndarray
    g_GeV: np.ndarray
    source: str
    licence: str
    arxiv: str


def _published(table: BundledTable) -> PublishedLimit:
    return PublishedLimit(
        table.name.removeprefix("limits_"),
        str(table.meta["label"]),
        table["m_a_eV"],
        table["g_GeV"],
        str(table.meta["source"]),
        str(table.meta["licence"]),
        str(table.meta["arxiv"]),
    )


def overlay_names() -> list[str]:
    """Names of the bundled limits of other analyses.

    Returns
    -------
    list of str
        Names that :func:`load_overlay` accepts.

    References
    ----------
    O'Hare, AxionLimits, https://cajohare.github.io/AxionLimits/.
    """
    found = (name for name in table_names() if name.startswith("limits_"))
    return [name.removeprefix("limits_") for name in found]


def load_overlay(name: str) -> PublishedLimit:
    """A bundled limit of another analysis.

    Parameters
    ----------
    name : str
        Name; :func:`overlay_names` lists them.

    Returns
    -------
    PublishedLimit
        Masses [eV] and limits [GeV^-1], shape (n,) each, with their source.

    Raises
    ------
    ConfigurationError
        If there is no such limit.

    References
    ----------
    O'Hare, AxionLimits, https://cajohare.github.io/AxionLimits/; the paper of each curve.
    """
    if name not in overlay_names():
        raise unknown_name("published limit", name, overlay_names())
    return _published(load_table(f"limits_{name}"))


def published_star_cluster_limits() -> dict[str, LimitCurve]:
    """The published limits and bands of the star clusters, at 19 masses from 1e-13 to 1e-9 eV.

    Returns
    -------
    dict of str to LimitCurve
        ``quintuplet``, ``wd1`` and ``joint``, method ``pcl``; the joint curve has no bands.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305, Fig. 3 and public data release.
    """
    table = load_table("nustar_published_limits")
    mass = table["m_a_eV"]
    curves = {"joint": LimitCurve("joint", "pcl", "", mass, table["joint_limit"])}
    for name, short in (("quintuplet", "quint"), ("wd1", "wd1")):
        curves[name] = LimitCurve(
            name,
            "pcl",
            "",
            mass,
            table[f"limit_{short}"],
            median=table[f"median_{short}"],
            minus1=table[f"onedn_{short}"],
            plus1=table[f"oneup_{short}"],
            plus2=table[f"twoup_{short}"],
        )
    return curves
