"""Coupled spectra and their Gaussian covariance against NaMaster's, and against simulations."""

import healpy
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.errors import ConfigurationError, DataError
from diffaxion.sky import (
    MaskSpectra,
    apodise,
    check_covariance,
    couple_spectrum,
    coupling_matrix,
    cross_covariance,
    decouple,
    disc_mask,
    galactic_mask,
    hartlap_factor,
    legendre_grid,
    linear_bins,
    mask_spectrum,
    measure_cross,
    model_spectra,
    narrow_kernel_covariance,
    null_test,
    point_source_mask,
    pseudo_spectrum,
    sample_covariance,
    shrink_covariance,
    smooth_spectra,
)

LMAX = 256


@pytest.fixture(scope="module")
def reference(shared):
    path = shared / "data" / "sky" / "nmt_ref_ns128.npz"
    with np.load(path, allow_pickle=False) as archive:
        data = {name: archive[name] for name in archive.files}
    masks = {"a": data["mask1"].astype(float), "b": data["mask2"].astype(float)}
    maps = {"a": data["map1"].astype(float), "b": data["map2"].astype(float)}
    spectra = MaskSpectra(LMAX, iterations=3)
    grid, bins = legendre_grid(LMAX, LMAX), linear_bins(int(data["nlb"]), LMAX)
    mask_cl = spectra.spectrum((masks["a"],), (masks["b"],))
    return data, masks, maps, spectra, grid, mask_cl, decouple(mask_cl, bins, grid)


