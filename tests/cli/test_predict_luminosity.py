"""``predict luminosity``: numbers, messages and text output."""

import json
import warnings

import pytest
import typer
from typer.testing import CliRunner

from diffaxion.cli.predict_luminosity import predict_luminosity, register
from diffaxion.errors import ConfigurationError, DataError, DiffaxionWarning, ValidityError

STAR = "30,4e7,H1=0.7:He4=0.28:C12=0.01"


@pytest.fixture
def app():
    group = typer.Typer()
    register(group)
    group.callback()(lambda: None)
    return group


def run(app, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiffaxionWarning)
        return CliRunner().invoke(app, ["luminosity", *arguments])


def test_profile_with_published_convention(app, shared):
    path = str(shared / "data/ssc/mesa_profile_wc.csv")
    result = run(app, "--profile", path, "--shells", "thin", "--json")
    assert result.exit_code == 0
    out = json.loads(result.output)
    assert out["total_erg_s"] == pytest.approx(8.20602e33, rel=1e-4)
    assert out["band_erg_s"] == pytest.approx(5.99801e33, rel=1e-4)
    assert out["mean_energy_keV"] == pytest.approx(46.7058, rel=1e-4)
    exact = json.loads(run(app, "--profile", path, "--json").output)
    assert exact["total_erg_s"] == pytest.approx(7.9988e33, rel=1e-3)
    assert exact["band_erg_s"] == pytest.approx(5.8642e33, rel=1e-3)
    assert exact["outside_validity"] is False


def test_coupling_enters_squared(app):
    one = predict_luminosity(star=STAR)
    two = predict_luminosity(star=STAR, coupling_GeV=3e-12)
    assert two["total_erg_s"] == pytest.approx(9 * one["total_erg_s"], rel=1e-14)
    assert two["mean_energy_keV"] == one["mean_energy_keV"]
    dark = predict_luminosity(star=STAR, coupling_GeV=0.0)
    assert dark["band_erg_s"] == 0.0


def test_text_output_and_help(app):
    result = run(app, "--star", STAR, "--band", "5,40")
    assert result.exit_code == 0
    assert "total_erg_s" in result.output
    assert "Example: diffaxion predict luminosity" in run(app, "--help").output


def test_hot_star_is_flagged():
    result = predict_luminosity(star="9,8e8,C12=0.5:O16=0.5")
    assert result["outside_validity"] is True
    assert result["flags"]["relativistic"] > 0.1


def test_incomplete_composition_is_announced():
    with pytest.warns(DiffaxionWarning, match="remainder_zeta"):
        low = predict_luminosity(star="30,4e7,H1=0.9")
    high = predict_luminosity(star="30,4e7,H1=0.9", remainder_zeta=4.0)
    assert high["total_erg_s"] > low["total_erg_s"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((), ConfigurationError, "exactly one"),
        (("--star", "30,4e7"), ConfigurationError, "MASS_MSUN,TC_K"),
        (("--star", "thirty,4e7,H1=1"), ConfigurationError, "thirty"),
        (("--star", "-30,4e7,H1=1"), ValidityError, "mass = -30"),
        (("--star", "30,0,H1=1"), ValidityError, "central temperature"),
        (("--star", "30,4e7,H1=0.8:He4=0.3"), DataError, "sum to 1.1"),
        (("--star", STAR, "--shells", "thin"), ConfigurationError, "--profile only"),
        (("--star", STAR, "--coupling", "-1e-12"), ValidityError, "coupling"),
        (("--star", STAR, "--band", "80,10"), ConfigurationError, "0 < LO < HI"),
        (("--star", STAR, "--band", "10"), ConfigurationError, "two energies"),
        (("--star", STAR, "--remainder-zeta", "-1"), ConfigurationError, "remainder_zeta"),
        (("--profile", "absent.data"), DataError, "cannot be read"),
    ],
)
def test_bad_input(app, arguments, error, message):
    result = run(app, *arguments)
    assert isinstance(result.exception, error)
    assert message in str(result.exception)
    assert result.exception.exit_code == 2
