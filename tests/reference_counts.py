"""The simulated counts with which statistics are checked: read, or rebuilt from published data."""

import json

import jax.numpy as jnp
import numpy as np

from diffaxion.likelihoods import TemplatePoisson
from tests.conftest import read_csv


def load(shared):
    """Arrays of the reference file."""
    with np.load(shared / "data/stats/xray_toy_ref.npz", allow_pickle=False) as f:
        return {k: jnp.asarray(f[k]) for k in f.files}


def numbers(shared):
    """Reference results for the first mass."""
    return json.loads((shared / "data/stats/xray_toy_ref.json").read_text())


def likelihood(reference):
    """The likelihood of the reference counts, checked."""
    return TemplatePoisson.from_maps(reference["c"], reference["S"], reference["B"])


def rebuild(shared):
    """Counts, templates and responses from the released spectrum and two random seeds."""
    table = read_csv(shared / "data/ssc/nustar_spectra.csv")
    used = table["energy_keV"] > 10.0
    energy, error, axion = (
        table[k][used] for k in ("energy_keV", "quintuplet_error", "quintuplet_axion")
    )
    width = 8.7 / 60.0
    x = np.arange(-14, 15) * width
    x, y = np.meshgrid(x, x)
    roi = np.hypot(x, y) < 2.0
    x, y = x[roi], y[roi]
    rng = np.random.default_rng(0)
    stars = rng.normal(0.0, 0.2, (14, 2))
    weights = rng.lognormal(0.0, 0.7, 14)
    signal = np.zeros(x.size)
    for (x0, y0), w in zip(stars, weights / weights.sum(), strict=True):
        r2 = (x - x0) ** 2 + (y - y0) ** 2
        for sigma in (0.15, 0.85):
            signal += 0.5 * w * np.exp(-0.5 * r2 / sigma**2) / (2.0 * np.pi * sigma**2) * width**2
    shape = 1.0 + 0.15 * x + 0.10 * y
    to_counts = 1e-4 * 5.0 * 39e3
    background = 4.0 * (error[:, None] * to_counts) ** 2 * shape / shape.sum()
    counts = np.random.default_rng(1).poisson(background)
    masses = np.logspace(-13, -9, 70)
    phase = masses[:, None] ** 2 / (2e3 * energy) * 0.5 * 1.563e26 / 2.0

    def lobe(z):
        return np.sinc(z / np.pi) ** 2

    response = axion * to_counts * (0.6 * lobe(0.3 * phase) + 0.4 * lobe(0.11 * phase))
    return {
        "c": counts,
        "S": np.broadcast_to(signal, counts.shape),
        "B": background,
        "r": response,
        "ma": masses,
    }
