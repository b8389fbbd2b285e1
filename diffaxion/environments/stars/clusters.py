"""Star clusters as axion sources: where they are and how bright in axions."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...data.cluster_files import BUNDLED_CLUSTERS, ClusterDescription, load_cluster
from ...errors import unknown_name


def _leaf(default: float) -> Array:
    return eqx.field(converter=lambda x: jnp.asarray(x, float), default=default)


class Cluster(eqx.Module):
    """A cluster of massive stars; luminosities are at g = 1e-12 GeV^-1 and scale as g^2.

    Attributes
    ----------
    name, label : str
        Key and printed name.
    longitude_deg, latitude_deg, distance_kpc : float array, shape ()
        Sight line [deg, deg, kpc].
    luminosity_10_80_erg_s : float array, shape ()
        Axion luminosity between 10 and 80 keV [erg/s].
    class_counts : float array, shape (2,)
        Numbers of WC and WN stars, the weights of the spectral shape.
    ln_luminosity : float array, shape ()
        Nuisance: ln of a factor on the luminosity.
    ln_density : float array, shape ()
        Nuisance: ln of a factor on n_e along this sight line.
    ln_core_temperature : float array, shape ()
        Nuisance: ln of a factor on the core temperature of every star.
    tilt : float array, shape ()
        Nuisance k of a factor (E/30 keV)^k on the spectral shape.
    column_1e22_cm2 : float array, shape ()
        Hydrogen column, spread evenly along the sight line [1e22 cm^-2].
    ln_metallicity_gain : float array, shape ()
        Nuisance: ln of a further factor on the luminosity. Published luminosities hold for the
        highest metallicity, the conservative corner; nearer to solar they are higher, so that
        a prior is one-sided, above 0.
    spectrum : module or None
        Spectrum of the cluster's own ensemble of stars, used by the mode ``ensemble``:
        ``spectrum(energy_keV, tilt)`` -> S(E) [keV^-1]; its leaf ``z`` holds nuisances.
    """

    name: str = eqx.field(static=True)
    label: str = eqx.field(static=True)
    longitude_deg: Float[Array, ""] = eqx.field(converter=lambda x: jnp.asarray(x, float))
    latitude_deg: Float[Array, ""] = eqx.field(converter=lambda x: jnp.asarray(x, float))
    distance_kpc: Float[Array, ""] = eqx.field(converter=lambda x: jnp.asarray(x, float))
    luminosity_10_80_erg_s: Float[Array, ""] = _leaf(0.0)
    class_counts: Float[Array, "2"] = eqx.field(
        converter=lambda x: jnp.asarray(x, float), default=(0.0, 0.0)
    )
    ln_luminosity: Float[Array, ""] = _leaf(0.0)
    ln_density: Float[Array, ""] = _leaf(0.0)
    ln_core_temperature: Float[Array, ""] = _leaf(0.0)
    tilt: Float[Array, ""] = _leaf(0.0)
    column_1e22_cm2: Float[Array, ""] = _leaf(0.0)
    ln_metallicity_gain: Float[Array, ""] = _leaf(0.0)
    spectrum: Any = None


def target_names() -> list[str]:
    """Keys of the bundled targets.

    Returns
    -------
    list of str
        Names (no unit, shape (4,)).

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    return list(BUNDLED_CLUSTERS)


def target_row(name: str) -> dict[str, float | str]:
    """Facts of a target as one flat row; numbers that nobody has published are 0.

    Parameters
    ----------
    name : str
        A bundled target, or the path of a TOML file.

    Returns
    -------
    dict
        Name to value, shape (); units in the names [deg, kpc, erg/s, ks, keV]:
        sight line, ``luminosity_10_80_erg_s`` at g = 1e-12 GeV^-1 with its errors, numbers of
        stars, exposure, coupling of the published curve, and lowest energy analysed.

    Raises
    ------
    ConfigurationError
        If the target is unknown.
    DataError
        If a file of the user is malformed.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    return _row(load_cluster(name))


def _row(facts: ClusterDescription) -> dict[str, float | str]:
    longitude, latitude = facts.galactic_deg()
    distance = facts.sightline.distance_kpc
    low, high = facts.sightline.distance_range_kpc or (distance, distance)
    light, seen = facts.luminosity, facts.nustar
    return {
        "target": facts.name,
        "label": facts.label,
        "longitude_deg": longitude,
        "latitude_deg": latitude,
        "distance_kpc": distance,
        "distance_low_kpc": low,
        "distance_high_kpc": high,
        "luminosity_10_80_erg_s": light.band_10_80_erg_s if light else 0.0,
        "luminosity_minus_erg_s": light.band_10_80_minus_erg_s if light else 0.0,
        "luminosity_plus_erg_s": light.band_10_80_plus_erg_s if light else 0.0,
        "stars": facts.stars.modelled,
        "stars_wc": facts.stars.counts.get("WC", 0),
        "stars_wn": facts.stars.counts.get("WN", 0),
        "exposure_ks": seen.exposure_ks if seen else 0.0,
        "g_curve_GeV": seen.g_curve_GeV if seen else 0.0,
        "energy_min_keV": seen.energy_min_keV if seen else 10.0,
    }


def cluster(name: str) -> Cluster:
    """A target with its published central values.

    Parameters
    ----------
    name : str
        A bundled target (``quintuplet``, ``wd1``, ``arches``, ``betelgeuse``), or the path of a
        TOML file.

    Returns
    -------
    Cluster
        Leaves of shape () and (2,) with the units of their names [deg, kpc, erg/s].

    Raises
    ------
    ConfigurationError
        If the target is unknown.
    DataError
        If a file of the user is malformed.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    row = target_row(name)
    return Cluster(
        str(row["target"]),
        str(row["label"]),
        _number(row, "longitude_deg"),
        _number(row, "latitude_deg"),
        _number(row, "distance_kpc"),
        _number(row, "luminosity_10_80_erg_s"),
        jnp.stack([_number(row, "stars_wc"), _number(row, "stars_wn")]),
    )


def target_label(name: str) -> str:
    """Printed name of a target; the key itself for targets that are not bundled.

    Parameters
    ----------
    name : str
        Key of a target.

    Returns
    -------
    str
        Name (no unit).

    References
    ----------
    None: a name.
    """
    return load_cluster(name).label if name in BUNDLED_CLUSTERS else name


def _number(row: dict[str, float | str], column: str) -> Float[Array, ""]:
    return jnp.asarray(row[column], float)


def luminosity_sigma_ln(name: str) -> float:
    """Width of the prior on ln L_10-80: published interval and 5 % of the stellar structure.

    Half the logarithm of the ratio of the interval's ends, in quadrature with 0.05.

    Parameters
    ----------
    name : str
        Target with a published luminosity, bundled or the path of a TOML file.

    Returns
    -------
    float
        sigma of ln L, dimensionless, shape ().

    Raises
    ------
    ConfigurationError
        If the target has no published luminosity.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305 (intervals).
    """
    row = target_row(name)
    mean = float(row["luminosity_10_80_erg_s"])
    if mean <= 0.0:
        raise unknown_name("target with a published luminosity", name, ["quintuplet", "wd1"])
    hi = mean + float(row["luminosity_plus_erg_s"])
    lo = mean - float(row["luminosity_minus_erg_s"])
    return float(np.hypot(0.5 * np.log(hi / lo), 0.05))
