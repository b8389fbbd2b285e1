"""Files of the main job, made from draws with known answers instead of a run."""

import csv
import html.parser
import json
import shutil
import subprocess

import equinox as eqx
import h5py
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.analyses import (
    Analysis,
    JointResult,
    MarginalLimit,
    limit_curves,
    marginal_limits,
    parse_configuration,
)
from diffaxion.analyses.checks import analysis_priors
from diffaxion.analyses.nuisances import uniform_g_draws
from diffaxion.environments.galaxy import (
    Galaxy,
    UniformDensity,
    UniformField,
    uniform_fractions,
)
from diffaxion.inference import ProfileResult, check_gates
from diffaxion.inference.posterior import Posterior
from diffaxion.observables.xray import ClusterSpectrum, PublishedShape, fold_grid
from diffaxion.products.joint_report import write_joint_products
from diffaxion.products.limit_files import read_limits
from diffaxion.provenance import provenance_record
from tests import xray_models as models

LN_L = "clusters.wd1.ln_luminosity"
MASSES = np.array([1e-13, 1e-12, 1e-11])
SHAPE = (4, 1200)


def settings(targets, fixed):
    mass = {"fixed_eV": 1e-12} if fixed else {}
    return parse_configuration(
        {
            "model": {"targets": list(targets)},
            "mass": mass,
            "priors": {LN_L: {"dist": "normal", "mean": 0.0, "sigma": 0.137}},
            "seed": 3,
        }
    )


def fake_posterior(analysis, spread, rng):
    """Independent draws of the prior in z, chains apart by ``spread`` in the coupling."""
    draws = {}
    for name, prior in zip(analysis.names, analysis.data.bindings.free_priors, strict=True):
        z = rng.normal(size=SHAPE)
        if name == "axion.u":
            z = 0.1 * z - 2.4 + spread * np.arange(SHAPE[0])[:, None]
        draws[f"{name}_std"] = z
        draws[name] = np.asarray(prior.from_standard(jnp.asarray(z)))
    for path, prior in zip(analysis.data.bindings.paths, analysis.data.bindings.priors):
        if not prior.free:
            draws[path] = np.full(SHAPE, float(prior.centre))
    no = np.zeros(SHAPE, bool)
    gates = check_gates(draws, no, no, fixed=frozenset(n for n in draws if n not in analysis.names))
    zero = np.zeros(SHAPE)
    run = {"chains": SHAPE[0], "draws": SHAPE[1]}
    return Posterior(draws, no, no, zero, zero, np.ones(SHAPE, int), gates, run)


def probe_of(spectrum):
    """Forward model with a made-up normalisation."""
    curve = jnp.asarray(spectrum.curve)
    shape = PublishedShape(curve, jnp.full_like(curve, 1e-5), jnp.array(2.6))
    grid = fold_grid(spectrum.low_keV, spectrum.high_keV, 1)
    return ClusterSpectrum(spectrum.target, "nustar", grid, uniform_fractions(32), shape, None, 1)


def make_result(targets, fixed, spread):
    """A result in a uniform field and density."""
    galaxy = Galaxy(UniformField(jnp.array([1.0, -2.0, 0.5])), UniformDensity(0.04), 8.3)
    world = eqx.tree_at(lambda w: w.galaxy, models.world(), galaxy)
    configuration = settings(targets, fixed)
    spectra = [models.spectrum(t) for t in targets]
    points = [s.points for s in spectra]
    probes = [probe_of(s) for s in spectra]
    # Both modes get the same curves: their names and places in the files are what counts here.
    scans = dict.fromkeys(("published", "anchored"), limit_curves(world, probes, points, MASSES))
    analysis = Analysis(world, analysis_priors(configuration), probes, points)
    posterior = fake_posterior(analysis, spread, np.random.default_rng(0))
    score, information = np.full(2000, 3e-3), np.full(2000, 4e-5)
    marginal = marginal_limits(score, information, 1600.0)
    index, g = uniform_g_draws(score, information, 1600.0, 3)
    flat = {n: posterior.flat(n)[index] for n in analysis.names if n != "axion.u"}
    headline = {"g_GeV": g, **flat}
    if not posterior.converged:
        failed = "the chains did not pass the convergence gates"
        marginal = [MarginalLimit(m.prior, float("nan"), m.kish, failed) for m in marginal]
        headline = {}
    limit = scans["published"][-1].strength
    dummy = jnp.zeros(3)
    profile = ProfileResult(
        limit, *[dummy[:, None]] * 4, *[dummy] * 3, dummy[:, None] > 1, dummy > 1
    )
    bayes = [MarginalLimit("uniform_g", 4e-12 + 1e-13 * k, 900.0) for k in range(3)]
    return JointResult(
        configuration,
        world,
        scans,
        analysis,
        posterior,
        marginal,
        headline,
        MASSES,
        profile,
        bayes,
        {"limit curves": 1.5, "posterior": 2.5},
        0.5,
    )


CASES = {
    "converged": (models.TARGETS, False, 0.0),
    "unconverged": (("wd1",), True, 0.5),
}


@pytest.fixture(scope="module", params=CASES)
def written(request, tmp_path_factory):
    """Case, result and its folder."""
    result = make_result(*CASES[request.param])
    folder = tmp_path_factory.mktemp(request.param)
    record = provenance_record(3, result.configuration.model_dump())
    write_joint_products(folder, result, record)
    return request.param, result, folder


