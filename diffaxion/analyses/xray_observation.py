"""Observations of targets as users hold them: read, checked, and put into a world.

A folder holds ``observation.toml`` (or files named as :mod:`diffaxion.data.discovery` says). Which
target it shows, its stars and its PSF are named there or given by the caller; what neither says is
taken from the description of the target: region, masks, lowest energy.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..data.cluster_files import BUNDLED_CLUSTERS, ClusterDescription, load_cluster
from ..data.discovery import observation_files
from ..data.file_list import ObservationFiles, Place
from ..data.image_stack import ImageStack
from ..data.observation import read_image_stack
from ..data.psf_files import read_psf
from ..data.stack_files import HDF5, NPZ
from ..data.star_list import read_star_list
from ..environments.stars.star_field import StarField, central_stars, star_field
from ..errors import ConfigurationError, DataError, DiffaxionWarning
from ..likelihoods.gaussian import GaussianPoints
from ..observables.world import World
from ..observables.xray.psf import PointSpread, image_psf, nustar_psf, radial_psf
from .count_images import Grouping, build_counts, count_images
from .count_limits import Images
from .star_clusters import FluxSpectrum, published_spectrum
from .xray_places import ROI_ARCMIN, check_stars, warn_elsewhere
from .xray_responses import StackResponse, stack_responses

# Light beyond the end of a PSF that is worth a warning.
_BEYOND = 0.03


@dataclass(frozen=True)
class Observation:
    """One folder of data: a target, its images, and what its signal looks like in them.

    Attributes
    ----------
    facts : ClusterDescription
        The target.
    stack : ImageStack
        Images in the region of interest, masked.
    region : (ra_deg, dec_deg, radius_arcmin)
        Region of interest.
    stars : StarField
        Stars [deg].
    psf : PointSpread
        Point-spread function.
    psf_label : str
        Where the PSF is from.
    response : StackResponse or None
        Mean response of all exposures; None where the data name none.
    exclude : tuple of (ra_deg, dec_deg, radius_arcmin)
        Masked discs.
    files : dict of str to Path
        Files of the target in use: ``cluster``, ``stars``, ``psf``.
    """

    facts: ClusterDescription
    stack: ImageStack
    region: Place
    stars: StarField
    psf: PointSpread
    psf_label: str
    response: StackResponse | None = None
    exclude: tuple[Place, ...] = ()
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """Key of the target."""
        return self.facts.name

    @property
    def outline(self) -> FluxSpectrum:
        """Target and bins as a spectrum without content."""
        low, high = np.asarray(self.stack.low_keV), np.asarray(self.stack.high_keV)
        blank = np.zeros_like(low)
        return FluxSpectrum(self.target, low, high, GaussianPoints(blank, blank + 1.0), blank)

    def counts(
        self,
        world: World,
        instrument: str,
        signal: str,
        fractions: Float[Array, " k"],
        energies_per_bin: int,
        by: Grouping = "all",
    ) -> Images:
        """Forward model and likelihood in a world that holds target, stars, PSF and instrument.

        Parameters
        ----------
        world : World
            Of :func:`observation_world`.
        instrument : str
            Key of the instrument.
        signal : str
            ``anchored``, ``ensemble`` or ``published``.
        fractions : float array, shape (k,)
            Base nodes of the sight line, in units of the distance.
        energies_per_bin : int
            Energies at which p is evaluated in each bin.
        by : {"exposure", "module", "observation", "all"}
            What has a background of its own.

        Returns
        -------
        (ClusterCounts, TemplatePoisson)
            Rows are images times bins.
        """
        ra, dec, _ = self.region
        return build_counts(
            count_images(self.stack, ra, dec, by),
            world,
            self.target,
            fractions,
            signal=signal,
            curve=published_curve(self) if signal == "published" else None,
            energies_per_bin=energies_per_bin,
            instrument=instrument,
        )


def read_observation(
    path: str | Path,
    *,
    cluster: str | Path | None = None,
    stars: str | Path | None = None,
    psf: str | Path | None = None,
    radius_arcmin: float | None = None,
    rebin: int = 1,
    masked: bool = True,
    all_energies: bool = False,
) -> Observation:
    """Read a folder of NuSTAR data with its target, stars, PSF and responses.

    Parameters
    ----------
    path : str or Path
        Folder, ``observation.toml``, or a ``.npz`` or ``.h5`` stack.
    cluster : str or Path, optional
        Bundled target or TOML file; the one that the list names by default.
    stars : str or Path, optional
        Star list (CSV); by default the one that the list names, else all stars are put at the
        centre.
    psf : str or Path, optional
        Radial table (CSV) or FITS image; by default the one that the list names, else that of
        NuSTAR.
    radius_arcmin : float, optional
        Radius of the region of interest [arcmin].
    rebin : int
        Side of blocks of pixels that are joined.
    masked : bool
        Leave out the discs of the list and of the description of the target.
    all_energies : bool
        Use bins below the lowest energy of the target too.

    Returns
    -------
    Observation
        Ready for :func:`observation_world`.

    Raises
    ------
    ConfigurationError
        If no target is named or it is unknown.
    DataError
        If a file is unusable, no bin is left, or a star is more than a degree from the region.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    path = Path(path)
    single = path.suffix in NPZ + HDF5
    files = None if single else observation_files(path)
    facts = load_cluster(cluster) if cluster is not None else _named_target(path, files)
    region = _region(facts, files, radius_arcmin)
    warn_elsewhere(facts, region, path)
    exclude: list[Place] = []
    if masked:
        known = facts.nustar.masks if facts.nustar else []
        exclude = [*(files.exclude if files else ()), *_places(known)]
    stack = read_image_stack(
        path,
        ra_deg=region[0],
        dec_deg=region[1],
        radius_arcmin=region[2],
        rebin=rebin,
        exclude=exclude,
    )
    stack = _analysed(stack, facts, all_energies)
    stack, response = stack_responses(stack)
    used: dict[str, str | Path | None] = {
        "cluster": None if facts.origin in BUNDLED_CLUSTERS else facts.origin,
        "stars": stars if stars is not None or files is None else files.stars,
        "psf": psf if psf is not None or files is None else files.psf,
    }
    spread, label = read_psf_model(used["psf"])
    found = _stars(facts, used["stars"])
    check_stars(found, *region)
    return Observation(
        facts,
        stack,
        region,
        found,
        spread,
        label,
        response,
        tuple(exclude),
        {key: Path(value) for key, value in used.items() if value is not None},
    )


