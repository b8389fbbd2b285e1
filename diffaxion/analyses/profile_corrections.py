"""Saved profiles of stellar-evolution runs correct the Eddington model along their tracks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..constants import KELVIN_TO_KEV, M_SUN_G
from ..conversion.ensemble_spectra import bin_rule
from ..conversion.stellar import luminosity_spectrum, total_luminosity
from ..conversion.universal import eddington_luminosity, eddington_spectrum
from ..data.mesa import read_profile
from ..data.mesa_grid import StellarTrack
from ..environments.stars.composition import Composition
from ..environments.stars.eddington import EddingtonStar
from ..environments.stars.ensemble import StellarEnsemble
from ..environments.stars.profile import StellarProfile, profile_from_mesa
from ..errors import DataError

# Profiles are padded with empty zones to a multiple of this, to share compiled programs.
_ZONES = 1024


@eqx.filter_jit
def _ln_ratio(
    zones: StellarProfile, star: EddingtonStar, energy_keV: Float[Array, " m"]
) -> Float[Array, " k"]:
    """ln of zone sum over Eddington model at the energies, and over all energies (last)."""
    found = jnp.append(luminosity_spectrum(zones, energy_keV), total_luminosity(zones))
    model = jnp.append(eddington_spectrum(star, energy_keV), eddington_luminosity(star))
    # Where a spectrum underflows there is nothing to correct.
    ok = (found > 0.0) & (model > 0.0)
    return jnp.where(ok, jnp.log(jnp.where(ok, found / jnp.where(ok, model, 1.0), 1.0)), 0.0)


def _padded(zones: StellarProfile) -> StellarProfile:
    n = zones.temperature_keV.size
    empty = jnp.zeros(-n % _ZONES)
    columns = (
        zones.temperature_keV,
        zones.density_g_cm3,
        zones.zeta,
        zones.y_e,
        zones.volume_cm3,
    )
    return StellarProfile(*(jnp.concatenate([x, empty]) for x in columns))


def _needed(rows: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Profiles inside the range of the rows in use, and the nearest one on each side."""
    low = rows[rows <= used.min()]
    high = rows[rows >= used.max()]
    first = low.max() if low.size else rows.min()
    last = high.min() if high.size else rows.max()
    return rows[(rows >= first) & (rows <= last)]


def profile_corrections(
    tracks: Sequence[StellarTrack],
    ensemble: StellarEnsemble,
    edges_keV: ArrayLike,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """ln of the factor by which profiles differ from the Eddington model, for every row.

    At a saved profile the corrected luminosity is that of the sum over its zones (exact
    shells); in between ln of the ratio is linear in the row of the history, which follows fast
    stages closely, and beyond the first and last profile it is constant.

    Parameters
    ----------
    tracks : sequence of StellarTrack
        Tracks to which the rows of the ensemble refer.
    ensemble : StellarEnsemble
        n models.
    edges_keV : array, shape (b + 1,)
        Edges of the energy bins [keV].
    progress : callable, optional
        Called with the number of profiles read and of all.

    Returns
    -------
    array, shape (n, 3 b + 2)
        ln ratios at the nodes of the bins, and over all energies.

    Raises
    ------
    DataError
        If a track in use has no profile, or one is malformed.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Raffelt 1988, Phys. Rev. D 37, 1356.
    """
    energy = jnp.asarray(bin_rule(edges_keV)[0])
    track_of, step = np.asarray(ensemble.track), np.asarray(ensemble.step)
    plan = {}
    for k in np.unique(track_of):
        track = tracks[k]
        if not track.profiles:
            raise DataError(
                f"{track.history.source}: this run has no profile*.data; structure = 'profiles' "
                "needs at least one for each track in use (write_profiles_flag and "
                "profile_interval of MESA), structure = 'eddington' needs none"
            )
        plan[k] = _needed(np.array(sorted(track.profiles)), step[track_of == k])
    total, done = sum(len(rows) for rows in plan.values()), 0
    found = np.zeros((step.size, energy.size + 1))
    for k, rows in plan.items():
        table = []
        for row in rows:
            table.append(_correction(tracks[k], int(row), ensemble, energy))
            done += 1
            if progress is not None:
                progress(done, total)
        here = track_of == k
        columns = np.stack(table)
        found[here] = np.stack([np.interp(step[here], rows, c) for c in columns.T], axis=1)
    return found


def _correction(
    track: StellarTrack, row: int, ensemble: StellarEnsemble, energy: Array
) -> np.ndarray:
    history, rest = track.history, ensemble.remainder_zeta
    zones = profile_from_mesa(read_profile(track.profiles[row]), remainder_zeta=float(rest))
    fractions = jnp.asarray([history.center[i][row] for i in ensemble.isotopes])
    star = EddingtonStar(
        history.mass_Msun[row] * history.msun_g / M_SUN_G,
        10.0 ** history.log_t_c[row] * KELVIN_TO_KEV,
        Composition(fractions, rest, ensemble.isotopes),
    )
    return np.asarray(_ln_ratio(_padded(zones), star, energy))