def test_every_file_is_there(written):
    _, _, folder = written
    figures = {"limits.png", "signals.png", "corner.png", "nuisances.png"}
    texts = {"posterior.h5", "limits.csv", "significance.csv", "summary.json", "report.html"}
    assert {p.name for p in folder.iterdir()} == figures | texts | {"limits"}
    for name in figures:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_limit_curves_of_the_run(written):
    case, result, folder = written
    curves = {(c.curve, c.method): c for c in read_limits(folder / "limits.csv")}
    names = [*models.TARGETS, "joint"] if case == "converged" else ["wd1"]
    for name in names:
        for mode in ("", "-anchored"):
            assert {(name + mode, "pcl"), (name + mode, "q")} <= set(curves)
    profile, bayes = curves["joint", "profile-pcl"], curves["joint", "bayes"]
    assert bayes.prior == "uniform_g"
    np.testing.assert_allclose(bayes.limit, [b.g_95_GeV for b in result.bayes], rtol=1e-12)
    expected = result.profile.limit.to_coupling()
    np.testing.assert_allclose(profile.limit, expected.pcl, rtol=1e-12)
    np.testing.assert_allclose(profile.median, expected.median, rtol=1e-12)
    with (folder / "significance.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(names) * len(MASSES)


def test_posterior_file_holds_all_draws(written):
    case, result, folder = written
    with h5py.File(folder / "posterior.h5") as file:
        assert bool(file.attrs["converged"]) == (case == "converged")
        assert json.loads(file.attrs["provenance"])["seed"] == 3
        for name in result.analysis.names:
            np.testing.assert_array_equal(
                file[f"parameters/{name}"][:], result.posterior.draws[name]
            )
            assert file[f"standardised/{name}"].shape == SHAPE
        g = np.sqrt(result.posterior.draws["axion.u"]) * 1e-12
        np.testing.assert_allclose(file["parameters/g_GeV"][:], g, rtol=1e-14)
        assert set(file["sampler"]) >= {"diverging", "energy", "num_steps"}
        assert ("uniform_g" in file) == (case == "converged")
        if case == "converged":
            np.testing.assert_array_equal(file["uniform_g/g_GeV"][:], result.headline["g_GeV"])


def test_summary_is_the_contract(written):
    case, result, folder = written

    def forbid(text):
        raise AssertionError(f"{text} is not JSON")

    summary = json.loads((folder / "summary.json").read_text(), parse_constant=forbid)
    assert set(result.analysis.names) <= set(summary["parameters"])
    for name in result.analysis.names:
        row, draws = summary["parameters"][name], result.posterior.draws[name]
        keys = {"mean", "sd", "q05", "q50", "q95", "r_hat", "ess"}
        assert keys <= set(row)
        np.testing.assert_allclose(row["mean"], draws.mean(), rtol=1e-12)
        np.testing.assert_allclose(
            [row["q05"], row["q50"], row["q95"]], np.quantile(draws, [0.05, 0.5, 0.95])
        )
    assert summary["divergence_fraction"] == 0.0
    assert summary["converged"] is (case == "converged")
    assert bool(summary["reasons"]) == (case != "converged")
    assert len(summary["limits"]) == 3
    expected = result.profile.limit.to_coupling()
    for k, limit in enumerate(summary["limits"].values()):
        assert limit["m_a_eV"] == MASSES[k]
        assert (limit["prior"], limit["status"]) == ("uniform_g", "OK")
        assert limit["configuration"] == "published/jf12/ymw16"
        np.testing.assert_allclose(limit["g95_bayes"], result.bayes[k].g_95_GeV)
        np.testing.assert_allclose(limit["g95_profile"], expected.pcl[k])
    assert summary["wall_s"] == 4.0
    assert summary["compile_s"] == 0.5
    assert summary["seed"] == 3
    assert summary["versions"]["diffaxion"]
    assert [p["prior"].split()[0] for p in summary["prior_table"]] == [
        *("uniform_g", "uniform_g2", "uniform_g4", "log10_g")
    ]
    for row in summary["prior_table"]:
        assert (row["g95_GeV"] is None) == bool(row["refused"]) == (case != "converged")


class Links(html.parser.HTMLParser):
    """Everything that a browser would fetch or follow."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.found += [v for k, v in attrs if k in ("src", "href", "srcset", "data", "action")]


def test_report_is_one_file(written):
    """Figures are inside; links lead to its own sections; nothing is loaded, nothing runs."""
    case, _, folder = written
    text = (folder / "report.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(text)
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in links.found)
    assert sum(link.startswith("data:") for link in links.found) == 4
    assert not {"script", "link", "iframe", "object"} & set(links.tags)
    assert "@import" not in text
    assert "url(" not in text
    verdict = "passed all convergence gates" if case == "converged" else "DID NOT CONVERGE"
    assert verdict in text
    for words in ("not understood", LN_L, "2008.03305", "Works to cite", "log10_g in [-14, -10.5]"):
        assert words in text
    if case != "converged":
        assert "R-hat of" in text
        assert "refused" in text
        assert "mass fixed at 1e-12 eV" in text


def test_report_renders(written, tmp_path):
    """A page of the width of a telephone, with more than a blank sheet on it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next((b for b in map(shutil.which, names) if b), None)
    if browser is None:
        pytest.skip(f"none of {', '.join(names)} is installed")
    picture = tmp_path / "page.png"
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=412,3000"]
    command += [f"--screenshot={picture}", (written[2] / "report.html").as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    import matplotlib.image

    pixels = matplotlib.image.imread(picture)[..., :3]
    assert pixels.shape[1] == 412
    inked = np.mean(np.any(pixels < 0.9, axis=-1))
    assert 0.02 < inked < 0.9
