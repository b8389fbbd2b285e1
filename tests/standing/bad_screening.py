"""Bad input of the screening commands: the files, and the rows of the table in test_bad_input."""

import io

import numpy as np


def bandpowers(leave_out="", **changes):
    """Bytes of a file of three bandpowers; ``cov_uK2=matrix`` replaces one array."""
    lo = np.array([302.0, 452.0, 602.0])
    ell = np.arange(302.0, 752.0)
    window = ((ell >= lo[:, None]) & (ell < lo[:, None] + 150)) / 150.0
    arrays = {
        "ell_lo": lo,
        "ell_hi": lo + 149.0,
        "cl_Tg_uK": np.zeros(3),
        "cov_uK2": np.diag([3e-13, 2e-13, 1e-13]),
        "window": window,
        "window_ell": ell,
        "fwhm_arcmin": np.array(0.0),
        "nu_GHz": np.array(353.0),
    } | changes
    arrays.pop(leave_out, None)
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def redshifts(scale=1.0, **changes):
    """Text of a redshift distribution; ``dndz=(3, -1)`` puts -1 into the fourth row."""
    z = np.linspace(0.0, 2.0, 21)
    dndz = scale * 0.75 * z * (2.0 - z)
    for row, value in changes.values():
        dndz[row] = value
    return "z,dndz\n" + "\n".join(f"{a:g},{b:.8g}" for a, b in zip(z, dndz)) + "\n"


def halo_table(name, z=(0.0, 2.0), x=(0.05, 2.0), value=1.0):
    """Text of radial profiles at some redshifts."""
    rows = [f"{a:g},{b:.6g},{value}" for a in z for b in np.geomspace(*x, 8)]
    return "\n".join([f"z,x,{name}", *rows]) + "\n"


def power_table(z, k):
    """Text of a linear power spectrum k^-1 on a grid."""
    rows = [f"{a:g} {b:.8g} {1e4 / b:.8g}" for a in z for b in k]
    return "\n".join(["# z k_Mpc power_Mpc3", *rows]) + "\n"


WIDE_K, NARROW_K = np.geomspace(1e-4, 20.0, 9), np.geomspace(0.01, 20.0, 9)
ALL_Z, FEW_Z = (0.0, 0.5, 1.0, 1.5, 2.0), (0.0, 0.25, 0.5, 1.0)

SCREENING_FILES = {
    "galaxies.csv": redshifts(),
    "heavy.csv": redshifts(scale=1.2),
    "minus.csv": redshifts(dndz=(3, -1.0)),
    "b_at_low_z.csv": halo_table("B_muG", z=(0.0, 0.5)),
    "b_outside.csv": halo_table("B_muG", x=(0.3, 2.0)),
    "b_minus.csv": halo_table("B_muG", value=-1.0),
    "gas_at_low_z.csv": halo_table("n_e_cm3", z=(0.0, 1.0)),
    "p_at_low_z.txt": power_table(FEW_Z, WIDE_K),
    "p_narrow.txt": power_table(ALL_Z, NARROW_K),
    "band.csv": "nu_GHz,transmission\n300,1\n290,1\n",
    "bands.npz": bandpowers(),
    "indefinite.npz": bandpowers(cov_uK2=np.diag([1.0, -1.0, 1.0])),
    "small.npz": bandpowers(cov_uK2=np.eye(2)),
    "nokey.npz": bandpowers(leave_out="cov_uK2"),
    "lowest.npz": bandpowers(ell_lo=np.array([1.0, 452.0, 602.0])),
}

