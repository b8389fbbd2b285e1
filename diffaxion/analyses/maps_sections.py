"""Sections of the configuration of the map pipeline; see :mod:`.maps_config`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..constants import T_CMB_K

ROBUSTNESS_TESTS = (
    "deprojection",
    "frequencies",
    "beam",
    "masks",
    "cib",
    "moments",
    "low-l",
    "sample",
    "faults",
)
"""Tests of ``diffaxion maps robustness``; the last two are of simulated skies."""

PLANCK_CHANNELS = ("030", "044", "070", "100", "143", "217", "353", "545")
Backend = Literal["healpy", "ducc0"]
Variant = Literal["interpolated", "exact", "smooth", "coarse"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SimulationSection(_Section):
    """A simulated sky; what is not named is chosen by the resolution."""

    nside: int = 64
    lmax: int | None = None
    # "toy": simple spectra, screening of the bundled template times ``strength``, the square of
    # g/1e-11 GeV^-1; "halo-model": galaxies and screening of the halo model at m_a_eV and g_GeV.
    spectra: Literal["toy", "halo-model"] = "toy"
    strength: float = Field(default=0.0, ge=0)
    m_a_eV: float = Field(default=1e-12, gt=0)
    g_GeV: float = Field(default=0.0, ge=0)
    # none, cib, calibration, galactic, isw or green-like; see diffaxion.sky.toy_sky.
    fault: str = "none"
    cib_temperature_K: float = Field(default=24.0, gt=0)
    cib_beta: float = 1.75
    components: list[str] = ["cmb", "tsz", "cib", "screening", "dust", "synchrotron", "noise"]
    beam_factor: float | None = Field(default=None, gt=0)
    noise_factor: float | None = Field(default=None, ge=0)
    counts: Literal["poisson", "gaussian", "none"] = "poisson"
    galaxies_per_deg2: float | None = Field(default=None, gt=0)
    # 70 and 83 per cent of the sky.
    galactic_cut_deg: float = Field(default=17.5, ge=0, lt=90)
    galaxy_cut_deg: float = Field(default=10.0, ge=0, lt=90)
    sources: int = Field(default=0, ge=0)
    pixel_windows: bool = False
    # Which sky of the set with this seed.
    index: int = Field(default=0, ge=0)


class FilesSection(_Section):
    """Maps and masks on disk, HEALPix FITS; relative names start at the configuration's folder.

    A map or mask is ``FILE`` or ``FILE:COLUMN``, COLUMN a name or a number; a mask may also be
    ``cut:DEGREES``, the sky with \\|b\\| above it.
    """

    folder: str = "."
    temperature: dict[str, str] = Field(min_length=1)
    # Where a header lacks them or is wrong.
    units: dict[str, str] = {}
    ordering: Literal["RING", "NESTED"] | None = None
    coordinates: str | None = None
    galaxies: str
    galaxies_kind: Literal["overdensity", "counts"] = "overdensity"
    # Share of the galaxies that a pixel would show; needed to turn counts into an overdensity.
    completeness: str | None = None
    shot_noise_sr: float = Field(default=0.0, ge=0)
    # Masks of pixels without usable temperature: filled in before the transforms.
    fill: list[str] = []
    # Whether pixels without data that no mask covers are filled in and left out too, not refused.
    fill_missing: bool = False
    # Masks of the measurement; those of ``fill`` always take part in the first.
    temperature_masks: list[str] = []
    galaxy_masks: list[str] = []
    # Frames of masks that are not Galactic, by the text that names them above: they are rotated.
    mask_coordinates: dict[str, Literal["galactic", "equatorial", "ecliptic"]] = {}
    # Ordering of files that do not state it (plain arrays), by the text that names them.
    mask_ordering: dict[str, Literal["RING", "NESTED"]] = {}
    # A pixel of a mask that changes resolution is kept from this share of its parts on.
    mask_threshold: float = Field(default=0.9, gt=0, le=1)
    nature: str = ""


class ChannelsSection(_Section):
    """Channels, their beams and passbands."""

    names: list[str] = Field(default=list(PLANCK_CHANNELS), min_length=1)
    # Gaussian FWHM by channel; default those of Planck, or of the simulated sky.
    fwhm_arcmin: dict[str, float] = {}
    # Tables of l and B_l by channel, in place of a Gaussian.
    beam_files: dict[str, str] = {}
    # "planck" (bundled), "monochromatic", or a folder with a table NAME.txt for each channel.
    passbands: str = "planck"
    lfi_exponent: float = 0.0
    hfi_exponent: float = 0.0
    # Divide each map, and multiply the theory, by the pixel window of its resolution.
    pixel_windows: bool = True


class PreparationSection(_Section):
    """What is done to maps before they are cleaned."""

    remove_dipole: bool = True
    inpaint: Literal["front", "laplace", "none"] = "front"


class CleaningSection(_Section):
    """The constrained needlet ILC."""

    preserve: Literal["screening", "dark-photon"] = "screening"
    # One list for all scales, or one list for each scale.
    deprojected: list[str] | list[list[str]] = ["tsz", "cib", "cib-dbeta"]
    # Further sets from the same covariance, nearly free: their spectra are drawn and written.
    also: dict[str, list[str] | list[list[str]]] = {}
    # "planck2014", "act_dr6", or "own" with the two numbers below; "default" is planck2014 or, for
    # a simulated sky, the spectrum of the CIB that follows its galaxies.
    cib: str = "default"
    cib_temperature_K: float | None = Field(default=None, gt=0)
    cib_beta: float | None = None
    t_cmb_K: float = Field(default=T_CMB_K, gt=2.5, lt=3.0)
    nside: int | None = None
    lmax: int | None = Field(default=None, ge=8)
    # Needlet peaks from 0 to lmax + 1; default the 13 of the paper, or those that fit small maps.
    peaks: list[int] | None = None
    common_fwhm_arcmin: float | None = Field(default=None, gt=0, le=120)
    bias: float = Field(default=0.01, gt=0, lt=1)
    smoothing_rule: Literal["common", "per_choice"] = "common"
    variant: Variant = "interpolated"
    taper_width: float = Field(default=0.0, ge=0)
    iterations: int = Field(default=3, ge=0, le=20)
    # Whether the masks of the temperature keep pixels out of the covariance and of the map.
    mask: bool = False
    # Refuse to start above this.
    memory_GiB: float | None = Field(default=None, gt=0)
    # Channels at each scale, in place of the rule on beams.
    channels: list[list[str]] | None = None


class MeasurementSection(_Section):
    """Bandpowers of the cleaned map with the galaxies."""

    lmax: int | None = Field(default=None, ge=8)
    # Default 150 and 2000, less for maps that do not resolve as much: 14 and 128 at nside 64.
    bin_width: int | None = Field(default=None, ge=1)
    first_ell: int = Field(default=2, ge=2)
    last_ell: int | None = Field(default=None, ge=3)
    # The lowest bins are measured, and left out of bandpowers.npz.
    skip_bins: int = Field(default=2, ge=0)
    weighting: Literal["equal", "modes", "l(l+1)"] = "equal"
    apodisation_deg: float = Field(default=1.0, ge=0, lt=30)
    apodisation: Literal["C1", "C2"] = "C1"
    iterations: int = Field(default=3, ge=0, le=20)


class AlternativeCIB(_Section):
    """A spectrum that the CIB might have instead of the one that is deprojected."""

    temperature_K: float = Field(gt=0)
    beta: float
    sigma: float = Field(default=1.0, gt=0)


class ResidualsSection(_Section):
    """Residual foregrounds that are passed on with the bandpowers, as templates with amplitudes.

    A template is what the frozen weights leave of a CIB with another spectrum, an amplitude of 1
    standing for all of it. Its cross-spectrum with the galaxies is measured at ``channel``.
    """

    enabled: bool = True
    channel: str | None = None
    # Cross-spectrum at 353 GHz in place of a measured one: C_l [uK] at l = 100, and its slope.
    cross_uK: float | None = Field(default=None, gt=0)
    cross_slope: float = Field(default=-1.2, ge=-4, le=2)
    # Default: 4 K hotter, and beta larger by 0.2.
    alternatives: dict[str, AlternativeCIB] | None = None


class RobustnessSection(_Section):
    """Variations of ``diffaxion maps robustness``."""

    tests: list[str] = list(ROBUSTNESS_TESTS)
    # Channels removed together; default 030, 044 and both, as far as they are used.
    drop: list[list[str]] | None = None
    beam_factor: float = Field(default=0.5, gt=0)
    # Shares of the sky that Galactic masks leave (cuts in latitude).
    sky_fractions: list[float] = [0.4, 0.6, 0.7, 0.8]
    # Galactic masks on disk in their place.
    galactic_masks: list[str] = []
    # Default around those of the cleaning: -4, 0, +4 K and -0.2, 0, +0.2, +0.4 in beta.
    cib_temperatures_K: list[float] | None = None
    cib_betas: list[float] | None = None
    # Further spectra; default 10.7 K and 1.7, none for simulated skies, whose spectrum is known.
    extra_cib: list[tuple[float, float]] | None = None
    # Scales, from the first, at which both moments are deprojected together.
    both_moments_scales: int = Field(default=6, ge=1)
    # Small simulated skies that are averaged for each planted fault, and their resolution.
    skies: int = Field(default=4, ge=1)
    planted_nside: int = 64
    p_min: float = Field(default=0.01, gt=0, lt=0.5)
    # Added to the errors of differences in quadrature, in units of the statistical errors.
    error_floor: float = Field(default=0.1, ge=0, lt=1)


class NumericsSection(_Section):
    """Back end of spherical-harmonic transforms."""

    backend: Backend = "healpy"
    threads: int = Field(default=1, ge=1)


class MapsConfiguration(_Section):
    """Everything that ``diffaxion maps`` does."""

    preset: Literal["none", "goldstein2024"] = "none"
    simulation: SimulationSection | None = None
    files: FilesSection | None = None
    channels: ChannelsSection = ChannelsSection()
    preparation: PreparationSection = PreparationSection()
    cleaning: CleaningSection = CleaningSection()
    measurement: MeasurementSection = MeasurementSection()
    residuals: ResidualsSection = ResidualsSection()
    robustness: RobustnessSection = RobustnessSection()
    numerics: NumericsSection = NumericsSection()
    seed: int = Field(default=1, ge=0)
