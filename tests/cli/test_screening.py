"""Screening through the command line: spectra against the reference, limits, files, exit status.

Commands with the same choices share one compiled program within the process, so that the default
tests use the configuration ``parity`` throughout; other programs are slow tests.
"""

import json
import warnings

import numpy as np
import pytest

from diffaxion.cli import main
from diffaxion.data import load_table, read_bandpowers
from diffaxion.observables.cmb import screening_sed
from diffaxion.products import read_limits
from tests.screening_toy import GG_ELL, Reference

ELL = (10, 100, 543, 1004, 1856)
PARITY = ("--configuration", "parity")
# Of the published curve, where the fiducial model of the recast is tabulated.
MASSES = load_table("limits_planck_unwise")["m_a_eV"][[50, 58, 76, 105]]
LIST = ",".join(repr(float(m)) for m in MASSES)


@pytest.fixture
def run(capsys):
    """Exit status, standard output and standard error of a command."""

    def call(*arguments):
        status = main([str(a) for a in arguments])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return call


@pytest.fixture
def predict(run):
    """The JSON object of a prediction without a warning."""

    def call(mass, *arguments, ell=ELL):
        where = ("--mass", repr(float(mass)), "--ell", ",".join(map(str, ell)))
        status, out, err = run("predict", "screening", *where, *arguments, "--json")
        assert status == 0
        assert err == ""
        assert len(out.splitlines()) == 1
        return json.loads(out)

    return call


def test_prediction_against_the_reference(shared, predict):
    """Within 0.25 % to l = 2000, with the physical sign, which the reference table lacks."""
    reference = Reference(shared)
    for mass, expected in zip(reference.m_a_eV, 100.0 * reference.at(ELL)):
        out = predict(mass, *PARITY)
        assert out["ell"] == list(ELL)
        assert max(out["cl_1h"] + out["cl_2h"]) < 0.0
        np.testing.assert_allclose(np.add(out["cl_1h"], out["cl_2h"]), out["cl"], rtol=1e-12)
        np.testing.assert_allclose(out["cl"], expected, rtol=2.5e-3)
        assert (out["units"], out["configuration"]) == ("uK", "parity")
        assert (out["m_a_eV"], out["coupling_GeV"], out["nu_GHz"]) == (mass, 1e-11, 353.0)


def test_prediction_scales_with_coupling_and_frequency(predict, tmp_path):
    base = np.array(predict(3e-13, *PARITY)["cl"])
    weaker = predict(3e-13, *PARITY, "--coupling", 2e-12)
    np.testing.assert_allclose(weaker["cl"], 0.04 * base, rtol=1e-12)
    assert predict(3e-13, *PARITY, "--coupling", 0)["cl"] == [0.0] * len(ELL)
    at_100 = predict(3e-13, *PARITY, "--frequency", 100)
    np.testing.assert_allclose(at_100["cl"], float(screening_sed(100.0)) * base, rtol=1e-9)
    assert at_100["overrides"] == {"nu_GHz": 100.0}
    band = tmp_path / "band.csv"
    band.write_text("nu_GHz,transmission\n" + "".join(f"{x},0.3\n" for x in (99, 100, 101)))
    narrow = predict(3e-13, *PARITY, "--passband", band)
    np.testing.assert_allclose(narrow["cl"], at_100["cl"], rtol=1e-3)
    assert narrow["cl"] != at_100["cl"]


def test_explicit_options_override_and_are_echoed(predict):
    base = predict(3e-13, *PARITY)
    assert base["overrides"] == {}
    assert base["options"]["field"] == "tng"
    assert base["options"]["constants"] == "public-code"
    other = predict(3e-13, *PARITY, "--hod", "K23")
    assert other["overrides"] == {"hod": "K23"}
    assert other["options"] == base["options"] | {"hod": "K23"}
    # The specification has 0.93-0.95 at l = 100 and 0.66-0.73 at 1000, for 3e-13 and 1e-12 eV.
    ratio = np.array(other["cl"]) / np.array(base["cl"])
    np.testing.assert_allclose(ratio[[1, 3]], [0.94, 0.70], atol=0.04)


def test_order_and_number_of_multipoles_do_not_matter(predict):
    base = predict(5e-13, *PARITY)
    few = predict(5e-13, *PARITY, ell=(1856, 100, 100.5, 100, 20))
    np.testing.assert_allclose(np.array(few["cl"])[[0, 1]], np.array(base["cl"])[[4, 1]], rtol=1e-9)
    assert few["cl"][1] < few["cl"][2] < 0.0


