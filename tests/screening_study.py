"""A made-up study with every array of the right shape, for tests of tables and figures."""

import numpy as np

from diffaxion.analyses import screening_reference as reference
from diffaxion.analyses.reproduce_screening import ScreeningStudy, published_limit, study_masses
from diffaxion.analyses.screening_breakdown import STEPS, Breakdown
from diffaxion.analyses.screening_study import TABLE_ELL, study_multipoles
from diffaxion.analyses.screening_variants import VARIANTS
from diffaxion.likelihoods.bandpower_covariance import DEPROJECTIONS


def made_up_study():
    """Smooth curves near the true ones; nothing is computed."""
    masses, ell = study_masses(6), study_multipoles()
    published = published_limit(masses)
    shape = -3e-9 * np.outer((published / 1e-12) ** -2, (ell / 100.0) ** -1.2)
    names = ("parity", "default", *VARIANTS)
    factor = {name: 1.0 + 0.05 * k for k, name in enumerate(names)}
    eight, six = len(reference.REFERENCE_MASSES_EV), len(TABLE_ELL)
    chain = np.cumprod(np.full((len(STEPS) + 1, eight, six), 0.99), axis=0)
    found = Breakdown(
        tuple(label for label, _ in STEPS),
        np.asarray(reference.REFERENCE_MASSES_EV),
        np.asarray(TABLE_ELL),
        chain,
        1e-12 * chain[:, :, 0] ** -0.5,
    )
    mass_edges, z_edges = np.geomspace(1e11, 4e15, 9), np.linspace(0.1, 1.5, 8)
    shares = {
        name: (
            np.linspace(0.0, 1.0, 9)[:, None] * np.ones(ell.size),
            np.linspace(0.0, 1.0, 8)[:, None] * np.ones(ell.size),
        )
        for name in ("default", "beta = 100")
    }
    falling = ell**-1.5
    return ScreeningStudy(
        m_a_eV=masses,
        ell=ell,
        spectra={name: f * shape for name, f in factor.items()},
        breakdown=found,
        published_GeV=published,
        forecast_GeV={n: (1.1 + 0.1 * k) * published for k, n in enumerate(DEPROJECTIONS)},
        expected_GeV={name: published * f for name, f in factor.items()},
        recast_GeV={
            "parity": published,
            "default": 1.05 * published,
            "x_lo = 0.05": 0.9 * published,
            "x_lo = 0.2": np.where(masses > 2e-12, np.inf, published),
            "x_hi = 1.0": 1.3 * published,
            "x_hi = 1.3": 0.8 * published,
        },
        recast_ratio={"parity": np.ones_like(masses), "default": np.full_like(masses, 0.9)},
        recast_match={"parity": np.ones_like(masses), "default": np.full_like(masses, 0.95)},
        long_gain={n: np.full_like(masses, 0.9 + 0.02 * k) for k, n in enumerate(DEPROJECTIONS)},
        hod_ratios={name: np.full((2, 5), 0.9) for name in reference.HOD_RATIOS},
        one_halo=np.linspace(0.0, 1.0, ell.size),
        gg=(1e-6 * falling, 3e-6 * falling),
        tt=(1e-8 * falling, 2e-8 * falling),
        tt_beta=3e-8 * falling,
        mass_nodes_Msun=mass_edges / 1.1,
        z_nodes=z_edges - 0.05,
        mass_edges_Msun=mass_edges,
        z_edges=z_edges,
        by_mass={name: v[0] for name, v in shares.items()},
        by_redshift={name: v[1] for name, v in shares.items()},
        derivatives={
            name: np.zeros((5, 3)) for name in ("ln m_a", *reference.PARAMETER_DERIVATIVES)
        },
    )
