"""Limits over the mass from the released spectra, against the released limits."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.analyses import Configuration, limit_curves, response_curve, scan_signals
from diffaxion.analyses.joint_model import sampler_fractions
from diffaxion.analyses.star_clusters import build_probe
from diffaxion.environments.galaxy import uniform_fractions
from diffaxion.inference import (
    Q_95,
    Q_95_ROUNDED,
    LimitStatus,
    combine,
    linear_moments,
    moments_from_limits,
    moments_limit,
)
from diffaxion.parameters import set_paths
from tests import xray_models as models
from tests.conftest import read_csv

# Where the released limits still rest on resolved physics: below jumps of the field model.
RESOLVED_EV = 1e-10


@pytest.fixture(scope="module")
def released(shared):
    return read_csv(shared / "data/ssc/published_limits.csv")


@pytest.fixture(scope="module")
def scan(released):
    """Our curves at the 19 released masses, with the paper's threshold."""
    scans = scan_signals(
        models.world(),
        Configuration.model_validate({"coupling": {"q_threshold": Q_95_ROUNDED}}),
        signals=("published",),
        m_a_eV=released["m_a_eV"],
    )
    return {curve.name: curve for curve in scans["published"]}


def flux_point_moments(target):
    """At m_a -> 0 the response is the released curve."""
    spectrum = models.spectrum(target)
    return linear_moments(jnp.asarray(spectrum.curve), spectrum.points)


# mu_hat, sigma (in (g/g0)^4), Z, chi^2 without signal, limit, median [1e-12 GeV^-1].
TABLE = {
    "quintuplet": (0.1919, 0.6380, 0.301, 12.94, 4.223, 4.049),
    "wd1": (-0.0727, 0.5397, -0.135, 9.28, 4.752, 4.854),
}


@pytest.mark.parametrize("target", models.TARGETS)
def test_limits_of_the_released_points(released, target):
    """(a) Our arithmetic to 1e-3 (chi^2 and the pull to their digits); 20 and 10 % of the paper.

    The mismatch with the published limits is not understood.
    """
    mu, sigma, pull, chi2, limit, median = TABLE[target]
    result = moments_limit(flux_point_moments(target), Q_95_ROUNDED)
    strength = models.G_CURVE[target] ** 4
    np.testing.assert_allclose(result.a_hat / strength, mu, atol=5e-5)
    np.testing.assert_allclose(result.sigma / strength, sigma, rtol=1e-3)
    np.testing.assert_allclose(result.a_hat / result.sigma, pull, atol=6e-4)
    points = models.spectrum(target).points
    np.testing.assert_allclose(np.sum((points.data / points.scale) ** 2), chi2, atol=5e-3)
    assert points.data.size == {"quintuplet": 14, "wd1": 13}[target]
    coupling = result.to_coupling()
    np.testing.assert_allclose(coupling.g_95 / 1e-12, limit, rtol=1e-3)
    np.testing.assert_allclose(coupling.median / 1e-12, median, rtol=1e-3)
    column = models.COLUMN[target]
    np.testing.assert_allclose(coupling.g_95, released[f"limit_{column}"][0], rtol=0.2)
    np.testing.assert_allclose(coupling.median, released[f"median_{column}"][0], rtol=0.1)
    quoted = {"quintuplet": 0.3, "wd1": 0.0}[target]
    assert abs(float(result.z_local) - quoted) < 0.05


def test_joint_limit_of_the_released_points(released):
    result = moments_limit(combine(*map(flux_point_moments, models.TARGETS)), Q_95_ROUNDED)
    coupling = result.to_coupling()
    np.testing.assert_allclose(result.a_hat / result.sigma, 0.212, atol=6e-4)
    np.testing.assert_allclose(coupling.g_95 / 1e-12, 4.065, rtol=1e-3)
    np.testing.assert_allclose(coupling.median / 1e-12, 3.944, rtol=1e-3)
    np.testing.assert_allclose(coupling.g_95, released["joint_limit"][0], rtol=0.2)


