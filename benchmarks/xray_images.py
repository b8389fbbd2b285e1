"""Reading a full-size target: 3 observations x 2 modules x 14 bins of 1000 x 1000 pixels.

Writes the files (252 images, 1 GB) to a temporary folder, then reads them cut to a region of 2',
plain, aligned on a reference source, and compressed. Prints one JSON line.

    python benchmarks/xray_images.py [--folder DIR] [--skip-gz]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from diffaxion.data import nustar_grid, read_image_stack, write_sky_image
from diffaxion.provenance import versions

RA_DEG, DEC_DEG, RADIUS_ARCMIN = 251.7667, -45.8514, 2.0  # Westerlund 1
REFERENCE = (251.79250, -45.87136, 25.0)  # a bright source for the alignment
EDGES = np.arange(10.0, 81.0, 5.0)
OBSERVATIONS = ("80201050002", "80201050006", "80201050008")
EXPOSURE_S = 46e3
OFFSETS = np.array([[4.0, -3.0], [-2.0, 5.0], [0.0, 0.0], [7.0, 1.0], [-6.0, -6.0], [3.0, 3.0]])


def write(folder: Path, compress: bool) -> None:
    """The observation; each exposure is pointed and off by something else."""
    rng = np.random.default_rng(1)
    lines = [
        f"bins_keV = {EDGES.tolist()}",
        'nature = "simulated, seed 1"',
        f"[target]\nra_deg = {RA_DEG}\ndec_deg = {DEC_DEG}\nradius_arcmin = {RADIUS_ARCMIN}",
    ]
    for k in range(2 * len(OBSERVATIONS)):
        obs, module = OBSERVATIONS[k // 2], "AB"[k % 2]
        grid = nustar_grid(RA_DEG + 0.01 * rng.normal(), DEC_DEG + 0.01 * rng.normal())
        east, north = grid.centres_arcsec(*REFERENCE[:2])
        source = np.exp(-0.5 * np.hypot(east - OFFSETS[k, 0], north - OFFSETS[k, 1]) ** 2 / 64.0)
        y, x = np.indices(grid.shape)
        off_axis = np.hypot(x - 499.5, y - 499.5) / 500.0
        names: dict[str, list[str]] = {"counts": [], "exposure": [], "background": []}
        for b in range(EDGES.size - 1):
            background = np.full(grid.shape, 0.02)
            maps = {
                "counts": rng.poisson(background + 3.0 * source),
                "exposure": EXPOSURE_S * np.exp(-(0.5 + 0.05 * b) * off_axis**2),
                "background": background,
            }
            for kind, values in maps.items():
                name = f"nu{obs}{module}01_{EDGES[b]:g}to{EDGES[b + 1]:g}keV_{kind}.img"
                write_sky_image(
                    folder / name,
                    values,
                    grid,
                    kind=kind,
                    exposure_s=EXPOSURE_S,
                    band_keV=(EDGES[b], EDGES[b + 1]),
                    module=f"FPM{module}",
                    obs_id=obs,
                )
                if compress:
                    packed = gzip.compress((folder / name).read_bytes(), 1)
                    (folder / name).unlink()
                    name += ".gz"
                    (folder / name).write_bytes(packed)
                names[kind].append(name)
        lines.append(f'[[exposures]]\nobs_id = "{obs}"\nmodule = "FPM{module}"')
        lines += [f"{kind} = {json.dumps(files)}" for kind, files in names.items()]
    (folder / "observation.toml").write_text("\n".join(lines) + "\n")


def timed(function: Callable, *args: object, **kwargs: object) -> tuple[object, dict[str, float]]:
    """Result, and wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function(*args, **kwargs)
    return result, {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--skip-gz", action="store_true")
    options = parser.parse_args()
    found: dict[str, object] = {"benchmark": "xray_images"}
    for label, compress in (("plain", False), ("gz", True)):
        if compress and options.skip_gz:
            continue
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            folder = Path(name)
            write(folder, compress)
            files = list(folder.glob("*.img*"))
            found[f"{label}_bytes"] = sum(f.stat().st_size for f in files)
            found["images"] = len(files)
            read_image_stack(folder)  # imports, and files in the memory of the system
            stack, found[f"{label}_read"] = timed(read_image_stack, folder)
            found["shape"] = list(stack.counts.shape)
            found["pixels"] = int(stack.mask.sum())
            aligned, found[f"{label}_read_aligned"] = timed(
                read_image_stack, folder, reference=REFERENCE
            )
            error = np.abs(aligned.shift_arcsec + OFFSETS)
            found["largest_error_of_alignment_arcsec"] = float(error.max())
    print(
        json.dumps(
            found
            | {
                "load": os.getloadavg(),
                "cores": os.cpu_count(),
                "versions": versions(),
                "date": time.strftime("%Y-%m-%d"),
            }
        )
    )


if __name__ == "__main__":
    main()
