"""Forward model of the published spectra: axions of a cluster as counts per energy bin.

The signal is a * response with a = (g/1e-12 GeV^-1)^4 (``order`` 2). Every mode reduces to
response_i = sum_jk W_ijk p_jk * (d_ref/d)^2 e^{delta_L} with p the Born probability per unit
u at node k of bin j; the modes differ in the weights W only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...conversion.absorption import uniform_hydrogen_cm3
from ...conversion.galactic import galactic_probability
from ...environments.galaxy.base import ElectronDensity
from ...environments.galaxy.field_table import FieldTable
from ...environments.galaxy.frame import S_MIN_KPC, SightLine
from ...environments.galaxy.sampled import TabulatedDensity
from ...environments.galaxy.sightline import LinePath, node_positions, sample_path
from .response import FoldGrid, bin_nodes_keV, fold_weights
from .spectrum import photon_spectrum

if TYPE_CHECKING:
    # The world holds instruments of this room.
    from ..world import World

Cache = dict[str, Any]
# Counts per second and keV of the published spectra are in units of 1e-4.
RATE_UNIT = 1e-4
# Linear interpolation on this many nodes moves p by less than 1e-4 of itself.
_TABLE_NODES = 4001


# Compiled apart from the rest, so that all targets and smoothing widths share one program each.
_sample = eqx.filter_jit(sample_path)
_nodes = eqx.filter_jit(node_positions)
_density = eqx.filter_jit(
    jax.vmap(lambda density, l, b, s: density(l, b, s), (None, None, None, 0))
)


def _density_at(
    density: ElectronDensity, sightline: SightLine, s_kpc: Float[Array, " n"]
) -> Float[Array, " n"]:
    """Electron density [cm^-3] at distances [kpc], by one program for all counts."""
    blocks = -(-s_kpc.size // _TABLE_NODES)
    padded = jnp.pad(s_kpc, (0, blocks * _TABLE_NODES - s_kpc.size), mode="edge")
    l, b = sightline.longitude_deg, sightline.latitude_deg
    found = [_density(density, l, b, s) for s in padded.reshape(blocks, _TABLE_NODES)]
    return jnp.concatenate(found)[: s_kpc.size]


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
    absorption : bool, static
        Whether photons are absorbed along the hydrogen column of the cluster.
    ensemble : bool, static
        Whether the spectrum is that of the cluster's own ensemble of stars, mode ``ensemble``.
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
    absorption: bool = eqx.field(static=True, default=False)
    ensemble: bool = eqx.field(static=True, default=False)

    @property
    def mode(self) -> str:
        """``published``, ``anchored`` or ``ensemble``."""
        own = "ensemble" if self.ensemble else "anchored"
        return own if self.shape is None else "published"

    def spectral_paths(self, mode: str | None = None) -> tuple[str, ...]:
        """Prefixes of the paths through which a mode's spectrum and area act; all by default."""
        here = f"clusters.{self.target}."
        own = (f"{here}luminosity_10_80_erg_s", f"{here}tilt", f"instruments.{self.instrument}")
        stars = (f"{here}class_counts", f"{here}ln_core_temperature")
        drawn = (f"{here}spectrum",)
        by_mode = {"published": (), "anchored": own + stars, "ensemble": own + drawn}
        return own + stars + drawn if mode is None else by_mode[mode]

    def ignores(self, path: str) -> bool:
        """Whether a path belongs to a spectrum or area that this mode does not use."""
        used = any(related(path, p) for p in self.spectral_paths(self.mode))
        return not used and any(related(path, p) for p in self.spectral_paths())

    def node_energies_keV(self) -> Float[Array, "n q"]:
        """Energies at which p is evaluated, shape (bins, nodes) [keV]."""
        return bin_nodes_keV(self.grid.low_keV, self.grid.high_keV, self.energy_nodes)[0]

    def dependencies(self) -> dict[str, tuple[str, ...]]:
        """Cached items and the path prefixes that invalidate them."""
        here = f"clusters.{self.target}."
        electrons = (f"{here}longitude_deg", f"{here}latitude_deg", "galaxy.density")
        moving = (f"{here}distance_kpc", f"{here}ln_density", f"{here}column_1e22_cm2")
        return {
            "electrons": electrons,
            "path": (*electrons, *moving, "galaxy.field", "galaxy.r_sun_kpc"),
            "direction": (*electrons[:2], "galaxy.r_sun_kpc"),
            "weights": self.spectral_paths(),
        }

    def sightline(self, world: World) -> SightLine:
        """Sight line to the cluster."""
        source = world.clusters[self.target]
        return world.galaxy.sightline(
            source.longitude_deg, source.latitude_deg, source.distance_kpc
        )

    def electrons(
        self, world: World, reach_kpc: float
    ) -> tuple[Float[Array, " t"], Float[Array, " t"]]:
        """Table (s [kpc], n_e [cm^-3]) of the model's density out to ``reach_kpc``."""
        line = eqx.tree_at(
            lambda x: x.distance_kpc, self.sightline(world), jnp.asarray(reach_kpc, float)
        )
        s = jnp.linspace(S_MIN_KPC, line.distance_kpc, _TABLE_NODES)
        return s, _density_at(self._density_toward(world, line), line, s)

    def _density_toward(self, world: World, line: SightLine) -> ElectronDensity:
        """The model's density, checked to reach the end of a sight line."""
        density = world.galaxy.density_toward(self.target)
        if isinstance(density, TabulatedDensity):
            density.check(line)
        return density

    def touched(self, free: tuple[str, ...]) -> set[str]:
        """Items that depend on one of the free paths."""
        return {
            name
            for name, prefixes in self.dependencies().items()
            if any(related(f, p) for f in free for p in prefixes)
        }

    def path(self, world: World, cache: Cache | None = None) -> LinePath:
        """Field, electrons and hydrogen on the nodes of the sight line."""
        cache = cache or {}
        electrons = cache.get("electrons")
        line = self.sightline(world)
        if "field" in cache:
            table: FieldTable = cache["field"]
            path = table.sample(line, cache["coefficients"], self.fractions, cache["electrons"])
        else:
            density = None if electrons is not None else world.galaxy.density_toward(self.target)
            path = _sample(line, world.galaxy.field, density, self.fractions, electrons)
        return self.with_medium(world, path)

    def with_medium(self, world: World, path: LinePath) -> LinePath:
        """Sampled path with the cluster's density factor and hydrogen column."""
        source = world.clusters[self.target]
        n_e = path.n_e_cm3 * jnp.exp(source.ln_density)
        n_h = uniform_hydrogen_cm3(source.column_1e22_cm2 * 1e22, path.s_kpc)
        return eqx.tree_at(lambda p: (p.n_e_cm3, p.n_h_cm3), path, (n_e, n_h))

    def weights(self, world: World) -> Float[Array, "n n q"]:
        """Weights W at the cluster's reference distance [1e-4 counts s^-1 keV^-1 per unit p]."""
        if self.shape is not None:
            _, mean = bin_nodes_keV(self.grid.low_keV, self.grid.high_keV, self.energy_nodes)
            per_node = (self.shape.curve / self.shape.mean_probability)[:, None] * mean
            return jnp.eye(per_node.shape[0])[:, :, None] * per_node[None]
        source, energy = world.clusters[self.target], self.grid.fine_keV.ravel()
        if self.ensemble:
            shape = source.spectrum(energy, source.tilt)
        else:
            shape = self.spectral_model(
                energy, source.class_counts, source.ln_core_temperature, source.tilt
            )
        shape = shape.reshape(self.grid.fine_keV.shape)
        # The distance enters in ``response``; here one kpc stands for it.
        spectrum = photon_spectrum(
            source.luminosity_10_80_erg_s * shape, self.grid.fine_keV, jnp.ones(())
        )
        return fold_weights(world.instruments[self.instrument], self.grid, spectrum) / RATE_UNIT

    def probability(
        self, world: World, path: LinePath, energy_keV: Float[Array, " e"]
    ) -> Float[Array, " e"]:
        """Conversion probability per unit u at given energies [keV], shape (e,)."""
        return galactic_probability(
            path,
            self.sightline(world),
            energy_keV,
            world.axion.m_a_eV,
            world.galaxy.turbulence,
            self.absorption,
        )

    def prepare(
        self, world: World, free: tuple[str, ...] = (), reach_kpc: float | None = None
    ) -> Cache:
        """Items that do not depend on the free paths, computed once.

        Parameters
        ----------
        world : World
            Root tree at its fiducial point.
        free : tuple of str
            Paths that will vary.
        reach_kpc : float, optional
            Largest distance that the cluster may take [kpc]; default its present one.

        Returns
        -------
        dict
            Subset of ``weights``, ``path`` and ``electrons`` (the last only without ``path``).
            An analysis may add ``field``, a :class:`~diffaxion.environments.galaxy.FieldTable`,
            with its ``coefficients``.
        """
        touched = self.touched(free)
        cache: Cache = {}
        if "weights" not in touched:
            cache["weights"] = eqx.filter_jit(self.weights)(world)
        if "path" not in touched:
            line = self.sightline(world)
            nodes = _nodes(line, world.galaxy.field, self.fractions)
            n_e = _density_at(self._density_toward(world, line), line, nodes)
            cache["path"] = self.path(world, {"electrons": n_e})
        elif "electrons" not in touched:
            far = float(world.clusters[self.target].distance_kpc)
            cache["electrons"] = self.electrons(world, max(far, reach_kpc or far))
        return cache

    def response(self, world: World, cache: Cache | None = None) -> Float[Array, " n"]:
        """Signal per unit a = (g/1e-12 GeV^-1)^4 [1e-4 counts s^-1 keV^-1], shape (bins,)."""
        cache = cache or {}
        path = cache["path"] if "path" in cache else self.path(world, cache)
        weights = cache["weights"] if "weights" in cache else self.weights(world)
        energy = self.node_energies_keV()
        p = self.probability(world, path, energy.ravel()).reshape(energy.shape)
        source = world.clusters[self.target]
        reference = 1.0 if self.shape is None else self.shape.distance_kpc
        brighter = jnp.exp(source.ln_luminosity + source.ln_metallicity_gain)
        factor = (reference / source.distance_kpc) ** 2 * brighter
        return factor * jnp.einsum("ijq,jq->i", weights, p)


