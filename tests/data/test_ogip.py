"""Responses and spectra: round trips through files, sherpa-like layouts by hand, and refusals."""

import dataclasses
import gzip
import re

import numpy as np
import pytest
from astropy.io import fits

from diffaxion.data import (
    AncillaryResponse,
    Spectrum,
    check_response,
    check_spectrum,
    read_arf,
    read_pha,
    read_rmf,
)
from diffaxion.data.nustar_files import write_arf, write_pha, write_rmf
from diffaxion.errors import DataError

from . import nustar


def dense(rmf):
    found = np.zeros((rmf.low_keV.size, rmf.channel_low_keV.size))
    np.add.at(found, (rmf.row, rmf.channel), rmf.value)
    return found


def edit(path, change, hdu):
    """Change header or data of one HDU of a file in place."""
    with fits.open(path, mode="update") as file:
        change(file[hdu])


@pytest.fixture
def rmf_file(tmp_path):
    write_rmf(tmp_path / "x.rmf", nustar.rmf())
    return tmp_path / "x.rmf"


@pytest.mark.parametrize("variable", [True, False])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("name", ["x.rmf", "x.rmf.gz"])
def test_matrix_round_trip(variable, first, name, tmp_path):
    """Rows of two groups, numbered from 0 or 1, of fixed or variable length."""
    want = nustar.rmf(first)
    write_rmf(tmp_path / name, want, variable=variable)
    found = read_rmf(tmp_path / name)
    assert found.first_channel == first
    np.testing.assert_allclose(dense(found), dense(want), rtol=1e-6)
    np.testing.assert_allclose(found.channel_low_keV, want.channel_low_keV, rtol=1e-6)
    np.testing.assert_allclose(found.row_sums(), want.row_sums(), rtol=1e-6)


def test_matrix_written_by_hand(tmp_path):
    """The layout of the memo, without our writer: scalars per row, and padding that is ignored."""
    edges = np.array([1.0, 2.0, 3.0, 4.0])
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("ENERG_LO", "E", unit="keV", array=edges[:-1]),
            fits.Column("ENERG_HI", "E", unit="keV", array=edges[1:]),
            fits.Column("N_GRP", "I", array=[1, 1, 0]),
            fits.Column("F_CHAN", "I", array=[1, 2, 0]),
            fits.Column("N_CHAN", "I", array=[2, 2, 0]),
            fits.Column("MATRIX", "3E", array=[[0.6, 0.4, 9.0], [0.3, 0.5, 9.0], [0, 0, 0]]),
        ],
        name="MATRIX",
    )
    table.header["TLMIN4"] = 1
    bounds = fits.BinTableHDU.from_columns(
        [
            fits.Column("CHANNEL", "I", array=[1, 2, 3]),
            fits.Column("E_MIN", "E", unit="keV", array=edges[:-1]),
            fits.Column("E_MAX", "E", unit="keV", array=edges[1:]),
        ],
        name="EBOUNDS",
    )
    fits.HDUList([fits.PrimaryHDU(), table, bounds]).writeto(tmp_path / "x.rmf")
    found = dense(read_rmf(tmp_path / "x.rmf"))
    np.testing.assert_allclose(found, [[0.6, 0.4, 0], [0, 0.3, 0.5], [0, 0, 0]], rtol=1e-6)


def test_binning_against_a_dense_sum():
    """Bins at channel edges, one that cuts a channel in the middle, and one row by hand."""
    rmf = nustar.rmf()
    low, high = np.array([10.0, 15.0, 18.02]), np.array([15.0, 18.02, 20.0])
    share = np.zeros((rmf.channel_low_keV.size, 3))
    share[210:335, 0] = 1.0  # 10-15 keV is PI 210..334
    share[335:410, 1], share[410, 1] = 1.0, 0.5
    share[410, 2], share[411:460, 2] = 0.5, 1.0
    np.testing.assert_allclose(rmf.binned(low, high), dense(rmf) @ share, atol=1e-12)
    with pytest.raises(DataError, match="channels cover"):
        rmf.binned([10.0], [30.0])


def test_area_round_trip(tmp_path):
    want = nustar.arf()
    write_arf(tmp_path / "x.arf.gz", want)
    found = read_arf(tmp_path / "x.arf.gz")
    np.testing.assert_allclose(found.area_cm2, want.area_cm2, rtol=1e-6)
    assert found.module == "FPMA"
    check_response(found, nustar.rmf())


