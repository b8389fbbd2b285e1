"""Random numbers of simulated skies: one stream per sky and per field, so that a field does not
depend on which others are drawn, nor on how many skies are.
"""

from __future__ import annotations

import zlib

import numpy as np

from ..errors import ConfigurationError


def stream(seed: int, index: int, name: str) -> np.random.Generator:
    """Generator of one field of one sky.

    Parameters
    ----------
    seed : int
        Seed of the set of skies, >= 0.
    index : int
        Number of the sky, >= 0.
    name : str
        Field, such as ``cmb`` or ``noise-143``.

    Returns
    -------
    numpy.random.Generator
        Independent of those of other arguments.

    Raises
    ------
    ConfigurationError
        If seed or index are negative.

    References
    ----------
    O'Neill 2014, HMC-CS-2014-0905 (PCG64).
    """
    if seed < 0 or index < 0:
        raise ConfigurationError(f"seed {seed}, sky {index}: expected whole numbers >= 0")
    return np.random.default_rng([seed, index, zlib.crc32(name.encode())])


def alm_degrees(lmax: int) -> np.ndarray:
    """Multipole l of each a_lm of a real field, m = 0 first.

    Parameters
    ----------
    lmax : int
        Largest multipole.

    Returns
    -------
    array of int, shape ((lmax + 1)(lmax + 2)/2,)
        l = m, ..., lmax for m = 0, 1, ..., lmax.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513.
    """
    return np.concatenate([np.arange(m, lmax + 1) for m in range(lmax + 1)])


def random_alm(generator: np.random.Generator, lmax: int) -> np.ndarray:
    """Unit Gaussian a_lm of a real field: C_l = 1 at every l.

    Parameters
    ----------
    generator : numpy.random.Generator
        Random numbers.
    lmax : int
        Largest multipole.

    Returns
    -------
    complex array, shape ((lmax + 1)(lmax + 2)/2,)
        a_lm, m = 0 first and real.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513.
    """
    size = (lmax + 1) * (lmax + 2) // 2
    parts = generator.standard_normal((2, size))
    alm = (parts[0] + 1j * parts[1]) / np.sqrt(2.0)
    alm[: lmax + 1] = parts[0, : lmax + 1]
    return alm
