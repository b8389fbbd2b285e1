"""Screening as a probe of the coupling: the recast of the published curve, or bandpowers.

Both probes are linear in u = (g/1e-12 GeV^-1)^2. :class:`BandpowerProbe` answers with bandpowers of
C_l^Tg per unit u. :class:`RecastProbe` answers with one number,

    response = S(ln m) R(theta, m)/sigma(m),

for the one Gaussian point 0 +- 1 of the recast. S is a quintic taper (C^2) that lies inside the
published curve: 0 at its ends and outside of it, where the CMB says nothing here, and 1 from
``taper_ln_m`` on. At its light end the response depends so steeply on the gas (d ln R/d ln m = 12
at 2.2e-13 eV) that a limit there would be one on the outermost gas; the taper hides most of that.

sigma(m) is that of the published curve, by default smoothed (see :class:`SmoothLimit`), so that the
response is C^2 in ln m and may be used with a sampled mass.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..conversion.halo_window import smooth_step
from ..errors import ConfigurationError, unknown_name
from ..likelihoods.gaussian import GaussianPoints
from ..likelihoods.recast import RecastLikelihood, recast_likelihood
from ..likelihoods.residuals import ResidualTemplates
from ..observables.cmb.bandpowers import (
    BandpowerWindows,
    inference_multipoles,
    top_hat_windows,
)
from ..observables.cmb.screening import Cache, ScreeningSpectrum
from ..observables.world import World
from .recast_curve import SmoothLimit, smooth_limit
from .screening import screening_spectrum
from .screening_checks import check_tables
from .screening_config import ScreeningSection
from .screening_data import ScreeningData
from .screening_run import RECAST_DEPROJECTION, published_recast, toy_covariance

Anchor = Literal["own", "paper"]
Curve = Literal["smooth", "published"]
MASS = "axion.m_a_eV"
TAPER_LN_M = 0.3
FIDUCIAL_MASSES = 64
# Twelve multipoles give the eleven bandpowers to 3e-4.
ELL_NODES = 12


class BandpowerProbe(eqx.Module):
    """Bandpowers of C_l^Tg as a probe of the coupling.

    Attributes
    ----------
    spectrum : ScreeningSpectrum
        Forward model at the nodes of the windows.
    windows : BandpowerWindows
        b bins.
    points : GaussianPoints
        Data [uK] with their covariance.
    residuals : ResidualTemplates or None
        Residual foregrounds of the bandpowers; their amplitudes are ``world.residuals``.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """

    order: ClassVar[int] = 1
    spectrum: ScreeningSpectrum
    windows: BandpowerWindows
    points: GaussianPoints
    residuals: ResidualTemplates | None = None

    def prepare(self, world: World, free: tuple[str, ...] = (MASS,)) -> Cache:
        """Items that do not depend on the free paths, computed once."""
        return self.spectrum.prepare(world, free)

    def touched(self, free: tuple[str, ...]) -> set[str]:
        """Items that depend on one of the free paths."""
        return self.spectrum.touched(free)

    def background(self, world: World) -> Float[Array, " b"] | None:
        """Residual foregrounds at the amplitudes of a world, shape (b,) [uK]; None if none."""
        if self.residuals is None:
            return None
        amplitudes = [world.residuals[name] for name in self.residuals.names]
        return self.residuals.background(jnp.stack(amplitudes))

    def with_residuals(self, residuals: ResidualTemplates | None) -> BandpowerProbe:
        """The same probe with other residual foregrounds."""
        return replace(self, residuals=residuals)

    def bandpowers(self, world: World, cache: Cache | None = None) -> Float[Array, " b"]:
        """Bandpowers per unit u, shape (b,), negative [uK]."""
        return self.windows.from_nodes(self.spectrum.response(world, cache))

    def observe(self, bandpowers: Float[Array, " b"], m_a_eV: ArrayLike) -> Float[Array, " b"]:
        """Response made of bandpowers per unit u: the bandpowers [uK]."""
        return bandpowers

    def response(self, world: World, cache: Cache | None = None) -> Float[Array, " b"]:
        """Bandpowers per unit u = (g/1e-12 GeV^-1)^2, shape (b,), negative [uK]."""
        return self.observe(self.bandpowers(world, cache), world.axion.m_a_eV)


class RecastProbe(eqx.Module):
    """The published Planck x unWISE limit as a probe of the coupling.

    Attributes
    ----------
    spectrum : ScreeningSpectrum
        Forward model at the nodes of the windows.
    windows : BandpowerWindows
        The b bins of the recast.
    recast : RecastLikelihood
        Published curve, weights and fiducial bandpowers.
    limit : SmoothLimit or None
        The curve with two continuous derivatives; None takes it linearly between its points.
    taper_ln_m : float array, shape ()
        Width in ln m of the taper inside each end of the curve.
    anchor : str
        ``own``: R = 1 at the fiducial point of the model itself; ``paper``: R = 1 for the
        conventions of the published analysis; static.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (curve); the equation of this module.
    """

    order: ClassVar[int] = 1
    spectrum: ScreeningSpectrum
    windows: BandpowerWindows
    recast: RecastLikelihood
    limit: SmoothLimit | None
    taper_ln_m: Float[Array, ""] = eqx.field(
        converter=lambda x: jnp.asarray(x, float), default=TAPER_LN_M
    )
    anchor: Anchor = eqx.field(static=True, default="own")

    @property
    def points(self) -> GaussianPoints:
        """The one Gaussian point: data 0, scale 1."""
        return self.recast.points

    @property
    def mass_range_eV(self) -> tuple[float, float]:
        """Masses between which the probe constrains at all [eV]: the ends of the curve."""
        return self.recast.mass_range_eV

    @property
    def full_range_eV(self) -> tuple[float, float]:
        """Masses between which the taper is 1 [eV]."""
        low, high = self.mass_range_eV
        factor = float(np.exp(self.taper_ln_m))
        return low * factor, high / factor

    def describe(self) -> str:
        """One sentence on the masses at which the probe constrains."""
        (low, high), (first, last) = self.mass_range_eV, self.full_range_eV
        return (
            f"Planck x unWISE recast (R = 1 at the {self.anchor} fiducial point): constrains from "
            f"{first:.4g} to {last:.4g} eV, tapered to zero towards {low:.4g} and {high:.4g} eV"
        )

    def taper(self, m_a_eV: ArrayLike) -> Float[Array, "..."]:
        """S: 1 inside the curve, 0 at its ends and outside, C^2 in ln m, at masses [eV]."""
        ln_m = jnp.log(jnp.asarray(m_a_eV, float))
        low = jnp.maximum(self.recast.ln_mass[0], self.recast.fiducial_ln_mass[0])
        high = jnp.minimum(self.recast.ln_mass[-1], self.recast.fiducial_ln_mass[-1])
        rise = smooth_step((ln_m - low) / self.taper_ln_m - 0.5)
        return rise * smooth_step((high - ln_m) / self.taper_ln_m - 0.5)

    def sigma(self, m_a_eV: ArrayLike) -> Float[Array, "..."]:
        """Error of u behind the curve at masses [eV], clamped to it."""
        return (self.recast if self.limit is None else self.limit).sigma(m_a_eV)

    def prepare(self, world: World, free: tuple[str, ...] = (MASS,)) -> Cache:
        """Items that do not depend on the free paths, computed once."""
        return self.spectrum.prepare(world, free)

    def touched(self, free: tuple[str, ...]) -> set[str]:
        """Items that depend on one of the free paths."""
        return self.spectrum.touched(free)

    def bandpowers(self, world: World, cache: Cache | None = None) -> Float[Array, " b"]:
        """Bandpowers per unit u, shape (b,), negative [uK]."""
        return self.windows.from_nodes(self.spectrum.response(world, cache))

    def observe(self, bandpowers: Float[Array, " b"], m_a_eV: ArrayLike) -> Float[Array, " 1"]:
        """Response made of bandpowers per unit u [uK]: S R/sigma, exactly 0 off the curve."""
        ratio = self.recast.compare(bandpowers, m_a_eV).ratio
        return (self.taper(m_a_eV) * ratio / self.sigma(m_a_eV))[None]

    def response(self, world: World, cache: Cache | None = None) -> Float[Array, " 1"]:
        """S R/sigma per unit u = (g/1e-12 GeV^-1)^2, shape (1,)."""
        return self.observe(self.bandpowers(world, cache), world.axion.m_a_eV)


ScreeningProbe = RecastProbe | BandpowerProbe


def direct_bandpowers(
    probe: ScreeningProbe, world: World, cache: Cache | None, m_a_eV: ArrayLike
) -> Float[Array, " b"]:
    """Bandpowers of the forward model at one mass, compiled once for all masses and worlds.

    Parameters
    ----------
    probe : RecastProbe or BandpowerProbe
        Forward model and windows.
    world : World
        Root tree; its mass is replaced.
    cache : dict or None
        Items of ``probe.prepare``.
    m_a_eV : float array, shape ()
        Mass [eV].

    Returns
    -------
    float array, shape (b,)
        Bandpowers per unit u, negative [uK].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    mass = jnp.asarray(m_a_eV, float)
    return _bandpowers(probe.spectrum, probe.windows, screening_part(world), cache, mass)


