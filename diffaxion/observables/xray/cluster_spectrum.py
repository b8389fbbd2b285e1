"""Forward model of the published spectra: axions of a cluster as counts per energy bin.

The signal is a * response with a = (g/1e-12 GeV^-1)^4 (``order`` 2). Every mode reduces to
response_i = sum_jk W_ijk p_jk * (d_ref/d)^2 e^{delta_L} with p the Born probability per unit
u at node k of bin j; the modes differ in the weights W only.
"""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...constants import KPC_CM
from ...conversion.absorption import photoelectric_cross_section_cm2
from ...conversion.born import born_probability
from ...conversion.turbulence import turbulent_probability
from ...environments.galaxy.sightline import LinePath, sample_path
from ..world import World
from .response import FoldGrid, bin_nodes_keV, fold_weights
from .spectrum import photon_spectrum

Cache = dict[str, Any]
# Counts per second and keV of the published spectra are in units of 1e-4.
RATE_UNIT = 1e-4


class PublishedShape(eqx.Module):
    """Weights that reproduce the published curve at the fiducial point exactly.

    Attributes
    ----------
    curve : float array, shape (n,)
        Published signal per unit a [1e-4 counts s^-1 keV^-1].
    mean_probability : float array, shape (n,)
        Fiducial bin means of p per unit u at m_a -> 0.
    distance_kpc : float array, shape ()
        Distance at which the curve was computed [kpc].
    """

    curve: Float[Array, " n"]
    mean_probability: Float[Array, " n"]
    distance_kpc: Float[Array, ""]


