"""Needlet ILC: the reference map, exact recovery, invariances, frozen weights, restart, checks."""

import dataclasses
import importlib.util

import numpy as np
import pytest

from diffaxion.errors import (
    ConfigurationError,
    DataError,
    DiffaxionWarning,
    ValidityError,
)
from diffaxion.sky import (
    NeedletILC,
    Spectra,
    bundled_simulated_sky,
    cosine_needlets,
    gaussian_beam,
    get_transforms,
    mixing_matrix,
    needlet_ilc,
    planck_passbands,
    push_through,
    simulate_sky,
    top_hat_needlets,
    toy_sky,
)
from diffaxion.sky.transforms import alm_size, scale_alm

BACKEND = "ducc0" if importlib.util.find_spec("ducc0") else "healpy"
DEPROJECTED = ("tsz", "cib", "cib-dbeta")

# A small sky: six channels, responses of section 1.5 of the specification.
NSIDE, LMAX, PEAKS = 32, 60, (0, 15, 35, 61)
NAMES = ("070", "100", "143", "217", "353", "545")
FWHM = np.array([300.0, 280.0, 250.0, 200.0, 200.0, 190.0])
RESPONSES = {
    "screening": np.array([0.71432, 0.83529, 0.92034, 0.98058, 0.99979, 1.00186]),
    "tsz": np.array([-4.7533, -4.0311, -2.7851, 0.19246, 6.2058, 14.4539]),
    "cib": np.array([0.015381, 0.026675, 0.049415, 0.14615, 1.0, 15.7473]),
    "cib-dbeta": np.array([-0.024552, -0.032645, -0.043554, -0.064957, 0.040429, 7.48534]),
    "cmb": np.ones(6),
}
AMPLITUDE = {"screening": 1e-6, "tsz": 3e-6, "cib": 2e-5, "cib-dbeta": 2e-6, "cmb": 4e-5}
SETTINGS = NeedletILC(NSIDE, LMAX, 240.0, PEAKS, bias=0.02, backend=BACKEND)
SETS = {"none": (), "tsz": ("tsz",), "three": DEPROJECTED}


def draw(seed, lmax=LMAX):
    rng = np.random.default_rng(seed)
    alm = rng.normal(size=alm_size(lmax)) + 1j * rng.normal(size=alm_size(lmax))
    alm[: lmax + 1] = alm[: lmax + 1].real
    return scale_alm(alm, 1.0 / (5.0 + np.arange(lmax + 1)))


def make_sky(noise=2e-7):
    """Coefficients of each component, and of all channels; the CIB varies over the sky."""
    transforms = get_transforms(BACKEND)
    truth = {n: AMPLITUDE[n] * draw(k) for k, n in enumerate(AMPLITUDE)}
    modulation = np.exp(3.0 * transforms.synthesis(scale_alm(draw(50), np.ones(9), LMAX), NSIDE))
    cib = transforms.synthesis(truth["cib"], NSIDE) * modulation
    truth["cib"] = transforms.analysis(cib, LMAX, 3)
    beams = gaussian_beam(FWHM, LMAX)
    alms = [
        scale_alm(sum(RESPONSES[n][i] * truth[n] for n in truth), beams[i])
        + noise * (i + 1) * draw(100 + i)
        for i in range(len(NAMES))
    ]
    return truth, alms, beams


@pytest.fixture(scope="module")
def sky():
    return make_sky()


@pytest.fixture(scope="module")
def cleaned(sky):
    _, alms, beams = sky
    return needlet_ilc(alms, beams, RESPONSES, SETS, SETTINGS, names=NAMES)


def run(sky, components=DEPROJECTED, **options):
    """One set with changed settings or arguments."""
    _, alms, beams = sky
    fields = {f.name for f in dataclasses.fields(NeedletILC)}
    settings = dataclasses.replace(SETTINGS, **{k: v for k, v in options.items() if k in fields})
    rest = {"names": NAMES} | {k: v for k, v in options.items() if k not in fields}
    maps, beams = rest.pop("maps", alms), rest.pop("beams", beams)
    responses = rest.pop("responses", RESPONSES)
    return needlet_ilc(maps, beams, responses, {"set": components}, settings, **rest)["set"]


