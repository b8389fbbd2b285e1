"""Files of the main job, made from draws with known answers instead of a run."""

import csv
import html.parser
import json
import shutil
import subprocess

import h5py
import numpy as np
import pytest

from diffaxion.analyses.impacts import IMPACT_MIN
from diffaxion.likelihoods.recast import RECAST_ASSUMPTIONS
from diffaxion.products.joint_curves import bayes_curve, limit_at, nuisance_curves, profile_curve
from diffaxion.products.joint_figures import corner_draws, ranked_nuisances, standardised_draws
from diffaxion.products.joint_report import write_joint_products
from diffaxion.products.joint_summary import limit_entries, own_limit
from diffaxion.products.joint_tables import nuisance_table, prior_source
from diffaxion.products.limit_files import LimitCurve, read_limits
from diffaxion.provenance import provenance_record
from tests.joint_result import GRID, MASSES, SHAPE, make_result, priors

VOID = {"meta", "img", "br", "hr", "link"}
# Both halves and both posteriors; and X rays alone with chains that disagree.
CASES = {
    "converged": {},
    "unconverged": {
        "likelihoods": {"cmb": "none"},
        "posteriors": ("fixed",),
        "spread": 0.5,
        "variants": False,
    },
}


@pytest.fixture(scope="module", params=CASES)
def written(request, tmp_path_factory):
    """Case, result and its folder."""
    result = make_result(**CASES[request.param])
    folder = tmp_path_factory.mktemp(request.param)
    record = provenance_record(3, result.configuration.model_dump())
    write_joint_products(folder, result, record)
    return request.param, result, folder


def summary_of(folder, name):
    def forbid(text):
        raise AssertionError(f"{text} is not JSON")

    return json.loads((folder / name).read_text(), parse_constant=forbid)


