"""Limits from the reference counts against other codes: pyhf and iminuit."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from diffaxion.inference import Q_95
from tests import reference_counts as ref


@pytest.fixture(scope="module")
def reference(shared):
    return ref.load(shared)


def test_iminuit_with_gradient(reference):
    """Minimise -ln L over 14 backgrounds at fixed strength: where q = z^2."""
    minuit = pytest.importorskip("iminuit", reason="iminuit is not installed")
    c, t, b = (np.asarray(reference[k]) for k in ("c", "S", "B"))

    def at(mass):
        # The strength in units of the expected limit, for all masses alike.
        r = np.asarray(reference["r"][mass])
        scale = reference["r"][0].sum() / r.sum()
        rt = (r * scale)[:, None] * t

        def cost(x):
            mu = x[0] * rt + x[1:, None] * b
            return np.sum(mu - c * np.log(np.where(mu > 0.0, mu, 1e-300)))

        def gradient(x):
            mu = x[0] * rt + x[1:, None] * b
            w = 1.0 - c / np.where(mu > 0.0, mu, 1e-300)
            return np.concatenate([[np.sum(rt * w)], np.sum(b * w, axis=1)])

        fit = minuit.Minuit(cost, np.concatenate([[0.0], c.sum(1) / b.sum(1)]), grad=gradient)
        fit.errordef, fit.strategy, fit.tol = 0.5, 1, 1e-6
        fit.migrad()
        top, best = fit.fval, fit.values[0]
        fit.fixed[0] = True

        def excess(a):
            fit.values[0] = a
            fit.migrad()
            return 2.0 * (fit.fval - top) - Q_95

        root = optimize.brentq(excess, best + 0.3, best + 2.5, xtol=1e-8)
        return best * scale, root * scale

    for mass in (0, 60):
        a_hat, a_95 = at(mass)
        np.testing.assert_allclose(a_95, reference["aup"][mass], rtol=1e-6)
        sigma = (reference["aup"][mass] - reference["ahat"][mass]) / Q_95**0.5
        np.testing.assert_allclose(a_hat, reference["ahat"][mass], atol=1e-3 * sigma)


@pytest.fixture(scope="module")
def workspace(reference):
    """The reference data in pyhf: one channel per bin, one sample each for T and B.

    pyhf sorts channels by name, so they are numbered with two digits.
    """
    pyhf = pytest.importorskip("pyhf", reason="pyhf (extra `reference`) is not installed")
    signal = np.asarray(reference["r"][0][:, None] * reference["S"])
    channels = [
        {
            "name": f"e{i:02d}",
            "samples": [
                {
                    "name": "signal",
                    "data": signal[i].tolist(),
                    "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
                },
                {
                    "name": "background",
                    "data": np.asarray(reference["B"][i]).tolist(),
                    "modifiers": [{"name": f"A{i:02d}", "type": "normfactor", "data": None}],
                },
            ],
        }
        for i in range(14)
    ]
    pyhf.set_backend("jax", pyhf.optimize.minuit_optimizer(tolerance=1e-3), precision="64b")
    model = pyhf.Model({"channels": channels}, poi_name="mu", validate=False)
    data = np.concatenate([np.asarray(reference["c"]).ravel(), model.config.auxdata])
    bounds = [list(x) for x in model.config.suggested_bounds()]
    bounds[model.config.poi_index][0] = -2.0  # the maximum may be negative
    yield pyhf, model, jnp.asarray(data), bounds
    pyhf.set_backend("numpy")


@pytest.mark.slow
def test_pyhf(shared, reference, workspace):
    """q at our limit and at our limit moved by 1e-4 in g, q_0 and q(1), on the same data."""
    pyhf, model, data, bounds = workspace
    poi = model.config.poi_index
    _, top = pyhf.infer.mle.fit(data, model, par_bounds=bounds, return_fitted_val=True)

    def q(mu, counts=data, peak=top):
        fixed = pyhf.infer.mle.fixed_poi_fit(
            mu, counts, model, par_bounds=bounds, return_fitted_val=True
        )
        return float(fixed[1] - peak)

    want = ref.numbers(shared)
    assert abs(q(0.0) - want["TS0"]) < 1e-3
    assert abs(q(1.0) - want["q_at_1"]) < 1e-3
    a_95 = want["a_95"]
    # A fall of q through z^2 between g (1 -+ 1e-4): the two limits agree to that.
    assert q(a_95 * (1 - 1e-4) ** 4) < Q_95 < q(a_95 * (1 + 1e-4) ** 4)
    null = pyhf.infer.mle.fixed_poi_fit(0.0, data, model, par_bounds=bounds)
    ideal = model.expected_data(null)
    peak = float(pyhf.infer.mle.twice_nll(null, ideal, model)[0])
    assert null[poi] == 0.0
    assert abs(np.sqrt(q(1.0, ideal, peak)) - want["asimov_A_null"]["sqrt_qA_at_1"]) < 1e-3
    median = want["asimov_A_null"]["a_median"]
    assert q(median * (1 - 1e-3), ideal, peak) < Q_95 < q(median * (1 + 1e-3), ideal, peak)
