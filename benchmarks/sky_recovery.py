"""Is C_l^Tg recovered without bias, with the stated errors, from simulated skies?

Toy skies with CMB, tSZ, two CIB shells, screening, Galactic dust and synchrotron, radio sources,
beams and noise of the eight Planck channels and Poisson galaxies (``toy_sky``). Monopole and
dipole are taken off, the Galactic plane and holes around sources filled in, the maps cleaned by
needlets and constrained ILC (variant ``interpolated``, bias 0.01), and C_l^Tg measured under
apodised masks that leave out all filled pixels. The seed was fixed before any result was seen.
Skies of different strength A = (g/1e-11 GeV^-1)^2, m_a = 1e-12 eV, share all random numbers, so
that their difference shows the ILC bias without the scatter of the CMB.

Reported per bin and in total: bias, analytic (improved narrow kernel) over measured errors, the
recovered strength with its pulls, and the same without deprojection.

    python benchmarks/sky_recovery.py [--nside 64 128] [--skies N] [--work FOLDER] [--store]

``--first 200 --nside 64 --strengths 0`` makes 200 other skies, as a control of the first.
Every sky is kept in the working folder: a run that is stopped goes on where it was.
"""

# ruff: noqa: E402  (threads must be set before NumPy and JAX start)
from __future__ import annotations

import argparse
import datetime
import json
import os
import time
import warnings
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax.numpy as jnp
import numpy as np
from scipy import stats

from diffaxion.provenance import versions
from diffaxion.sky import (
    SKY_COMPONENTS,
    Spectra,
    component_response,
    planck_passbands,
    push_through,
    simulate_sky,
    toy_sky,
)
from diffaxion.sky.apodisation import apodise
from diffaxion.sky.bins import linear_bins
from diffaxion.sky.inpainting import diffusive_inpaint, inpainting_plan
from diffaxion.sky.masks import galactic_mask
from diffaxion.sky.measure import measure_cross
from diffaxion.sky.monopole import remove_monopole_dipole
from diffaxion.sky.needlets import gaussian_beam
from diffaxion.sky.nilc import NeedletILC, needlet_ilc
from diffaxion.sky.pseudo_cl import MaskSpectra
from diffaxion.sky.random_fields import alm_degrees
from diffaxion.sky.transforms import get_transforms

SEED = 20241016
STRENGTHS = (0.0, 3.0, 10.0, 30.0)
# Skies by resolution and strength.
SKIES = {
    64: {0.0: 200, 3.0: 60, 10.0: 200, 30.0: 60},
    128: {0.0: 50, 3.0: 16, 10.0: 50, 30.0: 16},
}
WIDTH = {64: 14, 128: 24}
SETS = {"tsz+cib+cib-dbeta": ("tsz", "cib", "cib-dbeta"), "none": ()}
CIB = {"cib_temperature_K": 24.0, "cib_beta": 1.75}
SOURCES = 10
FILLED_DEG = 10.0
LEFT_OVER_SKIES = 8
BANDS = planck_passbands()
RESULTS = Path(__file__).parent / "results"
FOLDER = Path(__file__).parents[1] / ".cache" / "sky_recovery"


def prepared(sky, maps_K, transforms):
    """a_lm of maps without monopole and dipole, the plane and holes filled: linear in the maps."""
    plan = inpainting_plan(galactic_mask(sky.nside, FILLED_DEG) * sky.masks["holes"])
    flat = [remove_monopole_dipole(m, sky.masks["temperature"]).values for m in maps_K]
    filled = diffusive_inpaint(np.array(flat), plan)
    return np.array([transforms.analysis(m, sky.lmax, iterations=3) for m in filled])


def responses():
    """Responses that the cleaning assumes, the screening per uK."""
    sed = Spectra(**{k: jnp.asarray(v) for k, v in CIB.items()})
    names = ("screening", *SETS["tsz+cib+cib-dbeta"])
    mixing = {n: np.asarray(component_response(n, BANDS, sed)) for n in names}
    return mixing | {"screening": 1e-6 * mixing["screening"]}


