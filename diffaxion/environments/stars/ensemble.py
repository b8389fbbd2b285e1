"""Ensembles of stellar models: every time step of every track, with its class and its weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...constants import KELVIN_TO_KEV, M_SUN_G
from ...data.mesa_grid import StellarTrack
from ...errors import ConfigurationError, DataError
from .classification import LOG_TEFF_COOL, classify_history
from .composition import Composition
from .eddington import LOG_T_C_MAX, EddingtonStar
from .population import ISOTOPES, REMAINDER_ZETA, WEIGHTS, StellarPopulation
from .population_model import PopulationModel, track_shares
from .profile import _leaf

TRACK_WEIGHTS = ("population", "equal")
# Tracks whose metallicity differs by more than this from the cluster's are left out.
METALLICITY_TOLERANCE = 0.25


class StellarEnsemble(eqx.Module):
    """Stellar models that may stand for the stars of a cluster, one row per time step.

    Attributes
    ----------
    mass_Msun, t_c_keV : float array, shape (n,)
        Mass [IAU solar masses] and central temperature [keV].
    fractions : float array, shape (n, k)
        Central mass fractions of the isotopes.
    weight : float array, shape (n,)
        Weights, normalised to 1 inside each class.
    remainder_zeta : float array, shape ()
        Weight zeta of the mass that the isotopes leave out.
    age_Myr : float array, shape (n,)
        Age [Myr]; 0 where unknown.
    code : int array, shape (n,)
        Class of each row, an index into ``names``.
    track, step : int array, shape (n,)
        Track, and row of its history.
    cool : bool array, shape (n,)
        Cores in vast envelopes, to which the Eddington model does not apply.
    isotopes, names : tuple of str
        Isotopes, and names of the classes present (static).
    label : str
        What the ensemble was made from (static); products repeat it.
    """

    mass_Msun: Float[Array, " n"] = eqx.field(converter=_leaf)
    t_c_keV: Float[Array, " n"] = eqx.field(converter=_leaf)
    fractions: Float[Array, "n k"] = eqx.field(converter=_leaf)
    weight: Float[Array, " n"] = eqx.field(converter=_leaf)
    remainder_zeta: Float[Array, ""] = eqx.field(converter=_leaf)
    age_Myr: Float[Array, " n"] = eqx.field(converter=_leaf)
    code: Int[Array, " n"]
    track: Int[Array, " n"]
    step: Int[Array, " n"]
    cool: Bool[Array, " n"]
    isotopes: tuple[str, ...] = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    label: str = eqx.field(static=True)

    def stars(self) -> EddingtonStar:
        """Eddington stars with a leading row axis on every leaf."""
        rest = jnp.broadcast_to(self.remainder_zeta, self.mass_Msun.shape)
        composition = Composition(self.fractions, rest, self.isotopes)
        return EddingtonStar(self.mass_Msun, self.t_c_keV, composition)

    @property
    def outside_validity(self) -> Bool[Array, " n"]:
        """Rows with log10 T_c > 8.7, where the Eddington model fails."""
        return self.t_c_keV > 10.0**LOG_T_C_MAX * KELVIN_TO_KEV

    def sizes(self) -> dict[str, int]:
        """Number of rows of each class."""
        count = np.bincount(np.asarray(self.code), minlength=len(self.names))
        return dict(zip(self.names, count.tolist(), strict=True))


def ensemble_of(population: StellarPopulation) -> StellarEnsemble:
    """The nodes of a population as an ensemble; ages are not kept.

    Parameters
    ----------
    population : StellarPopulation
        Nodes of stars.

    Returns
    -------
    StellarEnsemble
        Leaves of shape (n,).

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    names = tuple(dict.fromkeys(population.classes))
    n = len(population.classes)
    return StellarEnsemble(
        population.mass_Msun,
        population.t_c_keV,
        population.fractions,
        population.weight,
        population.remainder_zeta,
        jnp.zeros(n),
        jnp.asarray([names.index(c) for c in population.classes]),
        jnp.zeros(n, int),
        jnp.arange(n),
        jnp.zeros(n, bool),
        ISOTOPES,
        names,
        population.label,
    )


