"""Forward model of the screening spectra: resonant conversion in halos, seen with galaxies.

A photon that crosses the resonance sphere of a halo converts with probability P twice, so that
the multipole l of the optical depth of one halo is

    tau_l = s N_res P I_l(theta_res),   I_l = 2 pi theta_res^2 sin(a)/a,   a = (l + 1/2) theta_res,

with N_res = 2 and s = 1/3 for axions (orientation and polarisation), 1 for dark photons. The
temperature falls by T (1 - e^-x)/x tau. In Limber's approximation

    C_l = int dz (chi^2/H) int dM n u_T u_g + int dz (chi^2/H) P((l + 1/2)/chi)
          [int dM n b u_T] [int dM n b u_g],
    u_g = (H/chi^2) (dN/dz)/nbar [N_c + N_s u_l].

The signal is u * response with u = (g/1e-12 GeV^-1)^2 (``order`` 1); the response to galaxies is
negative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...conversion.halo_window import ConversionCuts, conversion_window
from ...conversion.landau_zener import (
    NUMBER_OF_CROSSINGS,
    ORIENTATION_AVERAGE,
    axion_halo_probability,
    dark_photon_halo_probability,
    resonance_log_density,
)
from ...environments.cosmology import sigma_and_power, sigma_window
from ...environments.halos.grid import HaloGrid, halo_grid
from ...environments.halos.occupation import HOD
from ...errors import ConfigurationError
from .integration import HaloIntegration
from .limber import galaxy_auto_sums, screening_auto_sums, screening_galaxy_sums
from .sed import temperature_factor_uK

if TYPE_CHECKING:
    # The world holds instruments of a neighbouring room.
    from ..world import World

Cache = dict[str, Any]
Boson = Literal["axion", "dark-photon"]
Kind = Literal["Tg", "TT", "gg"]
KINDS: tuple[Kind, ...] = ("Tg", "TT", "gg")


class Conversion(NamedTuple):
    """What screening does in each halo.

    Attributes
    ----------
    depth : float array, shape (r, z, m)
        s N_res P 2 pi theta^2 per unit strength, for each resonance [sr].
    theta : float array, shape (r, z, m)
        Angular radius of the resonance [rad], 0 where there is none.
    """

    depth: Float[Array, "r z m"]
    theta: Float[Array, "r z m"]


class LinearSide(NamedTuple):
    """Linear theory on the grids.

    Attributes
    ----------
    sigma : float array, shape (z, m)
        Standard deviation of the density field on all masses.
    power : float array, shape (l, z)
        P((l + 1/2)/chi, z) [Mpc^3].
    """

    sigma: Float[Array, "z m"]
    power: Float[Array, "l z"]


class GalaxySide(NamedTuple):
    """Galaxies per halo and their kernel.

    Attributes
    ----------
    central, satellite : float array, shape (z, m)
        N_c and N_s on the masses that screen.
    kernel : float array, shape (z,)
        (H/chi^2)(dN/dz)/nbar [Mpc].
    biased : float array, shape (l, z)
        int dM n b (N_c + N_s u_l) over all masses [Mpc^-3].
    """

    central: Float[Array, "z m"]
    satellite: Float[Array, "z m"]
    kernel: Float[Array, " z"]
    biased: Float[Array, "l z"]


class ScreeningSpectrum(eqx.Module):
    """Angular spectra of photon-to-axion screening at given multipoles.

    Attributes
    ----------
    ell : float array, shape (l,)
        Multipoles, >= 2.
    integration : HaloIntegration
        Grids in redshift and mass.
    cuts : ConversionCuts
        Region of a halo in which the magnetic field is known.
    nu_GHz : float array, shape ()
        Frequency at which temperatures are quoted [GHz].
    kernel_bias : float array, shape ()
        Factor on the angular kernel, 1; 0.9979 mimics the quadrature of the public code.
    boson : str
        ``axion`` or ``dark-photon``, static.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """

    references: ClassVar[tuple[str, ...]] = ("Goldstein:2024mfp",)
    order: ClassVar[int] = 1
    ell: Float[Array, " l"]
    integration: HaloIntegration
    cuts: ConversionCuts
    nu_GHz: Float[Array, ""] = eqx.field(converter=lambda x: jnp.asarray(x, float), default=353.0)
    kernel_bias: Float[Array, ""] = eqx.field(
        converter=lambda x: jnp.asarray(x, float), default=1.0
    )
    boson: Boson = eqx.field(static=True, default="axion")

    def dependencies(self) -> dict[str, tuple[str, ...]]:
        """Cached items and the path prefixes that invalidate them."""
        sky = ("cosmology", "halos.power")
        abundance = (*sky, "halos.mass_function")
        satellites = (*sky, "halos.hod.truncation")
        return {
            "grid": sky,
            "window": (),
            "linear": sky,
            "abundance": abundance,
            "satellites": satellites,
            "galaxies": (*abundance, *satellites, "halos.hod", "halos.galaxies"),
            "conversion": (*sky, "axion.m_a_eV", "halos.gas", "halos.field"),
        }

    def touched(self, free: tuple[str, ...]) -> set[str]:
        """Items that depend on one of the free paths."""
        return {
            name
            for name, prefixes in self.dependencies().items()
            if any(_related(f, p) for f in free for p in prefixes)
        }

    def _grid(self, world: World) -> HaloGrid:
        return halo_grid(
            world.cosmology,
            self.integration.z,
            self.integration.mass_Msun,
            world.halos.concentration,
            world.halos.power,
        )

    def _abundance(self, world: World, cache: Cache) -> tuple[Array, Array]:
        """n dM and n b dM on all masses, shape (z, m) [Mpc^-3]."""
        z, mass = self.integration.z, self.integration.mass_Msun
        sigma = cache["linear"].sigma
        function = world.halos.mass_function
        number = function.density(world.cosmology, sigma, mass, z)
        number = number * self.integration.mass_weight_Msun
        return number, number * function.bias(world.cosmology, sigma, z)

    def _linear(self, world: World, cache: Cache) -> LinearSide:
        grid: HaloGrid = cache["grid"]
        k = (self.ell[:, None] + 0.5) / grid.chi_Mpc[:, 0]
        return LinearSide(
            *sigma_and_power(world.cosmology, world.halos.power, cache["window"], grid.z, k)
        )

    def _satellites(self, world: World, cache: Cache) -> Array:
        """Fourier profile of satellites on the masses that screen, shape (l, z, m)."""
        return world.halos.hod.satellite_profile(self._heavy(cache["grid"]), self.ell)

    def _galaxies(self, world: World, cache: Cache) -> GalaxySide:
        grid, low = cache["grid"], self.integration.n_low
        number, biased = cache["abundance"]
        hod: HOD = world.halos.hod
        central, satellite = hod.occupation(grid.m200c_Msun)
        total = central + satellite
        nbar = jnp.sum(number * total, axis=1)
        kernel = grid.hubble_Mpc[:, 0] / grid.chi_Mpc[:, 0] ** 2 * world.halos.galaxies(grid.z)
        # Below the floor satellites are too few for their profile to matter: u = 1.
        light = jnp.sum(biased[:, :low] * total[:, :low], axis=1)
        heavy = jnp.sum(biased[:, low:] * central[:, low:], axis=1)
        spread = jnp.sum(biased[:, low:] * satellite[:, low:] * cache["satellites"], axis=-1)
        return GalaxySide(
            central[:, low:], satellite[:, low:], kernel / nbar, light + heavy + spread
        )

    def _conversion(self, world: World, cache: Cache) -> Conversion:
        grid = self._heavy(cache["grid"])
        mass = world.axion.m_a_eV
        constants = grid.constants
        crossing = world.halos.gas.crossings(grid, resonance_log_density(mass, constants))
        x, slope = crossing.x, crossing.slope
        z, radius = grid.z[:, None], grid.r200c_Mpc
        if self.boson == "axion":
            if world.halos.field is None:
                raise ConfigurationError("axions convert in a magnetic field: halos.field is None")
            b_muG = world.halos.field(grid, x)
            p = axion_halo_probability(mass, b_muG, x, slope, radius, z, self.nu_GHz, constants)
            share = ORIENTATION_AVERAGE
        else:
            p = dark_photon_halo_probability(mass, x, slope, radius, z, self.nu_GHz, constants)
            share = 1.0
        window = conversion_window(x, grid.rvir_Mpc / radius, grid.m200c_Msun, self.cuts)
        active = crossing.valid & (window > 0.0)
        theta = jnp.where(active, x, 0.0) * radius * (1.0 + z) / grid.chi_Mpc
        strength = jnp.where(active, p, 0.0) * window * (share * NUMBER_OF_CROSSINGS)
        return Conversion(strength * (2.0 * np.pi * self.kernel_bias) * theta**2, theta)

    def _heavy(self, grid: HaloGrid) -> HaloGrid:
        """Halos above the floor of the field: the only ones that screen."""
        low = self.integration.n_low

        def fields(g: HaloGrid) -> tuple[Array, ...]:
            return (g.mass_Msun, g.m200c_Msun, g.r200c_Mpc, g.rvir_Mpc, g.c200c)

        return eqx.tree_at(fields, grid, tuple(x[..., low:] for x in fields(grid)))

    def _complete(self, world: World, cache: Cache | None, names: tuple[str, ...]) -> Cache:
        """The cache with the named items added where it lacks them."""
        makers = {
            "grid": lambda w, c: self._grid(w),
            "window": lambda w, c: sigma_window(self.integration.mass_Msun),
            "linear": self._linear,
            "abundance": self._abundance,
            "satellites": self._satellites,
            "galaxies": self._galaxies,
            "conversion": self._conversion,
        }
        found = dict(cache or {})
        # The windows of sigma are needed only to make what is not at hand.
        wanted = {*names, "window"} if "linear" not in found else set(names)
        for name in makers:
            if name in wanted and name not in found:
                found[name] = makers[name](world, found)
        return found

    def prepare(self, world: World, free: tuple[str, ...] = ("axion.m_a_eV",)) -> Cache:
        """Items that do not depend on the free paths, computed once.

        Parameters
        ----------
        world : World
            Root tree at its fiducial point.
        free : tuple of str
            Paths that will vary.

        Returns
        -------
        dict
            Subset of ``grid``, ``window``, ``linear``, ``abundance``, ``satellites``,
            ``galaxies`` and ``conversion``.
        """
        touched = self.touched(free)
        keep = tuple(name for name in self.dependencies() if name not in touched)
        if "linear" in keep:
            keep = tuple(name for name in keep if name != "window")
        return _prepare(self, world, keep)

    def halo_terms(
        self, world: World, cache: Cache | None = None, kind: Kind = "Tg"
    ) -> tuple[Float[Array, " l"], Float[Array, " l"]]:
        """One- and two-halo terms of a spectrum per unit strength.

        Parameters
        ----------
        world : World
            Root tree.
        cache : dict, optional
            Items of :meth:`prepare`.
        kind : str
            ``Tg`` [uK per unit u], ``TT`` [uK^2 per unit u^2] or ``gg``, static.

        Returns
        -------
        one, two : float array, shape (l,)
            C_l terms; Tg is negative.
        """
        side: tuple[str, ...] = ("grid", "linear", "abundance")
        if kind != "TT":
            side = (*side, "satellites", "galaxies")
        if kind != "gg":
            side = (*side, "conversion")
        items = self._complete(world, cache, side)
        grid: HaloGrid = items["grid"]
        low = self.integration.n_low
        volume = self.integration.z_weight * grid.chi_Mpc[:, 0] ** 2 / grid.hubble_Mpc[:, 0]
        number, biased = (x[:, low:] for x in items["abundance"])
        matter = items["linear"].power * volume
        if kind == "gg":
            side_g: GalaxySide = items["galaxies"]
            weight = number * (volume * side_g.kernel**2)[:, None]
            q = matter * (side_g.kernel * side_g.biased) ** 2
            return galaxy_auto_sums(side_g.satellite, items["satellites"], weight, q)
        conversion: Conversion = items["conversion"]
        factor = -temperature_factor_uK(self.nu_GHz, world.cosmology.t_cmb_K)
        if kind == "TT":
            depth, theta = factor * conversion.depth, conversion.theta
            volumes = number * volume[:, None]
            return screening_auto_sums(self.ell, theta, depth, volumes, biased, matter)
        galaxies: GalaxySide = items["galaxies"]
        q = matter * galaxies.kernel * galaxies.biased
        line = (volume * galaxies.kernel)[:, None]
        one, two = jnp.zeros_like(self.ell), jnp.zeros_like(self.ell)
        for depth, theta in zip(conversion.depth, conversion.theta, strict=True):
            halo = factor * depth * number
            terms = screening_galaxy_sums(
                self.ell,
                theta,
                halo * line * galaxies.central,
                halo * line * galaxies.satellite,
                factor * depth * biased,
                items["satellites"],
                q,
            )
            one, two = one + terms[0], two + terms[1]
        return one, two

    def response(self, world: World, cache: Cache | None = None) -> Float[Array, " l"]:
        """C_l^Tg per unit u = (g/1e-12 GeV^-1)^2, shape (l,), negative [uK]."""
        one, two = self.halo_terms(world, cache)
        return one + two


def _related(path: str, prefix: str) -> bool:
    """Whether one dotted path lies inside the other."""
    a, b = path.split("."), prefix.split(".")
    return all(x == y for x, y in zip(a, b))


@eqx.filter_jit
def _prepare(model: ScreeningSpectrum, world: World, keep: tuple[str, ...]) -> Cache:
    cache = model._complete(world, None, tuple(model.dependencies()))
    return {name: cache[name] for name in keep}