def close(found, expected):
    """1e-6 of the largest, as stated with the reference, whose arrays are partly in float32."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.max(np.abs(expected)))


def test_coupling_matrix_and_windows_of_the_reference(reference):
    data, _, _, _, grid, mask_cl, operators = reference
    close(coupling_matrix(grid, jnp.asarray(mask_cl)), data["mcm"])
    np.testing.assert_allclose(operators.bins.centres(), data["ell_eff"])
    close(operators.window[data["bins_given"]], data["bpw_rows_given"])


def test_spectra_and_covariance_of_the_reference(reference):
    data, masks, maps, mask_spectra, grid, _, operators = reference
    coupled = {
        (x, y): pseudo_spectrum(maps[x], masks[x], maps[y], masks[y], LMAX)
        for x, y in (("a", "a"), ("a", "b"), ("b", "b"))
    }
    given = data["bins_given"]
    close(coupled["a", "b"][data["ells_given"]], data["cl_coupled_given"])
    close(operators.bandpowers(coupled["a", "b"])[given], data["cl_dec_given"])
    spectra = {(x, y): cl / np.mean(masks[x] * masks[y]) for (x, y), cl in coupled.items()}
    k = operators.matrix
    found = narrow_kernel_covariance(
        ("a", "b"), ("a", "b"), (k, k), spectra, masks, grid, mask_spectra
    )
    close(found[given], data["cov_rows_given"])
    np.testing.assert_array_equal(found, check_covariance(found))
    # Labels in the other order, and the pair turned round, are the same estimate.
    turned = {(y, x): cl for (x, y), cl in spectra.items()}
    again = narrow_kernel_covariance(
        ("b", "a"), ("a", "b"), (k, k), turned, masks, grid, mask_spectra
    )
    np.testing.assert_allclose(again, found, atol=1e-14 * found.max())


def test_whole_sky_covariance_is_that_of_knox():
    """(C_TT C_gg + C_Tg^2)/(2l+1) for each l, 0 between, to the quadrature of the mask."""
    lmax, ones = 20, np.ones(12 * 16**2)
    grid, bins = legendre_grid(lmax, 8), linear_bins(1, lmax)
    w = mask_spectrum(ones, lmask=8)
    operators = decouple(w, bins, grid)
    ell = np.arange(lmax + 1.0)
    spectra = {("T", "T"): 1 / (1 + ell), ("g", "g"): 2.0 + 0 * ell, ("T", "g"): -0.5 / (1 + ell)}
    cov = narrow_kernel_covariance(
        ("T", "g"),
        ("T", "g"),
        (operators.matrix, operators.matrix),
        spectra,
        {"T": ones, "g": ones},
        grid,
        MaskSpectra(8),
    )
    knox = spectra["T", "T"] * spectra["g", "g"] + spectra["T", "g"] ** 2
    np.testing.assert_allclose(cov, np.diag((knox / (2 * ell + 1))[2:]), atol=1e-7)


@pytest.mark.slow
def test_covariance_against_simulations():
    """800 Gaussian skies, three fields, two estimates with different masks and shared galaxies.

    Mean unbiased, variances of both and of their difference within 3 sigma of the simulations
    (5 % each); the covariance between both estimates bin by bin.
    """
    nside, lmax, count = 32, 80, 800
    ell = np.arange(lmax + 1.0)
    tt, gg = 1e2 / (ell + 10.0) ** 2, 1e-2 / (ell + 10.0) + 1e-4
    tg, noise = -0.4 * np.sqrt(tt * gg), 0.3 * tt
    wide = apodise(galactic_mask(nside, 15.0), 8.0)
    narrow = apodise(galactic_mask(nside, 30.0) * (1 - disc_mask(nside, 10, 60, 20)), 8.0)
    galaxies = apodise(1.0 - disc_mask(nside, 200.0, -30.0, 50.0), 8.0)
    bins, mask_spectra = linear_bins(8, 58), MaskSpectra(95)

    rng = np.random.default_rng(11)
    size = (lmax + 1) * (lmax + 2) // 2
    degree = healpy.Alm.getlm(lmax)[0]

    def unit():
        a = rng.normal(size=(size, 2)) @ np.array([1.0, 1.0j]) * np.sqrt(0.5)
        a[: lmax + 1] = a[: lmax + 1].real * np.sqrt(2.0)
        return a

    def sky():
        a, b, c = unit(), unit(), unit()
        g = np.sqrt(gg)[degree] * a
        t = (tg / np.sqrt(gg))[degree] * a + np.sqrt(tt - tg**2 / gg)[degree] * b
        second = t + np.sqrt(noise)[degree] * c
        return [healpy.alm2map(x, nside, lmax=lmax) for x in (t, second, g)]

    def measure(t, g, mask, total):
        model = {("T", "T"): total, ("T", "g"): tg, ("g", "g"): gg}
        return measure_cross(
            t, mask, g, galaxies, bins, lmax=lmax, mask_spectra=mask_spectra, model=model
        )

    t, second, g = sky()
    first, other = measure(t, g, wide, tt), measure(second, g, narrow, tt + noise)
    fields = {"T1": first.fields["T"], "g1": first.fields["g"]}
    fields |= {"T2": other.fields["T"], "g2": other.fields["g"]}
    by_kind = {"TT": tt, "Tg": tg, "gT": tg, "gg": gg}
    model = {(x, y): by_kind[x[0] + y[0]] for x in fields for y in fields}
    model["T2", "T2"] = tt + noise
    spectra = model_spectra(model, fields, legendre_grid(lmax, 95), mask_spectra)
    both = cross_covariance(first, other, spectra=spectra, mask_spectra=mask_spectra)

    draws = []
    for _ in range(count):
        t, second, g = sky()
        a, b, c = (
            healpy.map2alm(m * w, lmax=lmax, iter=1)
            for m, w in ((t, wide), (second, narrow), (g, galaxies))
        )
        draws.append([first.matrix @ healpy.alm2cl(a, c), other.matrix @ healpy.alm2cl(b, c)])
    x, y = np.moveaxis(np.array(draws), 1, 0)
    for sample, m in ((x, first), (y, other)):
        pull = (sample.mean(axis=0) - m.predict(tg)) / np.sqrt(np.diag(m.cov_uK2) / count)
        assert np.sum(pull**2) < 22.0  # 7 bandpowers, probability 0.25 %
    limit = 3.0 * np.sqrt(2.0 / count)
    difference = first.cov_uK2 + other.cov_uK2 - both - both.T
    for sample, c in ((x, first.cov_uK2), (y, other.cov_uK2), (x - y, difference)):
        ratio = np.var(sample, axis=0, ddof=1) / np.diag(c)
        np.testing.assert_allclose(ratio, 1.0, atol=limit)
    measured = np.sum((x - x.mean(0)) * (y - y.mean(0)), axis=0) / (count - 1)
    scale = np.sqrt(np.diag(first.cov_uK2) * np.diag(other.cov_uK2))
    np.testing.assert_allclose(measured / scale, np.diag(both) / scale, atol=limit)
    # Errors from the two covariances alone are far too large for the difference.
    assert np.all(np.diag(difference) < 0.7 * np.diag(first.cov_uK2 + other.cov_uK2))


def test_smooth_spectra_follow_and_do_not_scatter():
    """A steep noiseless spectrum comes back, mostly to 1 %; scatter is reduced, its mean kept."""
    ell = np.arange(200.0)
    shape = np.exp(-((ell / 60.0) ** 2)) / (ell + 5.0)
    cross = -0.3 * shape * np.cos(ell / 40.0)
    pairs = {("T", "T"): shape, ("T", "g"): cross, ("g", "g"): 4.0 * shape}
    found = smooth_spectra(pairs)
    for pair in pairs:
        error = (found[pair] - pairs[pair])[2:] / np.abs(shape[2:])
        # The bend of ln C over the width of the weights, largest at both ends.
        assert np.max(np.abs(error)) < 0.07
        assert np.median(np.abs(error)) < 0.01
    rng = np.random.default_rng(0)
    dof = np.maximum(0.5 * (2 * ell + 1), 1.0)
    ratio = []
    for _ in range(200):
        noisy = shape * rng.chisquare(dof) / dof
        ratio.append(smooth_spectra({("T", "T"): noisy})["T", "T"][2:] / shape[2:])
    mean, scatter = np.mean(ratio, axis=0), np.std(ratio, axis=0)
    np.testing.assert_allclose(mean, 1.0, atol=0.08)
    raw = np.sqrt(2.0 / dof[2:])
    assert np.all(scatter < 0.75 * raw)
    with pytest.raises(DataError, match="auto-spectra of both"):
        smooth_spectra({("T", "g"): cross})
    with pytest.raises(DataError, match="zero inside its mask"):
        smooth_spectra({("T", "T"): 0.0 * shape})
    with pytest.raises(DataError, match="at least 5"):
        smooth_spectra({("T", "T"): shape[:5]})


def test_covariances_of_simulations():
    """The mean of the inverse times the factor is the inverse; shrinkage knows a good model."""
    rng = np.random.default_rng(4)
    truth = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.2], [0.0, -0.2, 0.3]])
    root = np.linalg.cholesky(truth)
    n, inverse = 12, np.zeros((3, 3))
    for _ in range(2000):
        samples = rng.normal(size=(n, 3)) @ root.T
        inverse += np.linalg.inv(np.cov(samples.T)) * hartlap_factor(n, 3) / 2000
    found = jax.jit(sample_covariance)(samples)
    np.testing.assert_allclose(found, np.cov(samples.T), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(inverse, np.linalg.inv(truth), atol=0.08 * inverse.max())
    shrink = jax.jit(shrink_covariance)
    good = shrink(jnp.asarray(samples), jnp.asarray(truth))
    assert 0.2 < float(good.weight) <= 1.0
    many = jnp.asarray(rng.normal(size=(4000, 3)) @ root.T)
    bad = shrink(many, jnp.asarray(3.0 * truth))
    assert float(bad.weight) < 0.02
    np.testing.assert_allclose(bad.covariance, truth, atol=0.2)
    mixed = good.weight * truth + (1 - good.weight) * np.cov(samples.T)
    np.testing.assert_allclose(good.covariance, mixed, rtol=1e-12)
    with pytest.raises(DataError, match="needs at least 6"):
        hartlap_factor(5, 3)


def test_unusable_covariances_are_refused():
    """Row by row; nothing is repaired unless asked."""
    good = np.array([[2.0, 0.5], [0.5, 1.0]])
    np.testing.assert_array_equal(check_covariance(good), good)
    for bad, message in (
        (np.ones(3), r"shape \(3,\)"),
        (np.array([[1.0, np.nan], [0.0, 1.0]]), "1 values are not finite"),
        (np.array([[1.0, 0.1], [0.0, 1.0]]), "asymmetric"),
        (np.array([[1.0, 0.0], [0.0, -1.0]]), "variance -1 of bandpower 1, smallest"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), "smallest eigenvalue of the correlation matrix -1"),
        (np.array([[1.0, 1.0], [1.0, 1.0 + 1e-14]]), "condition below"),
    ):
        with pytest.raises(DataError, match=message):
            check_covariance(bad)
    fixed = check_covariance(np.array([[1.0, 1.5], [1.5, 1.0]]), regularise=0.01)
    assert np.linalg.eigvalsh(fixed)[0] == pytest.approx(0.025, rel=1e-10)
    with pytest.raises(DataError, match="regularise = 0"):
        check_covariance(good, regularise=0.0)
    # chi^2 = 9.2 of 11 has the published probability 0.61 (rounded); 2 dof in closed form.
    root = np.sqrt(9.2 / 11.0)
    assert null_test(np.full(11, root), np.eye(11)).pte == pytest.approx(0.603, abs=5e-4)
    assert null_test([1.0, 1.0], np.eye(2)).pte == pytest.approx(np.exp(-1.0))
    with pytest.raises(DataError, match="1 of 2 are not finite"):
        null_test([1.0, np.nan], good)
    with pytest.raises(DataError, match="covariance of shape"):
        null_test([1.0], good)


def test_what_a_covariance_needs(reference):
    _, masks, _, mask_spectra, grid, _, operators = reference
    k = operators.matrix
    flat = {("a", "a"): np.ones(257), ("b", "b"): np.ones(257)}

    def covariance(spectra, masks=masks, mask_spectra=mask_spectra):
        pair = ("a", "b")
        return narrow_kernel_covariance(pair, pair, (k, k), spectra, masks, grid, mask_spectra)

    with pytest.raises(ConfigurationError, match="no spectrum of a x b"):
        covariance(flat)
    with pytest.raises(DataError, match=r"a x b has shape \(256,\)"):
        covariance(flat | {("a", "b"): np.ones(256)})
    with pytest.raises(DataError, match="1 values that are not finite"):
        covariance(flat | {("b", "a"): np.where(np.arange(257) == 9, np.inf, 1.0)})
    good = flat | {("a", "b"): np.ones(257)}
    with pytest.raises(ConfigurationError, match="no mask for b"):
        covariance(good, masks={"a": masks["a"]})
    with pytest.raises(ConfigurationError, match="L = 20"):
        covariance(good, mask_spectra=MaskSpectra(20))


def test_masks_need_no_iterations():
    """Bandpowers with spectra of masks from 0 and from 3 corrections: 1e-4 where a mask has sharp
    holes, 1e-5 where it is apodised. Both are far below the error of any bandpower."""
    rng = np.random.default_rng(0)
    latitude = np.degrees(np.arcsin(rng.uniform(-1, 1, 60)))
    holes = point_source_mask(64, rng.uniform(0, 360, 60), latitude, 120.0)
    grid, bins = legendre_grid(100, 191), linear_bins(10, 100)
    cl = 1.0 / (10.0 + np.arange(101.0)) ** 2
    for mask, limit in ((holes, 2e-4), (apodise(holes, 6.0), 2e-5)):
        w = [mask_spectrum(mask, iterations=n) for n in (0, 3)]
        coupled = np.asarray(couple_spectrum(grid, jnp.asarray(w[1]), cl))
        few, many = (decouple(v, bins, grid).bandpowers(coupled) for v in w)
        np.testing.assert_allclose(few, many, rtol=limit)


def test_transforms_have_their_limits():
    mask = galactic_mask(16, 20.0)
    with pytest.raises(DataError, match="3 nside - 1 = 47"):
        pseudo_spectrum(mask, mask, mask, mask, 48)
    with pytest.raises(DataError, match="l_max = 60"):
        mask_spectrum(mask, lmask=60)
    assert mask_spectrum(mask).size == 48
    spectra = MaskSpectra(10)
    # A mask of zeros and ones is its own square: one transform serves both.
    assert spectra.alm(mask, mask) is spectra.alm(mask)
