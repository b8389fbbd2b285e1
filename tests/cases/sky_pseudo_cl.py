"""Cases of coupled spectra: Gauss-Legendre coupling, decoupling and covariances."""

import jax.numpy as jnp
import numpy as np

from diffaxion import sky

from . import Case

_LMAX = 9
_GRID = sky.legendre_grid(_LMAX, 12)
_MASK = jnp.asarray(2.0 / (1.0 + np.arange(13.0)) ** 2)
_WHOLE_SKY = jnp.zeros(13).at[0].set(4.0 * np.pi)
_BINS = sky.linear_bins(3, _LMAX)
_MEAN, _MEMBER = (jnp.asarray(m) for m in (_BINS.mean_matrix(_LMAX), _BINS.membership(_LMAX)))
_CL = jnp.asarray(1.0 / (1.0 + np.arange(_LMAX + 1.0)))
_SPECTRA = jnp.stack([_CL, 2.0 * _CL**2, -0.3 * _CL, -0.2 * _CL])
_SAMPLES = jnp.asarray(np.random.default_rng(1).normal(size=(12, 3)))


def _coupling(mask_cl, rows, cl):
    return (
        sky.mask_correlation(_GRID, mask_cl),
        sky.coupling_kernel(_GRID, mask_cl),
        sky.coupling_matrix(_GRID, mask_cl),
        sky.couple_rows(_GRID, mask_cl, rows),
        sky.couple_spectrum(_GRID, mask_cl, cl),
    )


def _operators(mask_cl, transfer):
    found = sky.bandpower_operators(_GRID, mask_cl, _MEAN, _MEMBER, transfer)
    return found.matrix, found.window


def _covariance(left, spectra, mask_cl):
    both = jnp.stack([mask_cl, 0.8 * mask_cl])
    return (
        sky.binned_covariance(_GRID, left, 2.0 * left, spectra, both),
        sky.coupled_covariance(_GRID, spectra, both),
    )


CASES = [
    Case(
        "coupling",
        _coupling,
        (_MASK, _MEAN, _CL),
        ((_WHOLE_SKY, _MEAN, _CL), (0.0 * _MASK, _MEAN, _CL)),
        (
            "sky.LegendreGrid",
            "sky.mask_correlation",
            "sky.coupling_kernel",
            "sky.coupling_matrix",
            "sky.couple_rows",
            "sky.couple_spectrum",
        ),
    ),
    Case(
        "bandpower_operators",
        _operators,
        (_MASK, _CL),
        ((_WHOLE_SKY, _CL),),
        ("sky.bandpower_operators", "sky.BandpowerOperators"),
    ),
    Case(
        "narrow_kernel",
        _covariance,
        (_MEAN, _SPECTRA, _MASK),
        ((_MEAN, 0.0 * _SPECTRA, _WHOLE_SKY),),
        ("sky.binned_covariance", "sky.coupled_covariance"),
    ),
    Case(
        "sampled_covariance",
        lambda samples, model: (
            sky.sample_covariance(samples),
            tuple(sky.shrink_covariance(samples, model)),
        ),
        (_SAMPLES, jnp.eye(3) + 0.1),
        (),
        ("sky.sample_covariance", "sky.shrink_covariance", "sky.ShrunkCovariance"),
    ),
]