def one_sky(nside, index, backend, strengths):
    """Bandpowers, covariances, templates and signal of one sky at some strengths.

    Screening is proportional to A, and so is what it adds to the prepared maps: it is drawn and
    prepared once. Covariances, weights and cleaned maps are made anew at each strength.
    """
    transforms, bins = get_transforms(backend), linear_bins(WIDTH[nside], 2 * nside)
    strongest = STRENGTHS[-1]
    spectra, settings = toy_sky(nside, strongest, components=SKY_COMPONENTS, sources=SOURCES, **CIB)
    sky = simulate_sky(spectra, BANDS, settings, seed=SEED, index=index)
    scale = 4.0 * 64 / nside
    masks = [apodise(sky.masks[k], scale) for k in ("temperature", "galaxies")]
    shared = MaskSpectra(3 * nside - 1, transforms)
    total = prepared(sky, sky.maps_K, transforms)
    screening = prepared(sky, sky.component_maps_K("screening"), transforms)
    ilc = NeedletILC.small(nside, backend=backend, keep_weights=False)

    def measure(alm):
        return measure_cross(
            transforms.synthesis(alm, nside),
            masks[0],
            sky.galaxies,
            masks[1],
            bins,
            fwhm_arcmin=settings.common_fwhm_arcmin,
            lmax=sky.lmax,
            transforms=transforms,
            mask_spectra=shared,
        )

    found = {"ell": bins.centres()}
    mixing = responses()
    cross = spectra.cross("screening", "galaxies") / strongest
    for strength in strengths:
        alms = total - (1.0 - strength / strongest) * screening
        cleaned = needlet_ilc(list(alms), sky.beams(), mixing, SETS, ilc)
        for name, one in cleaned.items():
            result, key = measure(one.alm), f"{strength:g} {name}"
            found[f"{key} bandpowers"] = result.cl_Tg_uK
            found[f"{key} covariance"] = result.cov_uK2
            found[f"{key} template"] = result.predict(cross)
    beam = gaussian_beam(settings.common_fwhm_arcmin, sky.lmax)
    signal = sky.truth["screening"] * beam[alm_degrees(sky.lmax)] / strongest
    return found | {"signal": measure(signal).cl_Tg_uK}


def left_over(nside, count, backend):
    """What deprojected components add to the bandpowers, in errors of one sky, largest bin.

    Each goes alone through filling, deconvolution and the frozen weights: the mask, the filled
    regions and the quadrature of the pixels are all in it, and no other sky hides it.
    """
    transforms, bins = get_transforms(backend), linear_bins(WIDTH[nside], 2 * nside)
    names, found = ("tsz", "cib-1"), []
    for index in range(count):
        spectra, settings = toy_sky(nside, 0.0, components=SKY_COMPONENTS, sources=SOURCES, **CIB)
        sky = simulate_sky(spectra, BANDS, settings, seed=SEED, index=index)
        masks = [apodise(sky.masks[k], 4.0 * 64 / nside) for k in ("temperature", "galaxies")]
        options = {
            "fwhm_arcmin": settings.common_fwhm_arcmin,
            "lmax": sky.lmax,
            "transforms": transforms,
            "mask_spectra": MaskSpectra(3 * nside - 1, transforms),
        }

        def measure(alm, sky=sky, masks=masks, options=options):
            values = transforms.synthesis(alm, nside)
            return measure_cross(values, masks[0], sky.galaxies, masks[1], bins, **options)

        alms = prepared(sky, sky.maps_K, transforms)
        sets = {"all": SETS["tsz+cib+cib-dbeta"]}
        ilc = NeedletILC.small(nside, backend=backend)
        cleaned = needlet_ilc(list(alms), sky.beams(), responses(), sets, ilc)["all"]
        error = measure(cleaned.alm).error_uK
        parts = [prepared(sky, sky.component_maps_K(n), transforms) for n in names]
        # The level of the unit check of rms does not apply: these maps are meant to be empty.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append([measure(push_through(cleaned, list(p))).cl_Tg_uK / error for p in parts])
    return dict(zip(names, np.abs(np.mean(found, axis=0)).max(axis=1), strict=True))


def summary(skies, strength, name):
    """What the skies say about one strength and one set of deprojections."""
    key = f"{strength:g} {name}"
    skies = [s for s in skies if f"{key} bandpowers" in s]
    d, c, shape = (
        np.array([s[f"{key} {what}"] for s in skies])
        for what in ("bandpowers", "covariance", "template")
    )
    n, bins = d.shape
    residual, mean_c = d - strength * shape, c.mean(axis=0)
    mean, measured = residual.mean(axis=0), d.std(axis=0, ddof=1)
    analytic = np.sqrt(np.diag(mean_c))
    chi2 = n * mean @ np.linalg.solve(mean_c, mean)
    sample = np.cov(residual.T) / n
    hotelling = mean @ np.linalg.solve(sample, mean) * (n - bins) / (bins * (n - 1))
    ratio = analytic / measured
    # A standard deviation has the relative error sqrt((k - 1)/(4 n)), k the kurtosis: the Galaxy
    # makes some skies much noisier than others at low l.
    kurtosis = np.maximum(stats.kurtosis(d, fisher=False), 3.0)
    sampling = np.sqrt((kurtosis - 1.0) / (4.0 * (n - 1)))
    out = {
        "skies": n,
        "mean_bias_in_errors_of_mean": mean / (measured / np.sqrt(n)),
        "mean_bias_in_errors_of_one_sky": mean / measured,
        "chi2": chi2,
        "bins": bins,
        "pte": stats.chi2.sf(chi2, bins),
        "pte_with_measured_covariance": stats.f.sf(hotelling, bins, n - bins),
        "analytic_over_measured_error": ratio,
        "mean_analytic_over_measured_error": ratio.mean(),
        "deviation_of_measured_error_in_sampling_errors": (1.0 / ratio - 1.0) / sampling,
        "pull_width_by_bin": np.std(
            residual / np.sqrt(np.diagonal(c, axis1=1, axis2=2)), axis=0, ddof=1
        ),
    }
    inverse = np.linalg.inv(c)
    weight = np.einsum("ni,nij->nj", shape, inverse)
    sigma = np.einsum("nj,nj->n", weight, shape) ** -0.5
    found = np.einsum("nj,nj->n", weight, d) * sigma**2
    pull = (found - strength) / sigma
    out["strength"] = {
        "injected": strength,
        "mean": found.mean(),
        "error_of_mean": found.std(ddof=1) / np.sqrt(n),
        "error_of_one_sky": sigma.mean(),
        "pull_mean": pull.mean(),
        "pull_width": pull.std(ddof=1),
    }
    if strength > 0.0:
        # The same random numbers without screening: what is left is the signal and its loss.
        base = np.array([s[f"0 {name} bandpowers"] for s in skies])
        s = strength * np.array([s["signal"] for s in skies])
        loss = np.einsum("nj,nj->n", weight, d - base) / np.einsum("nj,nj->n", weight, s) - 1.0
        size = np.abs(np.einsum("nj,nj->n", weight, s))
        mean_loss = np.average(loss, weights=size)
        scatter = np.sqrt(np.sum(size**2 * (loss - mean_loss) ** 2)) / size.sum()
        out["ilc_bias"] = {"fraction": mean_loss, "error": scatter}
    return out


