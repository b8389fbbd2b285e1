"""Files of simulated observations, of fits and of flux points."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..analyses.count_limits import CountFlux
from ..analyses.xray_fit import CountFit
from ..analyses.xray_observation import Observation
from ..analyses.xray_simulation import Simulation, counts_to_events
from ..data.cluster_files import BUNDLED_CLUSTERS
from ..data.image_stack import ImageStack
from ..data.star_list import StarList
from ..data.write_observation import write_observation
from ..errors import ConfigurationError
from ..provenance import atomic_write

_UNIT = "1e-4 counts s^-1 keV^-1"
_COLUMNS = (
    ("energy_keV", "float64", "keV", "middle of the bin"),
    ("half_width_keV", "float64", "keV", "half its width"),
    ("flux", "float64", "", f"dF/dE over the whole PSF, of one module [{_UNIT}]"),
    ("error", "float64", "", f"curvature error, or the upper one where that is infinite [{_UNIT}]"),
    ("plus", "float64", "", f"distance to ln L_max - 1/2, above [{_UNIT}]"),
    ("minus", "float64", "", f"distance to ln L_max - 1/2, below [{_UNIT}]"),
    ("counts", "float64", "ct", "observed in the region"),
    ("background", "float64", "ct", "fitted in the region"),
    ("signal", "float64", "ct", "fitted over the whole PSF"),
    ("a_at_zero", "int64", "", "1 if a background is held at 0"),
    ("at_boundary", "int64", "", "1 if an empty pixel holds the fit"),
)


def flux_points_ecsv(flux: CountFlux, meta: dict[str, Any]) -> str:
    """Flux points as ECSV, which is also the CSV that ``limit xray --spectrum`` reads.

    Parameters
    ----------
    flux : CountFlux
        Points, shape (bins,) [1e-4 counts s^-1 keV^-1].
    meta : dict
        Text and numbers for the header: target, nature, exposure.

    Returns
    -------
    str
        A table with the columns ``energy_keV, half_width_keV, flux, error``, and more.

    References
    ----------
    Enhanced character-separated values 1.0 (astropy).
    """
    error = np.where(np.isfinite(flux.sigma), flux.sigma, flux.plus)
    values = (
        0.5 * (flux.low_keV + flux.high_keV),
        0.5 * (flux.high_keV - flux.low_keV),
        flux.flux,
        error,
        flux.plus,
        flux.minus,
        flux.counts.sum(axis=0),
        flux.expected_background.sum(axis=0),
        flux.signal.sum(axis=0),
        flux.a_at_zero.astype(int),
        flux.at_boundary.astype(int),
    )
    head = ["%ECSV 1.0", "---", "delimiter: ','", "datatype:"]
    for name, kind, unit, text in _COLUMNS:
        shown = f", unit: {unit}" if unit else ""
        head.append(f"- {{name: {name}{shown}, datatype: {kind}, description: '{text}'}}")
    head.append("meta: !!omap")
    head += [f"- {{{key}: '{str(value).replace(chr(39), '')}'}}" for key, value in meta.items()]
    rows = [
        ",".join(repr(x.item()) for x in row)
        for row in zip(*(np.asarray(v) for v in values), strict=True)
    ]
    names = ",".join(name for name, *_ in _COLUMNS)
    return "\n".join([*(f"# {line}" for line in head), names, *rows]) + "\n"


def data_record(observations: Sequence[Observation]) -> dict[str, Any]:
    """What the data of a result were: files, nature, and a hash of the counts.

    Parameters
    ----------
    observations : sequence of Observation
        Data.

    Returns
    -------
    dict
        By file: target, nature, exposure [ks], region [deg, arcmin], stars, PSF, response, hash.

    References
    ----------
    None: provenance.
    """
    found = {}
    for one in observations:
        stack = one.stack
        counts = np.ascontiguousarray(stack.counts * stack.mask)
        found[str(stack.source)] = {
            "target": one.target,
            "nature": stack.nature,
            "exposure_ks": float(stack.exposure_s.sum() / 1e3),
            "exposures": stack.n_exposures,
            "region_deg_arcmin": list(one.region),
            "bins_keV": np.stack([stack.low_keV, stack.high_keV], -1).tolist(),
            "pixels": int(stack.mask.sum()),
            "counts": float(counts.sum()),
            "counts_sha256": hashlib.sha256(counts.tobytes()).hexdigest(),
            "stars": one.stars.label,
            "psf": one.psf_label,
            "response": "bundled template" if one.response is None else one.response.arf.source,
        }
    return found


def fit_summary(fits: Sequence[CountFit]) -> dict[str, Any]:
    """Numbers of fits, for people and programs.

    Parameters
    ----------
    fits : sequence of CountFit
        One per target, and joint.

    Returns
    -------
    dict
        By target: masses [eV], best strengths a = (g/1e-12 GeV^-1)^4 and errors, limits [GeV^-1],
        test statistics, status and flags, and the fitted counts of every bin.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    return {fit.name: _fit(fit) for fit in fits}


