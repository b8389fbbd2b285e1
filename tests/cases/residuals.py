"""Case of the residual templates: background, marginalised covariance and fit."""

import jax.numpy as jnp

from diffaxion.likelihoods import GaussianPoints, ResidualTemplates

from . import Case

_DATA = jnp.array([-0.3, 0.9, 1.4])
_SCALE = jnp.linalg.cholesky(0.3 * jnp.eye(3) + 0.05)
_TEMPLATES = jnp.array([[0.5, 0.9, 1.0], [1.0, 0.2, -0.3]])
_SIGMA, _AMPLITUDES = jnp.array([1.5, 0.4]), jnp.array([0.7, -0.2])


def _residuals(data, templates, sigma, amplitudes):
    found = ResidualTemplates(templates, sigma, ("cib", "dust"))
    points = GaussianPoints(data, _SCALE)
    signal = found.background(amplitudes)
    return signal, found.marginalise(points).log_prob(signal), found.fit(points, signal)


CASES = [
    Case(
        "residual_templates",
        _residuals,
        (_DATA, _TEMPLATES, _SIGMA, _AMPLITUDES),
        # Two templates in proportion.
        ((_DATA, jnp.ones((2, 3)), _SIGMA, 0.0 * _AMPLITUDES),),
        ("likelihoods.ResidualTemplates",),
    ),
]