def spectrum(n=500, **changes):
    fields = {
        "channel": np.arange(n),
        "counts": np.arange(n) % 7,
        "exposure_s": 3e4,
        "backscale": 0.01,
        "grouping": np.where(np.arange(n) % 5, -1, 1),
        "quality": np.zeros(n, int),
        "background_file": "b.pha",
        "rmf_file": "x.rmf",
        "arf_file": "",
        "module": "FPMB",
        "obs_id": "40010005001",
    }
    return Spectrum(**(fields | changes))


def test_spectrum_round_trip(tmp_path):
    want = spectrum()
    write_pha(tmp_path / "x.pha", want)
    found = read_pha(tmp_path / "x.pha")
    for field in dataclasses.fields(Spectrum):
        if field.name != "source":
            np.testing.assert_array_equal(getattr(found, field.name), getattr(want, field.name))
    check_spectrum(found, nustar.rmf())


@pytest.mark.parametrize(
    ("hdu", "change", "message"),
    [
        ("MATRIX", lambda h: h.header.pop("TLMIN4"), "keyword TLMIN4 (number of the first channel"),
        ("MATRIX", lambda h: h.header.set("TLMIN4", 1), "TLMIN4 = 1, but CHANNEL of EBOUNDS"),
        (
            "MATRIX",
            lambda h: h.header.set("DETCHANS", 4096),
            "DETCHANS = 4096, but EBOUNDS has 500",
        ),
        ("MATRIX", lambda h: h.header.set("TUNIT1", "eV"), "TUNIT1 of ENERG_LO is 'eV'"),
        ("MATRIX", lambda h: h.header.set("TTYPE6", "MATRYX"), "column MATRIX is missing"),
        ("MATRIX", lambda h: h.data["N_GRP"].__setitem__(7, 5), "row 8 announces N_GRP = 5"),
        ("MATRIX", lambda h: h.data["ENERG_LO"].__setitem__(3, 9.0), "expected increasing"),
        (
            "MATRIX",
            lambda h: h.header.set("EXTNAME", "OTHER") or h.header.pop("HDUCLAS2"),
            "no table",
        ),
        (
            "EBOUNDS",
            lambda h: h.header.set("EXTNAME", "OTHER") or h.header.pop("HDUCLAS2"),
            "no table",
        ),
        ("EBOUNDS", lambda h: h.data["E_MIN"].__setitem__(3, np.nan), "not finite"),
        ("EBOUNDS", lambda h: h.data["CHANNEL"].__setitem__(3, 9), "count up in steps of 1"),
    ],
)
def test_unusable_matrices(rmf_file, hdu, change, message):
    """Rows 2 of the table of bad inputs; the message names file and keyword."""
    edit(rmf_file, change, hdu)
    with pytest.raises(DataError, match=re.escape(message)) as error:
        read_rmf(rmf_file)
    assert str(rmf_file) in str(error.value)


def test_first_channel_may_be_given_where_the_header_is_silent(rmf_file):
    edit(rmf_file, lambda h: h.header.pop("TLMIN4"), "MATRIX")
    assert read_rmf(rmf_file, first_channel=0).first_channel == 0
    with pytest.raises(DataError, match="CHANNEL of EBOUNDS starts at 0"):
        read_rmf(rmf_file, first_channel=1)


def test_rows_that_sum_to_more_than_one(tmp_path):
    """A matrix that was multiplied by something, and one that says so."""
    with pytest.raises(DataError, match=r"MATRIX row 9 .* sums to 1.14.*at most 1.05"):
        nustar.rmf(scale=1.2)
    full = dataclasses.replace(nustar.rmf(), includes_area=True)
    full = dataclasses.replace(full, value=full.value * 200.0)
    write_rmf(tmp_path / "x.rmf", full)
    found = read_rmf(tmp_path / "x.rmf")
    assert found.includes_area
    np.testing.assert_allclose(found.row_sums(), full.row_sums(), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "kind", "scale", "includes"),
    [
        ("MATRIX", "REDIST", 1.0, False),
        ("SPECRESP MATRIX", "FULL", 200.0, True),
        ("SPECRESP MATRIX", "", 200.0, True),
        ("SPECRESP MATRIX", "REDIST", 1.0, False),  # names of older tools
        ("SPECRESP MATRIX", "DETECTOR", 0.7, False),
        ("SPECRESP MATRIX", "REDIST", 200.0, True),
    ],
)
def test_name_and_kind_of_a_matrix(tmp_path, name, kind, scale, includes):
    """Whether the area is in a matrix: HDUCLAS3 decides, and the name where it is silent."""
    want = dataclasses.replace(nustar.rmf(), includes_area=True)
    want = dataclasses.replace(want, value=scale * want.value)
    write_rmf(tmp_path / "x.rmf", want)
    edit(tmp_path / "x.rmf", lambda h: h.header.update(EXTNAME=name, HDUCLAS3=kind), 2)
    found = read_rmf(tmp_path / "x.rmf")
    assert found.includes_area == includes
    np.testing.assert_allclose(found.row_sums(), want.row_sums(), rtol=1e-6)