def apart(a, b):
    """rms difference over rms."""
    return np.std(a - b) / np.std(b)


# ------------------------------------------------------------------------------- the reference


@pytest.fixture(scope="module")
def reference(shared):
    z = np.load(shared / "data" / "sky" / "nilc_ref_nside64.npz", allow_pickle=False)
    responses = dict(zip(("screening", *DEPROJECTED), z["A_mix"].T))
    beams = gaussian_beam(z["fwhm_arcmin"], int(z["lmax"]))

    def clean(variant, rule="per_choice"):
        settings = NeedletILC.small(64, variant=variant, smoothing_rule=rule, backend=BACKEND)
        return needlet_ilc(z["maps_K"], beams, responses, {"three": DEPROJECTED}, settings)["three"]

    return z, clean, clean("exact")


def test_reference_map(reference):
    """pyilc's map of the same sky: 1e-6 of its rms."""
    z, _, exact = reference
    expected = z["pyilc_deproj3"].astype(float)
    assert np.sqrt(np.mean((exact.map() - expected) ** 2)) < 1e-6 * expected.std()


@pytest.mark.parametrize("scale", [0, 2, 5])
def test_reference_weights(reference, scale):
    """1e-6 of their maximum."""
    z, _, exact = reference
    expected = z[f"weights_deproj3_scale{scale}"]
    found = exact.weights[scale].values[:: int(z[f"weights_deproj3_scale{scale}_stride"])]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_cheap_variants_on_the_reference(reference):
    """Figures of section 4.6, which are for nside 128; at 64 they are smaller."""
    _, clean, exact = reference
    for variant, most in (("smooth", 7e-4), ("interpolated", 7e-4), ("coarse", 9e-4)):
        assert 0.0 < apart(clean(variant).map(), exact.map()) < most


@pytest.mark.slow
def test_cheap_variants_at_nside_128():
    """Specification, section 4.6, with a factor of 2."""
    spectra, settings = toy_sky(128, 10.0)
    bands = planck_passbands()
    sky = simulate_sky(spectra, bands, settings, seed=3)
    names = ("screening", *DEPROJECTED)
    responses = dict(zip(names, np.asarray(mixing_matrix(names, bands, Spectra(cib_beta=1.75))).T))
    found = {}
    for variant in ("exact", "smooth", "interpolated", "coarse"):
        ilc = NeedletILC.small(128, variant=variant, smoothing_rule="per_choice", backend=BACKEND)
        beams = gaussian_beam(sky.fwhm_arcmin, ilc.lmax)
        result = needlet_ilc(sky.maps_K, beams, responses, {"three": DEPROJECTED}, ilc)["three"]
        found[variant] = result.map()
    assert apart(found["smooth"], found["exact"]) < 2 * 7e-4
    assert apart(found["interpolated"], found["exact"]) < 2 * 7e-4
    assert apart(found["coarse"], found["exact"]) < 2 * 9e-4
    assert apart(found["coarse"], found["smooth"]) < 2 * 5e-4


# ----------------------------------------------------------------------------------- constraints


@pytest.mark.parametrize("variant", ["exact", "smooth", "interpolated", "coarse"])
def test_constraints_hold_in_every_pixel_of_every_scale(sky, variant):
    """|A^T w - e_0| < 1e-8 with columns scaled to 1."""
    found = run(sky, variant=variant)
    names = ("screening", *DEPROJECTED)
    for weights in found.weights:
        a = np.stack([RESPONSES[n][weights.channels] for n in names], axis=1)
        a = a / np.abs(a).max(axis=0)
        first = RESPONSES["screening"][weights.channels].max()
        assert np.max(np.abs(weights.values @ a * first - [1.0, 0.0, 0.0, 0.0])) < 1e-8


