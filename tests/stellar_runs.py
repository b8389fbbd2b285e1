"""Small stellar-evolution runs in the layout of MESA, for tests."""

import numpy as np


def mesa_file(path, header, columns):
    """Write a file in the layout of MESA's logs; numbers carry ten digits."""
    lines = [
        " ".join(str(k + 1) for k in range(len(header))),
        " ".join(header),
        " ".join(str(v) for v in header.values()),
        "",
        " ".join(str(k + 1) for k in range(len(columns))),
        " ".join(columns),
    ]
    rows = zip(*(np.asarray(c) for c in columns.values()), strict=True)
    lines += [" ".join(f"{x:.10E}" for x in row) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def evolution(n=40, last_Myr=4.0, mass=60.0):
    """Columns of a made-up track: hydrogen to helium to carbon and oxygen at the surface."""
    t = np.linspace(0.0, 1.0, n)
    x = np.clip(0.7 - 1.2 * t, 0.0, None)
    c = np.clip(0.5 * (t - 0.75), 1e-4, None)
    o = np.clip(0.4 * (t - 0.9), 1e-4, None)
    centre = np.clip(0.7 - 1.4 * t, 0.0, None), 0.4 * t**2, 0.05 + 0.25 * t**2
    hot = np.exp(-(((t - 0.9) / 0.2) ** 2))
    return {
        "model_number": np.arange(1.0, n + 1.0),
        "star_age": 1e6 * last_Myr * t + 1.0,
        "star_mass": mass * (1.0 - 0.7 * t),
        "log_Teff": 4.6 + 0.3 * hot,
        "log_center_T": 7.6 + 0.75 * t,
        "log_center_Rho": 0.4 + 2.0 * t,
        "center_h1": centre[0],
        "center_he4": 0.98 - sum(centre),
        "center_c12": centre[1],
        "center_o16": centre[2],
        "surface_h1": x,
        "surface_he4": 0.98 - x - c - o,
        "surface_c12": c,
        "surface_n14": np.where(c > 0.02, 1e-4, 0.01),
        "surface_o16": o,
        "surf_avg_v_rot": 200.0 * (1.0 - t),
    }


def write_run(folder, header=None, columns=None, place="history.data"):
    """One run with a history, and by default the header of a star of 60 solar masses."""
    header = {"initial_mass": "60.0", "initial_z": "0.035"} if header is None else header
    return mesa_file(folder / place, header, evolution() if columns is None else columns)


def polytrope_profile(path, star, model_number, factor=1.0, zones=400, extra=None):
    """Profile of an Eddington star, with volumes (so luminosities) ``factor`` times its own."""
    from diffaxion.constants import KELVIN_TO_KEV, M_SUN_G, R_SUN_CM
    from diffaxion.environments.stars import lane_emden
    from diffaxion.environments.stars.eddington import lane_emden_table

    *_, zero, mu_1 = lane_emden_table()
    rho_c = float(star.rho_c_g_cm3)
    length = (float(star.mass_Msun) * M_SUN_G / (4 * np.pi * rho_c * mu_1)) ** (1 / 3)
    faces = np.linspace(0.999 * zero, 0.0, zones + 1)
    middle = 0.5 * (faces[1:] + faces[:-1])
    theta = lane_emden(middle)
    fractions = np.asarray(star.composition.fractions)
    columns = {
        "logR": np.log10(faces[:-1] * length * factor ** (1 / 3) / R_SUN_CM),
        "logT": np.log10(float(star.t_c_keV) / KELVIN_TO_KEV * theta),
        "logRho": np.log10(rho_c * theta**3),
        **{
            name: np.full(zones, x)
            for name, x in zip(star.composition.isotopes, fractions, strict=True)
        },
    }
    header = {"model_number": model_number, "rsun": f"{R_SUN_CM:.10E}", **(extra or {})}
    return mesa_file(path, header, columns)
