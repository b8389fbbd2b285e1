"""From photons at Earth to counts in bins: effective area and energy redistribution."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...data.registry import load_table
from ...errors import DataError, ValidityError, unknown_name
from ...numerics import gauss_legendre, linear_interpolate

_FWHM_TO_SIGMA = 1.0 / (2.0 * np.sqrt(2.0 * np.log(2.0)))
# The effective area has edges at 10-12, 69.5 and 78.4 keV: sub-intervals of 0.25 keV resolve them.
_SUB_KEV = 0.25
REDISTRIBUTIONS = ("diagonal", "gaussian", "ogip")


class Instrument(eqx.Module):
    """Effective area and energy resolution of one X-ray telescope module.

    The area is linear between its nodes. ``redistribution="diagonal"`` puts every photon into
    the bin of its energy; ``"gaussian"`` spreads it with a FWHM linear in energy; ``"ogip"`` with
    a matrix that was summed over the channels of each bin (:func:`ogip_instrument`).

    Attributes
    ----------
    energy_keV, area_cm2 : float array, shape (n,)
        Nodes of the effective area [keV, cm^2].
    ln_area : float array, shape ()
        Nuisance: ln of a factor on the area.
    fwhm_keV : float array, shape (2,)
        FWHM of the resolution at 10 keV and at 68 keV [keV].
    redistribution : str, static
        ``diagonal``, ``gaussian`` or ``ogip``.
    label : str, static
        What the area is; products repeat it.
    matrix : float array, shape (r, b), or None
        Probability that a photon of each energy row is counted in each bin (``ogip``).
    matrix_edges_keV : float array, shape (r + 1,), or None
        Edges of the energy rows [keV] (``ogip``).

    References
    ----------
    Harrison et al. 2013, ApJ 770, 103 (resolution: 400 eV at 10 keV, 900 eV at 68 keV FWHM).
    """

    references: ClassVar[tuple[str, ...]] = ("Harrison:2013md",)
    energy_keV: Float[Array, " n"] = eqx.field(converter=lambda x: jnp.asarray(x, float))
    area_cm2: Float[Array, " n"] = eqx.field(converter=lambda x: jnp.asarray(x, float))
    ln_area: Float[Array, ""] = eqx.field(converter=lambda x: jnp.asarray(x, float), default=0.0)
    fwhm_keV: Float[Array, "2"] = eqx.field(
        converter=lambda x: jnp.asarray(x, float), default=(0.4, 0.9)
    )
    redistribution: str = eqx.field(static=True, default="diagonal")
    label: str = eqx.field(static=True, default="user effective area")
    matrix: Float[Array, "r b"] | None = None
    matrix_edges_keV: Float[Array, " e"] | None = None

    def __check_init__(self) -> None:
        if self.redistribution not in REDISTRIBUTIONS:
            raise unknown_name("redistribution", self.redistribution, REDISTRIBUTIONS)
        if self.redistribution == "ogip" and (self.matrix is None or self.matrix_edges_keV is None):
            raise DataError(
                "redistribution='ogip' needs the matrix and its energies: read an RMF and use "
                "ogip_instrument"
            )

    def effective_area_cm2(self, energy_keV: Float[Array, ""]) -> Float[Array, ""]:
        """Effective area [cm^2] at one energy [keV]; clamps outside its table."""
        area = linear_interpolate(energy_keV, self.energy_keV, self.area_cm2)
        return area * jnp.exp(self.ln_area)

    def sigma_keV(self, energy_keV: Float[Array, ""]) -> Float[Array, ""]:
        """Standard deviation of the energy resolution [keV] at one energy [keV]."""
        low, high = self.fwhm_keV
        return (low + (high - low) * (energy_keV - 10.0) / 58.0) * _FWHM_TO_SIGMA


def default_instrument() -> Instrument:
    """Bundled synthetic NuSTAR module (not a calibration product).

    Returns
    -------
    Instrument
        Nodes of shape (36,) [keV, cm^2], diagonal redistribution.

    References
    ----------
    Template source ARF distributed with nustar-gen-utils (MIT); scale uncertain by 15 %.
    """
    table = load_table("nustar_arf_template")
    label = "on-axis FPMA, public template, not a calibration product"
    return Instrument(jnp.asarray(table["energy_keV"]), jnp.asarray(table["area_cm2"]), label=label)


def validate_bins(
    low_keV: np.ndarray,
    high_keV: np.ndarray,
    range_keV: tuple[float, float] | None = None,
    source: str = "energy bins",
) -> None:
    """Refuse energy bins that overlap, are unsorted or leave the response.

    Parameters
    ----------
    low_keV, high_keV : array, shape (n,)
        Bin edges [keV].
    range_keV : tuple of two floats, optional
        Range of the effective area [keV]; not checked where the bins need none.
    source : str
        What the bins belong to, for the message.

    Returns
    -------
    None
        Nothing; usable bins pass.

    Raises
    ------
    DataError
        If edges are not finite, have no width, overlap or are unsorted.
    ValidityError
        If a bin leaves the range.

    References
    ----------
    None: a validation.
    """
    low, high = np.asarray(low_keV, float), np.asarray(high_keV, float)
    if low.size == 0 or low.shape != high.shape or not np.all(np.isfinite([low, high])):
        raise DataError(
            f"{source}: {low.size} lower and {high.size} upper edges; expected the same number "
            "(>= 1) of finite values"
        )
    if np.any(high <= low) or np.any(low[1:] < high[:-1] - 1e-9):
        raise DataError(
            f"{source}: bins overlap or are unsorted; expected increasing, disjoint bins [keV]"
        )
    if range_keV is not None and (low[0] < range_keV[0] - 1e-9 or high[-1] > range_keV[1] + 1e-9):
        raise ValidityError(
            f"{source}: bins span {low[0]:g}-{high[-1]:g} keV but the effective area is tabulated "
            f"from {range_keV[0]:g} to {range_keV[1]:g} keV; drop the bins outside"
        )


def bin_nodes_keV(
    low_keV: Float[Array, " n"], high_keV: Float[Array, " n"], order: int
) -> tuple[Float[Array, "n q"], Float[Array, " q"]]:
    """Gauss-Legendre energies inside each bin, and weights whose sum is 1 (a bin mean).

    Parameters
    ----------
    low_keV, high_keV : float array, shape (n,)
        Bin edges [keV].
    order : int
        Number of nodes q per bin.

    Returns
    -------
    energy_keV : float array, shape (n, q)
        Nodes [keV].
    weights : float array, shape (q,)
        Dimensionless weights of the mean over the bin.

    References
    ----------
    Abramowitz & Stegun 25.4.29.
    """
    x, w = gauss_legendre(order, 0.0, 1.0)
    low, high = jnp.asarray(low_keV), jnp.asarray(high_keV)
    return low[:, None] + (high - low)[:, None] * x, w


def _lagrange_matrix(x: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Matrix M with f(x) = M f(nodes) for polynomials through the nodes."""
    m = np.ones((x.size, nodes.size))
    for j in range(nodes.size):
        for k in range(nodes.size):
            if k != j:
                m[:, j] *= (x - nodes[k]) / (nodes[j] - nodes[k])
    return m


