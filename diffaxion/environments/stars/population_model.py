"""What stars a cluster was born with: initial masses, rotation, metallicity and ages.

Initial masses follow a power law between two ends, rotation a Gaussian cut at zero and at a
highest speed, ages are flat inside a window (an assumption), and all stars of a cluster share
one metallicity. Draws are quantile functions of uniform numbers and differentiable in every
number of the model.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, ArrayLike, Float

from ...data.cluster_files import ClusterDescription
from ...errors import ConfigurationError, ValidityError
from ...numerics import safe_divide
from .profile import _leaf

# Probabilities stay this far from 0 and 1, so that Gaussian quantiles have finite slopes.
_TINY, _EPS = 1e-300, 1.2e-16
# Below this exponent the power law is expanded about dN/dM ~ 1/M.
_FLAT = 1e-6
# Stars with which the shares of tracks are counted: equal steps in both probabilities.
_MASS_STEPS, _ROTATION_STEPS = 2000, 64
_CHUNK = 2_000_000


class StarSample(eqx.Module):
    """Stars at birth, drawn from a population.

    Attributes
    ----------
    initial_mass_Msun : float array, shape (n,)
        Initial mass [solar masses].
    rotation_km_s : float array, shape (n,)
        Initial surface rotation [km/s].
    metallicity : float array, shape (n,)
        Mass fraction of metals, the same for all.
    age_Myr : float array, shape (n,)
        Age [Myr].
    """

    initial_mass_Msun: Float[Array, " n"]
    rotation_km_s: Float[Array, " n"]
    metallicity: Float[Array, " n"]
    age_Myr: Float[Array, " n"]


class PopulationModel(eqx.Module):
    """Distribution of stars at birth; the defaults are those of the X-ray search.

    Attributes
    ----------
    imf_slope : float array, shape ()
        dN/dM ~ M^-slope; 2.3 is Kroupa's value above half a solar mass.
    mass_min_Msun, mass_max_Msun : float array, shape ()
        Ends of the power law [solar masses].
    rotation_mean_km_s, rotation_sigma_km_s : float array, shape ()
        Mean and width of the Gaussian before it is cut [km/s].
    rotation_max_km_s : float array, shape ()
        Highest rotation [km/s]; the lowest is 0.
    metallicity : float array, shape ()
        Mass fraction of metals.
    age_min_Myr, age_max_Myr : float array, shape ()
        Window of ages [Myr].

    References
    ----------
    Kroupa 2001, MNRAS 322, 231; Dessert, Foster & Safdi 2020, arXiv:2008.03305 (rotation,
    ranges).
    """

    imf_slope: Float[Array, ""] = eqx.field(converter=_leaf, default=2.3)
    mass_min_Msun: Float[Array, ""] = eqx.field(converter=_leaf, default=15.0)
    mass_max_Msun: Float[Array, ""] = eqx.field(converter=_leaf, default=200.0)
    rotation_mean_km_s: Float[Array, ""] = eqx.field(converter=_leaf, default=150.0)
    rotation_sigma_km_s: Float[Array, ""] = eqx.field(converter=_leaf, default=140.0)
    rotation_max_km_s: Float[Array, ""] = eqx.field(converter=_leaf, default=500.0)
    metallicity: Float[Array, ""] = eqx.field(converter=_leaf, default=0.035)
    age_min_Myr: Float[Array, ""] = eqx.field(converter=_leaf, default=3.0)
    age_max_Myr: Float[Array, ""] = eqx.field(converter=_leaf, default=3.6)

    def __check_init__(self) -> None:
        values = [getattr(self, name) for name in self.__dataclass_fields__]
        if any(isinstance(x, jax.core.Tracer) or not eqx.is_array(x) for x in values):
            return
        if any(np.ndim(x) for x in values):
            return  # a batch under vmap
        if not all(np.isfinite(float(x)) for x in values):
            raise ValidityError("PopulationModel: expected finite numbers")
        for low, high, what in (
            (0.0, self.mass_min_Msun, "mass_min_Msun > 0"),
            (self.mass_min_Msun, self.mass_max_Msun, "mass_min_Msun < mass_max_Msun"),
            (0.0, self.rotation_sigma_km_s, "rotation_sigma_km_s > 0"),
            (0.0, self.rotation_max_km_s, "rotation_max_km_s > 0"),
            (self.age_min_Myr, self.age_max_Myr, "age_min_Myr < age_max_Myr"),
        ):
            if not float(low) < float(high):
                raise ValidityError(
                    f"PopulationModel: expected {what}, found {float(low):g} and {float(high):g}"
                )

    def initial_mass_Msun(self, w: Float[Array, "..."]) -> Float[Array, "..."]:
        """Initial mass below which a fraction w of the stars lies, shape of w [solar masses]."""
        exponent = 1.0 - self.imf_slope
        span = jnp.log(self.mass_max_Msun / self.mass_min_Msun)
        flat = jnp.abs(exponent) < _FLAT
        a = jnp.where(flat, 1.0, exponent)
        steep = jnp.log1p(w * jnp.expm1(a * span)) / a
        expanded = w * span + 0.5 * exponent * span**2 * w * (1.0 - w)
        return self.mass_min_Msun * jnp.exp(jnp.where(flat, expanded, steep))

    def mass_cdf(self, mass_Msun: Float[Array, "..."]) -> Float[Array, "..."]:
        """Fraction of the stars with an initial mass [solar masses] below the given one."""
        exponent = 1.0 - self.imf_slope
        span = jnp.log(self.mass_max_Msun / self.mass_min_Msun)
        inside = jnp.clip(mass_Msun, self.mass_min_Msun, self.mass_max_Msun)
        x = jnp.log(inside / self.mass_min_Msun)
        flat = jnp.abs(exponent) < _FLAT
        a = jnp.where(flat, 1.0, exponent)
        expanded = safe_divide(x, span) * (1.0 + 0.5 * exponent * (x - span))
        return jnp.where(flat, expanded, safe_divide(jnp.expm1(a * x), jnp.expm1(a * span)))

    def _rotation_ends(self) -> tuple[Array, Array]:
        sigma = self.rotation_sigma_km_s
        low = ndtr(-self.rotation_mean_km_s / sigma)
        return low, ndtr((self.rotation_max_km_s - self.rotation_mean_km_s) / sigma)

    def rotation_km_s(self, w: Float[Array, "..."]) -> Float[Array, "..."]:
        """Rotation below which a fraction w of the stars lies, shape of w [km/s]."""
        low, high = self._rotation_ends()
        p = jnp.clip(low + w * (high - low), _TINY, 1.0 - _EPS)
        speed = self.rotation_mean_km_s + self.rotation_sigma_km_s * ndtri(p)
        return jnp.clip(speed, 0.0, self.rotation_max_km_s)

    def rotation_cdf(self, rotation_km_s: Float[Array, "..."]) -> Float[Array, "..."]:
        """Fraction of the stars that rotate more slowly than the given speed [km/s]."""
        low, high = self._rotation_ends()
        inside = jnp.clip(rotation_km_s, 0.0, self.rotation_max_km_s)
        p = ndtr((inside - self.rotation_mean_km_s) / self.rotation_sigma_km_s)
        return safe_divide(p - low, high - low)

    def sample(self, key: Array, n: int) -> StarSample:
        """Draw stars at birth.

        Parameters
        ----------
        key : PRNG key
            Randomness.
        n : int
            Number of stars.

        Returns
        -------
        StarSample
            Arrays of shape (n,) [solar masses, km/s, -, Myr].
        """
        w = jax.random.uniform(key, (3, n), float)
        age = self.age_min_Myr + w[2] * (self.age_max_Myr - self.age_min_Myr)
        return StarSample(
            self.initial_mass_Msun(w[0]),
            self.rotation_km_s(w[1]),
            jnp.broadcast_to(self.metallicity, (n,)),
            age,
        )


def population_of(facts: ClusterDescription) -> PopulationModel:
    """Population that the file of a target describes.

    Parameters
    ----------
    facts : ClusterDescription
        Target with a table ``population``.

    Returns
    -------
    PopulationModel
        Leaves of shape () [solar masses, km/s, Myr].

    Raises
    ------
    ConfigurationError
        If the file has no table ``population``.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    born = facts.population
    if born is None:
        raise ConfigurationError(
            f"target {facts.origin}: has no table [population] with age_Myr, metallicity and "
            "rotation; add it (see `diffaxion init FILE --cluster quintuplet`)"
        )
    numbers = (
        born.imf_slope,
        *born.mass_range_Msun,
        born.rotation_mean_km_s,
        born.rotation_sigma_km_s,
        born.rotation_max_km_s,
        born.metallicity,
        *born.age_Myr,
    )
    return PopulationModel(*(_leaf(x) for x in numbers))