def plain(value):
    """Numbers of a nested record, rounded for the file."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def show(nside, found):
    """The main numbers as text."""
    print(f"nside {nside}")
    for key, r in found.items():
        worst = np.abs(r["deviation_of_measured_error_in_sampling_errors"]).max()
        a, b = r["strength"], r.get("ilc_bias", {"fraction": 0.0, "error": 0.0})
        print(
            f"  {key:22s} chi2 {r['chi2']:8.1f}/{r['bins']} PTE {r['pte']:.3f} "
            f"({r['pte_with_measured_covariance']:.3f}) errors "
            f"{r['mean_analytic_over_measured_error']:.3f} "
            f"max {worst:.1f} sigma  A = "
            f"{a['mean']:.3f} +- {a['error_of_mean']:.3f} (one sky {a['error_of_one_sky']:.2f}, "
            f"pull width {a['pull_width']:.2f})  ILC bias "
            f"{100 * b['fraction']:.2f} +- {100 * b['error']:.2f} %"
        )
        print("      bias/sigma", np.round(r["mean_bias_in_errors_of_mean"], 1))
        print("      errors    ", np.round(r["analytic_over_measured_error"], 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nside", type=int, nargs="+", default=sorted(SKIES))
    parser.add_argument("--skies", type=int)
    parser.add_argument("--first", type=int, default=0, help="number of the first sky")
    parser.add_argument("--strengths", type=float, nargs="+", default=STRENGTHS)
    parser.add_argument("--work", type=Path, default=FOLDER)
    parser.add_argument("--backend", default="healpy")
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    record = {}
    for nside in options.nside:
        skies, spent = [], []
        for number in range(options.skies or max(SKIES[nside].values())):
            index = number + options.first
            path = options.work / f"{nside}_{index:04d}.npz"
            if not path.exists():
                start = time.process_time()
                strengths = [a for a in options.strengths if number < SKIES[nside][a]]
                found = one_sky(nside, index, options.backend, strengths)
                seconds = time.process_time() - start
                np.savez(path.with_suffix(".part.npz"), seconds=seconds, **found)
                path.with_suffix(".part.npz").rename(path)
            with np.load(path) as stored:
                skies.append({k: stored[k] for k in stored.files})
            spent.append(float(skies[-1]["seconds"]))
        found = {
            f"{name}, A = {strength:g}": summary(skies, strength, name)
            for name in SETS
            for strength in options.strengths
        }
        show(nside, found)
        rest = left_over(nside, LEFT_OVER_SKIES, options.backend)
        print(f"  deprojected components leave, in errors of one sky: {plain(rest)}")
        record[f"nside {nside}"] = {
            "deprojected_components_leave_in_errors_of_one_sky": rest,
            "ell": skies[0]["ell"],
            "cpu_seconds_per_sky_all_strengths": float(np.median(spent)),
            "results": found,
        }
    if options.store:
        now = datetime.date.today().isoformat()
        record |= {
            "seed": SEED,
            "first_sky": options.first,
            "sources": SOURCES,
            "cib": CIB,
            "backend": options.backend,
        }
        record["versions"] = versions()
        kind = "_control" if options.first else ""
        path = RESULTS / f"sky_recovery{kind}-{now}.json"
        path.write_text(json.dumps(plain(record), indent=1) + "\n")
        print(path)


if __name__ == "__main__":
    main()
