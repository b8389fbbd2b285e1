"""The medium sampled along a sight line: where the nodes lie and what is found there.

A fixed grid over a field with jumps (spiral arms, ring edges, the inner boundary) is inaccurate,
and its derivative with respect to the place of a jump is exactly zero. Nodes therefore sit on
both sides of every crossing and move with the distance, the arm radii and the Sun's radius, so
that an integral over them carries the boundary terms in its gradient.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...constants import DELTA_A_KPC, DELTA_PL_KPC
from ...errors import ValidityError
from ...numerics import linear_interpolate
from .base import ElectronDensity, MagneticField
from .frame import S_MIN_KPC, SightLine

# Half distance between the two nodes that straddle a jump [kpc].
SPLIT_KPC = 1e-9


class LinePath(eqx.Module):
    """Transverse field and densities at nodes along a sight line, from the Earth outward.

    Attributes
    ----------
    s_kpc : float array, shape (n,)
        Distances from the Sun, not decreasing [kpc].
    b_l_muG, b_b_muG : float array, shape (n,)
        Field components along increasing longitude and latitude [muG].
    n_e_cm3 : float array, shape (n,)
        Free-electron density [cm^-3].
    n_h_cm3 : float array, shape (n,)
        Hydrogen density, for photoelectric absorption [cm^-3]; zero unless given.
    """

    s_kpc: Float[Array, " n"]
    b_l_muG: Float[Array, " n"]
    b_b_muG: Float[Array, " n"]
    n_e_cm3: Float[Array, " n"]
    n_h_cm3: Float[Array, " n"]

    def __init__(
        self,
        s_kpc: Float[Array, " n"],
        b_l_muG: Float[Array, " n"],
        b_b_muG: Float[Array, " n"],
        n_e_cm3: Float[Array, " n"],
        n_h_cm3: Float[Array, " n"] | None = None,
    ):
        self.s_kpc = jnp.asarray(s_kpc, float)
        self.b_l_muG = jnp.asarray(b_l_muG, float)
        self.b_b_muG = jnp.asarray(b_b_muG, float)
        self.n_e_cm3 = jnp.asarray(n_e_cm3, float)
        self.n_h_cm3 = (
            jnp.zeros_like(self.s_kpc) if n_h_cm3 is None else jnp.asarray(n_h_cm3, float)
        )


def uniform_fractions(n: int) -> Float[Array, " n"]:
    """n equally spaced fractions of the distance, from 0 to 1.

    Parameters
    ----------
    n : int
        Number of fractions, at least 2.

    Returns
    -------
    float array, shape (n,)
        Fractions, dimensionless.

    References
    ----------
    Definition.
    """
    return jnp.linspace(0.0, 1.0, n)


def node_positions(
    sightline: SightLine, field: MagneticField, base_fractions: Float[Array, " n"]
) -> Float[Array, " m"]:
    """Nodes s along the sight line: a base grid and both sides of every jump of the field.

    s = sort{S_MIN + f (d - S_MIN)} U {s_c - eps} U {s_c + eps}, eps = 1e-9 kpc, with s_c the
    crossings of the field. The count m = n + 2k is static, whatever the parameters, and the
    positions are differentiable in the distance and in whatever moves the crossings.

    Parameters
    ----------
    sightline : SightLine
        Direction and distance.
    field : MagneticField
        Field whose ``crossings_kpc`` are split; crossings padded to s = d give empty cells.
    base_fractions : float array, shape (n,)
        Base grid as fractions of the distance, in [0, 1].

    Returns
    -------
    float array, shape (n + 2k,)
        Distances, not decreasing, from ``S_MIN_KPC`` to d [kpc].

    References
    ----------
    The boundary term is Leibniz's rule for an integral whose integrand jumps at s_c.
    """
    d = sightline.distance_kpc
    base = S_MIN_KPC + base_fractions * (d - S_MIN_KPC)
    crossings = field.crossings_kpc(sightline)
    if crossings.shape[0] == 0:
        return base
    lower = jnp.maximum(crossings - SPLIT_KPC, S_MIN_KPC)
    upper = jnp.minimum(crossings + SPLIT_KPC, d)
    return jnp.sort(jnp.concatenate([base, lower, upper]))


def sample_path(
    sightline: SightLine,
    field: MagneticField,
    density: ElectronDensity | None,
    fractions: Float[Array, " n"],
    n_e_cm3: Float[Array, " m"] | tuple[Float[Array, " t"], Float[Array, " t"]] | None = None,
    n_h_cm3: Float[Array, " m"] | None = None,
) -> LinePath:
    """Sample field and electron density at the nodes of :func:`node_positions`.

    Parameters
    ----------
    sightline : SightLine
        Direction, distance and the Sun's radius used by the field.
    field : MagneticField
        Regular field.
    density : ElectronDensity or None
        Electron density, taken at the heliocentric (l, b, s); unused when ``n_e_cm3`` is given.
    fractions : float array, shape (n,)
        Base grid as fractions of the distance.
    n_e_cm3 : float array, shape (m,), or pair of float arrays, shape (t,), optional
        Density known beforehand [cm^-3]: its values at the m = n + 2k nodes, or a cached fine
        table (s [kpc], n_e [cm^-3]) that is interpolated linearly because the nodes move. Use
        it when the parameters of the density are fixed: it is the costliest part to evaluate.
    n_h_cm3 : float array, shape (m,), optional
        Hydrogen density at the nodes [cm^-3].

    Returns
    -------
    LinePath
        Field and densities at m nodes.

    Raises
    ------
    ValidityError
        If neither a density nor its values are given, or their number is not m.

    References
    ----------
    Dessert, Foster & Safdi 2020, PRL 125, 261102 (arXiv:2008.03305): field and density along the
    line of sight.
    """
    s = node_positions(sightline, field, fractions)
    b = jax.vmap(lambda x: field(sightline.position_kpc(x)))(s)
    e_l, e_b = sightline.transverse_basis()
    if isinstance(n_e_cm3, tuple):
        n_e = linear_interpolate(s, *n_e_cm3)
    elif n_e_cm3 is not None:
        if n_e_cm3.shape != s.shape:
            raise ValidityError(
                f"n_e_cm3 has shape {n_e_cm3.shape}, but the sight line has {s.shape[0]} nodes "
                "(base grid plus two for each crossing): sample it at node_positions(...), or "
                "pass a table (s_kpc, n_e_cm3)."
            )
        n_e = n_e_cm3
    elif density is not None:
        n_e = jax.vmap(density, (None, None, 0))(sightline.longitude_deg, sightline.latitude_deg, s)
    else:
        raise ValidityError("sample_path needs an electron density or values n_e_cm3.")
    return LinePath(s, b @ e_l, b @ e_b, n_e, n_h_cm3)


@eqx.filter_jit
def density_table(
    sightline: SightLine, density: ElectronDensity, n: int = 8001
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Fine table (s [kpc], n_e [cm^-3]) along a sight line, for ``sample_path(n_e_cm3=...)``.

    Parameters
    ----------
    sightline : SightLine
        Direction and distance; the table ends at the distance.
    density : ElectronDensity
        Electron density.
    n : int
        Number of equally spaced nodes.

    Returns
    -------
    tuple of float array, shape (n,)
        Distances [kpc] and densities [cm^-3].

    References
    ----------
    Dessert, Foster & Safdi 2020, PRL 125, 261102 (arXiv:2008.03305): field and density along the
    line of sight.
    """
    s = S_MIN_KPC + uniform_fractions(n) * (sightline.distance_kpc - S_MIN_KPC)
    n_e = jax.vmap(density, (None, None, 0))(sightline.longitude_deg, sightline.latitude_deg, s)
    return s, n_e