@eqx.filter_jit
def _quantiles(model: PopulationModel, w_mass: Array, w_speed: Array) -> tuple[Array, Array]:
    return model.initial_mass_Msun(w_mass), model.rotation_km_s(w_speed)


def track_shares(
    model: PopulationModel,
    mass_Msun: ArrayLike | Sequence[float],
    rotation_km_s: ArrayLike | Sequence[float] | None = None,
) -> np.ndarray:
    """Share of the stars at birth for which each track of a grid is the nearest.

    Distance is in ln M over the width of the power law and, where rotation is known, in v over
    its Gaussian width. Tracks at the same place share alike.

    Parameters
    ----------
    model : PopulationModel
        Distribution at birth.
    mass_Msun : array, shape (k,)
        Initial masses of the tracks [solar masses].
    rotation_km_s : array, shape (k,), optional
        Initial rotation of the tracks [km/s].

    Returns
    -------
    array, shape (k,)
        Shares, summing to 1, good to about 1e-3 of the whole.

    Raises
    ------
    ValidityError
        If a mass is not positive or a number is not finite.

    References
    ----------
    None: nearest neighbours.
    """
    mass = np.asarray(mass_Msun, float)
    speed = np.zeros_like(mass) if rotation_km_s is None else np.asarray(rotation_km_s, float)
    if not (np.all(mass > 0.0) and np.all(np.isfinite(mass + speed)) and mass.ndim == 1):
        raise ValidityError("track_shares: expected positive masses and finite rotation")
    w_mass = (np.arange(_MASS_STEPS) + 0.5) / _MASS_STEPS
    w_speed = (np.arange(_ROTATION_STEPS) + 0.5) / _ROTATION_STEPS
    if np.ptp(speed) == 0.0:
        w_speed = w_speed[:1]
    births, speeds = _quantiles(model, jnp.asarray(w_mass), jnp.asarray(w_speed))
    born_mass, born_speed = np.log(np.asarray(births)), np.asarray(speeds)
    scale_mass = float(np.log(float(model.mass_max_Msun) / float(model.mass_min_Msun)))
    scale_speed = float(model.rotation_sigma_km_s)
    places, same = np.unique(np.stack([np.log(mass), speed]), axis=1, return_inverse=True)
    same = same.ravel()
    speed_part = ((born_speed[:, None] - places[1]) / scale_speed) ** 2
    counts = np.zeros(places.shape[1])
    step = max(1, _CHUNK // speed_part.size)
    for k in range(0, born_mass.size, step):
        mass_part = ((born_mass[k : k + step, None] - places[0]) / scale_mass) ** 2
        nearest = np.argmin(mass_part[:, None] + speed_part, axis=-1)
        counts += np.bincount(nearest.ravel(), minlength=counts.size)
    return (counts / np.bincount(same))[same] / counts.sum()