@eqx.filter_jit
def _bandpowers(
    spectrum: ScreeningSpectrum,
    windows: BandpowerWindows,
    world: World,
    cache: Cache | None,
    m_a_eV: Array,
) -> Array:
    moved = eqx.tree_at(lambda w: w.axion.m_a_eV, world, m_a_eV)
    return windows.from_nodes(spectrum.response(moved, cache))


def screening_part(world: World) -> World:
    """The world without what screening does not use, so that programs do not depend on it.

    Parameters
    ----------
    world : World
        Root tree.

    Returns
    -------
    World
        Axion, cosmology and halos [units of their leaves].

    Raises
    ------
    ConfigurationError
        If the world has no cosmology or no halos.

    References
    ----------
    None: a part of a tree.
    """
    if world.cosmology is None or world.halos is None:
        raise ConfigurationError(
            "the world has no cosmology or no halos: make it with screening_world, or add both"
        )
    return World(world.axion, cosmology=world.cosmology, halos=world.halos)


def recast_probe(
    section: ScreeningSection,
    world: World,
    anchor: Anchor = "own",
    deprojection: str | None = None,
    *,
    curve: Curve = "smooth",
    taper_ln_m: float = TAPER_LN_M,
    masses: int = FIDUCIAL_MASSES,
    ell_nodes: int = ELL_NODES,
) -> RecastProbe:
    """Probe of the published Planck x unWISE curve.

    Parameters
    ----------
    section : ScreeningSection
        Choices of the model.
    world : World
        Root tree at its fiducial point, with cosmology and halos of the section.
    anchor : str
        ``own`` computes the fiducial bandpowers from the section at this point, for masses equally
        spaced in ln m along the curve; ``paper`` takes those of the configuration ``parity``.
    deprojection : str, optional
        Toy variances that weight the bandpowers; default those with dbeta.
    curve : str
        ``smooth`` (a spline with 30 knots, C^2 in ln m) or ``published`` (linear in ln m).
    taper_ln_m : float
        Width in ln m of the taper inside each end of the curve.
    masses : int
        Masses of the fiducial table of ``own``.
    ell_nodes : int
        Multipoles at which the theory is computed.

    Returns
    -------
    RecastProbe
        Response of shape (1,) per unit u.

    Raises
    ------
    ConfigurationError
        If a name is unknown or the tapers overlap.
    ValidityError
        If a table of the user does not cover the calculation.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    if anchor not in ("own", "paper"):
        raise unknown_name("anchor of the recast", anchor, ("own", "paper"))
    if curve not in ("smooth", "published"):
        raise unknown_name("curve of the recast", curve, ("smooth", "published"))
    recast = published_recast(deprojection or RECAST_DEPROJECTION)
    low, high = recast.mass_range_eV
    if not 0.0 < 2.0 * taper_ln_m < np.log(high / low):
        raise ConfigurationError(
            f"taper_ln_m = {taper_ln_m:g}: expected more than 0 and less than "
            f"{0.5 * np.log(high / low):.3f}, half of the published curve"
        )
    plain = top_hat_windows()
    nodes = inference_multipoles(float(plain.window_ell[0]), float(plain.window_ell[-1]), ell_nodes)
    windows = top_hat_windows(node_ell=nodes)
    world = screening_part(world)
    check_tables(section, world, nodes)
    spectrum = screening_spectrum(section, nodes)
    limit = smooth_limit(recast) if curve == "smooth" else None
    probe = RecastProbe(spectrum, windows, recast, limit, jnp.asarray(taper_ln_m), anchor)
    if anchor == "paper":
        return probe
    at = np.geomspace(low, high, masses)
    cache = probe.prepare(world)
    rows = [direct_bandpowers(probe, world, cache, m) for m in at]
    variance = np.diag(toy_covariance(deprojection or RECAST_DEPROJECTION))
    own = recast_likelihood(at, np.asarray(jax.device_get(rows)), variance)
    return eqx.tree_at(lambda p: p.recast, probe, own)


def bandpower_probe(section: ScreeningSection, world: World, data: ScreeningData) -> BandpowerProbe:
    """Probe of measured or simulated bandpowers.

    Parameters
    ----------
    section : ScreeningSection
        Choices of the model; its frequency is replaced by that of the data.
    world : World
        Root tree at its fiducial point, with cosmology and halos of the section.
    data : ScreeningData
        Bandpowers of a file, Asimov data or noise, with windows.

    Returns
    -------
    BandpowerProbe
        Response of shape (b,) per unit u [uK].

    Raises
    ------
    ConfigurationError
        If the data are the recast, or their number is not that of the windows.
    ValidityError
        If a table of the user does not cover the calculation.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    if data.recast is not None:
        raise ConfigurationError("the recast is no set of bandpowers: use recast_probe")
    windows = data.windows or top_hat_windows()
    if windows.matrix.shape[0] != data.points.data.size:
        raise ConfigurationError(
            f"{data.points.data.size} bandpowers with {windows.matrix.shape[0]} windows: expected "
            "one window for each"
        )
    check_tables(section, screening_part(world), np.asarray(windows.node_ell))
    chosen = section.model_copy(update={"nu_GHz": data.nu_GHz})
    spectrum = screening_spectrum(chosen, windows.node_ell)
    return BandpowerProbe(spectrum, windows, data.points, data.residuals)
