"""Cases of the redistribution matrices of diffaxion.observables.xray."""

import jax.numpy as jnp
import numpy as np

from diffaxion.observables.xray import response as r

from . import Case

_LOW = np.array([10.0, 15.0, 20.0])
_GRID = r.fold_grid(_LOW, _LOW + 5.0, 2)
_EDGES = np.linspace(9.0, 26.0, 18)
_MATRIX = np.abs(np.sin(np.arange(51.0))).reshape(17, 3) / 3.0


def _fold(matrix, area, spectrum):
    instrument = r.Instrument(
        [3.0, 12.0, 80.0],
        area,
        redistribution="ogip",
        matrix=matrix,
        matrix_edges_keV=jnp.asarray(_EDGES),
    )
    return r.fold_weights(instrument, _GRID, spectrum)


_FLAT = jnp.ones_like(_GRID.fine_keV)
_AREA = jnp.array([90.0, 300.0, 2.0])

CASES = [
    Case(
        "fold_weights_ogip",
        _fold,
        (jnp.asarray(_MATRIX), _AREA, _FLAT),
        ((jnp.zeros((17, 3)), _AREA, 0.0 * _FLAT),),
    ),
]
