"""The file of bandpowers: round trip, and every refusal with its message."""

import numpy as np
import pytest

from diffaxion.data.bandpowers import KEYS, read_bandpowers, write_bandpowers
from diffaxion.data.bandpowers import Bandpowers as Content
from diffaxion.errors import DataError, DiffaxionError
from diffaxion.observables.cmb.bandpowers import windows_of


def content(**changes):
    """Three plain bins, l = 10 to 39, with changes."""
    lo, hi = np.array([10, 20, 30]), np.array([19, 29, 39])
    ell = np.arange(8, 42)
    window = np.where((ell >= lo[:, None]) & (ell <= hi[:, None]), 0.1, 0.0)
    fields = {
        "ell_lo": lo,
        "ell_hi": hi,
        "cl_Tg_uK": np.array([-1e-6, 2e-6, -3e-6]),
        "cov_uK2": 1e-12 * (np.eye(3) + 0.2),
        "window": window,
        "window_ell": ell,
        "fwhm_arcmin": 10.0,
        "nu_GHz": 353.0,
    }
    return fields | changes


RESIDUAL = {
    "residual_uK": 1e-6 * np.array([[1.0, 0.5, 0.2], [0.0, 1.0, -1.0]]),
    "residual_names": np.array(["cib_dT", "cib_dbeta"]),
    "residual_sigma": np.array([1.0, 2.0]),
}


def changed(name, where, value):
    array = np.array((content() | RESIDUAL)[name], float)
    array[where] = value
    return {name: array}


def test_round_trip(tmp_path):
    path = write_bandpowers(tmp_path / "bandpowers.npz", Content(**content()))
    with np.load(path, allow_pickle=False) as archive:
        assert sorted(archive.files) == sorted(KEYS)
    found = read_bandpowers(path)
    for name, value in content().items():
        np.testing.assert_array_equal(getattr(found, name), value)
    assert found.n_bins == 3
    assert (found.source, found.nature) == (str(path), "")
    assert [p.name for p in tmp_path.iterdir()] == ["bandpowers.npz"]


def test_what_is_not_measured_says_so(tmp_path):
    toy = Content(**content(), nature="simulated noise, seed 5: not a measurement")
    found = read_bandpowers(write_bandpowers(tmp_path / "bandpowers.npz", toy))
    assert found.nature == toy.nature


def test_transfer_function_multiplies_the_theory(tmp_path):
    """Pixel windows act on C_l at every multipole, along with the beam."""
    transfer = np.linspace(1.0, 0.6, 34)
    path = tmp_path / "bandpowers.npz"
    found = read_bandpowers(write_bandpowers(path, Content(**content(), transfer=transfer)))
    np.testing.assert_array_equal(found.transfer, transfer)
    plain, with_windows = windows_of(Content(**content())), windows_of(found)
    at = np.asarray(plain.window_ell, int) - 8
    expected = (np.asarray(plain.window) * transfer[at]) @ (1.0 / (8.0 + at))
    np.testing.assert_allclose(with_windows.from_all(1.0 / (8.0 + at)), expected, rtol=1e-12)
    write_bandpowers(tmp_path / "plain.npz", Content(**content()))
    assert np.all(read_bandpowers(tmp_path / "plain.npz").transfer == 1.0)


def test_residual_foregrounds_are_optional(tmp_path):
    path = write_bandpowers(tmp_path / "bandpowers.npz", Content(**content(), **RESIDUAL))
    found = read_bandpowers(path)
    assert found.residual_names == ("cib_dT", "cib_dbeta")
    np.testing.assert_array_equal(found.residual_uK, RESIDUAL["residual_uK"])
    np.testing.assert_array_equal(found.residual_sigma, [1.0, 2.0])
    plain = read_bandpowers(write_bandpowers(tmp_path / "plain.npz", Content(**content())))
    assert plain.residual_names == ()
    assert plain.residual_uK.shape == (0, 3)