class ClusterSpectrum(eqx.Module):
    """Predicted counts of one cluster in the bins of a published spectrum.

    Attributes
    ----------
    target : str, static
        Key of the cluster in the world.
    instrument : str, static
        Key of the instrument in the world; used by the mode ``anchored``.
    order : int
        The signal is u|u|^(order-1) * response.
    grid : FoldGrid
        Bins and fine energies [keV].
    fractions : float array, shape (k,)
        Base nodes of the sight line in units of the distance.
    shape : PublishedShape or None
        Weights of the mode ``published``; None selects ``anchored``.
    spectral_model : module
        ``spectral_model(energy_keV, class_counts, ln_core_temperature, tilt)`` -> S(E) with
        unit integral over 10-80 keV [keV^-1]; used by the mode ``anchored``.
    energy_nodes : int, static
        Gauss-Legendre energies per bin.
    turbulence_correlation : module or None
        Correlation of the random field, where the galaxy has one.
    """

    references: ClassVar[tuple[str, ...]] = ("Dessert:2020lil",)
    order: ClassVar[int] = 2
    target: str = eqx.field(static=True)
    instrument: str = eqx.field(static=True)
    grid: FoldGrid
    fractions: Float[Array, " k"]
    shape: PublishedShape | None
    spectral_model: Any
    energy_nodes: int = eqx.field(static=True, default=5)

    @property
    def mode(self) -> str:
        """``published`` or ``anchored``."""
        return "anchored" if self.shape is None else "published"

    def node_energies_keV(self) -> Float[Array, "n q"]:
        """Energies at which p is evaluated, shape (bins, nodes) [keV]."""
        return bin_nodes_keV(self.grid.low_keV, self.grid.high_keV, self.energy_nodes)[0]

    def dependencies(self) -> dict[str, tuple[str, ...]]:
        """Cached items and the path prefixes that invalidate them."""
        here = f"clusters.{self.target}."
        line = (f"{here}longitude_deg", f"{here}latitude_deg", f"{here}distance_kpc")
        density = ("galaxy.density", f"{here}ln_density")
        return {
            "path": (*line, *density, "galaxy.field", "galaxy.r_sun_kpc", f"{here}column_1e22_cm2"),
            "weights": (
                f"{here}luminosity_10_80_erg_s",
                f"{here}class_counts",
                f"{here}ln_core_temperature",
                f"{here}tilt",
                f"instruments.{self.instrument}",
            ),
        }

    def path(self, world: World) -> LinePath:
        """Field, electrons and hydrogen on the nodes of the sight line."""
        source = world.clusters[self.target]
        line = world.galaxy.sightline(
            source.longitude_deg, source.latitude_deg, source.distance_kpc
        )
        density = world.galaxy.density_toward(self.target)
        path = sample_path(line, world.galaxy.field, density, self.fractions)
        n_e = path.n_e_cm3 * jnp.exp(source.ln_density)
        n_h = jnp.ones_like(n_e) * source.column_1e22_cm2 * 1e22 / (source.distance_kpc * KPC_CM)
        return eqx.tree_at(lambda p: (p.n_e_cm3, p.n_h_cm3), path, (n_e, n_h))

    def weights(self, world: World) -> Float[Array, "n n q"]:
        """Weights W at the cluster's reference distance [1e-4 counts s^-1 keV^-1 per unit p]."""
        if self.shape is not None:
            _, mean = bin_nodes_keV(self.grid.low_keV, self.grid.high_keV, self.energy_nodes)
            per_node = (self.shape.curve / self.shape.mean_probability)[:, None] * mean
            return jnp.eye(per_node.shape[0])[:, :, None] * per_node[None]
        source = world.clusters[self.target]
        shape = self.spectral_model(
            self.grid.fine_keV.ravel(), source.class_counts, source.ln_core_temperature, source.tilt
        ).reshape(self.grid.fine_keV.shape)
        # The distance enters in ``response``; here one kpc stands for it.
        spectrum = photon_spectrum(
            source.luminosity_10_80_erg_s * shape, self.grid.fine_keV, jnp.ones(())
        )
        return fold_weights(world.instruments[self.instrument], self.grid, spectrum) / RATE_UNIT

    def probability(
        self, world: World, path: LinePath, energy_keV: Float[Array, " e"]
    ) -> Float[Array, " e"]:
        """Conversion probability per unit u at given energies [keV], shape (e,)."""
        sigma = jax.vmap(photoelectric_cross_section_cm2)(energy_keV)
        p = born_probability(path, energy_keV, world.axion.m_a_eV, sigma)
        turbulence = world.galaxy.turbulence
        if turbulence is None:
            return p
        source = world.clusters[self.target]
        line = world.galaxy.sightline(
            source.longitude_deg, source.latitude_deg, source.distance_kpc
        )
        v_t = turbulence.transverse_variance_muG2(jax.vmap(line.position_kpc)(path.s_kpc))
        return p + turbulent_probability(
            path.s_kpc, v_t, path.n_e_cm3, energy_keV, world.axion.m_a_eV, turbulence.correlation()
        )

    def prepare(self, world: World, free: tuple[str, ...] = ()) -> Cache:
        """Items that do not depend on the free paths, computed once."""
        items = {"path": self.path, "weights": self.weights}
        touched = {
            name
            for name, prefixes in self.dependencies().items()
            if any(_related(f, p) for f in free for p in prefixes)
        }
        return {name: make(world) for name, make in items.items() if name not in touched}

    def response(self, world: World, cache: Cache | None = None) -> Float[Array, " n"]:
        """Signal per unit a = (g/1e-12 GeV^-1)^4 [1e-4 counts s^-1 keV^-1], shape (bins,)."""
        cache = cache or {}
        path = cache["path"] if "path" in cache else self.path(world)
        weights = cache["weights"] if "weights" in cache else self.weights(world)
        energy = self.node_energies_keV()
        p = self.probability(world, path, energy.ravel()).reshape(energy.shape)
        source = world.clusters[self.target]
        reference = 1.0 if self.shape is None else self.shape.distance_kpc
        factor = (reference / source.distance_kpc) ** 2 * jnp.exp(source.ln_luminosity)
        return factor * jnp.einsum("ijq,jq->i", weights, p)


def _related(free: str, prefix: str) -> bool:
    """Whether a free path lies below a prefix, or contains it."""
    a, b = free.replace("[", "."), prefix.rstrip(".")
    return a == b or a.startswith(b + ".") or b.startswith(a + ".")
