"""Make the small simulated sky that travels with the package. It is a toy, not data.

python scripts/make_simulated_sky.py [--out diffaxion/data/simulated]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from diffaxion.sky.passbands import planck_passbands
from diffaxion.sky.simulated_files import write_simulated_sky
from diffaxion.sky.simulation import simulate_sky
from diffaxion.sky.toy_sky import toy_sky

NSIDE, STRENGTH, SEED = 32, 30.0, 2024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("diffaxion/data/simulated"))
    out = parser.parse_args().out
    spectra, settings = toy_sky(NSIDE, STRENGTH)
    sky = simulate_sky(spectra, planck_passbands(), settings, seed=SEED)
    path = write_simulated_sky(out / f"simulated_sky_nside{NSIDE}.npz", sky, compressed=True)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB, {sky.nature}")


if __name__ == "__main__":
    main()
