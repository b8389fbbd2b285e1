"""Bad input through the command line: status 2, a message that helps, nothing written.

Each row names a command, what is wrong with it and what the message must contain: the value or
file, and what was expected. All errors come before any heavy computation.
"""

import json
import shlex
import warnings

import numpy as np
import pytest

from diffaxion.cli import main
from tests.standing.bad_maps import MAPS_FILES, MAPS_OTHERS, MAPS_RUN
from tests.standing.bad_screening import LIMIT_SCREENING, SCREENING, SCREENING_FILES
from tests.standing.bad_xray import (
    JOINT_IMAGES,
    JOINT_TEMPLATES,
    LIMIT_DATA,
    LIMIT_JOINT_IMAGES,
    XRAY_FILES,
    XRAY_FIT,
    XRAY_FLUX,
    XRAY_SIMULATE,
)

STAR = "30,4e7,H1=0.7:He4=0.28:C12=0.01"
SIGHT = "--mass 1e-12 --energy 10"
TOWARD = f"--target quintuplet {SIGHT}"
PROFILE_COLUMNS = "radius_Rsun,density_g_cm3,temperature_K,X_H,X_He,X_C"
SPECTRUM_COLUMNS = "energy_keV,half_width_keV,flux,error"


def profile(**changes):
    """Text of a profile of 40 zones; ``density=(3, -1)`` puts -1 into the fourth zone."""
    x = np.linspace(1.0, 0.025, 40)
    table = {
        "radius_Rsun": 2.0 * x,
        "density_g_cm3": 100.0 * (1.01 - x),
        "temperature_K": 4e7 * (1.01 - x),
        "X_H": np.full(40, 0.7),
        "X_He": np.full(40, 0.28),
        "X_C": np.full(40, 0.01),
    }
    for name, (row, value) in changes.items():
        table[name][row] = value
    rows = [",".join(f"{v:.8g}" for v in row) for row in zip(*table.values())]
    return "\n".join([PROFILE_COLUMNS, *rows]) + "\n"


def spectrum(energy=None, **changes):
    """Text of flux points in the 14 bins of Quintuplet."""
    energy = np.arange(12.5, 80.0, 5.0) if energy is None else np.asarray(energy, float)
    table = {
        "energy_keV": energy,
        "half_width_keV": np.full(energy.size, 2.5),
        "flux": np.full(energy.size, 0.1),
        "error": np.full(energy.size, 0.2),
    }
    for name, (row, value) in changes.items():
        table[name][row] = value
    rows = [",".join(f"{v:.8g}" for v in row) for row in zip(*table.values())]
    return "\n".join([SPECTRUM_COLUMNS, *rows]) + "\n"


def prior(path, **settings):
    """Text of a configuration with one prior."""
    return f'[priors."{path}"]\n' + "\n".join(f"{k} = {v!r}" for k, v in settings.items())


FILES = (
    SCREENING_FILES
    | MAPS_FILES
    | XRAY_FILES
    | {
        "good.csv": profile(),
        "binary.csv": b"\x00\xff\xfe\x80\x81",
        "empty.csv": "",
        "cut.csv": profile()[:-25],
        "half.csv": "\n".join(profile().splitlines()[:22]),
        "columns.csv": profile().replace("temperature_K", "pressure"),
        "elements.csv": profile().replace("X_", "Y_"),
        "cold.csv": profile(temperature_K=(3, -1e6)),
        "light.csv": profile(density_g_cm3=(5, -2.0)),
        "rich.csv": profile(X_He=(6, 0.5)),
        "broken.toml": "[model\n",
        "key.toml": "[model]\nfeild = 'jf12'\n",
        "section.toml": "[sampling]\ndraws = 10\n",
        "type.toml": "[mass]\ngrid_points = 'many'\n",
        "field.toml": "[model]\nfield = 'jf13'\n",
        "target.toml": "[model]\ntargets = ['quintuplets']\n",
        "arches.toml": "[model]\ntargets = ['arches']\n",
        "twice.toml": "[model]\ntargets = ['wd1', 'wd1']\n",
        "masses.toml": "[mass]\nprior_eV = [1e-11, 1e-13]\n",
        "path.toml": prior("galaxy.field.outer.b_xx_muG", dist="normal", mean=4, sigma=1),
        "prior.toml": prior("galaxy.field.outer.b_x_muG", dist="norml", mean=4, sigma=1),
        "sigma.toml": prior("galaxy.field.outer.b_x_muG", dist="normal", mean=4, sigma=-1),
        "support.toml": prior("clusters.wd1.distance_kpc", dist="uniform", low=1, high=2),
        "idle.toml": prior("clusters.wd1.tilt", dist="normal", mean=0.0, sigma=1.0),
        "coupling.toml": prior("axion.u", dist="uniform", low=0, high=9),
        "zero.csv": spectrum(error=(2, 0.0)),
        "negative.csv": spectrum(error=(3, -0.1)),
        "nan.csv": spectrum(error=(4, np.nan)),
        "flux.csv": spectrum(flux=(4, np.inf)),
        "text.csv": spectrum().replace("0.1,0.2", "0.1,abc"),
        "short.csv": spectrum().replace("12.5,2.5,", "12.5,"),
        "nocolumn.csv": spectrum().replace("error", "errors"),
        "overlap.csv": spectrum(energy=[12.5, 15.5, 20.5]),
        "unsorted.csv": spectrum(energy=[22.5, 17.5, 12.5]),
        "outside.csv": spectrum(energy=[72.5, 77.5, 82.5]),
        "few.csv": spectrum(energy=[12.5, 17.5]),
        "results/notes.txt": "not of diffaxion",
        "mine/diffaxion-run.json": '{"command": "limit"}',
        "mine/limits.csv": "precious",
        "old.toml": "seed = 7\n",
    }
)

