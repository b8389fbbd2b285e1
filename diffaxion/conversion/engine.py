"""Choice between the Born integral and the exact chain, and checks of a sampled sight line."""

from __future__ import annotations

import warnings
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..environments.galaxy.sightline import LinePath
from ..errors import ConfigurationError, DiffaxionWarning, ValidityError, unknown_name
from .axion import Axion
from .born import Rule, born_probability, phase_rate
from .mixing import Reverse, exact_probability

Engine = Literal["born", "exact"]
ENGINES = ("auto", "born", "exact")
# Born is off by about p/3: above this probability the chain is used.
BORN_LIMIT = 1e-2
# Largest |delta| h for which the trapezoid is trusted, and largest |d delta/ds| h^2 in a cell
# that holds a resonance [rad].
PHASE_LIMIT = 1.0
RESONANCE_LIMIT = 0.1


class ConversionFlags(NamedTuple):
    """What limits the accuracy of a conversion probability; arrays of shape ().

    Attributes
    ----------
    max_probability : float array
        Largest Born probability over the energies.
    born_valid : bool array
        Whether it is below ``BORN_LIMIT``.
    max_phase_per_cell : float array
        Largest |delta| h over cells and energies [rad].
    trapezoid_valid : bool array
        Whether that is below ``PHASE_LIMIT``; the Filon rule does not need it.
    resonances : int array
        Number of cells in which m = omega_pl is crossed.
    max_resonance_phase : float array
        Largest |d delta/ds| h^2 over those cells and energies [rad].
    resonances_resolved : bool array
        Whether that is below ``RESONANCE_LIMIT``.
    """

    max_probability: Float[Array, ""]
    born_valid: Array
    max_phase_per_cell: Float[Array, ""]
    trapezoid_valid: Array
    resonances: Array
    max_resonance_phase: Float[Array, ""]
    resonances_resolved: Array


@jax.jit
def conversion_flags(
    path: LinePath, axion: Axion, energy_keV: Float[Array, " e"]
) -> ConversionFlags:
    """Validity of the Born approximation and of the nodes.

    Parameters
    ----------
    path : LinePath
        Medium at n nodes.
    axion : Axion
        Mass and coupling.
    energy_keV : float array, shape (e,)
        Photon energies [keV].

    Returns
    -------
    ConversionFlags
        Numbers and their verdicts.

    References
    ----------
    Raffelt & Stodolsky 1988, PRD 37, 1237, for the Born limit and the resonance m = omega_pl.
    """
    probability = jnp.max(jnp.abs(axion.u) * born_probability(path, energy_keV, axion.m_a_eV))
    h = jnp.diff(path.s_kpc)
    rate = phase_rate(path, axion.m_a_eV) / jnp.min(energy_keV)
    phase = jnp.max(0.5 * jnp.abs(rate[1:] + rate[:-1]) * h)
    crossed = (rate[1:] * rate[:-1] < 0.0) & (h > 0.0)
    resonance = jnp.max(jnp.where(crossed, jnp.abs(jnp.diff(rate)) * h, 0.0))
    return ConversionFlags(
        probability,
        probability < BORN_LIMIT,
        phase,
        phase < PHASE_LIMIT,
        jnp.sum(crossed),
        resonance,
        resonance < RESONANCE_LIMIT,
    )


def resolve_engine(
    engine: str, path: LinePath, axion: Axion, energy_keV: Float[Array, " e"]
) -> Engine:
    """Turn ``auto`` into ``born`` or ``exact``, outside ``jit``.

    ``auto`` is Born unless the largest Born probability exceeds 1e-2 (Born is off by about p/3).
    Resolve it at the largest coupling that will be visited.

    Parameters
    ----------
    engine : {"auto", "born", "exact"}
        Request.
    path : LinePath
        Fiducial medium.
    axion : Axion
        Mass and coupling, concrete values.
    energy_keV : float array, shape (e,)
        Photon energies [keV].

    Returns
    -------
    str
        ``born`` or ``exact``.

    Raises
    ------
    ConfigurationError
        If the request is unknown.
    ValidityError
        If the exact chain is asked for u < 0.

    Warns
    -----
    DiffaxionWarning
        When ``auto`` switches to the chain, when ``born`` is used above its limit, and when a
        resonance is not resolved by the nodes.

    References
    ----------
    Raffelt & Stodolsky 1988, PRD 37, 1237.
    """
    if engine not in ENGINES:
        raise unknown_name("conversion engine", engine, ENGINES)
    u = float(axion.u)
    flags = conversion_flags(path, axion, energy_keV)
    p = float(flags.max_probability)
    if not bool(flags.resonances_resolved):
        warnings.warn(
            f"{int(flags.resonances)} resonance(s) m_a = omega_pl are not resolved: |d delta/ds| "
            f"h^2 = {float(flags.max_resonance_phase):.2g} rad in a cell, expected below "
            f"{RESONANCE_LIMIT}; use more nodes or adaptive_fractions.",
            DiffaxionWarning,
            stacklevel=2,
        )
    if engine == "exact" and u < 0.0:
        raise ValidityError(
            f"u = {u!r}: the exact chain needs u = (g/1e-12 GeV^-1)^2 >= 0; signed fits use "
            "engine='born', which is proportional to u."
        )
    if engine == "exact" or bool(flags.born_valid):
        return "exact" if engine == "exact" else "born"
    if engine == "auto" and u >= 0.0:
        warnings.warn(
            f"Born probability {p:.3g} exceeds {BORN_LIMIT}: engine='auto' uses the exact chain.",
            DiffaxionWarning,
            stacklevel=2,
        )
        return "exact"
    warnings.warn(
        f"Born probability {p:.3g} exceeds {BORN_LIMIT}: the Born result is off by about "
        f"{p / 3.0:.1%}.",
        DiffaxionWarning,
        stacklevel=2,
    )
    return "born"