def test_several_matrices_are_not_one(tmp_path):
    path = tmp_path / "x.rmf"
    write_rmf(path, nustar.rmf(), variable=False)
    with fits.open(path, mode="append") as file:
        file.append(fits.BinTableHDU(file["MATRIX"].data.copy(), name="MATRIX"))
    with pytest.raises(DataError, match="has 2 tables 'MATRIX' or 'SPECRESP MATRIX'"):
        read_rmf(path)


def test_channels_beyond_the_bounds():
    rmf = nustar.rmf()
    with pytest.raises(DataError, match="is TLMIN of F_CHAN right"):
        dataclasses.replace(rmf, channel=rmf.channel + 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low_keV": nustar.EDGES[:-1] - 2.0}, "starts at -0.4 keV"),
        ({"low_keV": nustar.EDGES[-2::-1], "high_keV": nustar.EDGES[:0:-1]}, "in order"),
        ({"area_cm2": np.full(500, -1.0)}, "SPECRESP reaches -1"),
        ({"area_cm2": np.full(500, np.nan)}, "not finite"),
        ({"area_cm2": np.zeros(500)}, "zero everywhere"),
    ],
)
def test_unusable_areas(change, message):
    with pytest.raises(DataError, match=message):
        dataclasses.replace(nustar.arf(), **change)


def test_responses_that_do_not_belong_together():
    arf, rmf = nustar.arf(), nustar.rmf()
    moved = AncillaryResponse(arf.low_keV + 0.02, arf.high_keV + 0.02, arf.area_cm2)
    with pytest.raises(DataError, match=r"ENERG_LO of row 1 is 1\.62 and 1\.6 keV"):
        check_response(moved, rmf)
    with pytest.raises(DataError, match="has 499 energies"):
        check_response(
            AncillaryResponse(*(x[:-1] for x in (arf.low_keV, arf.high_keV, arf.area_cm2))), rmf
        )


def test_spectra_that_do_not_fit_the_matrix():
    with pytest.raises(DataError, match="has 4096 channels"):
        check_spectrum(spectrum(4096, grouping=np.ones(4096, int)), nustar.rmf())
    with pytest.raises(DataError, match="starts at channel 0, RMF at 1"):
        check_spectrum(spectrum(), nustar.rmf(first_channel=1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.header.pop("EXPOSURE"), "keyword EXPOSURE is missing"),
        (lambda h: h.header.set("EXPOSURE", 0.0), "EXPOSURE = 0 s, expected a time > 0"),
        (lambda h: h.header.set("EXPOSURE", "long"), "EXPOSURE = 'long'"),
        (lambda h: h.header.set("HDUCLAS2", "NET"), "background is subtracted"),
        (lambda h: h.header.set("TTYPE2", "RATE"), "holds RATE, expected COUNTS"),
        (lambda h: h.header.set("DETCHANS", 10), "DETCHANS = 10, but there are 500 rows"),
        (lambda h: h.data["COUNTS"].__setitem__(3, -1), "COUNTS reaches -1"),
        (lambda h: h.data["CHANNEL"].__setitem__(3, 77), "count up in steps of 1"),
        (lambda h: h.header.set("BACKSCAL", -1.0), "BACKSCAL = -1, expected a finite number > 0"),
        (lambda h: h.header.set("AREASCAL", 0.5), "AREASCAL = 0.5, expected 1"),
        (lambda h: h.header.set("TTYPE4", "BACKSCAL"), "BACKSCAL goes from -1 to 1"),
    ],
)
def test_unusable_spectra(tmp_path, change, message):
    path = tmp_path / "x.pha"
    write_pha(path, spectrum())
    edit(path, change, "SPECTRUM")
    with pytest.raises(DataError, match=message) as error:
        read_pha(path)
    assert "x.pha" in str(error.value)


