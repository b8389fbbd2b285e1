"""Write the simulated NuSTAR observation that the package bundles: a toy, not data.

Run in the checkout: python scripts/make_simulated_observation.py
"""

from pathlib import Path

import diffaxion
from diffaxion.analyses.config import load_configuration
from diffaxion.analyses.xray_plan import SimulationPlan, synthetic_stars
from diffaxion.analyses.xray_simulation import simulate_observation
from diffaxion.data.cluster_files import load_cluster
from diffaxion.products.xray_files import write_simulation
from diffaxion.provenance import write_json

FOLDER = Path(diffaxion.__file__).parent / "data/simulated/simulated_quintuplet"
SEED, COUPLING, MASS = 1, 5.5e-12, 1e-13
PLAN = SimulationPlan(bins_keV=range(10, 81, 10), pixel_factor=3, half_arcmin=2.6)


def main() -> None:
    """Simulate and write; older files of the same names are replaced."""
    settings = load_configuration("xray")
    model = settings.model.model_copy(update={"signal": "anchored"})
    settings = settings.model_copy(update={"model": model})
    facts = load_cluster("quintuplet")
    made = simulate_observation(
        facts,
        settings,
        PLAN,
        g_GeV=COUPLING,
        m_a_eV=MASS,
        seed=SEED,
        stars=synthetic_stars(facts, 20.0, SEED),
    )
    write_json(FOLDER / "simulation.json", write_simulation(FOLDER, made))
    size = sum(f.stat().st_size for f in FOLDER.iterdir())
    print(f"{FOLDER}: {len(list(FOLDER.iterdir()))} files, {size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