HALO = "--mass 3e-13 --ell 100"
SCREENING = {
    "no mass": ("--ell 100", ["--mass"]),
    "no multipole": ("--mass 3e-13", ["--ell"]),
    "mass 0": ("--mass 0 --ell 100", ["--mass = 0 eV", "> 0"]),
    "mass negative": ("--mass -3e-13 --ell 100", ["--mass = -3e-13 eV", "> 0"]),
    "mass nan": ("--mass nan --ell 100", ["--mass = nan eV", "finite"]),
    "monopole": ("--mass 3e-13 --ell 100,1", ["--ell = 1", ">= 2"]),
    "multipole text": ("--mass 3e-13 --ell ten", ["--ell", "'ten'", "numbers"]),
    "multipole nan": ("--mass 3e-13 --ell 2,nan", ["--ell", "2,nan", "finite"]),
    "coupling": (f"{HALO} --coupling -1e-11", ["--coupling = -1e-11 GeV^-1", ">= 0"]),
    "coupling nan": (f"{HALO} --coupling nan", ["--coupling = nan", "finite"]),
    "spectrum": (f"{HALO} --spectrum TG", ["--spectrum", "'TG'", "'Tg'"]),
    "configuration": (f"{HALO} --configuration parit", ["'parit'", "'parity'"]),
    "galaxies": (f"{HALO} --galaxies unwise-blu", ["'unwise-blu'", "'unwise-blue'"]),
    "no file of galaxies": (f"{HALO} --galaxies none.csv", ["none.csv", "cannot be read"]),
    "unnormalised": (f"{HALO} --galaxies heavy.csv", ["heavy.csv", "1.2", "expected 1"]),
    "negative dN/dz": (f"{HALO} --galaxies minus.csv", ["minus.csv", "line 5", "dndz = -1"]),
    "hod": (f"{HALO} --hod K24", ["'K24'", "'K23'"]),
    "gas": (f"{HALO} --gas agm", ["'agm'", "'agn'"]),
    "no file of gas": (f"{HALO} --gas gas/none.csv", ["none.csv", "cannot be read"]),
    "gas at high z": (f"{HALO} --gas gas_at_low_z.csv", ["gas_at_low_z.csv", "z = 1.9", "0 to 1"]),
    "field": (f"{HALO} --field tng-smoth", ["'tng-smoth'", "'tng-smooth'"]),
    "beta": (f"{HALO} --field beta:-1", ["beta = -1", "> 0"]),
    "beta of nothing": (f"{HALO} --field beta:", ["'beta:'", "beta:100"]),
    "field at high z": (
        f"{HALO} --field b_at_low_z.csv",
        ["--field b_at_low_z.csv", "z = 1.9", "0 to 0.5"],
    ),
    "field near the centre": (
        f"{HALO} --field b_outside.csv",
        ["--field b_outside.csv", "x = 0.1", "0.3 to 2"],
    ),
    "negative field": (f"{HALO} --field b_minus.csv", ["b_minus.csv", "B_muG = -1", "> 0"]),
    "mass cap": (f"{HALO} --field beta:100 --mass-cap 0", ["--mass-cap = 0 Msun", "> 0"]),
    "mass cap of TNG": (f"{HALO} --mass-cap 1e14", ["beta:VALUE", "'tng-smooth'"]),
    "concentration": (f"{HALO} --concentration duffy", ["'duffy'", "'duffy08'"]),
    "power": (f"{HALO} --power cam", ["'cam'", "'camb'"]),
    "power at high z": (f"{HALO} --power p_at_low_z.txt", ["z = 1.9", "0 to 1"]),
    "power at low k": (f"{HALO} --power p_narrow.txt", ["k_Mpc = 0.001", "0.01 to 20"]),
    "boson": (f"{HALO} --boson dark-foton", ["'dark-foton'", "'dark-photon'"]),
    "mixing of an axion": (f"{HALO} --epsilon 1e-8", ["--epsilon", "--boson dark-photon"]),
    "coupling of a dark photon": (
        f"{HALO} --boson dark-photon --coupling 1e-11",
        ["--coupling", "--epsilon"],
    ),
    "negative mixing": (
        f"{HALO} --boson dark-photon --epsilon -1e-8",
        ["--epsilon = -1e-08", ">= 0"],
    ),
    "field of a dark photon": (f"{HALO} --boson dark-photon --field tng", ["--field"]),
    "frequency": (f"{HALO} --frequency 0", ["--frequency = 0 GHz", "> 0"]),
    "passband": (f"{HALO} --passband band.csv", ["band.csv", "line 3", "290", "increase"]),
    "two frequencies": (
        f"{HALO} --passband band.csv --frequency 143",
        ["--frequency", "--passband", "exclude"],
    ),
}

LIMIT_SCREENING = {
    "data": ("--data recas", ["'recas'", "'recast'"]),
    "seed": ("--data noise:x", ["'noise:x'", "noise:SEED"]),
    "no file": ("--data none.npz", ["none.npz", "cannot be read"]),
    "not an archive": ("--data good.csv", ["good.csv", "cannot be read"]),
    "no covariance": ("--data nokey.npz", ["nokey.npz", "'cov_uK2' is missing"]),
    "indefinite covariance": (
        "--data indefinite.npz",
        ["indefinite.npz", "cov_uK2", "eigenvalue -1", "positive definite"],
    ),
    "small covariance": ("--data small.npz", ["small.npz", "(2, 2)", "(3, 3)"]),
    "bins below 2": ("--data lowest.npz", ["lowest.npz", "ell_lo = 1", ">= 2"]),
    "variances of a file": (
        "--data bands.npz --deprojection tsz",
        ["--deprojection", "bands.npz", "own covariance"],
    ),
    "deprojection": ("--data asimov --deprojection tsz-cip", ["'tsz-cip'", "'tsz-cib'"]),
    "masses 0": ("--masses 0,3e-13", ["0,3e-13", "> 0"]),
    "masses outside": ("--masses 1e-13,3e-13", ["--masses", "1e-13 eV", "not extrapolated"]),
    "masses outside, above": (
        "--masses 3e-13:1e-11:5",
        ["--masses", "4.16179e-12 eV", "2.5848e-12"],
    ),
    "threshold": ("--q-threshold -1", ["--q-threshold = -1", "> 0"]),
    "configuration": ("--configuration defalt", ["'defalt'", "'default'"]),
    "gas": ("--gas agm", ["'agm'", "'agn'"]),
    "field": ("--field constant:x", ["'constant:x'", "constant:1"]),
    "field at high z": ("--field b_at_low_z.csv", ["b_at_low_z.csv", "z = 1.9"]),
    "unnormalised": ("--galaxies heavy.csv", ["heavy.csv", "1.2", "expected 1"]),
    "hod": ("--hod K24", ["'K24'", "'K23'"]),
    "mass cap": ("--field beta:10 --mass-cap -1", ["--mass-cap = -1 Msun", "> 0"]),
    "existing results": ("--out mine", ["mine", "--overwrite"]),
}