def _fit(fit: CountFit) -> dict[str, Any]:
    scan = fit.scan
    strength, coupling = scan.strength, scan.coupling
    points: list[dict[str, Any]] = []
    for k, mass in enumerate(np.asarray(scan.m_a_eV)):
        limit_a = float(strength.a_95[k])
        points.append(
            {
                "m_a_eV": float(mass),
                "a_hat": float(strength.a_hat[k]),
                "sigma_a": float(strength.sigma[k]),
                "a_95": limit_a,
                "g_95_GeV": float(coupling.g_95[k]) if limit_a > 0.0 else None,
                "g_95_power_constrained_GeV": float(coupling.pcl[k]),
                "g_95_expected_GeV": float(coupling.median[k]),
                "ts": float(strength.ts[k]),
                "z_local": float(strength.z_local[k]),
                "status": scan.status[k],
                "flags": fit.flags(k),
            }
        )
    best = int(np.argmax(np.asarray(strength.ts)))
    rows = [
        {
            "target": fit.targets[r],
            "image": fit.images[r],
            "low_keV": float(fit.low_keV[r]),
            "high_keV": float(fit.high_keV[r]),
            "counts": float(fit.counts[r]),
            "background_scale": float(fit.background_scale[best, r]),
            "background": float(fit.background[best, r]),
            "signal": float(fit.signal[best, r]),
        }
        for r in range(fit.counts.size)
    ]
    return {"masses": points, "bins_at_m_a_eV": points[best]["m_a_eV"], "bins": rows}


def star_list_csv(stars: StarList) -> str:
    """A star list as the CSV that its reader takes.

    Parameters
    ----------
    stars : StarList
        Stars [deg].

    Returns
    -------
    str
        Columns ``ra_deg, dec_deg, class`` and ``weight`` or ``luminosity``.

    References
    ----------
    None: a file format.
    """
    lines = [f"# {stars.source}", f"ra_deg,dec_deg,class,{stars.column}"]
    columns = zip(stars.ra_deg, stars.dec_deg, stars.classes, stars.weight, strict=True)
    lines += [f"{a:.7f},{d:.7f},{c},{w:.6g}" for a, d, c, w in columns]
    return "\n".join(lines) + "\n"


