"""Tables of the README on maps: speed of cleaning and of spectra, recovery on simulated skies."""

from __future__ import annotations

_VARIANTS = {
    "exact": "exact (all smoothing at full resolution)",
    "smooth": "smoothing to the multipoles that survive it",
    "interpolated": "… and weights on a coarse grid, interpolated (default)",
    "coarse": "… on the coarsest grid",
}


def maps_speed(ilc: dict, spectra: dict) -> list[str]:
    """Rows on the needlet ILC and on pseudo-spectra, from the results of two benchmarks."""
    sizes = [n for n in ilc["measured"] if n in ("128", "256")]
    heads = [f"nside {n}: {b} [s]" for n in sizes for b in ("healpy", "ducc0")]
    columns = ["Needlet ILC, 8 channels, 3 deprojections", *heads, "rms difference"]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for variant, label in _VARIANTS.items():
        runs = [ilc["measured"][n][f"{variant}-{b}"] for n in sizes for b in ("healpy", "ducc0")]
        cells = [f"{r['cpu_s']:.1f} ({r['peak_MB']:.0f} MB)" for r in runs]
        apart = " / ".join(f"{r['difference']:.0e}" for r in runs[::2])
        lines.append(f"| {label} | {' | '.join(cells)} | {'' if variant == 'exact' else apart} |")
    elsewhere = ilc["elsewhere"]
    for label, key in (
        ("measured elsewhere: pyilc", "pyilc"),
        ("measured elsewhere: the same numerics in NumPy", "exact_numpy_ducc0"),
    ):
        cells = []
        for n in sizes:
            text = f"{elsewhere[f'{key}_s'][n]:g} ({elsewhere[f'{key}_MB'][n]} MB)"
            cells += [text, ""] if key == "pyilc" else ["", text]
        lines.append(f"| {label} | {' | '.join(cells)} | |")
    lines += ["", "| Pseudo-spectra of two masked maps, one core | l_max 512 | 1024 | 2048 |"]
    lines.append("|---|---|---|---|")
    at = [spectra["coupling"][l] for l in ("512", "1024", "2048")]

    def row(label: str, *keys: str) -> None:
        cells = []
        for node in at:
            value = node
            for key in keys:
                value = value.get(key, {}) if isinstance(value, dict) else {}
            cells.append("" if value == {} else f"{value:.2g}")
        lines.append(f"| {label} | {' | '.join(cells)} |")

    row("nodes, coupling matrix and full covariance [s]", "matrix_and_covariance_s")
    row("bandpowers, windows and their covariance, without the full matrices [s]", "measurement_s")
    row("transforms of the five products of masks, healpy [s]", "five_mask_transforms_healpy_s")
    row("… ducc0 [s]", "five_mask_transforms_ducc0_s")
    row("measured elsewhere: pymaster, coupling matrix [s]", "pymaster_quoted_s", "matrix")
    row("measured elsewhere: pymaster, covariance [s]", "pymaster_quoted_s", "covariance")
    row("pymaster over ours, matrices only", "quoted_over_matrix_and_covariance")
    row("… over ours with the transforms of the masks, ducc0", "quoted_over_all_ducc0")
    return lines


def maps_recovery(result: dict) -> str:
    """Recovery of C_l^Tg and of the strength on simulated skies, one row per case."""
    columns = [
        "skies",
        "deprojected",
        "A injected",
        "A recovered",
        "error of one sky",
        "pull width",
    ]
    columns += ["PTE of the mean bias", "analytic / measured error", "ILC bias"]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for nside in ("nside 64", "nside 128"):
        for key, found in result[nside]["results"].items():
            a, bias = found["strength"], found.get("ilc_bias")
            cells = [
                f"{found['skies']}, {nside}",
                key.split(",")[0].replace("+", ", "),
                f"{a['injected']:g}",
                f"{a['mean']:.2f} ± {a['error_of_mean']:.2f}",
                f"{a['error_of_one_sky']:.1f}",
                f"{a['pull_width']:.2f}",
                f"{found['pte']:.2f}" if found["pte"] > 1e-3 else "< 0.001",
                f"{found['mean_analytic_over_measured_error']:.2f}",
                f"{100 * bias['fraction']:.2f} %" if bias else "",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
