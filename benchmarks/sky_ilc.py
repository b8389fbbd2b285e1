"""How long does a needlet ILC with three deprojections take, how much memory, how exact is it?

One processor core, float64, CPU seconds; each run in a fresh process, whose peak of resident memory
is given beside that before the run. Simulated toy skies (8 channels, tSZ, CIB and its derivative
with respect to beta deprojected); differences are rms of the map over rms of the exact one.
``elsewhere`` are figures that the specification of this project quotes for another machine.

    python benchmarks/sky_ilc.py [--nside 128 256] [--scaling 512]
"""

# ruff: noqa: E402  (threads must be set before NumPy starts)
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import numpy as np

SETS = {"tsz+cib+dbeta": ("tsz", "cib", "cib-dbeta")}
# Beams and noise continue to scale beyond the three skies of the specification.
PEAKS = {512: (0, 120, 240, 440, 720, 1040, 1521)}
ELSEWHERE = {
    "pyilc_s": {"128": 22.6, "256": 117.0},
    "pyilc_MB": {"128": 510, "256": 1440},
    "exact_numpy_ducc0_s": {"128": 13.1, "256": 60.0},
    "exact_numpy_ducc0_MB": {"128": 410, "256": 1400},
    "smooth_s": {"128": 3.3, "256": 17.0},
    "interpolated_s": {"128": 2.7, "256": 12.3},
    "coarse_s": {"128": 1.7, "256": 10.6},
    "smooth_difference": {"128": 7e-4, "256": 8e-6},
    "interpolated_difference": {"128": 7e-4, "256": 2.5e-5},
    "coarse_difference": {"128": 9e-4, "256": 2.7e-4},
}


def memory_MB(key: str) -> float:
    """Resident memory of this process: VmRSS now, VmHWM at its peak."""
    status = Path("/proc/self/status").read_text()
    return round(int(status.split(f"{key}:")[1].split()[0]) / 1024.0, 1)


def settings_for(nside: int, **options):
    """Settings of the toy at a resolution."""
    from diffaxion.sky import SCALED_PEAKS, NeedletILC

    peaks = {**SCALED_PEAKS, **PEAKS}[nside]
    return NeedletILC(nside, peaks[-1] - 1, 7680.0 / nside, peaks, **options)


def make_sky(nside: int, path: Path) -> None:
    """Draw a sky and keep what a run needs."""
    from diffaxion.sky import Spectra, mixing_matrix, planck_passbands, simulate_sky, toy_sky

    spectra, settings = toy_sky(nside, 10.0)
    bands = planck_passbands()
    sky = simulate_sky(spectra, bands, settings, seed=1)
    names = ("screening", *SETS["tsz+cib+dbeta"])
    matrix = np.asarray(mixing_matrix(names, bands, Spectra(cib_beta=1.75)))
    responses = {f"response_{n}": a for n, a in zip(names, matrix.T)}
    np.savez(path, maps=sky.maps_K, fwhm=sky.fwhm_arcmin, names=np.array(sky.names), **responses)


def one(sky: Path, nside: int, variant: str, backend: str, out: Path) -> None:
    """One run in this process."""
    from diffaxion.sky import (
        gaussian_beam,
        get_transforms,
        memory_estimate,
        needlet_ilc,
        needlet_plan,
    )

    with np.load(sky, allow_pickle=False) as found:
        maps = list(found["maps"])
        beams_of, names = found["fwhm"], [str(n) for n in found["names"]]
        responses = {
            k.removeprefix("response_"): found[k] for k in found.files if k.startswith("response_")
        }
    settings = settings_for(nside, variant=variant, backend=backend)
    beams = gaussian_beam(beams_of, settings.lmax)
    plan = needlet_plan(settings.bank(), beams, nside, names=names)
    # Imports, compiled beams and tables of the transforms are not part of the time.
    transforms = get_transforms(backend)
    transforms.analysis(np.zeros(12 * 16**2), 32)
    settings.output_beam()
    get_transforms("healpy").synthesis(np.zeros(1, complex), 1)
    before = memory_MB("VmRSS")
    start = time.process_time()
    cleaned = needlet_ilc(maps, beams, responses, SETS, settings, names=names)["tsz+cib+dbeta"]
    values = cleaned.map()
    spent = time.process_time() - start
    np.save(out, values)
    print(
        json.dumps(
            {
                "cpu_s": round(spent, 2),
                "peak_MB": memory_MB("VmHWM"),
                "before_MB": before,
                "estimate_MB": round(memory_estimate(plan, variant, (3,))["peak_MiB"], 1),
                "rms_uK": float(values.std() * 1e6),
            }
        )
    )


