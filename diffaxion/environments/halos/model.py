"""The halos of the universe as one object: what they weigh, hold and host."""

from __future__ import annotations

from typing import Literal

import equinox as eqx

from ..cosmology import LinearPower
from .galaxies import RedshiftDistribution
from .gas import GasProfile
from .magnetic import HaloField
from .mass_function import MassFunction
from .occupation import HOD

Concentration = Literal["duffy08", "bhattacharya13"]


class Halos(eqx.Module):
    """Abundance, gas, magnetic field and galaxies of dark-matter halos.

    Attributes
    ----------
    power : LinearPower
        Linear matter power spectrum [Mpc^3].
    mass_function : MassFunction
        Abundance and bias.
    gas : GasProfile
        Electron density [cm^-3].
    field : HaloField or None
        Magnetic field [muG]; None where conversion needs none (dark photons).
    hod : HOD
        Galaxies per halo.
    galaxies : RedshiftDistribution
        Normalised dN/dz of the galaxy sample.
    concentration : str
        Concentration-mass relation, static.
    """

    power: LinearPower
    mass_function: MassFunction
    gas: GasProfile
    field: HaloField | None
    hod: HOD
    galaxies: RedshiftDistribution
    concentration: Concentration = eqx.field(static=True, default="duffy08")