class FoldGrid(eqx.Module):
    """Fixed fine energies of a fold, and the interpolation from the nodes of each bin.

    Attributes
    ----------
    low_keV, high_keV : float array, shape (n,)
        Bin edges [keV].
    fine_keV, fine_width_keV : float array, shape (n, m)
        Fine energies inside each bin and their quadrature weights [keV].
    to_fine : float array, shape (m, q)
        Polynomial interpolation from the q nodes of a bin to its fine energies.
    """

    low_keV: Float[Array, " n"]
    high_keV: Float[Array, " n"]
    fine_keV: Float[Array, "n m"]
    fine_width_keV: Float[Array, "n m"]
    to_fine: Float[Array, "m q"]


def fold_grid(low_keV: np.ndarray, high_keV: np.ndarray, order: int) -> FoldGrid:
    """Fine energies (two per 0.25 keV at most) for bins of one width.

    Parameters
    ----------
    low_keV, high_keV : array, shape (n,)
        Bin edges [keV].
    order : int
        Nodes per bin of :func:`bin_nodes_keV`.

    Returns
    -------
    FoldGrid
        Fine energies, shape (n, m) [keV].

    Raises
    ------
    DataError
        If the bins are unusable.

    References
    ----------
    None: bookkeeping of a quadrature.
    """
    validate_bins(low_keV, high_keV)
    low, high = np.asarray(low_keV, float), np.asarray(high_keV, float)
    count = int(np.ceil(np.max(high - low) / _SUB_KEV))
    gl, weight = np.polynomial.legendre.leggauss(2)
    start = np.arange(count) / count
    x = (start[:, None] + (gl + 1.0) / (2.0 * count)).ravel()
    w = np.tile(weight / (2.0 * count), count)
    width = (high - low)[:, None]
    nodes = 0.5 * (np.polynomial.legendre.leggauss(order)[0] + 1.0)
    return FoldGrid(
        jnp.asarray(low),
        jnp.asarray(high),
        jnp.asarray(low[:, None] + width * x),
        jnp.asarray(width * w),
        jnp.asarray(_lagrange_matrix(x, nodes)),
    )


