"""Populations of evolved massive stars as class-conditional nodes.

A node stands for the stars of one spectral class in one stage: mass, central temperature and
composition, and the share of the class's time that is spent there. The bundled nodes condense
one evolutionary track of 85 solar masses; no product made from them describes a real cluster's
spread of initial masses.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ...constants import KELVIN_TO_KEV, M_SUN_G
from ...data.mesa import MesaHistory
from ...data.registry import load_table
from ...errors import ConfigurationError, DataError, unknown_name
from .classification import classify_stars
from .composition import Composition
from .eddington import LOG_T_C_MAX, EddingtonStar
from .profile import _leaf

CLASSES = ("WNh", "WN", "WC", "WO")
ISOTOPES = ("h1", "he4", "c12", "o16")
WEIGHTS = ("time", "step")
# Histories list H, He, C and O only; the rest lies between nitrogen (4) and magnesium (6.5).
REMAINDER_ZETA = 5.0


class StellarPopulation(eqx.Module):
    """Nodes of a population: stars, each of a class, with weights inside the class.

    Attributes
    ----------
    mass_Msun, t_c_keV : float array, shape (n,)
        Mass [IAU solar masses] and central temperature [keV] of the nodes.
    fractions : float array, shape (n, 4)
        Central mass fractions of H1, He4, C12 and O16.
    weight : float array, shape (n,)
        Weights, normalised to 1 inside each class.
    remainder_zeta : float array, shape ()
        Weight zeta of the mass that the four fractions leave out.
    classes : tuple of str, length n
        Class of each node (static).
    label : str
        What the nodes were made from (static); products repeat it.
    """

    mass_Msun: Float[Array, " n"] = eqx.field(converter=_leaf)
    t_c_keV: Float[Array, " n"] = eqx.field(converter=_leaf)
    fractions: Float[Array, "n 4"] = eqx.field(converter=_leaf)
    weight: Float[Array, " n"] = eqx.field(converter=_leaf)
    remainder_zeta: Float[Array, ""] = eqx.field(converter=_leaf)
    classes: tuple[str, ...] = eqx.field(static=True)
    label: str = eqx.field(static=True)

    def stars(self, t_c_scale: Float[Array, ""] | float = 1.0) -> EddingtonStar:
        """Eddington stars with a leading node axis on every leaf; T_c multiplied by a factor."""
        rest = jnp.broadcast_to(self.remainder_zeta, self.mass_Msun.shape)
        composition = Composition(self.fractions, rest, ISOTOPES)
        return EddingtonStar(self.mass_Msun, self.t_c_keV * t_c_scale, composition)

    def select(self, names: tuple[str, ...]) -> StellarPopulation:
        """The nodes of the named classes only.

        Raises
        ------
        ConfigurationError
            If a class has no node.
        """
        for name in names:
            if name not in self.classes:
                raise unknown_name("class of stars", name, set(self.classes))
        rows = np.array([k for k, c in enumerate(self.classes) if c in names])
        return StellarPopulation(
            self.mass_Msun[rows],
            self.t_c_keV[rows],
            self.fractions[rows],
            self.weight[rows],
            self.remainder_zeta,
            tuple(self.classes[k] for k in rows),
            self.label,
        )

    def mixing(self, names: tuple[str, ...]) -> Float[Array, "k n"]:
        """Matrix of node weights of the named classes, which must have nodes; rows sum to 1."""
        member = jnp.asarray([[float(c == name) for c in self.classes] for name in names])
        weights = member * self.weight
        return weights / jnp.sum(weights, axis=1, keepdims=True)

    @property
    def outside_validity(self) -> Bool[Array, " n"]:
        """Nodes with log10 T_c > 8.7, where the Eddington model fails."""
        return self.t_c_keV > 10.0**LOG_T_C_MAX * KELVIN_TO_KEV


def population_from_history(
    history: MesaHistory,
    weight: str = "time",
    log_t_c_max: float = LOG_T_C_MAX,
    age_window_yr: tuple[float, float] | None = None,
) -> StellarPopulation:
    """One node per time step of an evolutionary track.

    Weights are the time that a step stands for, gradient(age) on the whole track, or 1 per step.
    Steps crowd where stars change fast, so the latter over-represents hot late stages.

    Parameters
    ----------
    history : MesaHistory
        Track with central and surface H1, He4, C12 and O16.
    weight : str, optional
        ``time`` or ``step``.
    log_t_c_max : float, optional
        Steps with log10 T_c [K] above it are left out.
    age_window_yr : tuple of float, optional
        Ages to keep [yr].

    Returns
    -------
    StellarPopulation
        Nodes of the classes WNh, WN, WC and WO, n steps.

    Raises
    ------
    ConfigurationError
        If the weighting is unknown.
    DataError
        If an abundance column is missing, or no step is a Wolf-Rayet star.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    if weight not in WEIGHTS:
        raise ConfigurationError(f"weight = {weight!r}: expected one of {', '.join(WEIGHTS)}")
    for place, columns in (("center", history.center), ("surface", history.surface)):
        missing = [i for i in ISOTOPES if i not in columns]
        if missing:
            raise DataError(f"{history.source}: no {place}_{missing[0]} column; it is needed")
    if history.age_yr.size < 2:
        raise DataError(f"{history.source}: one row only; a track needs at least two")
    time = np.gradient(history.age_yr) if weight == "time" else np.ones_like(history.age_yr)
    surface = history.surface
    names = classify_stars(surface["h1"], surface["c12"], surface["o16"])
    keep = (names != "none") & (history.log_t_c <= log_t_c_max)
    if age_window_yr is not None:
        keep &= (history.age_yr >= age_window_yr[0]) & (history.age_yr <= age_window_yr[1])
    if not keep.any():
        raise DataError(
            f"{history.source}: no step is a Wolf-Rayet star with log T_c <= {log_t_c_max}"
        )
    classes = tuple(str(c) for c in names[keep])
    return StellarPopulation(
        _leaf(history.mass_Msun[keep] * history.msun_g / M_SUN_G),
        _leaf(10.0 ** history.log_t_c[keep] * KELVIN_TO_KEV),
        _leaf(np.stack([history.center[i][keep] for i in ISOTOPES], axis=1)),
        _leaf(normalise_in_class(time[keep], classes)),
        _leaf(REMAINDER_ZETA),
        classes,
        history.source,
    )


def normalise_in_class(weight: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """Weights divided by their sum inside each class, shape (n,)."""
    name = np.array(classes)
    out = np.array(weight, float)
    for c in set(classes):
        out[name == c] /= out[name == c].sum()
    return out


def bundled_population() -> StellarPopulation:
    """The population that travels with the package: one 85 Msun, Z = 0.035 track.

    Returns
    -------
    StellarPopulation
        Nodes of WNh, WN, WC and WO stars with log10 T_c <= 8.7; the label says what they are.

    References
    ----------
    MESA track of the public release of Dessert, Foster & Safdi 2020, arXiv:2008.03305; table
    ``population_nodes``, made by ``scripts/make_population_nodes.py``.
    """
    table = load_table("population_nodes")
    return StellarPopulation(
        _leaf(table["mass_Msun"]),
        _leaf(10.0 ** table["log_t_c"] * KELVIN_TO_KEV),
        _leaf(np.stack([table[f"x_{i}"] for i in ISOTOPES], axis=1)),
        _leaf(table["weight"]),
        _leaf(table.meta["remainder_zeta"]),
        tuple(str(c) for c in table["class"]),
        str(table.meta["label"]),
    )