def test_every_file_is_there(written):
    case, _, folder = written
    figures = {"limits.png", "signals.png", "corner.png", "nuisances.png"}
    texts = {"posterior.h5", "limits.csv", "significance.csv", "summary.json", "report.html"}
    if case == "converged":
        figures |= {"corner_mass.png", "nuisances_mass.png"}
        texts |= {"posterior_mass.h5", "summary_mass.json"}
    assert {p.name for p in folder.iterdir()} == figures | texts | {"limits"}
    for name in figures:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_limit_curves_of_the_run(written):
    case, result, folder = written
    curves = {(c.curve, c.method): c for c in read_limits(folder / "limits.csv")}
    for name in ("quintuplet", "wd1", "xray"):
        for mode in ("", "-anchored"):
            assert {(name + mode, "pcl"), (name + mode, "q")} <= set(curves)
            assert curves[name + mode, "pcl"].m_a_eV.size == GRID.size
    names = ["joint", "xray", "cmb"] if case == "converged" else ["xray"]
    assert [c.name for c in result.curves] == names
    assert ("joint", "pcl") not in curves, "the X-ray scan is not the joint limit"
    for found in result.curves:
        profile, bayes = curves[found.name, "profile-pcl"], curves[found.name, "bayes"]
        assert bayes.prior == "uniform_g"
        np.testing.assert_allclose(bayes.limit_raw, [b.g_95_GeV for b in found.bayes], rtol=1e-12)
        expected = found.profile.limit.to_coupling(1e-12, found.order)
        np.testing.assert_allclose(profile.limit[profile.ok], expected.pcl[profile.ok], rtol=1e-12)
        text = (folder / f"limits/{found.name}_profile-pcl.txt").read_text()
        assert "profiled or marginalised" in text
        assert sum(not x.startswith("#") for x in text.splitlines()) == profile.ok.sum()
    if case == "converged":
        assert ("joint-anchor-paper", "bayes") in curves
        # Where no halo resonates the CMB says nothing, and no number stands there.
        cmb = curves["cmb", "profile-pcl"]
        assert list(cmb.status[[0, -1]]) == ["NO_SENSITIVITY"] * 2
        assert curves["cmb", "bayes"].status[0] == "NOT_BRACKETED"
        assert "left out" in (folder / "limits/cmb_profile-pcl.txt").read_text()
    assert "fixed at their fiducial values" in (folder / "limits/wd1_pcl.txt").read_text()
    with (folder / "significance.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2 * 3 * GRID.size


def test_posterior_files_hold_all_draws(written):
    case, result, folder = written
    for run, name in zip(result.runs, ("posterior.h5", "posterior_mass.h5")):
        with h5py.File(folder / name) as file:
            assert bool(file.attrs["converged"]) == (case == "converged")
            assert json.loads(file.attrs["provenance"])["seed"] == 3
            for path in run.analysis.names:
                np.testing.assert_array_equal(
                    file[f"parameters/{path}"][:], run.posterior.draws[path]
                )
                assert file[f"standardised/{path}"].shape == SHAPE
            g = np.sqrt(run.posterior.draws["axion.u"]) * 1e-12
            np.testing.assert_allclose(file["parameters/g_GeV"][:], g, rtol=1e-14)
            assert set(file["sampler"]) >= {"diverging", "energy", "num_steps"}
            assert ("uniform_g" in file) == (case == "converged")


def test_parameters_of_the_summaries(written):
    case, result, folder = written
    keys = {"mean", "sd", "q05", "q50", "q95", "r_hat", "ess", "ess_bulk", "ess_tail"}
    for run, name in zip(result.runs, ("summary.json", "summary_mass.json")):
        summary = summary_of(folder, name)
        assert set(summary["parameters"]) == set(run.analysis.names)
        assert summary["fixed"] == {"clusters.wd1.column_1e22_cm2": 2.0}
        for path, row in summary["parameters"].items():
            draws = run.posterior.draws[path]
            assert set(row) == keys
            assert row["ess"] == min(row["ess_bulk"], row["ess_tail"])
            np.testing.assert_allclose(row["mean"], draws.mean(), rtol=1e-12)
            np.testing.assert_allclose(
                [row["q05"], row["q50"], row["q95"]], np.quantile(draws, [0.05, 0.5, 0.95])
            )
        assert summary["divergence_fraction"] == 0.0
        assert summary["converged"] is (case == "converged")
        assert bool(summary["reasons"]) == (case != "converged")
        assert summary["notes"] == run.notes
        assert (summary["wall_s"], summary["compile_s"], summary["seed"]) == (4.0, 0.5, 3)
        assert summary["versions"]["diffaxion"]


def test_limits_of_the_summaries(written):
    """Every mass of every profile, and the posterior's own mass first."""
    case, result, folder = written
    words = "xray published/jf12/ymw16"
    words += " + cmb recast/own/default" if case == "converged" else ""
    for run, name in zip(result.runs, ("summary.json", "summary_mass.json")):
        limits = summary_of(folder, name)["limits"]
        assert len(limits) == 1 + MASSES.size * len(result.curves)
        own = next(iter(limits))
        main = result.curves[0].name
        assert own == f"{main}@" + ("sampled" if run.m_a_eV is None else "5e-13eV")
        assert limits[own]["m_a_eV"] == run.m_a_eV
        if case == "converged":
            assert limits[own]["g95_bayes"] == pytest.approx(run.marginal[0].g_95_GeV)
            assert limits[own]["status"] == "OK"
        else:
            assert limits[own]["g95_bayes"] is None
            assert limits[own]["status"] == "NOT_CONVERGED"
        if run.m_a_eV is None:
            assert limits[own]["g95_profile"] is None
            assert "1e-13" in limits[own]["m_a_prior"]
        else:
            k = int(np.searchsorted(MASSES, run.m_a_eV))
            pair = profile_curve(result.curves[0]).limit[k - 1 : k + 1]
            assert pair.min() <= limits[own]["g95_profile"] <= pair.max()
        for curve in result.curves:
            for k, mass in enumerate(MASSES):
                entry = limits[f"{curve.name}@{mass:.4g}eV"]
                assert entry["m_a_eV"] == mass
                assert (entry["prior"], entry["configuration"]) == ("uniform_g", words)
                given = [bayes_curve(curve).limit[k], profile_curve(curve).limit[k]]
                for number, key in zip(given, ("g95_bayes", "g95_profile")):
                    assert entry[key] == (pytest.approx(number) if np.isfinite(number) else None)
                assert (entry["status"] == "OK") == bool(np.all(np.isfinite(given)))


def test_other_entries_of_the_summaries(written):
    case, _, folder = written
    summary = summary_of(folder, "summary.json")
    table = {row["prior"]: row for row in summary["prior_table"]}
    names = [p.split()[0] for p in table]
    assert names[:4] == ["uniform_g", "uniform_g2", "uniform_g4", "log10_g"]
    assert names[-1] == "none"
    assert ("uniform_g, sampled directly" in table) == (case == "converged")
    for row in list(table.values())[:4]:
        assert (row["g95_GeV"] is None) == bool(row["refused"]) == (case != "converged")
    none = case != "converged"
    assert (summary["evidence"]["ln_b01"] is None) == none
    assert (summary["g95_run_prior_uniform_g2"]["value_GeV"] is None) == none
    assert "[0, 1600]" in summary["evidence"]["prior"]
    assert summary["model_error"]["probes"]["cmb"] == {"rms": 2e-3, "worst": 9e-3}
    assert len(summary["impacts"]) == 2 * len(priors())
    weak = {r["path"] for r in summary["impacts"] if not r["counts"]}
    assert weak == {"cosmology.n_s"}
    ranges = {r["experiment"]: r for r in summary["constrains"]}
    assert ranges["xray"]["from_eV"] == 0.0
    assert ("cmb" in ranges) == (case == "converged")
    if case == "converged":
        assert 1e-13 < ranges["cmb"]["from_eV"] < 2e-13
        assert "tapered" in ranges["cmb"]["text"]


class Page(html.parser.HTMLParser):
    """Links, headings and whether tags are balanced."""

    def __init__(self):
        super().__init__()
        self.found, self.tags, self.open, self.headings = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.found += [v for k, v in attrs if k in ("src", "href", "srcset", "data", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def test_report_is_one_file_in_reading_order(written):
    """Figures are inside; links lead to its own sections; nothing is loaded, nothing runs."""
    case, _, folder = written
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.open == []
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in page.found)
    images = 6 if case == "converged" else 4
    assert sum(link.startswith("data:") for link in page.found) == images
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "@import" not in text
    assert "url(" not in text
    expected = ["What was done, and the verdict", "Limits", "Priors of the coupling"]
    expected += ["Posterior, mass fixed at 5e-13 eV"]
    expected += ["Posterior, mass sampled"] if case == "converged" else []
    expected += ["Nuisance parameters", "Errors of the model"]
    expected += ["Assumptions of the recast"] if case == "converged" else []
    expected += ["Each half against its published curve", "Works to cite", "Provenance"]
    assert page.headings == expected
    words = ["not understood", "clusters.wd1.ln_luminosity", "2008.03305", "log10_g in [-14, -10.5"]
    words += [f"below {IMPACT_MIN:g}: does not count"]
    if case == "converged":
        words += ["passed all convergence gates", "2409.10514", "joint-anchor-paper bayes"]
        words += ["resumed by force", "sampled directly", "ln B01"]
        words += [html.escape(line) for line in RECAST_ASSUMPTIONS]
    else:
        words += ["DID NOT CONVERGE", "No Bayesian limit is quoted", "R-hat of", "refused"]
        assert "ln B01" not in text
        assert "(Bayes, uniform" not in text
    for word in words:
        assert word in text, word


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


def test_the_corner_plot_shows_what_matters(written):
    """Coupling, mass where it is sampled, and the eight largest impacts."""
    _, result, _ = written
    ranked = ranked_nuisances(result, result.runs[0])
    largest = {p: max(r.impact for r in result.impacts if r.path == p) for p in ranked}
    assert list(largest.values()) == sorted(largest.values(), reverse=True)
    assert ranked[-1] == "cosmology.n_s"
    for run in result.runs:
        draws, labels = corner_draws(result, run)
        mass = ["log10_m"] if run.m_a_eV is None else []
        assert list(draws) == ["g", *mass, *ranked[:8]]
        assert set(draws) <= set(labels)


def test_nuisances_are_drawn_in_units_of_their_priors(written):
    """From the draws with the headline prior: their z is the inverse of the prior's map."""
    case, result, _ = written
    run = result.runs[0]
    z = standardised_draws(run)
    assert set(z) == set(priors())
    path = "clusters.wd1.ln_luminosity"
    values = run.headline[path] if case == "converged" else run.posterior.flat(path)
    np.testing.assert_allclose(z[path], values / 0.137, rtol=1e-9)


def test_the_nuisance_table_names_sources_and_both_masses(written):
    _, result, _ = written
    table = nuisance_table(result, result.runs[0])
    assert sum("impact at" in c for c in table.columns) == 2
    rows = {row[0]: row for row in table.rows}
    assert set(rows) == set(priors())
    assert "does not count" in rows["cosmology.n_s"][-2]
    assert rows["clusters.wd1.distance_kpc"][2] == "kpc"
    assert rows["cosmology.n_s"][2] == "", "the index s is no second"
    assert all(prior_source(p) != "configuration" for p in priors())


def test_a_posterior_at_a_mass_of_the_profile_keeps_one_entry(written):
    _, result, _ = written
    from dataclasses import replace

    run = replace(result.runs[0], m_a_eV=float(MASSES[3]))
    name, entry = own_limit(result, run)
    entries = limit_entries(result, run)
    assert entries[name] is not None
    assert len(entries) == MASSES.size * len(result.curves)
    assert entry["g95_profile"] == profile_curve(result.curves[0]).limit[3]


def test_limits_between_masses():
    curve = LimitCurve("x", "m", "", [1e-13, 1e-12, 1e-11], [1e-12, 4e-12, np.nan], [0, 0, 7])
    assert limit_at(curve, 10**-12.5) == pytest.approx(2e-12)
    assert limit_at(curve, 1e-12) == 4e-12
    assert np.isnan([limit_at(curve, m) for m in (5e-12, 1e-11, 1e-14, 1e-10)]).all()


def test_a_negative_raw_limit_still_has_a_power_constrained_one(written):
    from dataclasses import replace

    import equinox as eqx
    import jax.numpy as jnp

    from diffaxion.inference.limits import LimitStatus

    _, result, _ = written
    old = result.curves[0]
    limit = old.profile.limit.flag(LimitStatus.NEGATIVE_LIMIT, jnp.arange(MASSES.size) == 2)
    moved = replace(old, profile=eqx.tree_at(lambda p: p.limit, old.profile, limit))
    curve = nuisance_curves(replace(result, curves=[moved], variants={}))[0]
    assert curve.status[2] == "OK"
    assert np.isfinite(curve.limit[2])
