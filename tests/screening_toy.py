"""The reference spectra and toy noise behind the tests of bandpowers and limits."""

import numpy as np
from scipy.interpolate import CubicSpline

from tests.conftest import read_csv

# Galaxy spectrum printed in the specification (configuration parity), one- plus two-halo [sr].
GG_ELL = np.array([100.0, 300.0, 600.0, 1000.0, 2000.0])
GG = np.array([2.9150e-7, 2.8070e-7, 2.5328e-7, 2.1037e-7, 1.2328e-7]) + np.array(
    [2.5353e-6, 4.7790e-7, 1.2311e-7, 4.0616e-8, 7.7750e-9]
)


class Reference:
    """C_l^Tg of the public code at 8 masses, with the physical sign, per unit u."""

    def __init__(self, shared):
        table = read_csv(shared / "data" / "screening" / "cl_tg_reference.csv")
        self.m_a_eV = table.pop("m_a_eV")
        self.ell = np.array([float(name[4:]) for name in table])
        # The file is at g = 1e-11, u = 100, and positive.
        self.cl = -np.stack(list(table.values()), axis=1) / 100.0

    def at(self, ell):
        """C at any multipole, shape (8, l): cubic spline of C in ln l through the 40 points."""
        return CubicSpline(np.log(self.ell), self.cl, axis=1)(np.log(np.asarray(ell)))