def conversion_probability(
    path: LinePath,
    axion: Axion,
    energy_keV: Float[Array, " e"],
    engine: Engine = "born",
    rule: Rule = "filon",
    cross_section_cm2: Float[Array, " e"] | None = None,
    qed: bool = False,
    cmb: bool = False,
    reverse: Reverse = "invert",
) -> Float[Array, " e"]:
    """Axion -> photon probability, summed over polarisations.

    ``born``: p = u sum_i |A_i|^2, signed with u; ``exact``: the three-state chain.

    Parameters
    ----------
    path : LinePath
        Medium at n nodes, from the Earth outward.
    axion : Axion
        Mass and coupling.
    energy_keV : float array, shape (e,)
        Photon energies [keV].
    engine : {"born", "exact"}
        Method; ``auto`` is resolved beforehand by :func:`resolve_engine`.
    rule : {"filon", "trapezoid"}
        Quadrature of the Born integral.
    cross_section_cm2 : float array, shape (e,), optional
        Photoelectric cross-section per hydrogen atom [cm^2]; switches absorption on.
    qed, cmb : bool
        Optional terms of the exact chain.
    reverse : {"invert", "store"}
        Reverse pass of the exact chain; forward mode (``jvp``, ``jacfwd``) needs ``store``.

    Returns
    -------
    float array, shape (e,)
        Probability, dimensionless.

    Raises
    ------
    ConfigurationError
        If the engine is unknown or still ``auto``, or if Born is asked for QED or CMB terms.

    References
    ----------
    Raffelt & Stodolsky 1988, PRD 37, 1237; Dessert, Foster & Safdi 2020, PRL 125, 261102.
    """
    if engine == "exact":
        return exact_probability(
            path, energy_keV, axion.m_a_eV, axion.u, cross_section_cm2, qed, cmb, reverse
        )
    if engine != "born":
        raise ConfigurationError(
            f"engine {engine!r}: expected 'born' or 'exact'; resolve 'auto' with resolve_engine."
        )
    if qed or cmb:
        raise ConfigurationError(
            "QED and CMB terms belong to engine='exact'; the Born integral has none (they are "
            "1e-11 of the result at keV energies)."
        )
    return axion.u * born_probability(path, energy_keV, axion.m_a_eV, rule, cross_section_cm2)


def probability_over_masses(
    path: LinePath,
    u: Float[Array, ""],
    m_a_eV: Float[Array, " k"],
    energy_keV: Float[Array, " e"],
    engine: Engine = "born",
    batch_size: int = 8,
) -> Float[Array, "k e"]:
    """Probability for many masses on one path; ``lax.map`` bounds the memory.

    Parameters
    ----------
    path : LinePath
        Medium at n nodes.
    u : float array, shape ()
        (g/1e-12 GeV^-1)^2.
    m_a_eV : float array, shape (k,)
        Axion masses [eV].
    energy_keV : float array, shape (e,)
        Photon energies [keV].
    engine : {"born", "exact"}
        Method.
    batch_size : int
        Masses evaluated together; each Born one holds about 16 e n bytes.

    Returns
    -------
    float array, shape (k, e)
        Probability, dimensionless.

    Raises
    ------
    ConfigurationError
        If the engine is unknown.

    References
    ----------
    Raffelt & Stodolsky 1988, PRD 37, 1237.
    """

    def one(m: Float[Array, ""]) -> Float[Array, " e"]:
        return conversion_probability(path, Axion(m, u), energy_keV, engine)

    return jax.lax.map(one, m_a_eV, batch_size=batch_size)