def test_responses_of_all_components_are_reported(cleaned):
    for name, result in cleaned.items():
        np.testing.assert_allclose(result.responses("screening"), 1.0, atol=1e-10)
        for component in SETS[name]:
            np.testing.assert_allclose(result.responses(component), 0.0, atol=1e-10)
        for report, weights in zip(result.scales, result.weights):
            sum_of_weights = weights.values.sum(axis=1)
            np.testing.assert_allclose(report.responses["cmb"], sum_of_weights.mean())
            np.testing.assert_allclose(
                report.response_rms["cmb"], np.sqrt(np.mean(sum_of_weights**2))
            )
            norm = np.sqrt(np.mean(np.sum(weights.values**2, axis=1)))
            np.testing.assert_allclose(report.weight_norm, norm)
    norms = [np.mean([s.weight_norm for s in r.scales]) for r in cleaned.values()]
    assert norms == sorted(norms)
    assert cleaned["three"].scales[0].condition > cleaned["tsz"].scales[0].condition


def test_noise_amplification(sky):
    """White noise of the channels through the weights: the reported rms is that of the map."""
    noise = 1e-6 * np.arange(1, 7)
    found = run(sky, noise=noise, filters=top_hat_needlets((0, 30, LMAX + 1), LMAX))
    rng = np.random.default_rng(3)
    pixel = np.sqrt(4.0 * np.pi / (12 * NSIDE**2))
    total = np.zeros(2)
    for _ in range(4):
        maps = [rng.normal(size=12 * NSIDE**2) * n / pixel for n in noise]
        alm = push_through(found, maps)
        for k, f in enumerate(found.instrument.plan.filters):
            total[k] += np.var(get_transforms(BACKEND).synthesis(scale_alm(alm, f), NSIDE)) / 4
    reported = [s.noise_rms for s in found.scales]
    # 4 skies of 900 and 2800 modes: 4 % and more of the rms.
    np.testing.assert_allclose(np.sqrt(total), reported, rtol=0.12)


def test_noiseless_sky_is_recovered(sky):
    """Five components with exact responses: 1e-8 after deprojecting the other four.

    Nothing else is left to minimise, so the covariance is singular and must be regularised. The
    multipoles end at nside, where 8 iterations of the transforms are exact enough.
    """
    truth, alms, beams = make_sky(noise=0.0)
    options = {
        "lmax": 32,
        "filters": cosine_needlets((0, 12, 33), 32),
        "beams": beams[:, :33],
        "maps": [scale_alm(a, np.ones(33), 32) for a in alms],
        "iterations": 8,
    }
    with pytest.raises(ValidityError, match=r"needlet scale \d: smallest relative eigenvalue"):
        run(sky, **options)
    found = run(sky, (*DEPROJECTED, "cmb"), regularise=1e-5, **options)
    expected = scale_alm(truth["screening"], found.beam, 32)
    assert apart(found.alm, expected) < 1e-8


def test_deprojected_components_leave_nothing(sky, cleaned):
    """Pushed through frozen weights, below 1e-8 of the input."""
    truth, _, beams = sky
    for component in DEPROJECTED:
        maps = [
            scale_alm(RESPONSES[component][i] * truth[component], b) for i, b in enumerate(beams)
        ]
        left = push_through(cleaned["three"], maps)
        assert np.std(left) < 1e-8 * max(np.std(m) for m in maps)
        assert np.std(push_through(cleaned["none"], maps)) > 1e-4 * np.std(maps[-1])


def test_frozen_weights_give_the_map_again(sky, cleaned):
    _, alms, _ = sky
    group = list(cleaned.values())
    found = push_through(group, alms)
    for result, alm in zip(group, found):
        np.testing.assert_allclose(alm, result.alm, rtol=0, atol=1e-14 * np.abs(result.alm).max())
    doubled = push_through(cleaned["tsz"], [2.0 * a for a in alms])
    np.testing.assert_allclose(doubled, 2.0 * found[1], rtol=0, atol=1e-14 * np.abs(alm).max())


def test_as_many_constraints_as_channels(sky):
    """The last scale has four channels and constraints: weights without data, no smoothing."""
    found = run(sky, channels=(NAMES, NAMES, NAMES, NAMES[2:]))
    a = np.stack([RESPONSES[n][2:] for n in ("screening", *DEPROJECTED)], axis=1)
    assert found.scales[-1].fwhm_deg == 0.0
    assert found.scales[-1].grid == 0
    np.testing.assert_allclose(
        found.weights[-1].values[0], np.linalg.solve(a.T, np.eye(4)[0]), rtol=1e-10
    )