@pytest.mark.parametrize("column", ["quint", "wd1", "arches"])
def test_released_bands_are_those_of_constant_sigma(released, column):
    """(b) All 19 masses to 1e-3 in g."""
    a = (released[f"median_{column}"] / 1e-12) ** 4
    coupling = moments_limit(moments_from_limits(a, a, Q_95_ROUNDED), Q_95_ROUNDED).to_coupling()
    for ours, theirs in (("minus1", "onedn"), ("plus1", "oneup"), ("plus2", "twoup")):
        np.testing.assert_allclose(
            getattr(coupling, ours), released[f"{theirs}_{column}"], rtol=1e-3
        )


def test_released_joint_limit_is_the_gaussian_combination(released):
    """(c) 0.990 at low mass, within 1.5 % at all masses."""
    parts = [
        moments_from_limits(
            (released[f"limit_{c}"] / 1e-12) ** 4,
            (released[f"median_{c}"] / 1e-12) ** 4,
            Q_95_ROUNDED,
        )
        for c in models.COLUMN.values()
    ]
    joint = moments_limit(combine(*parts), Q_95_ROUNDED).to_coupling()
    ratio = np.asarray(joint.pcl) / released["joint_limit"]
    np.testing.assert_allclose(ratio, 1.0, atol=0.015)
    np.testing.assert_allclose(ratio[0], 0.990, atol=5e-4)


def test_power_constraint_of_the_released_limits(released):
    """(d) Active at 1e-9 eV (Quintuplet) and 1.668e-11 eV (Westerlund 1) only."""
    for column, mass in (("quint", 1e-9), ("wd1", 1.668e-11)):
        limit, floor = (released[f"{kind}_{column}"] for kind in ("limit", "onedn"))
        assert np.all(limit >= floor * (1.0 - 1e-7))
        active = np.abs(limit / floor - 1.0) < 1e-6
        np.testing.assert_allclose(released["m_a_eV"][active], [mass], rtol=1e-3)


def test_shape_of_the_released_medians(released):
    """(e) Plateau, resonance dip, and g ~ m beyond it."""
    mass = released["m_a_eV"]
    dips = {"quint": (3.330, 1.668e-11), "wd1": (3.200, 2.783e-11), "arches": (5.788, 1.668e-11)}
    for column, (depth, where) in dips.items():
        median = released[f"median_{column}"]
        np.testing.assert_allclose(median[mass < 2e-12], median[0], rtol=0.01)
        slope = np.diff(np.log(median[-6:])) / np.diff(np.log(mass[-6:]))
        np.testing.assert_allclose(slope, 1.0, atol=0.01)
        np.testing.assert_allclose(median.min() / 1e-12, depth, rtol=1e-3)
        np.testing.assert_allclose(mass[np.argmin(median)], where, rtol=1e-3)
    np.testing.assert_allclose(released["median_arches"][0] / 1e-12, 6.758, rtol=1e-3)


def check_shape(mass, median, reference, low):
    """median(m)/median(0) against the released ratio, and the mass of the dip."""
    error = np.abs((median / median[0]) / (reference / reference[0]) - 1.0)
    assert np.max(error[mass <= 6e-12]) < low
    assert np.max(error[mass <= 1.7e-11]) < 0.06
    assert np.max(error[mass <= RESOLVED_EV]) < 0.3
    assert np.argmin(median) == np.argmin(reference)


@pytest.mark.parametrize(("target", "low"), [("quintuplet", 0.01), ("wd1", 0.02)])
def test_end_to_end_shape(released, scan, target, low):
    """(f) From field and electrons to medians; the absolute scale is that of (a)."""
    median = np.asarray(scan[target].coupling.median)
    reference = released[f"median_{models.COLUMN[target]}"]
    check_shape(released["m_a_eV"], median, reference, low)
    np.testing.assert_allclose(median[0] / 1e-12, TABLE[target][5], rtol=1e-3)