LUMINOSITY = {
    "no star": ("", ["exactly one of", "--profile", "--star"]),
    "both": (f"--profile good.csv --star {STAR}", ["exactly one of"]),
    "missing file": ("--profile none.csv", ["none.csv", "No such file"]),
    "binary file": ("--profile binary.csv", ["binary.csv"]),
    "empty file": ("--profile empty.csv", ["empty.csv"]),
    "cut line": ("--profile cut.csv", ["cut.csv", "line 41", "expected 6", "truncated"]),
    "no core": ("--profile half.csv", ["half.csv", "centre", "truncated"]),
    "no temperature": (
        "--profile columns.csv",
        ["columns.csv", "no temperature column", "temperature_K", "pressure"],
    ),
    "no isotopes": ("--profile elements.csv", ["elements.csv", "X_H"]),
    "negative temperature": (
        "--profile cold.csv",
        ["cold.csv", "line 5", "-1e+06", "expected a finite number > 0"],
    ),
    "negative density": (
        "--profile light.csv",
        ["light.csv", "line 7", "-2", "expected a finite number > 0"],
    ),
    "fractions in a profile": (
        "--profile rich.csv",
        ["rich.csv", "line 8", "1.2100", "at most 1.01"],
    ),
    "fractions of a star": ("--star 30,4e7,H1=0.7:He4=0.5", ["1.2000", "at most 1.01"]),
    "negative fraction": ("--star 30,4e7,H1=0.7:He4=-0.1", ["-0.1", "expected 0..1"]),
    "isotope": ("--star 30,4e7,H1=0.7:Hx4=0.28", ["'hx4'", "He4"]),
    "form of a star": ("--star 30,4e7", ["30,4e7", "MASS_MSUN,TC_K,COMPOSITION"]),
    "mass 0": ("--star 0,4e7,H1=1", ["mass = 0.0 Msun", "> 0"]),
    "mass negative": ("--star -3,4e7,H1=1", ["mass = -3.0 Msun", "> 0"]),
    "mass nan": ("--star nan,4e7,H1=1", ["nan,4e7", "finite"]),
    "temperature 0": ("--star 30,0,H1=1", ["temperature = 0.0 K", "> 0"]),
    "coupling": (f"--star {STAR} --coupling -1e-12", ["-1e-12", ">= 0"]),
    "coupling nan": (f"--star {STAR} --coupling nan", ["nan", ">= 0"]),
    "band": (f"--star {STAR} --band 80,10", ["80,10", "0 < LO < HI"]),
    "band of one": (f"--star {STAR} --band 80", ["--band", "80", "LO,HI"]),
    "shells": ("--profile good.csv --shells thinn", ["thinn", "thin"]),
    "not a number": (f"--star {STAR} --coupling strong", ["--coupling", "valid number"]),
    "unknown option": (f"--star {STAR} --bands 1,2", ["--bands", "--band"]),
}