def measure(nside: int, variants: list[str], backends: list[str]) -> dict[str, object]:
    """All runs at one resolution."""
    out: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        sky = Path(folder) / "sky.npz"
        make_sky(nside, sky)
        for backend in backends:
            reference = None
            for variant in variants:
                result = Path(folder) / f"{backend}-{variant}.npy"
                command = [sys.executable, __file__, "--one", str(sky), str(nside)]
                command += [variant, backend, str(result)]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                row = json.loads(done.stdout)
                values = np.load(result)
                if variant == "exact":
                    reference = values
                if reference is not None:
                    row["difference"] = float(np.std(values - reference) / np.std(reference))
                out[f"{variant}-{backend}"] = row
                print(f"{nside} {variant} {backend}: {row}", file=sys.stderr)
    return out


def extrapolate(measured: dict, scaling: dict) -> dict[str, object]:
    """Time at nside 2048 from the growth per doubling; memory of the paper's 13 scales, counted."""
    from diffaxion.sky import (
        PAPER_PEAKS,
        cosine_needlets,
        gaussian_beam,
        memory_estimate,
        needlet_plan,
        planck_channels,
    )

    key = "interpolated-ducc0"
    seconds = {int(n): row[key]["cpu_s"] for n, row in {**measured, **scaling}.items()}
    low, high = sorted(seconds)[-2:]
    growth = (seconds[high] / seconds[low]) ** (1.0 / np.log2(high / low))
    beams = gaussian_beam(planck_channels().fwhm_arcmin[:8], PAPER_PEAKS[-1] - 1)
    plan = needlet_plan(cosine_needlets(PAPER_PEAKS, PAPER_PEAKS[-1] - 1), beams, 2048)
    memory = {
        f"{variant}, deprojecting {sets}": round(
            memory_estimate(plan, variant, sets)["peak_MiB"] / 1024.0, 2
        )
        for variant in ("interpolated", "coarse")
        for sets in ((3,), (0, 1, 1, 2, 3))
    }
    return {
        "growth_per_doubling": round(growth, 2),
        "nside_2048_s": round(seconds[high] * growth ** np.log2(2048 / high), -1),
        "nside_2048_GiB_beyond_input_maps": memory,
    }


def main() -> None:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nside", type=int, nargs="*", default=[128, 256])
    parser.add_argument("--scaling", type=int, nargs="*", default=[])
    parser.add_argument("--backends", nargs="*", default=["healpy", "ducc0"])
    parser.add_argument("--one", nargs=5)
    options = parser.parse_args()
    if options.one:
        sky, nside, variant, backend, out = options.one
        one(Path(sky), int(nside), variant, backend, Path(out))
        return
    from diffaxion.provenance import versions

    variants = ["exact", "smooth", "interpolated", "coarse"]
    measured = {str(n): measure(n, variants, options.backends) for n in options.nside}
    scaling = {str(n): measure(n, ["interpolated"], ["ducc0"]) for n in options.scaling}
    report: dict[str, object] = {
        "benchmark": "sky_ilc",
        "elsewhere": ELSEWHERE,
        "measured": measured,
        "scaling": scaling,
        "versions": versions(),
    }
    if scaling:
        report["extrapolation"] = extrapolate(measured, scaling)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
