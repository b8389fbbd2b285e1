"""Bad input of the joint analysis: configuration, priors, files, precision, edges of physics.

Rows are those of the table of bad inputs in the specification of the statistics.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.analyses import (
    Analysis,
    configured_bindings,
    coupling_moments,
    limit_curves,
    load_configuration,
    logdensity,
    marginal_limits,
    parse_configuration,
    screening_data,
)
from diffaxion.analyses.checks import check_physical, check_priors
from diffaxion.conversion import Axion
from diffaxion.errors import (
    ConfigurationError,
    DataError,
    DiffaxionError,
    DiffaxionWarning,
    ValidityError,
)
from diffaxion.inference.limits import LimitStatus, linear_moments, moments_limit
from diffaxion.likelihoods import GaussianPoints
from diffaxion.parameters import Bindings
from diffaxion.runtime import require_x64
from tests import toy_analysis as toy
from tests import xray_models as models

WD1, QUINTUPLET = (f"clusters.{t}.distance_kpc" for t in models.TARGETS[::-1])
NO_CMB = {"likelihoods": {"cmb": "none"}}
density = jax.jit(jax.value_and_grad(logdensity, argnums=1))


def refuse(values, world=None):
    """What a command does with a configuration before it computes."""
    settings = parse_configuration(values, "mine.toml")
    xray = settings.likelihoods.xray
    spectra = [models.spectrum(t) for t in settings.model.targets] if xray else []
    check_priors(models.world() if world is None else world, settings, spectra)


# Row 18: typos, types, units.
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"screning": {}}, ["'screning'", "'screening'"]),
        ({"screening": {"gaz": "agn"}}, ["mine.toml: screening: unknown key 'gaz'", "'gas'"]),
        ({"screening": {"n_z": "many"}}, ["mine.toml: screening: n_z = 'many'", "integer"]),
        ({"screening": {"configuration": "paritty"}}, ["screening: ", "'paritty'", "'parity'"]),
        ({"likelihoods": {"cbm": "none"}}, ["'likelihoods.cbm'", "'cmb'"]),
        ({"likelihoods": {"cmb": "recst"}}, ["likelihoods.cmb", "'recst'", "'recast'"]),
        ({"likelihoods": {"cmb": "noise:x"}}, ["likelihoods.cmb", "noise:SEED"]),
        ({"likelihoods": {"anchor": "papr"}}, ["likelihoods.anchor = 'papr'", "'own' or 'paper'"]),
        ({"likelihoods": {"xray": "ja"}}, ["likelihoods.xray = 'ja'", "boolean"]),
        ({"model": {"feild": "jf12"}}, ["'model.feild'", "'field'"]),
        ({"mass": {"fixd_eV": 1e-12}}, ["'mass.fixd_eV'", "'fixed_eV'"]),
        ({"mass": {"fixed_eV": "5e-13 eV"}}, ["mass.fixed_eV = '5e-13 eV'", "number"]),
        ({"mass": {"posteriors": ["fixd"]}}, ["'fixd'", "'fixed' or 'sampled'"]),
        ({"coupling": {"umax": 9.0}}, ["'coupling.umax'", "'u_max'"]),
        ({"coupling": {"u_max": float("inf")}}, ["axion.u", "inf"]),
        ({"sampler": {"chans": 2}}, ["'sampler.chans'", "'chains'"]),
        ({"numerics": {"node": 99}}, ["'numerics.node'", "'nodes'"]),
        ({"seeds": 3}, ["'seeds'", "'seed'"]),
        (NO_CMB | {"priors": {WD1: "3"}}, [f"priors: {WD1} = '3'", "expected a number"]),
        (NO_CMB | {"priors": {WD1: True}}, [f"priors: {WD1} = True", "expected a number"]),
        (NO_CMB | {"priors": {WD1: {"dist": "unifrm", "low": 1}}}, [WD1, "'unifrm'", "'uniform'"]),
        (NO_CMB | {"priors": {WD1[:-4]: 3.0}}, [WD1[:-4], f"'{WD1}'"]),
    ],
    ids=str,
)
def test_row_18_typos(values, words):
    with pytest.raises(ConfigurationError) as caught:
        refuse(values)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("tie", "message"),
    [
        ({"source": QUINTUPLET, "scal": 2.0}, r"unknown key of ties\..*'scal'.*'scale'"),
        ({"source": QUINTUPLET, "scale": "two"}, "ties: .*'two'.*finite numbers"),
        ({"source": QUINTUPLET, "scale": True}, "ties: .*True.*finite numbers"),
        ({"source": QUINTUPLET, "offset": float("nan")}, "ties: .*nan.*finite numbers"),
        ({"scale": 2.0}, "ties: .*expected the path of another parameter"),
        (QUINTUPLET[:-4], f"unknown parameter path '{QUINTUPLET[:-4]}'.*'{QUINTUPLET}'"),
        (WD1, "form a loop"),
        (3.0, "ties"),
    ],
    ids=str,
)
def test_ties_that_are_none(tie, message):
    with pytest.raises(ConfigurationError, match=message):
        refuse(NO_CMB | {"ties": {WD1: tie}})


def test_a_path_is_bound_or_tied():
    with pytest.raises(ConfigurationError, match=f"'{WD1}' is bound and tied"):
        refuse(NO_CMB | {"ties": {WD1: QUINTUPLET}, "priors": {WD1: 3.0}})


def test_ties_and_fixed_values_of_a_file_reach_the_world(tmp_path):
    """TOML to bindings to a bound world; ties of parts that no likelihood uses are left out."""
    path = tmp_path / "mine.toml"
    path.write_text(
        f'[likelihoods]\ncmb = "none"\n[priors]\n"{QUINTUPLET}" = 8.0\n'
        '"clusters.wd1.ln_density" = { dist = "normal", mean = 0.0, sigma = 0.2 }\n'
        f'[ties]\n"{WD1}" = {{ source = "{QUINTUPLET}", scale = 0.5, offset = -1.0 }}\n'
        '"clusters.quintuplet.ln_density" = "clusters.wd1.ln_density"\n'
        '"halos.field.ln_amplitude" = "halos.field.ln_amplitude_massive"\n'
    )
    bindings = configured_bindings(load_configuration(path), models.world())
    assert bindings.names == ("clusters.wd1.ln_density",)
    assert set(bindings.tied_paths) == {WD1, "clusters.quintuplet.ln_density"}
    world = bindings.apply(models.world(), jnp.array([1.5]))
    np.testing.assert_allclose(world.clusters["wd1"].distance_kpc, 3.0)
    np.testing.assert_allclose(world.clusters["quintuplet"].distance_kpc, 8.0)
    np.testing.assert_allclose(world.clusters["quintuplet"].ln_density, 0.3)
    np.testing.assert_allclose(world.clusters["wd1"].ln_density, 0.3)


# Row 13: masses outside the table.
@pytest.mark.parametrize(
    ("mass", "words"),
    [
        ({"fixed_eV": 1e-9, "posteriors": ["fixed"]}, ["mass.fixed_eV = 1e-09", "2.585e-12"]),
        ({"prior_eV": [1e-15, 1e-14], "posteriors": ["sampled"]}, ["mass.prior_eV", "1.725e-13"]),
    ],
)
def test_row_13_masses_outside_the_recast_without_x_rays(mass, words):
    with pytest.raises(ValidityError, match="not extrapolated") as caught:
        refuse({"likelihoods": {"xray": False}, "mass": mass})
    for word in words:
        assert word in str(caught.value)


def test_row_14_no_resonance_is_no_signal_and_no_limit():
    """Zero response: zero gradient in the coupling, an infinite limit with a status, never NaN."""
    points = [GaussianPoints(jnp.asarray(toy.SCREEN_DATA), jnp.ones(2))]
    dark = Analysis(toy.analysis().data.world, toy.PRIORS, [toy.Screen(jnp.zeros(2))], points).data
    z = jnp.array([0.3, -0.2, 0.1])
    value, slope = density(dark, z)
    assert np.isfinite(value)
    np.testing.assert_array_equal(slope, -z)
    moments = coupling_moments(dark, jnp.ones((500, 3)))
    assert not any(np.any(np.asarray(x)) for x in moments)
    found = marginal_limits(moments, u_max=toy.U_MAX)
    assert all(np.isnan(m.g_95_GeV) and m.reason for m in found)
    limit = moments_limit(linear_moments(jnp.zeros((1, 2)), points[0]))
    assert LimitStatus(int(limit.status[0])) is LimitStatus.NO_SENSITIVITY
    assert np.isposinf(limit.a_95[0])


# Row 15: zero is allowed where it is physical.
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"priors": {WD1: -3.0}}, r"wd1\.distance_kpc, Fixed\(-3\).*expected > 0"),
        ({"priors": {WD1: 0.0}}, r"Fixed\(0\).*expected > 0"),
        ({"priors": {WD1: {"dist": "normal", "mean": 3, "sigma": 5}}}, r"Normal\(3, 5\).*-22"),
        ({"priors": {WD1: {"dist": "uniform", "low": -1, "high": 5}}}, r"Uniform\(-1, 5\)"),
        ({"ties": {WD1: {"source": QUINTUPLET, "scale": -1.0}}}, r"= -1 \* .*reaches -8\.3"),
        ({"priors": {"galaxy.density.thick.n_cm3": -0.01}}, r"n_cm3, Fixed.*expected >= 0"),
        ({"priors": {WD1: float("nan")}}, r"nan: expected a finite number"),
    ],
    ids=str,
)
def test_row_15_negative_distances_and_densities(values, message):
    with pytest.raises(DiffaxionError, match=message) as caught:
        refuse(NO_CMB | values)
    assert caught.value.exit_code == 2


def test_row_15_zero_density_and_the_bundled_priors_pass():
    check_physical(models.world(), Bindings({"galaxy.density.thick.n_cm3": 0.0}))
    refuse({"priors": load_configuration("xray").priors} | NO_CMB)


# Row 16: couplings.
@pytest.mark.parametrize("g", [float("nan"), -1e-12, float("inf")])
def test_row_16_couplings_that_are_none(g):
    with pytest.raises(ValidityError, match="g_GeV"):
        Axion.from_g(1e-12, g)


@pytest.mark.parametrize("u", [0.0, 1e-36, 1e24, -2.0])
def test_row_16_any_coupling_has_a_finite_density_and_slope(u):
    """g = 0, 1e-30 and 1 GeV^-1 times 1e-12, and a signed u; ln L may be very low, never NaN."""
    data = toy.analysis(fixed_u=u).data
    value, slope = density(data, jnp.array([0.5, -0.5]))
    assert np.isfinite(value)
    assert np.all(np.isfinite(slope))


# Row 19: what could run code is not read.
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mine.yaml", b"model:\n  field: !!python/object/apply:os.system ['touch hit']\n"),
        ("mine.pkl", b"\x80\x04\x95\x1c\x00\x00\x00cposix\nsystem\nS'touch hit'\n\x85R."),
        ("mine.npz", b"PK\x03\x04\xff\xfe not text"),
    ],
)
def test_row_19_only_toml(tmp_path, monkeypatch, name, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match=rf"{name}: .*TOML"):
        load_configuration(name)
    assert not (tmp_path / "hit").exists()


def test_row_19_bandpowers_that_need_pickle(tmp_path):
    path = tmp_path / "pickled.npz"
    np.savez(path, ell_lo=np.array([{}], object))
    for read in (screening_data, lambda p: refuse({"likelihoods": {"cmb": p}})):
        with pytest.raises(DataError, match=r"pickled\.npz"):
            read(str(path))


def test_a_missing_file_of_bandpowers_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.npz"):
        refuse({"likelihoods": {"cmb": str(tmp_path / "none.npz")}})


# Row 23: precision.
def test_row_23_float32_after_the_import_is_an_error(monkeypatch):
    monkeypatch.delenv("DIFFAXION_X64", raising=False)
    world, points = toy.analysis().data.world, toy.analysis().data.points
    with jax.enable_x64(False):
        for call in (
            require_x64,
            lambda: Analysis(world, toy.PRIORS, toy.analysis().data.probes, points),
            lambda: limit_curves(models.world(), [], [], np.array([1e-12])),
        ):
            with pytest.raises(ConfigurationError, match=r"float32.*DIFFAXION_X64=0"):
                call()
    require_x64()


@pytest.mark.parametrize("text", ["0", "false", "off"])
def test_row_23_float32_on_request_is_a_warning(monkeypatch, text):
    monkeypatch.setenv("DIFFAXION_X64", text)
    with jax.enable_x64(False), pytest.warns(DiffaxionWarning, match="computed in float32"):
        require_x64()