# ----------------------------------------------------------------------------------- invariances


def test_sets_share_one_covariance(sky, cleaned):
    """Cleaning several sets at once is the same as one after the other."""
    for name, components in SETS.items():
        np.testing.assert_array_equal(run(sky, components).alm, cleaned[name].alm)


def test_order_of_channels(sky, cleaned):
    """1e-10: a permutation changes rounding only."""
    _, alms, beams = sky
    order = np.array([3, 0, 5, 1, 4, 2])
    found = run(
        sky,
        maps=[alms[i] for i in order],
        beams=beams[order],
        responses={n: a[order] for n, a in RESPONSES.items()},
        names=tuple(NAMES[i] for i in order),
    )
    assert apart(found.alm, cleaned["three"].alm) < 1e-10


def test_dropped_channel(sky):
    """A channel that is not listed anywhere and one that does not exist are the same."""
    _, alms, beams = sky
    rest = NAMES[1:]
    listed = run(sky, channels=(rest,) * len(PEAKS))
    without = run(
        sky,
        maps=alms[1:],
        beams=beams[1:],
        responses={n: a[1:] for n, a in RESPONSES.items()},
        names=rest,
        channels=(rest,) * len(PEAKS),
    )
    assert apart(listed.alm, without.alm) < 1e-10


def test_units_of_columns_and_maps(sky, cleaned):
    """Units of deprojected components drop out; uK for K in maps and responses changes nothing."""
    _, alms, _ = sky
    factors = {"screening": 1e6, "tsz": 1e9, "cib": 1e3, "cib-dbeta": -2e8, "cmb": 1.0}
    found = run(
        sky,
        maps=[1e6 * a for a in alms],
        responses={n: a * factors[n] for n, a in RESPONSES.items()},
    )
    assert apart(found.alm, cleaned["three"].alm) < 1e-10
    micro = run(sky, responses={**RESPONSES, "screening": 1e-6 * RESPONSES["screening"]})
    assert apart(micro.alm, 1e6 * cleaned["three"].alm) < 1e-10


def test_maps_alms_and_functions_are_the_same(sky, cleaned):
    _, alms, _ = sky
    transforms = get_transforms(BACKEND)
    maps = [transforms.synthesis(a, NSIDE) for a in alms]
    found = run(sky, maps=[lambda m=m: m for m in maps])
    np.testing.assert_array_equal(found.alm, run(sky, maps=maps).alm)
    # 1e-4: maps of nside 32 hold l = 60 to the accuracy of the quadrature.
    assert apart(found.alm, cleaned["three"].alm) < 1e-3


def test_back_ends_agree(sky, cleaned):
    """1e-8: their difference of 1e-11, amplified by the constraints."""
    assert apart(run(sky, backend="healpy").alm, cleaned["three"].alm) < 1e-8


def test_pixel_windows_are_divided_out(sky, cleaned):
    _, alms, _ = sky
    windows = gaussian_beam(np.linspace(60.0, 90.0, 6), LMAX)
    maps = [scale_alm(a, w) for a, w in zip(alms, windows)]
    found = run(sky, maps=maps, pixel_windows=windows)
    assert apart(found.alm, cleaned["three"].alm) < 1e-10


def test_components_per_scale(sky, cleaned):
    """The third list only: the first two scales are those of tsz, the others of three."""
    lists = (("tsz",), ("tsz",), DEPROJECTED, DEPROJECTED)
    found = run(sky, lists)
    for scale, weights in enumerate(found.weights):
        other = cleaned["tsz" if scale < 2 else "three"].weights[scale]
        np.testing.assert_array_equal(weights.values, other.values)
    assert found.scales[0].components == ("screening", "tsz")


