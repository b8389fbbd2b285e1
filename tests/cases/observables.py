"""Cases of diffaxion.observables.xray."""

import jax.numpy as jnp
import numpy as np

from diffaxion.observables.xray import response as r
from diffaxion.observables.xray.spectrum import photon_spectrum

from . import Case

_LOW = np.array([10.0, 15.0, 20.0])
_GRID = r.fold_grid(_LOW, _LOW + 5.0, 2)
_FLAT = jnp.ones_like(_GRID.fine_keV)
_INSTRUMENT = r.Instrument([3.0, 12.0, 80.0], [90.0, 300.0, 2.0])
_WIDE = r.Instrument([3.0, 12.0, 80.0], [90.0, 300.0, 2.0], redistribution="gaussian")
_X = "observables.xray."

CASES = [
    Case(
        "fold_weights",
        r.fold_weights,
        (_INSTRUMENT, _GRID, _FLAT),
        ((_INSTRUMENT, _GRID, 0.0 * _FLAT),),
        (_X + "fold_weights", _X + "fold_grid", _X + "Instrument", _X + "FoldGrid"),
        check_fd=False,  # moves the nodes of a piecewise-linear table across energies
    ),
    Case("fold_weights_spectrum", lambda s: r.fold_weights(_WIDE, _GRID, s), (_FLAT,)),
    Case(
        "bin_nodes_keV",
        lambda a, b: r.bin_nodes_keV(a, b, 3),
        (jnp.asarray(_LOW), jnp.asarray(_LOW + 5.0)),
        (),
        (_X + "bin_nodes_keV",),
    ),
    Case(
        "photon_spectrum",
        photon_spectrum,
        (jnp.array([1e33, 2e33]), jnp.array([10.0, 20.0]), jnp.array(8.3), jnp.array([1e-4, 2e-4])),
        ((jnp.zeros(2), jnp.array([10.0, 20.0]), jnp.array(8.3), jnp.zeros(2)),),
        (_X + "photon_spectrum",),
    ),
]