def test_factors_in_columns_and_quality_in_the_header(tmp_path):
    """The memo allows either place."""
    path = tmp_path / "x.pha"
    write_pha(path, spectrum(quality=np.full(500, 3), grouping=np.ones(500, int)))

    def move(hdu):
        hdu.header["TTYPE3"], hdu.header["TTYPE4"] = "BACKSCAL", "AREASCAL"
        hdu.header["QUALITY"] = 2

    edit(path, move, "SPECTRUM")
    found = read_pha(path)
    assert found.backscale == 3.0
    np.testing.assert_array_equal(found.quality, 2)


def test_fractional_counts_need_a_word(tmp_path):
    write_pha(tmp_path / "x.pha", spectrum(counts=np.full(500, 0.5)))
    with pytest.raises(DataError, match="asimov=True"):
        read_pha(tmp_path / "x.pha")
    assert read_pha(tmp_path / "x.pha", asimov=True).counts[0] == 0.5


@pytest.mark.parametrize("reader", [read_arf, read_rmf, read_pha])
def test_files_that_are_no_fits_files(tmp_path, reader, rmf_file):
    """Row 1 of the table of bad inputs: missing, a folder, empty, text, truncated, compressed."""
    content = rmf_file.read_bytes()
    cases = {
        "missing": None,
        "empty": b"",
        "text": b"energy,area\n1,2\n",
        "short": content[:2000],
        "half": content[: len(content) // 2],
        "zip": gzip.compress(content)[:500],
        "gzip": b"\x1f\x8b rubbish",
    }
    for name, data in cases.items():
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(DataError, match="wanted: ") as error:
            reader(path)
        assert str(path) in str(error.value)
    with pytest.raises(DataError, match="cannot be opened"):
        reader(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "NAXIS2  =                  500",
            "NAXIS2  =           5000000000",
            "the header announces",
        ),
        (
            "NAXIS2  =                  500",
            "NAXIS2  =      999999999999999",
            "the header announces",
        ),
        ("NAXIS2  =                  500", "NAXIS2  =                 -500", "NAXIS2 = -500"),
        ("NAXIS2  =                  500", "NAXIS2  =                500.5", "NAXIS2 = '500.5'"),
        ("NAXIS2  =                  500", "XAXIS2  =                  500", "NAXIS2 = -1"),
        ("NAXIS   =                    2", "NAXIS   =          99999999999", "NAXIS = 99999999999"),
        (
            "PCOUNT  =                    0",
            "PCOUNT  =           5000000000",
            "the header announces",
        ),
        (
            "TFIELDS =                    6",
            "TFIELDS =          99999999999",
            "TFIELDS = 99999999999",
        ),
        (
            "EXTNAME = 'MATRIX  '          ",
            "HIERARCH TFIELDS = 9999999999 ",
            "TFIELDS = '9999999999'",
        ),
        ("BITPIX  =                    8", "BITPIX  =                   11", "BITPIX = 11"),
        (
            "SIMPLE  =                    T",
            "SIMPLE  =                    F",
            "cannot be read as FITS",
        ),
        ("END" + 77 * " ", "XND" + 77 * " ", "expected one whole number"),
    ],
)
def test_headers_that_would_mislead_a_library(rmf_file, old, new, message):
    """Refused by the layout, before anything is allocated or skipped (milliseconds each)."""
    content = rmf_file.read_bytes()
    assert old.encode() in content
    rmf_file.write_bytes(content.replace(old.encode(), new.encode()))
    with pytest.raises(DataError, match=re.escape(message)) as error:
        read_rmf(rmf_file)
    assert str(rmf_file) in str(error.value)


def test_rows_that_share_the_heap_are_refused(rmf_file):
    """500 rows that each claim the whole heap would unpack to 500 times the file."""
    with fits.open(rmf_file, memmap=False) as file:
        hdu = file["MATRIX"]
        start = hdu.fileinfo()["datLoc"]
        width, place = hdu.header["NAXIS1"], hdu.columns.dtype.fields["MATRIX"][1]
        heap = hdu.header["PCOUNT"]
    content = bytearray(rmf_file.read_bytes())
    for row in range(500):
        at = start + row * width + place
        content[at : at + 8] = np.array([heap // 4, 0], ">i4").tobytes()
    rmf_file.write_bytes(content)
    with pytest.raises(DataError, match="points outside of its heap"):
        read_rmf(rmf_file)
