"""Needlet ILC with deprojections: maps of several channels to maps of one component.

Each channel becomes harmonic coefficients; at each needlet scale the channels that resolve it
become maps with a common beam, their covariance around every pixel gives the weights (one
covariance for all deprojection sets), and the weighted sums are filtered once more and added. The
work goes scale by scale and never holds more than one scale in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import ConfigurationError
from .local_covariance import checked_mask
from .needlet_maps import MapLike, beam_ratios, channel_reach
from .needlet_plan import NeedletPlan, memory_estimate, needlet_plan
from .nilc_result import CleanedMap, Instrument
from .nilc_run import Run
from .nilc_settings import Components, NeedletILC, Request, make_requests


def needlet_ilc(
    maps: Sequence[MapLike],
    beams: np.ndarray,
    responses: Mapping[str, np.ndarray],
    sets: Mapping[str, Components],
    settings: NeedletILC,
    *,
    keep: str = "screening",
    names: Sequence[str] | None = None,
    pixel_windows: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    noise: np.ndarray | None = None,
    cache: str | Path | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, CleanedMap]:
    """Maps of one component from maps of several channels, for several deprojection sets at once.

    Parameters
    ----------
    maps : sequence of n arrays
        Full-sky HEALPix maps in RING order, each of its own nside, without monopole and missing
        pixels; or harmonic coefficients (complex); or functions without arguments that return
        them, called one after the other [any unit, the same for all].
    beams : float array, shape (n, lmax + 1)
        Beams of the channels, 1 at l = 0; any order.
    responses : mapping of str to float arrays, shape (n,)
        Response of each channel to every known component [unit of input per unit of the
        component]; that of ``keep`` sets the unit of the output.
    sets : mapping of str to components
        Deprojected components by name of the set: names, or a list of names for each scale.
    settings : NeedletILC
        Needlets, resolution and options.
    keep : str
        Component with unit response.
    names : sequence of str, optional
        Names of the channels; default 0, 1, ...
    pixel_windows : float array, shape (n, lmax + 1), optional
        Windows that are divided out together with the beams; they do not affect which channel is
        used where.
    mask : float array, shape (npix,), optional
        0 to 1; pixels below 1/2 do not enter the covariance and get no weight.
    noise : float array, shape (n,), optional
        White noise of the channels, for the report [unit of input times radian].
    cache : str or Path, optional
        Folder for the results of each scale, named by a hash of all inputs and settings; a run
        that was interrupted continues from there.
    progress : callable, optional
        Called with the number of steps done, their total and a text.

    Returns
    -------
    dict of str to CleanedMap
        One map per set.

    Raises
    ------
    ConfigurationError
        If something asked for is impossible; before any work.
    DataError
        If a map or the mask is unusable.
    ValidityError
        If a covariance is singular.

    References
    ----------
    Delabrouille et al. 2009, arXiv:0807.0773; Remazeilles, Delabrouille & Cardoso 2011,
    arXiv:1006.5599; McCarthy & Hill 2024, arXiv:2307.01043.
    """
    run = prepare_run(
        maps,
        beams,
        responses,
        sets,
        settings,
        keep=keep,
        names=names,
        pixel_windows=pixel_windows,
        mask=mask,
        noise=noise,
        progress=progress,
    )
    return run.execute(maps, cache)


def prepare_run(
    maps: Sequence[MapLike],
    beams: np.ndarray,
    responses: Mapping[str, np.ndarray],
    sets: Mapping[str, Components],
    settings: NeedletILC,
    *,
    keep: str,
    names: Sequence[str] | None = None,
    pixel_windows: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    noise: np.ndarray | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Run:
    """Check all arguments of :func:`needlet_ilc`, and the memory, before any work."""
    if len(maps) != len(beams):
        raise ConfigurationError(f"{len(maps)} maps and {len(beams)} beams: expected one each")
    known = [channel_reach(m) for m in maps]
    reach = [settings.lmax if r is None else min(r, settings.lmax) for r in known]
    plan = needlet_plan(
        settings.bank(),
        beams,
        settings.nside,
        bias=settings.bias,
        channels=settings.channels,
        names=names,
        reach=reach,
    )
    requests = make_requests(plan, responses, sets, keep)
    mask = checked_mask(mask, settings.nside)
    total_beams = np.asarray(beams, float)
    if pixel_windows is not None:
        windows = np.asarray(pixel_windows, float)
        if windows.shape != total_beams.shape or not np.all(windows > 0.0):
            raise ConfigurationError(
                f"pixel windows of shape {windows.shape}: expected positive numbers of shape "
                f"{total_beams.shape}"
            )
        total_beams = total_beams * windows
    memory = _check_memory(plan, settings, requests, mask is not None)
    instrument = Instrument(
        plan,
        beam_ratios(total_beams, settings.output_beam()),
        mask,
        settings.backend,
        settings.threads,
        settings.iterations,
        settings.variant == "exact",
    )
    return Run(settings, instrument, requests, responses, memory, noise, progress)


def _check_memory(
    plan: NeedletPlan, settings: NeedletILC, requests: list[Request], masked: bool
) -> float:
    """Estimate of the memory that is needed beyond the input maps [MiB], if it is allowed."""
    found = memory_estimate(
        plan,
        settings.variant,
        [[len(c) - 1 for c in r.components] for r in requests],
        masked=masked,
        rule=settings.smoothing_rule,
        keep_weights=settings.keep_weights,
    )
    if settings.memory_GiB is not None and found["peak_MiB"] > 1024.0 * settings.memory_GiB:
        raise ConfigurationError(
            f"the run would need about {found['peak_MiB'] / 1024.0:.3g} GiB, memory_GiB allows "
            f"{settings.memory_GiB:g}: choose the variant 'interpolated' or 'coarse', fewer "
            "deprojection sets, or a lower nside"
        )
    return float(found["peak_MiB"])