def test_mask(sky, cleaned):
    """Half of the sky: other weights, much the same map inside, nothing outside."""
    _, alms, _ = sky
    transforms = get_transforms(BACKEND)
    maps = np.stack([transforms.synthesis(a, NSIDE) for a in alms])
    z = np.repeat([0.0, 1.0], 6 * NSIDE**2)
    found = run(sky, maps=maps, mask=z)
    assert apart(found.alm, cleaned["three"].alm) > 1e-2
    inside = np.arange(z.size) > 6 * NSIDE**2 + 12 * NSIDE**2 // 8
    a, b = found.map()[inside], cleaned["three"].map()[inside]
    assert np.corrcoef(a, b)[0, 1] > 0.9
    outside = np.arange(z.size) < 6 * NSIDE**2 - 12 * NSIDE**2 // 8
    assert np.std(found.map()[outside]) < 0.05 * np.std(a)
    for weights in found.weights:
        assert np.all(np.isfinite(weights.values))
    with pytest.raises(DataError, match="values from 0 to 1, not all of them 0"):
        run(sky, mask=0.0 * z)
    with pytest.raises(DataError, match="nside >= 32"):
        run(sky, mask=np.ones(12 * 16**2))


# --------------------------------------------------------------------------------------- restart


def test_restart_per_scale(sky, cleaned, tmp_path):
    """Kept, deleted, damaged and new files all give the same numbers."""
    first = run(sky, cache=tmp_path)
    np.testing.assert_array_equal(first.alm, cleaned["three"].alm)
    files = sorted(tmp_path.iterdir())
    assert len(files) == len(PEAKS)
    stamps = {f: f.stat().st_mtime_ns for f in files}
    files[1].unlink()
    files[2].write_bytes(files[2].read_bytes()[:100])
    with pytest.warns(DiffaxionWarning, match="computed again"):
        again = run(sky, cache=tmp_path)
    np.testing.assert_array_equal(again.alm, first.alm)
    assert again.scales[2].record() == first.scales[2].record()
    kept = {f: f.stat().st_mtime_ns for f in sorted(tmp_path.iterdir())}
    assert [kept[f] == stamps[f] for f in files] == [True, False, False, True]


def test_cache_never_meets_another_configuration(sky, tmp_path):
    """A changed response, smoothing, channel or map writes new files."""
    _, alms, _ = sky
    run(sky, cache=tmp_path)
    changed = {**RESPONSES, "cib": RESPONSES["cib"] * np.linspace(1.0, 1.01, 6)}
    for options in (
        {"responses": changed},
        {"bias": 0.03},
        {"variant": "coarse"},
        {"regularise": 1e-6},
        {"maps": [alms[0] * 1.001, *alms[1:]]},
    ):
        before = len(list(tmp_path.iterdir()))
        found = run(sky, cache=tmp_path, **options)
        assert len(list(tmp_path.iterdir())) == before + len(PEAKS)
        np.testing.assert_array_equal(found.alm, run(sky, **options).alm)


# ---------------------------------------------------------------------------------------- checks


