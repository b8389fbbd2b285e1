"""File names of public releases that the map pipeline can read. **Unverified**: none was opened.

The names are those that published analyses and their codes use; a user who has the files confirms
or corrects them. What a file is, the readers take from its header and not from its name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import unknown_name


@dataclass(frozen=True)
class ReleaseFiles:
    """Names of the files of a release.

    Attributes
    ----------
    release : str
        Name.
    maps : dict of str to str
        Frequency maps by channel, or galaxy maps by sample.
    masks : dict of str to str
        ``FILE`` or ``FILE:COLUMN`` by what a mask is for.
    beams, passbands : dict of str to str
        ``FILE`` or ``FILE:HDU`` by channel.
    notes : tuple of str
        What is known of units, ordering and content (from memory, verify).
    verified : bool
        Whether the names were checked against the files; False for all.
    """

    release: str
    maps: dict[str, str]
    masks: dict[str, str] = field(default_factory=dict)
    beams: dict[str, str] = field(default_factory=dict)
    passbands: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    verified: bool = False


_LFI = ("030", "044", "070")
_HFI = ("100", "143", "217", "353", "545", "857")
_MASKS = {
    "galactic 70%": "HFI_Mask_GalPlane-apo0_2048_R2.00.fits:GAL070",
    "sources 143": "HFI_Mask_PointSrc_2048_R2.00.fits:F143",
    "common": "COM_Mask_CMB-common-Mask-Int_2048_R3.00.fits:TMASK",
    "lensing": "COM_Lensing_4096_R3.00/mask.fits.gz",
}
_BEAMS = {c: f"LFI_RIMO_R3.31.fits:BEAMWF_{c}X{c}" for c in _LFI} | {
    c: f"Bl_T_R3.01_fullsky_{c}x{c}.fits" for c in _HFI
}
_PASSBANDS = {c: f"LFI_RIMO_R3.31.fits:BANDPASS_{c}" for c in _LFI} | {
    c: f"HFI_RIMO_R3.00.fits:BANDPASS_F{c}" for c in _HFI
}
_COMMON_NOTES = (
    "maps are NESTED, Galactic, float32, I_STOKES the first column, UNSEEN in pixels not observed",
    "LFI nside 1024, HFI nside 2048",
    "Galactic masks have the columns GAL020, GAL040, GAL060, GAL070, GAL080, GAL090, GAL097, "
    "GAL099; point-source masks F100 to F857",
)

_RELEASES = {
    "PR3": ReleaseFiles(
        "PR3",
        {c: f"LFI_SkyMap_{c}-BPassCorrected_1024_R3.00_full.fits" for c in _LFI}
        | {c: f"HFI_SkyMap_{c}_2048_R3.01_full.fits" for c in _HFI},
        _MASKS,
        _BEAMS,
        _PASSBANDS,
        (
            *_COMMON_NOTES,
            "30 to 353 GHz in K_CMB, 545 and 857 GHz in MJy/sr; the dipole of the Sun is removed",
            "a version of 353 GHz from polarised bolometers only is named 353-psb",
        ),
    ),
    "PR4": ReleaseFiles(
        "PR4",
        {c: f"LFI_SkyMap_{c}_1024_R4.00_full.fits" for c in _LFI}
        | {c: f"HFI_SkyMap_{c}_2048_R4.00_full.fits" for c in _HFI},
        _MASKS,
        _BEAMS,
        _PASSBANDS,
        (
            *_COMMON_NOTES,
            "the dipole of the Sun is left in: 3.36 mK towards (264, 48) deg",
            "another distribution names the same maps npipe6v20_CHANNEL_map.fits, and the beams "
            "Bl_TEB_npipe6v19_143GHzx143GHz.fits (column T)",
            "545 and 857 GHz may be in K_CMB or in MJy/sr: TUNIT1 decides",
        ),
    ),
    "unWISE": ReleaseFiles(
        "unWISE",
        {
            "blue": "numcounts_map1_2048-r1-v2_flag.fits",
            "green": "numcounts_map2_2048-r1-v2_flag.fits",
            "red": "numcounts_map3_2048-r1-v2_flag.fits",
        },
        {"galaxies": "mask_unWISE_thres_v10.npy"},
        notes=(
            "nside 2048, RING, Galactic, counts per pixel in the column T; an overdensity is "
            "counts/completeness over their mean, minus 1",
            "the mask is a plain array without a header: give ordering and coordinates; in other "
            "distributions it is HEALPix FITS",
        ),
    ),
}


def release_files(release: str) -> ReleaseFiles:
    """File names of a release; unverified.

    Parameters
    ----------
    release : str
        ``PR3``, ``PR4`` (NPIPE) or ``unWISE``.

    Returns
    -------
    ReleaseFiles
        Names and notes.

    Raises
    ------
    ConfigurationError
        If the release is not one of them.

    References
    ----------
    Planck 2018 results I, arXiv:1807.06205; Planck intermediate results LVII, arXiv:2007.04997
    (PR4); Krolewski et al. 2020, arXiv:1909.07412 (unWISE). Names from memory, verify.
    """
    if release not in _RELEASES:
        raise unknown_name("release", release, _RELEASES)
    return _RELEASES[release]


def planck_file_names(release: str = "PR4") -> dict[str, str]:
    """Names of the frequency maps of a Planck release by channel; unverified.

    Parameters
    ----------
    release : str
        ``PR3`` or ``PR4``.

    Returns
    -------
    dict of str to str
        From ``030`` to ``857``.

    Raises
    ------
    ConfigurationError
        If the release is unknown.

    References
    ----------
    As of :func:`release_files`.
    """
    if release not in ("PR3", "PR4"):
        raise unknown_name("Planck release", release, ("PR3", "PR4"))
    return dict(_RELEASES[release].maps)