def _named_target(path: Path, files: ObservationFiles | None) -> ClusterDescription:
    if files is not None and files.cluster is not None:
        return load_cluster(files.cluster)
    name = files.name if files is not None else ""
    if name in BUNDLED_CLUSTERS:
        return load_cluster(name)
    known = ", ".join(BUNDLED_CLUSTERS)
    found = f"[target] name = {name!r} is not bundled" if name else "names no target"
    raise ConfigurationError(
        f"{path}: {found}; give one of {known} or a TOML file with --cluster (`diffaxion xray`), "
        'or write name, or cluster = "FILE", under [target] of observation.toml'
    )


def _region(
    facts: ClusterDescription, files: ObservationFiles | None, radius_arcmin: float | None
) -> Place:
    own = facts.nustar.roi_radius_arcmin if facts.nustar else ROI_ARCMIN
    region = (facts.position.ra, facts.position.dec, own)
    if files is not None and files.target is not None:
        region = files.target
    return region if radius_arcmin is None else (region[0], region[1], float(radius_arcmin))


def _places(masks: Sequence) -> list[Place]:
    return [(m.ra, m.dec, m.radius_arcmin) for m in masks]


def _analysed(stack: ImageStack, facts: ClusterDescription, all_energies: bool) -> ImageStack:
    """The stack without bins below the lowest energy of the target."""
    lowest = facts.nustar.energy_min_keV if facts.nustar else 0.0
    keep = np.asarray(stack.low_keV) >= lowest - 1e-9
    if all_energies or keep.all():
        return stack
    if not keep.any():
        raise DataError(
            f"{stack.source}: all bins start below {lowest:g} keV, the lowest energy of "
            f"{facts.label}; give --all-energies to use them"
        )
    dropped = [f"{a:g}-{b:g}" for a, b in zip(stack.low_keV[~keep], stack.high_keV[~keep])]
    warnings.warn(
        f"{stack.source}: bins {', '.join(dropped)} keV are left out: {facts.label} is analysed "
        f"above {lowest:g} keV only (--all-energies uses them)",
        DiffaxionWarning,
        stacklevel=3,
    )
    return replace(
        stack,
        counts=stack.counts[keep],
        exposure=stack.exposure[keep],
        background=stack.background[keep],
        low_keV=stack.low_keV[keep],
        high_keV=stack.high_keV[keep],
    )