CONVERSION = {
    "no sight line": (SIGHT, ["--target", "--longitude"]),
    "two sight lines": (
        f"{TOWARD} --longitude 0 --latitude 0 --distance 8",
        ["--target", "--distance"],
    ),
    "half a sight line": (f"{SIGHT} --longitude 3", ["--latitude", "go together"]),
    "distance": (
        f"{SIGHT} --longitude 3 --latitude 0 --distance -2",
        ["--distance = -2 kpc", "> 0"],
    ),
    "distance 0": (
        f"{SIGHT} --longitude 3 --latitude 0 --distance 0",
        ["--distance = 0 kpc", "> 0"],
    ),
    "latitude": (
        f"{SIGHT} --longitude 3 --latitude 91 --distance 2",
        ["--latitude = 91", "-90 and 90"],
    ),
    "longitude": (
        f"{SIGHT} --longitude nan --latitude 0 --distance 2",
        ["--longitude = nan", "finite"],
    ),
    "sun": (f"{TOWARD} --sun 0", ["--sun = 0 kpc", "> 0"]),
    "mass 0": ("--target wd1 --energy 10 --mass 0", ["--mass = 0 eV", "> 0", "1e-16"]),
    "mass": ("--target wd1 --energy 10 --mass -1e-12", ["--mass = -1e-12 eV", "> 0"]),
    "mass inf": ("--target wd1 --energy 10 --mass inf", ["--mass = inf eV", "finite"]),
    "energy": ("--target wd1 --mass 1e-12 --energy 10,nan", ["10,nan", "finite", "keV"]),
    "energy 0": ("--target wd1 --mass 1e-12 --energy 10,0", ["--energy = 0 keV", "> 0"]),
    "energy text": ("--target wd1 --mass 1e-12 --energy ten", ["ten", "numbers [keV]"]),
    "no energy": ("--target wd1 --mass 1e-12", ["--energy"]),
    "coupling": (f"{TOWARD} --coupling -1", ["--coupling = -1", ">= 0"]),
    "column": (f"{TOWARD} --column -1", ["--column = -1", ">= 0"]),
    "soft energy with a column": (
        "--target wd1 --mass 1e-12 --energy 2 --column 6",
        ["= 2", "5-80 keV"],
    ),
    "hard energy with a column": (
        "--target wd1 --mass 1e-12 --energy 10,90 --column 6",
        ["= 90", "5-80 keV"],
    ),
    "field": (f"{TOWARD} --field jf13", ["'jf13'", "'jf12'"]),
    "inner": (f"{TOWARD} --inner masks", ["'masks'", "'mask'"]),
    "inner_bz": (f"{TOWARD} --inner-bz inf", ["--inner-bz = inf", "finite"]),
    "density": (f"{TOWARD} --density ymw17", ["'ymw17'", "'ymw16'"]),
    "target": (f"--target quintuple {SIGHT}", ["'quintuple'", "'quintuplet'"]),
    "turbulence": (f"{TOWARD} --turbulence jf12c", ["'jf12c'", "'jf12b'"]),
    "engine": (f"{TOWARD} --engine borne", ["'borne'", "'born'"]),
    "nodes": (f"{TOWARD} --nodes 1", ["--nodes = 1", "at least 2"]),
    "ne2001 elsewhere": (
        f"{SIGHT} --longitude 3 --latitude 0 --distance 2 --density ne2001",
        ["ne2001", "quintuplet", "wd1", "ymw16"],
    ),
    "ne2001 of arches": (f"--target arches {SIGHT} --density ne2001", ["arches"]),
    "mask and B_z": (f"{TOWARD} --mask-inner --inner-bz 3", ["exclude each other"]),
    "mask and inner": (f"{TOWARD} --mask-inner --inner strong", ["excludes", "--inner"]),
}

LIMIT = {
    "no file": ("none.toml", ["none.toml", "cannot be read"]),
    "not TOML": ("broken.toml", ["broken.toml", "not TOML"]),
    "key": ("key.toml", ["key.toml", "model.feild", "'field'"]),
    "section": ("section.toml", ["section.toml", "sampling", "'sampler'"]),
    "type": ("type.toml", ["type.toml", "grid_points", "'many'", "integer"]),
    "field": ("field.toml", ["'jf13'", "'jf12'"]),
    "target": ("target.toml", ["'quintuplets'", "'quintuplet'"]),
    "no spectrum": ("arches.toml", ["'arches'", "no published spectrum", "quintuplet"]),
    "same target": ("twice.toml", ["wd1", "different names"]),
    "signal": ("--signal anchor", ["'anchor'", "'anchored'"]),
    "masses": ("--masses 1e-9:1e-13:5", ["1e-9:1e-13:5", "LO < HI"]),
    "masses 0": ("--masses 0,1e-12", ["0,1e-12", "> 0"]),
    "masses nan": ("--masses nan", ["nan", "finite"]),
    "masses text": ("--masses 1:2", ["1:2", "LO:HI:N"]),
    "form": ("--spectrum quintuplet", ["'quintuplet'", "TARGET=FILE"]),
    "whose": ("--spectrum quintuple=nan.csv", ["'quintuple'", "'quintuplet'"]),
    "existing results": ("--out mine", ["mine", "--overwrite"]),
    "foreign folder": ("--out results", ["results", "did not write", "--out"]),
    "foreign folder, overwrite": ("--out results --overwrite", ["results", "did not write"]),
    "a file": ("--out old.toml", ["old.toml", "folder"]),
    **{
        f"spectrum: {name}": (f"--spectrum quintuplet={file}", [file, *words])
        for name, file, words in (
            ("missing", "none.csv", ["cannot be read"]),
            ("not text", "binary.csv", ["cannot be read"]),
            ("empty", "empty.csv", ["no data rows"]),
            ("zero error", "zero.csv", ["line 4", "error = 0.0", "> 0"]),
            ("negative error", "negative.csv", ["line 5", "error = -0.1", "> 0"]),
            ("nan error", "nan.csv", ["line 6", "error = nan", "> 0"]),
            ("infinite flux", "flux.csv", ["line 6", "flux = inf", "finite"]),
            ("a word", "text.csv", ["line 2", "not a number"]),
            ("three cells", "short.csv", ["line 2", "3 values, expected 4"]),
            ("no column", "nocolumn.csv", ["'error'", "errors"]),
            ("other bins", "few.csv", ["14 bins", "--signal anchored"]),
        )
    },
    **{
        f"bins: {name}": (f"--signal anchored --spectrum quintuplet={name}.csv", words)
        for name, words in (
            ("outside", ["spectrum of quintuplet", "70-85 keV", "effective area", "drop the bins"]),
            ("overlap", ["overlap.csv", "disjoint"]),
            ("unsorted", ["unsorted.csv", "increasing"]),
        )
    },
}