@pytest.mark.parametrize(("target", "low"), [("quintuplet", 0.01), ("wd1", 0.02)])
def test_shape_with_the_reference_tables(shared, released, scan, target, low):
    """(f) The same with the reference p(E, m), ln p interpolated in ln m.

    At the masses of the tables themselves our medians agree to 1e-3; between them their steps
    of a factor 1.26 in mass blur the dip by up to 3 %.
    """
    columns = read_csv(shared / "data/galaxy" / models.P_TABLE[target])
    masses = columns.pop("m_a_eV")
    p = np.stack(list(columns.values()), axis=1)
    spectrum = models.spectrum(target)
    first = np.round(spectrum.low_keV).astype(int) - 10
    means = np.stack([np.trapezoid(p[:, k : k + 6], axis=1) / 5.0 for k in first], axis=1)

    def medians(mean):
        moments = linear_moments(jnp.asarray(spectrum.curve * mean / means[0]), spectrum.points)
        return np.asarray(moments_limit(moments, Q_95_ROUNDED).to_coupling().median)

    grid = np.log(released["m_a_eV"])
    between = np.stack([np.interp(grid, np.log(masses), np.log(x)) for x in means.T], axis=1)
    found = medians(np.exp(between))
    check_shape(released["m_a_eV"], found, released[f"median_{models.COLUMN[target]}"], low)
    resolved = released["m_a_eV"] <= RESOLVED_EV
    ours = np.asarray(scan[target].coupling.median)
    np.testing.assert_allclose(ours[resolved], found[resolved], rtol=0.03)

    resolved = masses <= 1.001 * RESOLVED_EV
    response = response_curve(
        models.probe(target), models.world(), models.cache(target), jnp.asarray(masses[resolved])
    )
    ours = moments_limit(linear_moments(response, spectrum.points), Q_95_ROUNDED).to_coupling()
    np.testing.assert_allclose(ours.median, medians(means)[resolved], rtol=2e-3)


def test_joint_scan_is_the_combination_of_its_targets(scan):
    joint, parts = scan["joint"].strength, [scan[t].strength for t in models.TARGETS]
    information = sum(np.asarray(p.sigma) ** -2.0 for p in parts)
    mean = sum(np.asarray(p.a_hat) / np.asarray(p.sigma) ** 2 for p in parts) / information
    np.testing.assert_allclose(joint.sigma, information**-0.5, rtol=1e-12)
    np.testing.assert_allclose(joint.a_hat, mean, rtol=1e-9, atol=1e-12)


def test_heavy_masses_carry_their_status_and_spread(scan):
    """Above 1e-10 eV edges are smoothed by 0.05, 0.1, 0.2 kpc; the middle one is quoted."""
    for curve in scan.values():
        heavy = curve.m_a_eV > RESOLVED_EV
        assert heavy.sum() == 5
        assert [s == "FIELD_STRUCTURE" for s in curve.status] == list(heavy)
        limit = np.asarray(curve.coupling.pcl)
        assert np.all((curve.low_GeV <= limit) & (limit <= curve.high_GeV))
        np.testing.assert_array_equal(curve.low_GeV[~heavy], limit[~heavy])
        np.testing.assert_array_equal(curve.high_GeV[~heavy], limit[~heavy])
        assert np.all(curve.high_GeV[heavy] > curve.low_GeV[heavy])


def test_order_of_masses_and_smoothing_does_not_matter(scan):
    """Heavy masses are computed apart from the rest and put back in place."""
    probe, points = models.probe("wd1"), models.spectrum("wd1").points
    masses = np.array([3.5938e-10, 1e-13, 1.2915e-10, 1e-11])
    (shuffled,) = limit_curves(models.world(), [probe], [points], masses)
    (light,) = limit_curves(models.world(), [probe], [points], masses[[1, 3]])
    found = np.asarray(shuffled.coupling.pcl)
    np.testing.assert_allclose(found[[1, 3]], light.coupling.pcl, rtol=1e-12)
    assert shuffled.status == ["FIELD_STRUCTURE", "OK", "FIELD_STRUCTURE", "OK"]
    assert found[0] > found[2] > found[3]
    # Without a second target there is no joint curve; a raised bound leaves nothing flagged.
    (raw,) = limit_curves(models.world(), [probe], [points], masses, field_structure_above_eV=1e-9)
    assert set(raw.status) == {"OK"}
    assert raw.coupling.median[2] != shuffled.coupling.median[2]