def test_a_mass_without_resonance_is_zero_with_one_warning(run, predict):
    where = ("--ell", ",".join(map(str, ELL)), *PARITY)
    status, out, err = run("predict", "screening", "--mass", 1e-13, *where, "--json")
    assert status == 0
    found = json.loads(out)
    assert found["cl"] == found["cl_1h"] == found["cl_2h"] == [0.0] * len(ELL)
    assert err.count("warning:") == len(err.splitlines()) == 1
    assert "m_a = 1e-13 eV" in err
    low, high = (float(x) for x in err.split("between ")[1].split(" eV")[0].split(" and "))
    # The range that the warning names is the one that works, to its printed digits.
    for inside, outside in ((1.02 * low, 0.98 * low), (0.98 * high, 1.02 * high)):
        assert predict(inside, *PARITY)["cl"][1] < 0.0
        _, out, err = run("predict", "screening", "--mass", outside, *where, "--json")
        assert json.loads(out)["cl"] == [0.0] * len(ELL)
        assert err.startswith("warning: ")


def test_prediction_as_text(run):
    """One line per quantity, explicit options marked."""
    where = ("--mass", 3e-13, "--ell", "10,100,543,1004,1856", *PARITY, "--hod", "K23")
    status, out, _ = run("predict", "screening", *where)
    assert status == 0
    lines = dict(line.split(None, 1) for line in out.splitlines())
    assert len(lines["cl"].split()) == len(ELL)
    assert lines["units"] == "uK"
    assert lines["hod"].split() == ["(given)", "K23"]
    assert lines["field"] == "tng"


@pytest.fixture(scope="module")
def limits(tmp_path_factory):
    """Folder with the results for recast, asimov, simulated noise, and the latter's file."""
    folder = tmp_path_factory.mktemp("screening")
    base = ["limit", "screening", *PARITY, "--masses", LIST, "--quiet"]
    for name, data in (
        ("recast", "recast"),
        ("asimov", "asimov"),
        ("noise", "noise:5"),
        ("file", str(folder / "noise/bandpowers.npz")),
    ):
        assert main([*base, "--data", data, "--out", str(folder / name)]) == 0
    return folder


def curves_of(folder):
    return {(c.method, c.prior.split(" ")[0]): c for c in read_limits(folder / "limits.csv")}


def test_limit_files(limits):
    """Every file of the contract, with its content."""
    for kind, curve in (
        ("recast", "screening-recast"),
        ("asimov", "screening-asimov"),
        ("noise", "screening-noise-5"),
        ("file", "screening-file"),
    ):
        out = limits / kind
        names = {p.name for p in out.iterdir()} - {"diffaxion-run.json"}
        expected = {"limits.csv", "limits", "limits.png", "bandpowers.png", "summary.json"}
        expected |= {"report.html", "provenance.json"}
        assert names == expected | ({"bandpowers.npz"} if kind == "noise" else set())
        header = (out / "limits.csv").read_text().splitlines()[0]
        assert header.startswith("curve,method,prior,m_a_eV,limit,median,minus1,plus1,plus2,status")
        curves = curves_of(out)
        priors = {"uniform_g", "uniform_g2", "uniform_g4", "log10_g"}
        assert set(curves) == {("bayes", p) for p in priors} | {("pcl", ""), ("q", "")}
        assert {c.curve for c in curves.values()} == {curve}
        for (method, prior), c in curves.items():
            np.testing.assert_allclose(c.m_a_eV, MASSES, rtol=1e-12)
            assert np.all((c.minus1 < c.median) & (c.median < c.plus1) & (c.plus1 < c.plus2))
            suffix = f"-{prior.replace('_', '-')}" if prior not in ("", "uniform_g") else ""
            path = out / f"limits/{curve}_{method}{suffix}.txt"
            if not c.ok.any():
                assert not path.exists()
                continue
            lines = path.read_text().splitlines()
            assert any("data: " in x for x in lines if x.startswith("#"))
            numbers = np.array([x.split() for x in lines if not x.startswith("#")], float)
            np.testing.assert_allclose(numbers[:, 1], c.limit[c.ok], rtol=1e-6)
        for name in ("limits.png", "bandpowers.png"):
            assert (out / name).read_bytes().startswith(b"\x89PNG")
        record = json.loads((out / "provenance.json").read_text())
        assert record["config"]["model"]["configuration"] == "parity"
        assert record["seed"] == (5 if kind == "noise" else None)
        report = (out / "report.html").read_text()
        assert report.count("data:image/png;base64") == 2
        assert "2409.10514" in report