JOINT = {
    "path": ("path.toml", ["galaxy.field.outer.b_xx_muG", "galaxy.field.outer.b_x_muG"]),
    "distribution": ("prior.toml", ["'norml'", "'normal'"]),
    "width": ("sigma.toml", ["b_x_muG", "sigma", "-1"]),
    "support": ("support.toml", ["clusters.wd1.distance_kpc", "= 2.6", "Uniform(1, 2)"]),
    "no effect": ("idle.toml", ["clusters.wd1.tilt", "no effect", "'anchored'"]),
    "coupling": ("coupling.toml", ["axion.u", "[coupling]"]),
    "mass range": ("masses.toml", ["mass.prior_eV", "[1e-11, 1e-13]", "low < high"]),
    "seed": ("--seed one", ["--seed", "valid integer"]),
    "existing results": ("--out mine", ["mine", "--overwrite"]),
}

OTHERS = {
    "init": ("init old.toml", ["old.toml", "exists already"]),
    "cite": ("cite key.toml", ["model.feild", "'field'"]),
    "command": ("jiont", ["jiont"]),
    "subcommand": ("predict conversions", ["conversions"]),
    "nothing": ("", ["Usage", "Commands"]),
}

TABLE = [
    pytest.param(f"{command} {arguments}", words, id=f"{command or 'other'}: {name}")
    for command, rows in (
        ("predict luminosity", LUMINOSITY),
        ("predict conversion", CONVERSION),
        ("predict screening", SCREENING),
        ("limit xray", LIMIT | LIMIT_DATA),
        ("limit screening", LIMIT_SCREENING),
        ("joint", JOINT | JOINT_IMAGES | JOINT_TEMPLATES),
        ("limit joint", LIMIT_JOINT_IMAGES),
        ("xray simulate", XRAY_SIMULATE),
        ("xray fit", XRAY_FIT),
        ("xray flux", XRAY_FLUX),
        ("maps run", MAPS_RUN),
        *MAPS_OTHERS.items(),
        ("", OTHERS),
    )
    for name, (arguments, words) in rows.items()
]


def write_files(folder):
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("input")
    write_files(path)
    return path


@pytest.mark.parametrize(("arguments", "words"), TABLE)
def test_bad_input(folder, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(folder)
    before = contents(folder)
    assert main(shlex.split(arguments)) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    for word in words:
        assert word in shown.err
    assert "Traceback" not in shown.err
    assert contents(folder) == before


def test_a_low_sum_of_fractions_is_a_warning(capsys):
    """The result stands, with the caveat on standard error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(["predict", "luminosity", "--star", "30,4e7,H1=0.7:He4=0.2", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["total_erg_s"] > 0.0
    assert shown.err.startswith("warning: ")
    assert "0.9000 < 0.98" in shown.err


@pytest.mark.parametrize(("t_c", "flagged"), [("4e8", False), ("5.1e8", True)])
def test_a_core_beyond_the_model_is_flagged(capsys, t_c, flagged):
    """log10(T_c/K) > 8.7 is computed, and said."""
    star = f"30,{t_c},He4=0.98:C12=0.02"
    assert main(["predict", "luminosity", "--star", star, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outside_validity"] is flagged