def test_threshold_moves_the_median(scan):
    (curve,) = limit_curves(
        models.world(),
        [models.probe("wd1")],
        [models.spectrum("wd1").points],
        np.array([1e-13, 1e-12]),
    )
    ratio = curve.coupling.median / np.asarray(scan["wd1"].coupling.median)[0]
    np.testing.assert_allclose(ratio[0], (Q_95 / Q_95_ROUNDED) ** 0.125, rtol=1e-9)


def test_new_masses_of_the_same_number_do_not_trace_again():
    probe, world, cache = models.probe("wd1"), models.world(), models.cache("wd1")
    traces = []

    @eqx.filter_jit
    def run(probe, world, cache, masses):
        traces.append(1)
        return response_curve(probe, world, cache, masses)

    for top in (1e-11, 3e-11, 1e-10):
        run(probe, world, cache, jnp.geomspace(1e-13, top, 4))
    stronger = set_paths(world, {"galaxy.field.outer.norm_x": 2.0})
    run(probe, stronger, probe.prepare(stronger), jnp.geomspace(1e-13, 1e-10, 4))
    assert len(traces) == 1


def test_no_sensitivity_is_a_status():
    """A response of zero gives an infinite limit, never a NaN."""
    probe, points = models.probe("wd1"), models.spectrum("wd1").points
    silent = set_paths(models.world(), {"clusters.wd1.ln_luminosity": -800.0})
    (curve,) = limit_curves(silent, [probe], [points], np.array([1e-13, 1e-12]))
    assert curve.status == [LimitStatus.NO_SENSITIVITY.name] * 2
    assert np.all(np.isinf(curve.coupling.pcl))


@pytest.mark.slow
@pytest.mark.parametrize("target", models.TARGETS)
@pytest.mark.parametrize("mode", ["published", "anchored"])
def test_grids_of_sampler_and_limits_agree(target, mode):
    """g_95 up to 1e-11 eV: sampler (48 nodes, 2 energies) against limits (2000, 5) to 2e-3.

    Single bins differ by up to 1.6 %, in 10-15 keV, where p oscillates with energy. With 96 nodes
    it was 5e-4 and 1 %, at twice the time; the main job prints what its nodes do to its draws.
    """
    world, masses = models.world(), jnp.geomspace(1e-13, 1e-11, 5)
    numerics, spectrum = Configuration().numerics, models.spectrum(target)
    fractions = sampler_fractions(world, spectrum, numerics.sampler_nodes, 1e-11)
    coarse = build_probe(spectrum, world, mode, fractions, numerics.sampler_energies_per_bin)
    responses, medians = [], []
    for probe in (coarse, models.probe(target, mode)):
        responses.append(response_curve(probe, world, probe.prepare(world), masses))
        result = moments_limit(linear_moments(responses[-1], spectrum.points))
        medians.append(result.to_coupling().median)
    np.testing.assert_allclose(*responses, rtol=0.02)
    np.testing.assert_allclose(*medians, rtol=2e-3)


@pytest.mark.slow
def test_halving_the_steps_of_the_limit_grid_changes_nothing():
    """4000 instead of 2000 nodes, 10 instead of 5 energies per bin: 1e-5 in g, 3e-4 at 1e-10 eV."""
    world, masses = models.world(), jnp.geomspace(1e-13, 1e-10, 7)
    for target in models.TARGETS:
        spectrum = models.spectrum(target)
        medians = []
        for probe in (
            models.probe(target),
            build_probe(spectrum, world, "published", uniform_fractions(4000), 10),
        ):
            response = response_curve(probe, world, probe.prepare(world), masses)
            result = moments_limit(linear_moments(response, spectrum.points))
            medians.append(result.to_coupling().median)
        np.testing.assert_allclose(*medians, rtol=5e-4)
        np.testing.assert_allclose(*(m[:5] for m in medians), rtol=1e-5)