def _stars(facts: ClusterDescription, path: str | Path | None) -> StarField:
    if path is None:
        return central_stars(facts.position.ra, facts.position.dec, facts.label)
    rows = read_star_list(path)
    return star_field(rows.ra_deg, rows.dec_deg, rows.weight, f"star list {Path(path).name}")


def read_psf_model(path: str | Path | None) -> tuple[PointSpread, str]:
    """A PSF of a file, or that of NuSTAR, and where it is from.

    Parameters
    ----------
    path : str or Path, optional
        Radial table (CSV: radius_arcsec, density) or FITS image.

    Returns
    -------
    psf : PointSpread
        Normalised to the light that the file holds [arcsec].
    label : str
        File, or what the default is.

    Raises
    ------
    DataError
        If the file is unusable.

    References
    ----------
    None: a reader.
    """
    if path is None:
        found = nustar_psf()
        return found, f"two components, {found.label}"
    given = read_psf(path)
    made: PointSpread
    if given.radius_arcsec is not None:
        made = radial_psf(given.radius_arcsec, given.density, source=given.source)
        end = float(given.radius_arcsec[-1])
    else:
        made = image_psf(given.density, given.pixel_arcsec, source=given.source)
        end = 0.5 * (min(given.density.shape) - 1) * given.pixel_arcsec
    # Of a profile that falls as r^-3.6, about as much lies beyond as the edge times its disc.
    beyond = float(made.density(jnp.asarray(end), jnp.zeros(()))) * np.pi * end**2
    if beyond > _BEYOND:
        warnings.warn(
            f"{given.source}: ends {end:.3g} arcsec from the source, where the PSF has not faded: "
            f"some {beyond:.0%} of the light may lie beyond and is taken to be inside; extend it",
            DiffaxionWarning,
            stacklevel=3,
        )
    return made, given.source


def published_curve(one: Observation) -> np.ndarray:
    """Published signal in the bins of an observation, which must be the published ones.

    Parameters
    ----------
    one : Observation
        Data of a target with a published spectrum.

    Returns
    -------
    array, shape (bins,)
        Signal per unit a = (g/1e-12 GeV^-1)^4 [1e-4 counts s^-1 keV^-1].

    Raises
    ------
    ConfigurationError
        If no spectrum of the target is published.
    DataError
        If the bins are others.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    known = published_spectrum(one.target)
    low, high = one.stack.low_keV, one.stack.high_keV
    if low.shape != known.low_keV.shape or not np.allclose(
        [low, high], [known.low_keV, known.high_keV]
    ):
        raise DataError(
            f"{one.stack.source}: its bins are not the {known.low_keV.size} bins of 5 keV of the "
            f"published signal curve of {one.target}; use --signal anchored, or model.signal = "
            "'anchored' in a configuration"
        )
    return np.asarray(known.curve)
