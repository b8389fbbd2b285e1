"""A second look for modes: short chains from the prior, compared with the main run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..errors import ConfigurationError
from .diagnostics import chain_ess

if TYPE_CHECKING:
    from .posterior import Posterior
    from .sample import Sampler

_FAR, _CERTAIN = 1.0, 4.0  # in standard deviations of the main run, and in standard errors


class ModeCheck(NamedTuple):
    """Whether chains from the prior end where the main run is.

    Attributes
    ----------
    agrees : bool
        Whether all of them do.
    shifts : dict of str to array, shape (chains, ...)
        Mean of each short chain less that of the main run, in its standard deviations.
    density : array, shape (chains,)
        Mean of -energy of each short chain less that of the main run: a mode that counts lies
        above about -10.
    reasons : tuple of str
        One sentence for each chain that ended elsewhere.
    """

    agrees: bool
    shifts: dict[str, np.ndarray]
    density: np.ndarray
    reasons: tuple[str, ...]


def second_mode_check(
    sampler: Sampler,
    key: Array,
    args: tuple,
    posterior: Posterior,
    *,
    iterations: int | None = None,
) -> ModeCheck:
    """Run short chains from draws of the prior and compare their second half with a run.

    The chains take the step size and mass matrix of the run, and the program that it compiled:
    no warm-up. A chain is elsewhere when the mean of a site is off by more than one standard
    deviation of the run and by more than four of its own standard errors. Modes that lie closer,
    or that no start falls to, are not seen; nested sampling is the referee.

    Parameters
    ----------
    sampler : Sampler
        The one that made the run.
    key : PRNG key
        Randomness.
    args : tuple
        Arguments of the model.
    posterior : Posterior
        The run.
    iterations : int, optional
        Length of the short chains; default a fifth of its draws, at least 100.

    Returns
    -------
    ModeCheck
        Verdict with shifts.

    Raises
    ------
    ConfigurationError
        If the posterior does not know its step size, or the chains are too short.

    References
    ----------
    Gelman & Rubin 1992 (Statist. Sci. 7, 457): starts wider than the posterior.
    """
    count = max(100, posterior.energy.shape[1] // 5) if iterations is None else iterations
    if not posterior.adaptation:
        raise ConfigurationError("this posterior does not hold its step size: run it anew")
    if count < 20:
        raise ConfigurationError(f"iterations must be at least 20, found {count}")
    key_start, key_chain = jax.random.split(key)
    compiled = sampler.compiled
    matrix = jnp.asarray(posterior.adaptation["inverse_mass_matrix"])
    state = compiled.resume(
        key_chain,
        compiled.prior_starts(key_start, args),
        matrix if matrix.ndim == 2 else jnp.diag(matrix),
        jnp.asarray(np.median(posterior.adaptation["step_size"])),
        args,
    )
    chunks = []
    for done in range(0, count, sampler.chunk):
        state, chunk = sampler.advance(state, args, min(sampler.chunk, count - done))
        chunks.append(jax.device_get(chunk))
    whole = jax.tree.map(lambda *x: np.swapaxes(np.concatenate(x), 0, 1)[:, count // 2 :], *chunks)
    return compare_modes(posterior, {n: whole.sites[n] for n in compiled.sites}, whole.energy)


def compare_modes(
    posterior: Posterior, sites: dict[str, np.ndarray], energy: np.ndarray
) -> ModeCheck:
    """Verdict on settled short chains: sites and energies with shape (chains, draws, ...)."""
    shifts: dict[str, np.ndarray] = {}
    reasons: list[str] = []
    level = -float(np.mean(posterior.energy))
    density = -np.mean(energy, axis=1) - level
    for name, x in sites.items():
        main = posterior.flat(name)
        sd = np.maximum(main.std(axis=0), np.finfo(float).tiny)
        shifts[name] = (x.mean(axis=1) - main.mean(axis=0)) / sd
        columns = x.reshape(*x.shape[:2], -1)
        for c in range(x.shape[0]):
            for j, shift in enumerate(shifts[name][c].reshape(-1)):
                spread = columns[c, :, j].std() / np.reshape(sd, -1)[j]
                error = spread / np.sqrt(max(chain_ess(columns[c, :, j]), 1.0))
                if not abs(shift) <= max(_FAR, _CERTAIN * error):
                    reasons.append(
                        f"chain {c} from the prior ended with {name!r} off by {shift:.1f} standard "
                        f"deviations, at a log density {density[c]:+.1f} from that of the run"
                    )
    return ModeCheck(not reasons, shifts, density, tuple(reasons))
