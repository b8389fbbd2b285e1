"""Numbers with which the screening reproduction is compared, by where they come from.

The limit curve of arXiv:2409.10514 is bundled (``limits_planck_unwise``). The paper tabulates no
spectrum. The numbers below come from an independent NumPy and SciPy calculation with the
conventions of its public code (for ``parity``) and of this project (for ``default``); they guard
against mistakes of implementation, not of physics.
"""

from __future__ import annotations

# Masses of the public reference spectra [eV].
REFERENCE_MASSES_EV = (
    2.227542952e-13,
    3.10995155e-13,
    4.341913423e-13,
    6.061898993e-13,
    8.463231721e-13,
    1.181581733e-12,
    1.649648074e-12,
    2.15443469e-12,
)
# default/parity - 1 [%] at l = 100, 300, 600, 1000, 1500, 2000, and the ratio of limits.
DEFAULT_OVER_PARITY = (
    ((-10.6, -5.1, -4.8, -7.7, -11.7, -14.5), 1.08),
    ((-7.0, -6.0, -5.5, -6.5, -6.7, -6.2), 1.03),
    ((-7.4, -6.4, -6.0, -7.1, -7.8, -7.6), 1.04),
    ((-8.1, -7.4, -7.0, -8.0, -8.8, -8.8), 1.05),
    ((-8.1, -7.9, -8.1, -9.3, -10.1, -10.0), 1.05),
    ((-7.4, -7.9, -8.7, -10.2, -11.0, -10.8), 1.06),
    ((-6.9, -7.8, -8.6, -10.0, -10.6, -10.4), 1.06),
    ((-8.5, -9.4, -8.9, -8.8, -8.5, -8.2), 1.05),
)
VARIANT_MASSES_EV = (2.2e-13, 2.5e-13, 3.11e-13, 5e-13, 1e-12, 2e-12)
# g95(variant)/g95(default) at those masses, tSZ + CIB weights.
VARIANT_LIMITS: dict[str, tuple[float, ...]] = {
    "HOD K23": (1.02, 1.13, 1.16, 1.21, 1.26, 1.34),
    "NFW gas": (2.24, 1.52, 1.17, 1.05, 1.04, 0.71),
    "shock-heating gas": (1.06, 1.03, 1.05, 1.08, 1.04, 0.68),
    "beta = 100": (1.62, 1.42, 1.32, 1.17, 1.04, 0.94),
    "beta = 100, cap 10^14.5 Msun": (1.73, 1.53, 1.45, 1.35, 1.28, 1.31),
    "beta = 10": tuple(x / 10.0**0.5 for x in (1.62, 1.42, 1.32, 1.17, 1.04, 0.94)),
    "x_lo = 0.05": (1.0, 1.0, 1.0, 1.0, 1.0, 0.72),
    "x_lo = 0.2": (1.0, 1.0, 1.0, 1.0, 1.02, 9.0),
    "x_hi = 1.0": (3.4, 1.75, 1.13, 1.0, 1.0, 1.0),
    "x_hi = 1.3": (0.60, 0.87, 0.99, 1.0, 1.0, 1.0),
    "floor 10^12 Msun": (1.006, 1.003, 1.002, 1.002, 1.003, 1.0),
    "piecewise field": (0.94, 0.94, 0.97, 0.97, 0.96, 0.97),
}
# Ranges over 3e-13 and 1e-12 eV of C_l(variant)/C_l(default) at these multipoles.
HOD_ELL = (100.0, 300.0, 600.0, 1000.0, 2000.0)
HOD_RATIOS: dict[str, tuple[tuple[float, float], ...]] = {
    "lambda = 1.80 alone": (
        (0.998, 0.998), (0.98, 0.98), (0.94, 0.95), (0.88, 0.91), (0.79, 0.86)
    ),
    "HOD K23": ((0.93, 0.95), (0.85, 0.86), (0.74, 0.76), (0.66, 0.73), (0.62, 0.78)),
}  # fmt: skip
# Shares of the one-halo term in C_l^Tg [%].
ONE_HALO_PERCENT = ((12.0, 13.0), (37.0, 41.0), (66.0, 68.0), (83.0, 83.0), (93.0, 94.0))
# C_l^gg of `parity` with the amplitude of sigma^2 as in P(k) [sr]: one- and two-halo.
GALAXY_SPECTRA = (
    (2.9150e-7, 2.5353e-6),
    (2.8070e-7, 4.7790e-7),
    (2.5328e-7, 1.2311e-7),
    (2.1037e-7, 4.0616e-8),
    (1.2328e-7, 7.7750e-9),
)
# C_l^TT of `default` at 3e-13 eV and g = 1e-11 GeV^-1, z < 1.9 [uK^2], by multipole.
TEMPERATURE_SPECTRA = {
    100.0: (1.594e-4, 2.897e-4),
    1000.0: (2.867e-5, 4.31e-6),
    2000.0: (1.402e-5, 7.1e-7),
}
# Cumulative shares at 3e-13 eV, l = 100 and 1000.
CUMULATIVE_ELL = (100.0, 1000.0)
CUMULATIVE_Z = {
    0.25: (0.147, 0.185),
    0.5: (0.516, 0.624),
    0.75: (0.862, 0.918),
    1.0: (0.996, 0.998),
}
CUMULATIVE_MASS_MSUN = {
    1e13: (0.21, 0.07),
    1e14: (0.66, 0.37),
    3e14: (0.82, 0.62),
    1e15: (0.96, 0.94),
}
# R of the recast around `parity`, for `default`, at these masses [eV].
RECAST_RATIO = {2.2e-13: 0.86, 2.5e-13: 0.89, 3.11e-13: 0.93, 5e-13: 0.92, 1e-12: 0.90, 2e-12: 0.89}
# Forecast by deprojection: lowest g95 [GeV^-1], range of forecast/published above 2.2e-13 eV.
FORECAST = {
    "none": (1.33e-12, 1.04, 1.13),
    "tsz": (1.35e-12, 1.06, 1.14),
    "tsz-cib": (1.36e-12, 1.07, 1.15),
    "tsz-cib-dbeta": (1.86e-12, 1.32, 1.70),
}
# Logarithmic derivatives of C_l in the mass at l = 100, 1000, 2000, by mass [eV].
DERIVATIVE_ELL = (100.0, 1000.0, 2000.0)
MASS_DERIVATIVES = {
    2.2275e-13: (7.61, 12.07, 13.36),
    3.10995e-13: (-0.864, -0.515, 0.257),
    6.0619e-13: (-2.078, -1.903, -1.659),
    1.18158e-12: (-3.37, -3.07, -2.92),
    2.15443e-12: (-11.7, -11.3, -10.7),
}
# The same in parameters of gas and galaxies at 3.10995e-13 and 1.18158e-12 eV.
PARAMETER_DERIVATIVES = {
    "ln rho_0 A0": ((-0.568, -0.742, -1.129), (0.689, 0.535, 0.459)),
    "ln alpha A0": ((-1.399, -1.992, -2.935), (1.777, 1.686, 1.466)),
    "ln beta A0": ((1.435, 2.300, 3.984), (-1.672, -1.765, -1.629)),
    "alpha_s": ((1.031, 2.237, 1.831), (0.962, 2.620, 2.661)),
    "sigma_logM": ((-0.541, -0.887, -0.986), (-0.557, -0.900, -0.984)),
    "log10 M_min": ((0.695, 1.275, 1.398), (0.693, 1.291, 1.418)),
    "log10 M_1": ((-0.768, -1.562, -1.614), (-0.739, -1.613, -1.748)),
}
