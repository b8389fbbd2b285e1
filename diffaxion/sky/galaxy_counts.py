"""Galaxy overdensity of a simulated sky: counts or a Gaussian stand-in, with shot noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigurationError, ValidityError, unknown_name

_DEG2_PER_SR = (180.0 / np.pi) ** 2
# Pixels with 1 + delta < 0 hold no galaxies; more than this share of them spoils the spectrum.
_EMPTY_AT_MOST = 0.01


@dataclass(frozen=True)
class GalaxyMap:
    """Overdensity in pixels.

    Attributes
    ----------
    overdensity : array, shape (p,)
        N/(nbar m) - 1, 0 where the completeness m is 0.
    shot_noise_sr : float
        1/nbar where m = 1 [sr].
    empty_fraction : float
        Share of pixels whose Gaussian density was negative and was set to 0.

    References
    ----------
    Nicola et al. 2021, arXiv:2010.09717.
    """

    overdensity: np.ndarray
    shot_noise_sr: float
    empty_fraction: float


def galaxy_map(
    density: np.ndarray,
    galaxies_per_deg2: float,
    generator: np.random.Generator,
    *,
    counts: str = "poisson",
    completeness: np.ndarray | None = None,
) -> GalaxyMap:
    """Observed overdensity of galaxies that trace a density.

    Parameters
    ----------
    density : array, shape (p,)
        Overdensity of the galaxies before sampling.
    galaxies_per_deg2 : float
        Mean density where complete.
    generator : numpy.random.Generator
        Random numbers.
    counts : str
        ``poisson``; ``gaussian`` for white noise of the same variance; ``none`` for no noise.
    completeness : array, shape (p,), optional
        Share of galaxies seen, 0 to 1; default 1.

    Returns
    -------
    GalaxyMap
        The map and its shot noise.

    Raises
    ------
    ConfigurationError
        If ``counts`` is unknown, or the completeness has another shape or lies outside 0 to 1.
    ValidityError
        If more than 1 % of the pixels would hold a negative number of galaxies.

    References
    ----------
    Nicola et al. 2021, arXiv:2010.09717.
    """
    seen = np.ones_like(density) if completeness is None else np.asarray(completeness, float)
    if seen.shape != density.shape or not np.all((seen >= 0.0) & (seen <= 1.0)):
        raise ConfigurationError(
            f"completeness of shape {seen.shape}, {np.min(seen):g} to {np.max(seen):g}: expected "
            f"{density.shape}, 0 to 1"
        )
    pixel_sr = 4.0 * np.pi / density.size
    shot = 1.0 / (galaxies_per_deg2 * _DEG2_PER_SR)
    per_pixel = pixel_sr / shot * seen
    on = seen > 0.0
    safe = np.where(on, per_pixel, 1.0)
    empty = 0.0
    if counts == "none":
        delta = density
    elif counts == "gaussian":
        delta = density + generator.standard_normal(density.size) / np.sqrt(safe)
    elif counts == "poisson":
        empty = float(np.mean(density < -1.0))
        if empty > _EMPTY_AT_MOST:
            raise ValidityError(
                f"galaxy density is negative in {100 * empty:.2g} % of the pixels (at most 1 %): "
                "the Gaussian field is too strong for counts at this resolution; use counts = "
                "gaussian or a smaller lmax"
            )
        delta = generator.poisson(per_pixel * np.maximum(1.0 + density, 0.0)) / safe - 1.0
    else:
        raise unknown_name("counts", counts, ("poisson", "gaussian", "none"))
    return GalaxyMap(np.where(on, delta, 0.0), shot, empty)