def fold_weights(
    instrument: Instrument, grid: FoldGrid, spectrum: Float[Array, "n m"]
) -> Float[Array, "n n q"]:
    """Weights W with rate_i = sum_jk W_ijk p(E_jk) / bin width: the fold of a spectrum times p.

    rate_i = int dE ARF(E) f(E) p(E) R_i(E) / (high_i - low_i), R_i the fraction of photons of
    energy E that lands in bin i. The integral runs over the bins: photons that come in from
    outside of them are not counted.

    Parameters
    ----------
    instrument : Instrument
        Area [cm^2] and redistribution.
    grid : FoldGrid
        Fine energies, shape (n, m) [keV].
    spectrum : float array, shape (n, m)
        Photon spectrum f for p = 1 at the fine energies [cm^-2 s^-1 keV^-1].

    Returns
    -------
    float array, shape (n, n, q)
        Bin of arrival, bin of origin, node [counts s^-1 keV^-1].

    Raises
    ------
    DataError
        If a redistribution matrix was made for another number of bins.

    References
    ----------
    Davis 2001, ApJ 548, 1010, eq. (1).
    """
    area = jax.vmap(jax.vmap(instrument.effective_area_cm2))(grid.fine_keV)
    rate = area * spectrum * grid.fine_width_keV
    weights = rate[:, :, None] * grid.to_fine[None]
    width = grid.high_keV - grid.low_keV
    if instrument.redistribution == "diagonal":
        return (
            jnp.eye(width.size)[:, :, None] * jnp.sum(weights, axis=1)[None] / width[:, None, None]
        )
    share = _shares(instrument, grid)
    return jnp.einsum("ijm,jmq->ijq", share, weights) / width[:, None, None]


def _shares(instrument: Instrument, grid: FoldGrid) -> Float[Array, "n n m"]:
    """Fraction of the photons of each fine energy (bin, node) that is counted in each bin."""
    if instrument.matrix is not None and instrument.matrix_edges_keV is not None:
        if instrument.matrix.shape[-1] != grid.low_keV.size:
            raise DataError(
                f"{instrument.label}: the redistribution was summed over "
                f"{instrument.matrix.shape[-1]} bins, but there are {grid.low_keV.size}; make the "
                "instrument with the bins of the analysis"
            )
        row = jnp.searchsorted(instrument.matrix_edges_keV, grid.fine_keV, side="right") - 1
        row = jnp.clip(row, 0, instrument.matrix.shape[0] - 1)
        return jnp.moveaxis(instrument.matrix[row], -1, 0)
    sigma = jax.vmap(jax.vmap(instrument.sigma_keV))(grid.fine_keV)
    cut = (grid.high_keV, grid.low_keV)
    above, below = (
        jax.scipy.stats.norm.cdf((e[:, None, None] - grid.fine_keV) / sigma) for e in cut
    )
    return above - below