def test_recast_with_the_models_of_the_paper_is_the_published_curve(limits):
    """R = 1 for ``parity``, so that the limit is the curve; the assumptions are stated."""
    summary = json.loads((limits / "recast/summary.json").read_text())
    for row in summary["masses"]:
        assert abs(row["R"] - 1.0) < 2e-3
        assert abs(row["R_over_R_norm"] - 1.0) < 1e-5
        assert abs(row["ratio_to_published"] - 1.0) < 1e-3
        assert row["u_hat"] == 0.0
    assert len(summary["assumptions"]) == 6
    report = (limits / "recast/report.html").read_text()
    for k in ("(i) ", "(ii) ", "(iii) ", "(iv) ", "(v) ", "(vi) "):
        assert any(text.startswith(k) for text in summary["assumptions"])
        assert k in report
    assert summary["chi2"] is summary["pte"] is None


def test_asimov_limits_are_the_expected_ones(limits):
    """Expected over published limit 1.06-1.16 with tSZ and CIB deprojected."""
    summary = json.loads((limits / "asimov/summary.json").read_text())
    assert "not a measurement" in summary["data"]["label"]
    assert (summary["chi2"], summary["dof"], summary["pte"]) == (0.0, 11, 1.0)
    for row in summary["masses"]:
        np.testing.assert_allclose(
            row["g95_GeV"]["uniform_g"], row["g95_expected_GeV"]["uniform_g"], rtol=1e-9
        )
        # The closed form of the posterior, 1.24728 sqrt(sigma).
        closed = 1.24728087e-12 * np.sqrt(row["sigma_u"])
        np.testing.assert_allclose(row["g95_GeV"]["uniform_g"], closed, rtol=1e-6)
        assert 1.06 < row["ratio_to_published"] < 1.16
    best = min(summary["masses"], key=lambda r: r["g95_GeV"]["uniform_g"])
    assert summary["strongest"]["m_a_eV"] == best["m_a_eV"] == MASSES[1]


def test_simulated_bandpowers_come_back_from_their_file(limits):
    """The file holds what the limits were made from: the same limits to rounding."""
    made, read = (curves_of(limits / name) for name in ("noise", "file"))
    assert set(made) == set(read)
    for key, curve in made.items():
        np.testing.assert_allclose(read[key].limit_raw, curve.limit_raw, rtol=1e-8)
        np.testing.assert_allclose(read[key].plus2, curve.plus2, rtol=1e-8)
    bandpowers = read_bandpowers(limits / "noise/bandpowers.npz")
    assert bandpowers.n_bins == 11
    assert (bandpowers.fwhm_arcmin, bandpowers.nu_GHz) == (0.0, 353.0)
    a, b = (json.loads((limits / k / "summary.json").read_text()) for k in ("noise", "file"))
    whitened = np.linalg.solve(np.linalg.cholesky(bandpowers.cov_uK2), bandpowers.cl_Tg_uK)
    np.testing.assert_allclose(a["chi2"], np.sum(whitened**2), rtol=1e-9)
    np.testing.assert_allclose(b["pte"], a["pte"], rtol=1e-8)
    assert (a["dof"], a["data"]["seed"]) == (11, 5)
    assert "simulated" in a["data"]["label"]
    assert a["data"]["label"] in b["data"]["label"]


def test_limits_on_the_screen_and_as_json(limits, run):
    base = ("limit", "screening", *PARITY, "--masses", LIST)
    out = limits / "screen"
    status, text, _ = run(*base, "--out", out)
    assert status == 0
    assert text.count("ratio ") == 4
    assert text.count("published 1.2") >= 1
    assert "(vi) the published limit" in text
    assert run(*base, "--out", out)[0] == 2
    status, text, _ = run(*base, "--out", out, "--overwrite", "--q-threshold", 3.84, "--json")
    assert status == 0
    summary = json.loads(text)
    assert summary == json.loads((out / "summary.json").read_text()) | {"folder": str(out)}
    before = json.loads((limits / "recast/summary.json").read_text())
    for new, old in zip(summary["masses"], before["masses"]):
        ratio = new["profile_GeV"]["q"] / old["profile_GeV"]["q"]
        np.testing.assert_allclose(ratio, (3.84 / 2.7055) ** 0.25, rtol=1e-4)
        assert new["g95_GeV"] == old["g95_GeV"]