def test_progress_and_record(sky):
    steps = []
    found = run(sky, progress=lambda done, total, text: steps.append((done, total, text)))
    assert [s[0] for s in steps] == list(range(len(NAMES) + len(PEAKS) + 1))
    assert steps[0] == (0, 10, "channel 070")
    assert steps[6][2] == "needlet scale 0"
    assert found.record["variant"] == "interpolated"
    assert found.record["scales"][0]["channels"] == list(NAMES)
    assert found.record["responses"]["tsz"] == RESPONSES["tsz"].tolist()
    assert 20.0 < found.record["memory_estimate_MiB"] < 60.0
    assert found.lmax == LMAX
    assert found.map(16).size == 12 * 16**2


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"components": ("tzs",)}, ConfigurationError, "unknown component 'tzs': did you mean"),
        ({"components": ("tsz", "tsz")}, ConfigurationError, "names a component twice"),
        ({"components": ("screening",)}, ConfigurationError, "names a component twice"),
        ({"components": (("tsz",), ())}, ConfigurationError, r"each of the 4 .* \(found 2\)"),
        (
            {"channels": (NAMES, NAMES, NAMES, NAMES[4:])},
            ConfigurationError,
            r"needlet scale 3 \(channels 353, 545\): 4 constraints .* on 2 channels",
        ),
        ({"responses": {"screening": np.ones(3)}}, ConfigurationError, "one number for each of"),
        ({"maps": [np.zeros(12)]}, ConfigurationError, "1 maps and 6 beams"),
        ({"variant": "exakt"}, ConfigurationError, "unknown variant of the smoothing 'exakt'"),
        ({"memory_GiB": 0.01}, ConfigurationError, "the run would need about 0.0.* GiB"),
        ({"common_fwhm_arcmin": 0.0}, ConfigurationError, "common beam 0 arcmin"),
        ({"iterations": -1}, ConfigurationError, "-1 iterations"),
        ({"regularise": 2.0}, ConfigurationError, "regularise 2: expected 0 to 1"),
        ({"lmax": 95, "peaks": (0, 50, 96)}, ConfigurationError, "must be below 3 nside - 1"),
        ({"pixel_windows": np.zeros((6, LMAX + 1))}, ConfigurationError, "expected positive"),
    ],
)
def test_bad_requests_are_refused_before_any_work(sky, options, error, message):
    def touched():
        raise AssertionError("a map was read")

    components = options.pop("components", DEPROJECTED)
    with pytest.raises(error, match=message):
        run(sky, components, **({"maps": [touched] * 6} | options))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda m: np.where(np.arange(m.size) < 3, -1.6375e30, m), r"'143': 3 of 12288 values"),
        (lambda m: np.where(np.arange(m.size) < 2, np.nan, m), r"'143': 2 of 12288 values"),
        (lambda m: m[:100], "map of channel '143': 100 pixels"),
        (lambda m: m.reshape(2, -1), "expected one axis"),
    ],
)
def test_unusable_maps(sky, spoil, message):
    maps = [np.ones(12 * NSIDE**2)] * 6
    maps[2] = spoil(maps[2])
    with pytest.raises(DataError, match=message):
        run(sky, maps=[lambda m=m: m for m in maps])


def test_maps_of_low_resolution(sky):
    """Left out where they end; refused where that is only seen after reading."""
    _, alms, _ = sky
    transforms = get_transforms(BACKEND)
    coarse = transforms.synthesis(alms[0], 16, 40)
    found = run(sky, maps=[coarse, *alms[1:]])
    assert [r.channels[0] for r in found.scales] == ["070", "070", "100", "100"]
    message = "'070' ends at l = 47, but is to be used up to l = 60"
    with pytest.raises(DataError, match=message):
        run(sky, maps=[lambda: coarse, *alms[1:]])
    with pytest.raises(DataError, match="'070' ends at l = 20"):
        run(sky, maps=[scale_alm(alms[0], np.ones(21), 20), *alms[1:]])


def test_copies_of_a_channel_are_refused(sky):
    _, alms, _ = sky
    maps = [*alms[:5], alms[4]]
    with pytest.raises(ValidityError, match="6 channels is singular at needlet scale 0"):
        run(sky, maps=maps, beams=gaussian_beam(np.full(6, 200.0), LMAX))


def test_weights_that_were_not_kept(sky):
    _, alms, _ = sky
    found = run(sky, keep_weights=False)
    with pytest.raises(ConfigurationError, match="keep_weights=True"):
        push_through(found, alms)
    with pytest.raises(ConfigurationError, match="2 maps for 6 channels"):
        push_through(run(sky), alms[:2])


def test_sets_have_names(sky):
    _, alms, beams = sky
    with pytest.raises(ConfigurationError, match=r"deprojection sets \['tsz'\]: expected comp"):
        needlet_ilc(alms, beams, RESPONSES, ["tsz"], SETTINGS)


def test_small_skies():
    """The bundled sky is one of them; its common beam is that of its settings."""
    bundled = bundled_simulated_sky()
    small = NeedletILC.small(bundled.nside)
    assert small.lmax == bundled.lmax
    assert small.common_fwhm_arcmin == bundled.settings.common_fwhm_arcmin
    assert NeedletILC.small(128).lmax == 380
    assert NeedletILC.small(64).common_fwhm_arcmin == 120.0
    with pytest.raises(ConfigurationError, match="nside 63"):
        NeedletILC.small(63)