def _matching(tracks: Sequence[StellarTrack], metallicity: float, tolerance: float) -> list[int]:
    """Positions of tracks of the cluster's metallicity; those that state none are kept."""
    near = [
        k
        for k, t in enumerate(tracks)
        if t.metallicity is None or abs(t.metallicity / metallicity - 1.0) <= tolerance
    ]
    if not near:
        found = sorted({t.metallicity for t in tracks if t.metallicity is not None})
        raise DataError(
            f"tracks: none has a metallicity within {tolerance:.0%} of {metallicity:g}; found "
            f"{', '.join(f'{z:g}' for z in found[:8])}. Change the metallicity of the cluster or "
            "add tracks"
        )
    return near


def _isotopes(tracks: Sequence[StellarTrack]) -> tuple[str, ...]:
    """Isotopes that every track lists at its centre; hydrogen to oxygen must be among them."""
    for track in tracks:
        missing = [i for i in ISOTOPES if i not in track.history.center]
        if missing:
            raise DataError(
                f"{track.history.source}: no center_{missing[0]} column; add "
                f"`center {missing[0]}` to MESA's history_columns.list"
            )
        if track.history.age_yr.size < 2:
            raise DataError(f"{track.history.source}: one row only; a track needs at least two")
    common = set(tracks[0].history.center).intersection(*(t.history.center for t in tracks))
    return (*ISOTOPES, *sorted(common - set(ISOTOPES)))


def _label(tracks: Sequence[StellarTrack]) -> str:
    mass = sorted(t.initial_mass_Msun for t in tracks)
    if len(tracks) == 1:
        return f"one {mass[0]:.3g} Msun track"
    return f"{len(tracks)} tracks of {mass[0]:.3g}-{mass[-1]:.3g} Msun"