def test_help_has_an_example(run):
    for command in (("predict", "screening"), ("limit", "screening")):
        status, out, _ = run(*command, "--help")
        assert status == 0
        assert f"Example: diffaxion {' '.join(command)}" in " ".join(out.split())


@pytest.mark.slow
def test_galaxy_spectrum_of_the_specification(predict):
    """Printed to five digits for the spectrum of Eisenstein and Hu without rescaling."""
    out = predict(
        3e-13, *PARITY, "--power", "eisenstein-hu", "--spectrum", "gg", ell=map(int, GG_ELL)
    )
    one = [2.9150e-7, 2.8070e-7, 2.5328e-7, 2.1037e-7, 1.2328e-7]
    two = [2.5353e-6, 4.7790e-7, 1.2311e-7, 4.0616e-8, 7.7750e-9]
    np.testing.assert_allclose(out["cl_1h"], one, rtol=1e-4)
    np.testing.assert_allclose(out["cl_2h"], two, rtol=1e-4)
    assert out["units"] == "dimensionless"
    again = predict(
        1e-14, *PARITY, "--power", "eisenstein-hu", "--spectrum", "gg", "--coupling", 1e-13,
        ell=map(int, GG_ELL),
    )  # fmt: skip
    assert again["cl"] == out["cl"]


@pytest.mark.slow
def test_temperature_spectrum_of_the_default(predict):
    """Printed for the default at 3e-13 eV as a check at 3 %."""
    out = predict(3e-13, "--spectrum", "TT", ell=(100, 1000, 2000))
    np.testing.assert_allclose(out["cl_1h"], [1.594e-4, 2.867e-5, 1.402e-5], rtol=0.03)
    np.testing.assert_allclose(out["cl_2h"], [2.897e-4, 4.31e-6, 7.1e-7], rtol=0.03)
    assert out["units"] == "uK^2"
    half = predict(3e-13, "--spectrum", "TT", "--coupling", 5e-12, ell=(100, 1000, 2000))
    np.testing.assert_allclose(half["cl"], np.array(out["cl"]) / 16.0, rtol=1e-12)


@pytest.mark.slow
def test_dark_photon(predict):
    """epsilon^2, and (1 - e^-x)/x^2 in frequency: 10.34 times more at 100 than at 353 GHz."""
    kind = ("--boson", "dark-photon")
    base = np.array(predict(3e-13, *kind, ell=(100, 1000))["cl"])
    assert np.all(base < 0.0)
    more = predict(3e-13, *kind, "--epsilon", 3e-8, ell=(100, 1000))
    assert more["epsilon"] == 3e-8
    np.testing.assert_allclose(more["cl"], 9.0 * base, rtol=1e-12)
    at_100 = predict(3e-13, *kind, "--frequency", 100, ell=(100, 1000))
    np.testing.assert_allclose(at_100["cl"] / base, 10.34, rtol=1e-3)


@pytest.mark.slow
def test_models_from_files(predict, tmp_path):
    """A table of a constant field is the constant field, and 2 muG is four times 1 muG."""
    path = tmp_path / "field.csv"
    radii = np.geomspace(0.05, 2.0, 12)
    path.write_text("x,B_muG\n" + "".join(f"{x:.8g},2.0\n" for x in radii))
    table = predict(5e-13, "--field", path, ell=(100, 1000))
    constant = predict(5e-13, "--field", "constant:1", ell=(100, 1000))
    np.testing.assert_allclose(table["cl"], 4.0 * np.array(constant["cl"]), rtol=1e-6)
    capped = predict(5e-13, "--field", "beta:100", "--mass-cap", 3.16e14, ell=(100, 1000))
    free = predict(5e-13, "--field", "beta:10", ell=(100, 1000))
    ratio = 10.0 * np.array(capped["cl"]) / np.array(free["cl"])
    assert np.all((ratio > 0.4) & (ratio < 0.9))


@pytest.mark.slow
def test_default_limits(tmp_path):
    """The recast of the default is 2-7 % weaker than the published curve above 3e-13 eV."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(["limit", "screening", "--out", str(tmp_path / "out"), "--quiet"]) == 0
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert len(summary["masses"]) == 70
    ratio = {r["m_a_eV"]: r["ratio_to_published"] for r in summary["masses"]}
    middle = [v for m, v in ratio.items() if 3e-13 < m < 2.3e-12]
    assert min(middle) > 1.02
    assert max(middle) < 1.07
