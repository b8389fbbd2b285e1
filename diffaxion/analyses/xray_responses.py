"""Responses of several exposures: their mean, and how each exposure differs from it.

Nuproducts makes an ARF and an RMF for each observation and module. Counts are summed over
exposures, so that the model needs the mean area, weighted by exposure; in each energy bin an
exposure is multiplied by the ratio of its own mean area to that of all, which keeps sums and single
exposures exact up to the shape of the area within a bin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..data.image_stack import ImageStack
from ..data.ogip import AncillaryResponse, Redistribution, read_arf, read_rmf
from ..errors import DataError
from ..observables.xray.ogip_response import ogip_instrument
from ..observables.xray.response import Instrument
from .count_images import mean_area_cm2


@dataclass(frozen=True)
class StackResponse:
    """Mean response of the exposures of a stack.

    Attributes
    ----------
    instrument : Instrument
        Forward model.
    arf : AncillaryResponse
        Mean area.
    rmf : Redistribution or None
        Redistribution, where all exposures name the same file.
    """

    instrument: Instrument
    arf: AncillaryResponse
    rmf: Redistribution | None


def stack_responses(stack: ImageStack) -> tuple[ImageStack, StackResponse | None]:
    """Read the responses that a stack names.

    Parameters
    ----------
    stack : ImageStack
        Images with names of response files.

    Returns
    -------
    stack : ImageStack
        Exposures in seconds are multiplied by the ratio of each area to the mean.
    response : StackResponse or None
        None where no file is named.

    Raises
    ------
    DataError
        If only some exposures name files, a file is unusable, or energies differ.
    ValidityError
        If a bin leaves the energies of the files.

    References
    ----------
    NuSTAR Data Analysis Software Guide, section on nuproducts.
    """
    has_arf, has_rmf = ([x is not None for x in names] for names in (stack.arf, stack.rmf))
    if not any(has_arf + has_rmf):
        return stack, None
    matrices = {path: read_rmf(str(path)) for path in dict.fromkeys(stack.rmf) if path is not None}
    full = bool(matrices) and all(rmf.includes_area for rmf in matrices.values())
    if any(has_rmf) != all(has_rmf) or not (all(has_arf) or (full and not any(has_arf))):
        raise DataError(
            f"{stack.source}: some exposures name an ARF or an RMF and others do not; name an ARF "
            "for all exposures (none where the matrix includes the area), and an RMF for all or "
            "for none"
        )
    if full and not any(has_arf):
        arfs = [_area_of(matrices[path]) for path in stack.rmf if path is not None]
        matrices = {path: _without_area(rmf) for path, rmf in matrices.items()}
    else:
        areas = {path: read_arf(str(path)) for path in dict.fromkeys(stack.arf)}
        arfs = [areas[path] for path in stack.arf]
    first = arfs[0]
    for arf in arfs[1:]:
        if arf.low_keV.shape != first.low_keV.shape or not np.allclose(arf.low_keV, first.low_keV):
            raise DataError(
                f"{arf.source}: {arf.low_keV.size} energies from {arf.low_keV[0]:g} keV, in "
                f"{first.source} {first.low_keV.size} from {first.low_keV[0]:g} keV; expected the "
                "same energies in all exposures"
            )
    inside = np.where(stack.mask, stack.exposure[0], 0.0).sum(axis=(1, 2))
    share = inside / inside.sum()
    mean = AncillaryResponse(
        first.low_keV,
        first.high_keV,
        np.sum([w * a.area_cm2 for w, a in zip(share, arfs, strict=True)], axis=0),
        first.module if len(set(stack.modules)) == 1 else "",
        ", ".join(dict.fromkeys(a.source for a in arfs)),
    )
    low, high = stack.low_keV, stack.high_keV
    made: dict[Any, Instrument] = {
        path: ogip_instrument(mean, rmf, low, high, mean.source) for path, rmf in matrices.items()
    }
    if made:
        parts = [made[path] for path in stack.rmf]
        matrix = sum(w * p.matrix for w, p in zip(share, parts, strict=True))
        instrument = replace(parts[0], matrix=matrix)
    else:
        instrument = _with_area(mean)
    if stack.exposure_unit == "s":
        common = mean_area_cm2(_with_area(mean), low, high)
        ratio = [mean_area_cm2(_with_area(a), low, high) / common for a in arfs]
        stack = replace(stack, exposure=stack.exposure * np.stack(ratio, 1)[:, :, None, None])
    rmf = next(iter(matrices.values())) if len(matrices) == 1 else None
    return stack, StackResponse(instrument, mean, rmf)


def _area_of(rmf: Redistribution) -> AncillaryResponse:
    """Effective area of a matrix that includes it: the sum of each row."""
    return AncillaryResponse(rmf.low_keV, rmf.high_keV, rmf.row_sums(), source=rmf.source)


def _without_area(rmf: Redistribution) -> Redistribution:
    """A matrix that includes the area, divided by it."""
    area = rmf.row_sums()[rmf.row]
    value = rmf.value / np.where(area > 0.0, area, 1.0)
    return replace(rmf, value=value, includes_area=False)


def _with_area(arf: AncillaryResponse) -> Instrument:
    """An instrument that has an area and perfect energies."""
    middle = 0.5 * (arf.low_keV + arf.high_keV)
    return Instrument(jnp.asarray(middle), jnp.asarray(arf.area_cm2), label=arf.source)
