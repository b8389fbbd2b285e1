"""Composition of stellar matter: isotope names, and the weights that plasma physics needs.

Atoms are fully ionised and atomic weights equal mass numbers, so that everything follows from
the names of the isotopes: zeta = sum_j X_j (Z_j + Z_j^2)/A_j (screening charge of ions and
their electrons), Y_e = sum_j X_j Z_j/A_j, and the mean molecular weight of hydrogen, helium and
metals, 1/mu = 2X + 3Y/4 + (1 - X - Y)/2.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...data.isotopes import parse_isotope
from ...errors import ConfigurationError, DataError, DiffaxionWarning

SUM_ERROR = 1.01
SUM_WARNING = 0.98
FRACTION_ERROR = -1e-8


class Composition(eqx.Module):
    """Mass fractions of named isotopes, plus a remainder of unspecified metals.

    The remainder 1 - sum X is linear and unclipped, so that derivatives exist everywhere; sums
    above 1.01 are refused by the readers.

    Attributes
    ----------
    fractions : float array, shape (..., n)
        Mass fractions X_j, in the order of ``isotopes``; leading axes are zones or stars.
    remainder_zeta : float array, shape ()
        Weight zeta given to the remainder (0 leaves it out, 4 is nitrogen, 6.5 magnesium).
    isotopes : tuple of str
        Names of the isotopes (static).
    """

    fractions: Float[Array, "... n"] = eqx.field(converter=lambda x: jnp.asarray(x, float))
    remainder_zeta: Float[Array, ""] = eqx.field(
        converter=lambda x: jnp.asarray(x, float), default=0.0
    )
    isotopes: tuple[str, ...] = eqx.field(static=True, default=("h1", "he4", "c12", "o16"))

    def _weights(self, function) -> Array:
        return jnp.asarray([function(*parse_isotope(name)) for name in self.isotopes], float)

    @property
    def remainder(self) -> Float[Array, "..."]:
        """1 - sum X, dimensionless."""
        return 1.0 - jnp.sum(self.fractions, axis=-1)

    @property
    def zeta(self) -> Float[Array, "..."]:
        """sum_j X_j (Z_j + Z_j^2)/A_j + remainder_zeta (1 - sum X), dimensionless."""
        weights = self._weights(lambda z, a: z * (1 + z) / a)
        return self.fractions @ weights + self.remainder_zeta * self.remainder

    @property
    def y_e(self) -> Float[Array, "..."]:
        """Electrons per baryon; the remainder has one electron per two baryons."""
        return self.fractions @ self._weights(lambda z, a: z / a) + 0.5 * self.remainder

    @property
    def mu(self) -> Float[Array, "..."]:
        """Mean molecular weight, 1/mu = 2X + 3Y/4 + (1 - X - Y)/2; all else counts as metals."""
        light = self._weights(lambda z, a: (1 + z) / a if 1 <= z <= 2 else 0.5)
        return 1.0 / (self.fractions @ (light - 0.5) + 0.5)


def check_fractions(total: float, smallest: float, where: str, remainder_given: bool) -> None:
    """Refuse or warn about mass fractions that do not sum to one.

    Parameters
    ----------
    total : float
        Sum of the mass fractions.
    smallest : float
        The smallest of them.
    where : str
        File, line or option, for the message.
    remainder_given : bool
        Whether the user has said what the missing part is; then there is no warning.

    Raises
    ------
    DataError
        If the sum exceeds 1.01, a fraction is below -1e-8, or either is not finite.
    """
    if not (np.isfinite(total) and np.isfinite(smallest)):
        raise DataError(f"{where}: mass fractions must be finite numbers")
    if smallest < FRACTION_ERROR:
        raise DataError(f"{where}: mass fraction {smallest:.4g} is negative; expected 0..1")
    if total > SUM_ERROR:
        raise DataError(f"{where}: mass fractions sum to {total:.4f}; expected at most {SUM_ERROR}")
    if total < SUM_WARNING and not remainder_given:
        warnings.warn(
            f"{where}: mass fractions sum to {total:.4f} < {SUM_WARNING}; the rest emits nothing. "
            "Give remainder_zeta (4 for nitrogen, 6.5 for magnesium) to include it.",
            DiffaxionWarning,
            stacklevel=3,
        )


def make_composition(
    fractions: Mapping[str, float], remainder_zeta: float | None = None, where: str = "composition"
) -> Composition:
    """Composition of one place from a mapping of isotope to mass fraction.

    Parameters
    ----------
    fractions : mapping of str to float
        Mass fractions by isotope name, for instance ``{"H1": 0.7, "He4": 0.28}``.
    remainder_zeta : float, optional
        Weight of what is missing from 1; default 0, with a warning if the sum is below 0.98.
    where : str, optional
        Name of the source, for messages.

    Returns
    -------
    Composition
        Fractions of shape (n,).

    Raises
    ------
    ConfigurationError
        If a name is not an isotope.
    DataError
        If a fraction is negative or the sum exceeds 1.01.

    References
    ----------
    Raffelt 1986, Phys. Rev. D 33, 897 (charge weights).
    """
    if not fractions:
        raise DataError(f"{where}: no isotope given; expected for instance H1=0.7:He4=0.28")
    for name in fractions:
        parse_isotope(name)
    values = np.array([float(x) for x in fractions.values()])
    check_fractions(values.sum(), values.min(), where, remainder_zeta is not None)
    rest = 0.0 if remainder_zeta is None else remainder_zeta
    return Composition(
        jnp.asarray(values), jnp.asarray(rest, float), tuple(n.strip().lower() for n in fractions)
    )


def parse_composition(text: str, remainder_zeta: float | None = None) -> Composition:
    """Composition from a string such as ``H1=0.7:He4=0.28:C12=0.01``.

    Parameters
    ----------
    text : str
        Isotope=fraction pairs separated by colons.
    remainder_zeta : float, optional
        Weight of what is missing from 1; default 0.

    Returns
    -------
    Composition
        Fractions of shape (n,).

    Raises
    ------
    ConfigurationError
        If a pair is malformed, an isotope is unknown or named twice.
    DataError
        If a fraction is negative or the sum exceeds 1.01.

    References
    ----------
    Raffelt 1986, Phys. Rev. D 33, 897 (charge weights).
    """
    fractions: dict[str, float] = {}
    for pair in text.split(":"):
        name, equals, value = pair.partition("=")
        key = name.strip().lower()
        try:
            number = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise ConfigurationError(
                f"composition {text!r}: {pair!r} is not ISOTOPE=FRACTION; "
                "expected for instance H1=0.7:He4=0.28:C12=0.01"
            )
        if key in fractions:
            raise ConfigurationError(f"composition {text!r}: {name!r} is given twice")
        fractions[key] = number
    return make_composition(fractions, remainder_zeta, f"composition {text!r}")