def responses_together(
    probes: Sequence[ClusterSpectrum], world: World, caches: Sequence[Cache]
) -> tuple[Float[Array, " n"], ...]:
    """Responses of several probes; sight lines without a cache are sampled in one vectorised call.

    Field and density are the longest part of a program: sampled once for all targets, they
    compile once.

    Parameters
    ----------
    probes : sequence of ClusterSpectrum
        Forward models.
    world : World
        Root tree.
    caches : sequence of dict
        What :meth:`ClusterSpectrum.prepare` gave for each.

    Returns
    -------
    tuple of float arrays, shape (bins,)
        Signal per unit a of each probe [1e-4 counts s^-1 keV^-1].

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    found = [dict(c) for c in caches]
    bare = [k for k, c in enumerate(found) if not c.keys() & {"path", "field", "electrons"}]
    density = world.galaxy.density
    alike = len({probes[k].fractions.shape for k in bare}) == 1
    if len(bare) > 1 and alike and isinstance(density, ElectronDensity):
        lines = [probes[k].sightline(world) for k in bare]
        stacked = jax.tree.map(lambda *x: jnp.stack(x), *lines)
        fractions = jnp.stack([probes[k].fractions for k in bare])
        sample = eqx.filter_vmap(sample_path, in_axes=(0, None, None, 0))
        paths = sample(stacked, world.galaxy.field, density, fractions)
        for j, k in enumerate(bare):
            path = jax.tree.map(lambda x, j=j: x[j], paths)
            found[k]["path"] = probes[k].with_medium(world, path)
    return tuple(p.response(world, c) for p, c in zip(probes, found, strict=True))


def related(free: str, prefix: str) -> bool:
    """Whether a free path lies below a prefix, or contains it.

    Parameters
    ----------
    free, prefix : str
        Dotted paths.

    Returns
    -------
    bool
        True if one contains the other.

    References
    ----------
    None: text.
    """
    a, b = free.replace("[", "."), prefix.rstrip(".")
    return a == b or a.startswith(b + ".") or b.startswith(a + ".")