@eqx.filter_jit
def _fine_sample(sightline: SightLine, field: MagneticField, density: ElectronDensity, n: int):
    s, n_e = density_table(sightline, density, n)
    b = jax.vmap(lambda x: field(sightline.position_kpc(x)))(s)
    e_l, e_b = sightline.transverse_basis()
    return s, n_e, b @ e_l, b @ e_b


def adaptive_fractions(
    sightline: SightLine,
    density: ElectronDensity,
    field: MagneticField,
    n: int,
    m_a_eV: float,
    energy_keV: float,
    phase_share: float = 0.1,
    fine: int = 4096,
) -> Float[Array, " n"]:
    """Base grid that equidistributes phase, bending of the phase and length.

    A cell with B and Phi linear errs by h^3 |n_e''| in the phase and by h^3 B_T |n_e'| in the
    amplitude, so that the best grid has a node density proportional to their cube roots. Nodes
    are quantiles of the monitor

        w S(|delta|) + (1 - w) {0.4 S(|n_e''|^(1/3)) + 0.4 S((B_T |n_e'|)^(1/3)) + 0.2/d},

    S(f) = f/int f ds, delta = (m^2 - omega_pl^2)/2E. Computed in NumPy, outside ``jit``, once for
    fiducial parameters; the fractions stay fixed while the parameters vary. For JF12 and YMW16
    toward the Galactic centre 400 nodes reach what 1200 equidistant ones do.

    Parameters
    ----------
    sightline, density, field
        Fiducial sight line and medium.
    n : int
        Number of nodes.
    m_a_eV : float
        Axion mass for which phases are estimated [eV].
    energy_keV : float
        Photon energy for which phases are estimated, best the lowest one [keV].
    phase_share : float
        Share w of the phase, in [0, 1]; raise it for the trapezoid rule.
    fine : int
        Nodes of the grid on which the monitor is tabulated.

    Returns
    -------
    float array, shape (n,)
        Increasing fractions from 0 to 1.

    Raises
    ------
    ValidityError
        If n < 2 or the share is outside [0, 1].

    References
    ----------
    de Boor 1974, Lecture Notes in Mathematics 363, 12: equidistribution of the local error.
    """
    if n < 2 or not 0.0 <= phase_share <= 1.0:
        raise ValidityError(
            f"adaptive_fractions: n = {n}, phase_share = {phase_share}; expected n >= 2 and a "
            "share in [0, 1]."
        )
    s, n_e, b_l, b_b = (np.asarray(x) for x in _fine_sample(sightline, field, density, fine))
    delta = np.abs(DELTA_A_KPC * float(m_a_eV) ** 2 - DELTA_PL_KPC * n_e) / float(energy_keV)
    slope = np.gradient(n_e, s)

    def share(f: np.ndarray) -> np.ndarray:
        cells = 0.5 * (f[1:] + f[:-1]) * np.diff(s)
        total = cells.sum()
        return cells / total if total > 0.0 else np.diff(s) / (s[-1] - s[0])

    shape = 0.4 * share(np.cbrt(np.abs(np.gradient(slope, s))))
    shape += 0.4 * share(np.cbrt(np.hypot(b_l, b_b) * np.abs(slope)))
    shape += 0.2 * share(np.ones_like(s))
    monitor = phase_share * share(delta) + (1.0 - phase_share) * shape
    running = np.concatenate([[0.0], np.cumsum(monitor)])
    fractions = np.interp(np.linspace(0.0, running[-1], n), running, (s - s[0]) / (s[-1] - s[0]))
    fractions[0], fractions[-1] = 0.0, 1.0
    return jnp.asarray(fractions)