def ensemble_from_tracks(
    tracks: Sequence[StellarTrack],
    model: PopulationModel,
    rules: str = "paper",
    thresholds: Mapping[str, float] | None = None,
    weight: str = "time",
    track_weight: str = "population",
    age_window: bool = True,
    log_t_c_max: float = float("inf"),
    remainder_zeta: float = REMAINDER_ZETA,
    metallicity_tolerance: float = METALLICITY_TOLERANCE,
    log_teff_cool: float = LOG_TEFF_COOL,
) -> StellarEnsemble:
    """Every time step inside the age window of a cluster, classified and weighted.

    A row weighs the share of stars born nearest to its track, times the time that the step
    stands for (gradient of the age on the whole track), or times 1 with ``weight="step"``.
    Steps crowd where stars change fast, so the latter over-represents hot late stages.

    Parameters
    ----------
    tracks : sequence of StellarTrack
        Tracks; the centre must list H1, He4, C12 and O16, further isotopes count if all list
        them.
    model : PopulationModel
        Distribution at birth, window of ages, metallicity.
    rules, thresholds : str and mapping, optional
        Of :func:`classify_history`.
    weight : str, optional
        ``time`` or ``step``.
    track_weight : str, optional
        ``population``: by the distribution at birth; ``equal``: the tracks were drawn from it.
    age_window : bool, optional
        False takes all ages.
    log_t_c_max : float, optional
        Steps with log10 T_c [K] above it are left out; by default they stay and are flagged.
    remainder_zeta : float, optional
        Weight zeta of what the isotopes leave out.
    metallicity_tolerance : float, optional
        Largest relative difference between the metallicities of a track and of the cluster.
    log_teff_cool : float, optional
        log10 T_eff [K] below which a star is a core in an envelope.

    Returns
    -------
    StellarEnsemble
        n rows.

    Raises
    ------
    ConfigurationError
        If a weighting or the rules are unknown.
    DataError
        If there is no track, a column is missing, no track has the metallicity of the cluster,
        or no step lies inside the window.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    for name, value, known in (
        ("weight", weight, WEIGHTS),
        ("track_weight", track_weight, TRACK_WEIGHTS),
    ):
        if value not in known:
            raise ConfigurationError(f"{name} = {value!r}: expected one of {', '.join(known)}")
    if not tracks:
        raise DataError("tracks: none given; expected at least one")
    places = _matching(tracks, float(model.metallicity), metallicity_tolerance)
    tracks = [tracks[k] for k in places]
    isotopes = _isotopes(tracks)
    births = [t.initial_mass_Msun for t in tracks]
    speeds = [t.rotation_km_s for t in tracks]
    known_speeds = None if None in speeds else [float(s or 0.0) for s in speeds]
    shares = np.full(len(tracks), 1.0 / len(tracks))
    if track_weight == "population":
        shares = track_shares(model, births, known_speeds)
    window = (float(model.age_min_Myr), float(model.age_max_Myr)) if age_window else (0.0, np.inf)
    rows: list[tuple[np.ndarray, ...]] = []
    for k, track, share in zip(places, tracks, shares, strict=True):
        history = track.history
        age = history.age_yr / 1e6
        names = classify_history(history, rules, thresholds, log_teff_cool)
        keep = (age >= window[0]) & (age <= window[1]) & (history.log_t_c <= log_t_c_max)
        step = np.flatnonzero(keep)
        lasts = np.gradient(age)[step] if weight == "time" else np.ones(step.size)
        cool = np.zeros(step.size, bool)
        if history.log_teff is not None:
            cool = history.log_teff[step] < log_teff_cool
        rows.append(
            (
                history.mass_Msun[step] * history.msun_g / M_SUN_G,
                10.0 ** history.log_t_c[step] * KELVIN_TO_KEV,
                np.stack([history.center[i][step] for i in isotopes], axis=1),
                share * lasts,
                age[step],
                names[step],
                np.full(step.size, k),
                step,
                cool,
            )
        )
    mass, t_c, fractions, weights, age, names, track_of, step, cool = (
        np.concatenate(column) for column in zip(*rows, strict=True)
    )
    if not mass.size:
        oldest = max(float(t.history.age_yr[-1]) for t in tracks) / 1e6
        raise DataError(
            f"tracks: no step between {window[0]:g} and {window[1]:g} Myr; the {len(tracks)} "
            f"tracks end at {oldest:.4g} Myr or before. Change age_Myr, or take all ages"
        )
    present, code = np.unique(names, return_inverse=True)
    total = np.bincount(code, weights)
    # The share of a track is zero where a finer grid surrounds it.
    alive = total[code] > 0.0
    return StellarEnsemble(
        _leaf(mass[alive]),
        _leaf(t_c[alive]),
        _leaf(fractions[alive]),
        _leaf(weights[alive] / total[code[alive]]),
        _leaf(remainder_zeta),
        _leaf(age[alive]),
        jnp.asarray(code[alive]),
        jnp.asarray(track_of[alive]),
        jnp.asarray(step[alive]),
        jnp.asarray(cool[alive]),
        isotopes,
        tuple(str(n) for n in present),
        _label(tracks),
    )


def check_counts(counts: Mapping[str, int], ensemble: StellarEnsemble) -> None:
    """Refuse classes of stars of which an ensemble has no model.

    Parameters
    ----------
    counts : mapping of str to int
        Stars by class.
    ensemble : StellarEnsemble
        Models.

    Returns
    -------
    None
        Nothing; usable counts pass.

    Raises
    ------
    ConfigurationError
        If no star is counted, or a class has no row; what there is is listed.

    References
    ----------
    None: a validation.
    """
    wanted = {name: n for name, n in counts.items() if n > 0}
    if not wanted:
        raise ConfigurationError("stars.counts: no star; expected for instance { WC = 13, WN = 1 }")
    sizes = {name: n for name, n in ensemble.sizes().items() if n}
    for name, n in wanted.items():
        if name in sizes:
            continue
        found = ", ".join(f"{k} ({v} steps)" for k, v in sizes.items()) or "none"
        raise ConfigurationError(
            f"stars.counts: {n} {name} stars are counted, but {ensemble.label} has no step of "
            f"this class inside the window of ages; it has {found}. Take all ages, other rules, "
            "more tracks, or other counts"
        )