def write_simulation(
    folder: Path, simulation: Simulation, psf_file: str | Path | None = None
) -> dict[str, Any]:
    """Write a simulated observation as a user would hold it.

    Parameters
    ----------
    folder : Path
        Destination.
    simulation : Simulation
        Counts and truth.
    psf_file : str or Path, optional
        PSF of the simulation, copied beside the data.

    Returns
    -------
    dict
        Truth: coupling [GeV^-1], mass [eV], expected and drawn counts of each bin.

    Raises
    ------
    DiffaxionError
        If the system refuses to write.

    References
    ----------
    None: a set of files.
    """
    facts, stack = simulation.facts, simulation.stack
    seen = facts.nustar
    files: dict[str, str] = {}
    folder.mkdir(parents=True, exist_ok=True)
    if facts.origin not in BUNDLED_CLUSTERS:
        files["cluster"] = _copy(facts.origin, folder, "cluster.toml")
    if simulation.stars is not None:
        files["stars"] = "stars.csv"
        atomic_write(folder / "stars.csv", star_list_csv(simulation.stars))
    if psf_file is not None:
        files["psf"] = _copy(psf_file, folder, f"psf{''.join(Path(psf_file).suffixes)}")
    radius = simulation.plan.radius_arcmin or (seen.roi_radius_arcmin if seen else 2.0)
    write_observation(
        folder,
        stack,
        target=(facts.position.ra, facts.position.dec, radius),
        name=facts.name,
        exclude=[(m.ra, m.dec, m.radius_arcmin) for m in (seen.masks if seen else ())],
        events=counts_to_events(stack, simulation.seed) if simulation.plan.events else None,
        files=files,
    )
    return truth_record(simulation)


def truth_record(simulation: Simulation) -> dict[str, Any]:
    """The truth behind a simulated observation.

    Parameters
    ----------
    simulation : Simulation
        Counts and truth.

    Returns
    -------
    dict
        Coupling [GeV^-1], mass [eV], exposure [ks], and counts of each bin over all pixels.

    References
    ----------
    None: provenance.
    """
    stack = simulation.stack
    signal = np.zeros_like(stack.counts) if simulation.signal is None else simulation.signal
    return {
        "nature": stack.nature,
        "target": simulation.facts.name,
        "g_GeV": simulation.g_GeV,
        "m_a_eV": simulation.m_a_eV,
        "seed": simulation.seed,
        "exposure_ks": float(stack.exposure_s.sum() / 1e3),
        "bins_keV": np.stack([stack.low_keV, stack.high_keV], -1).tolist(),
        "counts": stack.counts.sum(axis=(1, 2, 3)).tolist(),
        "expected_background": stack.background.sum(axis=(1, 2, 3)).tolist(),
        "expected_signal": signal.sum(axis=(1, 2, 3)).tolist(),
        "stars": "all at the centre" if simulation.stars is None else simulation.stars.source,
    }


def _copy(source: str | Path, folder: Path, name: str) -> str:
    content = Path(source).read_bytes()
    atomic_write(folder / name, content)
    return name


def check_injection(observation: Observation) -> None:
    """Refuse an observation whose responses no single file can hold.

    Parameters
    ----------
    observation : Observation
        Data.

    Returns
    -------
    None
        Nothing; usable data pass.

    Raises
    ------
    ConfigurationError
        If the exposures have different redistribution matrices.

    References
    ----------
    None: a validation.
    """
    response = observation.response
    if response is None or response.rmf is not None:
        return
    if response.instrument.redistribution == "ogip":
        raise ConfigurationError(
            f"{observation.stack.source}: exposures have different RMFs; name one for all, or "
            "inject in Python (diffaxion.analyses.inject_signal)"
        )


def write_injected(folder: Path, observation: Observation, stack: ImageStack) -> None:
    """Write an observation with a signal added, cut to its region of interest.

    Parameters
    ----------
    folder : Path
        Destination.
    observation : Observation
        Data before the injection; masks, stars, PSF and the mean response are written too.
    stack : ImageStack
        Counts after it.

    Returns
    -------
    None
        Files are written completely or not at all.

    Raises
    ------
    ConfigurationError
        If the exposures have different redistribution matrices, which no single file can hold.
    DiffaxionError
        If the system refuses to write.

    References
    ----------
    None: a set of files.
    """
    check_injection(observation)
    response = observation.response
    folder.mkdir(parents=True, exist_ok=True)
    names = {
        key: _copy(path, folder, f"{key}{''.join(path.suffixes)}")
        for key, path in observation.files.items()
    }
    write_observation(
        folder,
        stack,
        target=observation.region,
        name=observation.target,
        exclude=observation.exclude,
        arf=None if response is None else response.arf,
        rmf=None if response is None else response.rmf,
        files=names,
    )