BAD = {
    "ell_lo not a list": ({"ell_lo": np.array(3)}, ["ell_lo", r"\(b,\)"]),
    "lengths": ({"ell_hi": np.array([19, 29])}, ["ell_hi", r"\(2,\)", r"\(3,\)"]),
    "bandpowers": ({"cl_Tg_uK": np.zeros(4)}, ["cl_Tg_uK", r"\(4,\)"]),
    "nan": (changed("cl_Tg_uK", 1, np.nan), ["cl_Tg_uK", "1 values", "not finite", r"\[1\]"]),
    "infinite covariance": (changed("cov_uK2", (0, 2), np.inf), ["cov_uK2", r"\[0, 2\]"]),
    "text": ({"cl_Tg_uK": np.array(["a", "b", "c"])}, ["cl_Tg_uK", "real numbers"]),
    "complex": ({"cl_Tg_uK": np.ones(3) * 1j}, ["cl_Tg_uK", "complex", "real numbers"]),
    "half multipole": (changed("ell_lo", 0, 10.5), ["ell_lo", "whole numbers"]),
    "monopole": (
        {"ell_lo": [1, 20, 30], "window_ell": np.arange(34)},
        ["ell_lo = 1 in bin 0", "l >= 2"],
    ),
    "empty bin": (changed("ell_hi", 1, 15), ["ell_hi = 15 in bin 1", "below ell_lo = 20"]),
    "overlap": (changed("ell_hi", 0, 20), [r"bins 0 \(10-20\) and 1 \(20-29\) overlap"]),
    "unsorted": (
        {"ell_lo": [20, 10, 30], "ell_hi": [29, 19, 39]},
        ["not in increasing order"],
    ),
    "window shape": ({"window": np.ones((3, 5))}, ["window has shape", r"\(3, 34\)"]),
    "gap in multipoles": (changed("window_ell", 5, 40), ["window_ell", "consecutive"]),
    "window too short": (
        {"window": content()["window"][:, :20], "window_ell": np.arange(8, 28)},
        ["spans 8-27", r"bin 1 \(20-29\)"],
    ),
    "not normalised": ({"window": 2.0 * content()["window"]}, ["row 0 sums to 2", "expected 1"]),
    "rows exchanged": ({"window": content()["window"][::-1]}, ["row 0 does not cover", "10-19"]),
    "covariance size": ({"cov_uK2": np.eye(2)}, ["cov_uK2", r"\(2, 2\)", r"\(3, 3\)"]),
    "asymmetric": (changed("cov_uK2", (0, 1), 9e-13), ["asymmetric", "7e-13"]),
    "not positive": (
        {"cov_uK2": np.diag([1.0, -2.0, 1.0])},
        ["smallest eigenvalue -2", "positive definite"],
    ),
    "singular": ({"cov_uK2": np.diag([1.0, 1e-13, 1.0])}, ["smallest eigenvalue 1e-13", "1e.12"]),
    "beam": ({"fwhm_arcmin": -1.0}, ["fwhm_arcmin = -1", "0 to 120"]),
    "beam of degrees": ({"fwhm_arcmin": 600.0}, ["fwhm_arcmin = 600"]),
    "frequency in Hz": ({"nu_GHz": 3.53e11}, ["nu_GHz = 3.53e.11", "10 to 1000"]),
    "frequency nan": ({"nu_GHz": np.nan}, ["nu_GHz", "not finite"]),
    "transfer shape": (
        {"transfer": np.ones(5)},
        ["transfer", r"\(5,\)", r"\(34,\)", "window_ell"],
    ),
    "transfer zero": ({"transfer": np.linspace(1.0, 0.0, 34)}, ["transfer", "= 0", "at most 2"]),
    "residual shape": (
        RESIDUAL | {"residual_uK": np.ones((2, 4))},
        ["residual_uK", r"\(2, 4\)", r"\(2, 3\)"],
    ),
    "residual nan": (RESIDUAL | changed("residual_uK", (0, 1), np.nan), ["residual_uK", "finite"]),
    "residual nothing": (RESIDUAL | changed("residual_uK", 0, 0.0), ["'cib_dT' is zero"]),
    "residual width": (RESIDUAL | changed("residual_sigma", 1, 0.0), ["'cib_dbeta' is 0", "> 0"]),
    "residual number of widths": (
        RESIDUAL | {"residual_sigma": np.ones(3)},
        ["residual_sigma", r"\(3,\)", r"\(2,\)"],
    ),
    "residual name": (
        RESIDUAL | {"residual_names": np.array(["cib-dT", "b"])},
        ["residual_names", "'cib-dT'", "underscores"],
    ),
    "residual twice": (
        RESIDUAL | {"residual_names": np.array(["cib", "cib"])},
        ["residual_names", "'cib'", "different"],
    ),
    "residual incomplete": (
        {"residual_uK": RESIDUAL["residual_uK"]},
        ["'residual_names' is missing beside 'residual_uK'"],
    ),
    "several frequencies": ({"nu_GHz": np.array([100.0, 353.0])}, ["nu_GHz", "one number"]),
}


@pytest.mark.parametrize(("changes", "words"), BAD.values(), ids=BAD)
def test_bad_content(tmp_path, changes, words):
    path = tmp_path / "broken.npz"
    np.savez(path, **content(**changes))
    with pytest.raises(DataError) as caught:
        read_bandpowers(path)
    assert str(path) in str(caught.value)
    for word in words:
        assert caught.match(word)


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key(tmp_path, key):
    fields = content()
    fields[f"{key}s"] = fields.pop(key)
    np.savez(tmp_path / "b.npz", **fields)
    with pytest.raises(DataError, match=f"key '{key}' is missing.*did you mean"):
        read_bandpowers(tmp_path / "b.npz")


def test_unreadable_files(tmp_path):
    good = write_bandpowers(tmp_path / "good.npz", Content(**content())).read_bytes()
    files = {"empty.npz": b"", "text.npz": b"not an archive", "cut.npz": good[: len(good) // 2]}
    damaged = bytearray(good)
    damaged[60:90] = b"\x00" * 30
    files["damaged.npz"] = bytes(damaged)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    np.save(tmp_path / "single.npy", np.zeros(3))
    np.savez(tmp_path / "pickle.npz", **content(cl_Tg_uK=np.array([1, None, "x"], object)))
    for name in (*files, "pickle.npz", "none.npz", "single.npy"):
        with pytest.raises(DataError, match=name):
            read_bandpowers(tmp_path / name)


def test_writing_is_atomic_and_refuses_other_endings(tmp_path):
    good = Content(**content())
    with pytest.raises(DataError, match=r"use the ending \.npz"):
        write_bandpowers(tmp_path / "bandpowers.fits", good)
    (tmp_path / "file").write_text("x")
    with pytest.raises(DiffaxionError, match="cannot write"):
        write_bandpowers(tmp_path / "file" / "b.npz", good)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
