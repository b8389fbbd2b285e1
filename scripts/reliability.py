"""The table of reliability of README.md, from stored results and the tests of the rest."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Row = tuple[str, str, str, str]
_HEADS = ("", "figure", "measured, N", "source")
_NONE = "no stored result yet"


def _newest(folder: Path, name: str) -> tuple[dict[str, Any] | None, str]:
    """Newest result of a benchmark and where it is from, with its date."""
    files = sorted(folder.glob(f"{name}-*.json"))
    if not files:
        return None, f"`benchmarks/{name}.py`"
    return json.loads(files[-1].read_text()), f"`{files[-1].name}`"


def _span(values: list[float], form: str = ".2f") -> str:
    return f"{min(values):{form}} to {max(values):{form}}"


def _fourth_roots(point: dict[str, Any], kind: str) -> list[float]:
    bands = point["bands"]
    pairs = zip(bands["toys"][0], bands[kind], strict=True)
    return [(toy / asimov) ** 0.25 for toy, asimov in pairs]


def _counts_rows(folder: Path) -> dict[str, list[Row]]:
    """Rows about limits from counts, which have a benchmark of their own."""
    speed, speed_name = _newest(folder, "poisson")
    toys, toys_name = _newest(folder, "poisson_calibration")
    rows: dict[str, list[Row]] = {}
    if speed is not None:
        n, error = speed["masses"], speed["limits_alone"]["largest_error"]
        peer = speed["iminuit_gradient"]["largest_error"]
        pyhf = speed["pyhf_jax_minuit"]["error"]
        rows["S1"] = [
            (
                "S1",
                "limits from counts against reference, iminuit, pyhf (relative in a)",
                f"{error:.1g} (N = {n} masses), {peer:.1g} (N = {n}), {abs(pyhf):.1g} (N = 1)",
                f"{speed_name}; q0, q(1), Asimov to 1e-3: `test_counts_referees.py`",
            )
        ]
        float32 = speed["limits_alone_float32"]["largest_error_in_g"]
        rows["S10"] = [
            ("S10", "float32 limits in g, <= 1e-3", f"{float32:.1g} (N = {n} masses)", speed_name)
        ]
        warm, first = (speed["limits_alone"][k] for k in ("warm_cpu_s", "first_cpu_s"))
        bands = speed["curve_with_bands"]
        alone, both = speed["iminuit_gradient"], speed["iminuit_gradient_with_bands"]
        rows["S11"] = [
            (
                "S11",
                f"{n}-mass curve from counts < 0.2 s, compilation < 5 s (one core)",
                f"limits {warm:.2g} s, first call {first:.2g} s; with bands "
                f"{bands['warm_cpu_s']:.2g} s, {bands['first_cpu_s']:.2g} s (N = 1 run)",
                speed_name,
            ),
            (
                "",
                "toys per second and core >= 100; over iminuit >= 25",
                f"{speed['toys']['per_cpu_s']:.0f}; limits "
                f"{alone['times_slower_than_limits_alone']:.0f}, with pixels of equal ratio merged "
                f"{alone['times_slower_than_limits_alone_merged']:.0f}; with bands "
                f"{both['times_slower_than_curve']:.0f}, "
                f"{both['times_slower_than_curve_merged']:.0f} (N = 1 run)",
                speed_name,
            ),
        ]
    if toys is not None:
        points = toys["points"]
        sizes = ", ".join(str(t) for t in sorted({p["toys"] for p in points}, reverse=True))
        shape = f"N = {sizes} toys per point, {len(points)} points"
        covered = [100 * p["coverage"][0] for p in points]
        worst = max(points, key=lambda p: abs(p["coverage"][0] - 0.95))
        rows["S2"] = [
            (
                "S2",
                "coverage from counts 95 +- 0.5 %",
                f"{_span(covered)} %; furthest {100 * worst['coverage'][0]:.2f} +- "
                f"{100 * worst['coverage'][1]:.2f} % (N = {worst['toys']}); {shape}",
                toys_name,
            )
        ]
        null = [p for p in points if "bands" in p]
        several = {k: [_fourth_roots(p, k) for p in null] for k in
                   ("asimov_constant", "asimov_self_consistent")}  # fmt: skip
        median = [r[1] for r in several["asimov_constant"]]
        one, self_one = ([x for r in several[k] for x in (r[0], r[2])] for k in several)
        rows["S3"] = [
            (
                "S3",
                "toys over Asimov in g: median within 1.5 %, +-1 sigma within 2 %",
                f"median {_span(median, '.3f')}; +-1 sigma {_span(one, '.3f')} (constant), "
                f"{_span(self_one, '.3f')} (self-consistent); N = {sizes} toys, "
                f"{len(null)} masses",
                toys_name,
            )
        ]
        means = [abs(p["pull_mean"][0]) for p in points]
        widths = [p["pull_width"][0] for p in points]
        rows["S12"] = [
            (
                "S12",
                "signed-root pull from counts: mean within 0.05, width 1 +- 0.03",
                f"mean within {max(means):.3f}, width {_span(widths, '.3f')}; {shape}",
                toys_name,
            )
        ]
    return rows


def _joint_rows(folder: Path) -> dict[str, list[Row]]:
    """Rows about the whole joint model."""
    found, name = _newest(folder, "calibration")
    small = "`tests/analyses/test_calibration.py` (small models)"
    if found is None:
        text = (_NONE, f"{small}; full size: {name}")
        return {
            "S2": [("", "coverage, joint model", *text)],
            "S5": [("S5", "SBC ranks p > 0.01 after Bonferroni, TARP within 3 %", *text)],
            "S12": [("", "injection-recovery, joint model", *text)],
            "S14": [("S14", "posterior predictive p in [0.01, 0.99]", *text)],
        }
    rows: dict[str, list[Row]] = {k: [] for k in ("S2", "S3", "S5", "S12", "S14")}
    for key, words in (("sbc_mass_fixed", "mass fixed"), ("sbc_mass_sampled", "mass sampled")):
        if key in found:
            s = found[key]
            rows["S5"].append(
                (
                    "" if rows["S5"] else "S5",
                    f"SBC, joint model, {words}: p > 0.01 after Bonferroni; TARP",
                    f"smallest p {s['smallest_p_bonferroni']:.2g} of {len(s['parameters'])} "
                    f"parameters, TARP {s['tarp']['deviation']:.3f} (tolerance "
                    f"{s['tarp']['tolerance']:.3f}); N = {s['simulations']} simulations of "
                    f"{s['draws']} draws",
                    name,
                )
            )
    for key, label in (
        ("coverage", "coverage, joint model, nuisances known"),
        ("coverage_profiled", "coverage, joint model, nuisances drawn and profiled"),
    ):
        if key not in found:
            continue
        points = found[key]["points"]
        covered = [100 * p["coverage"]["value"] for p in points]
        errors = [100 * p["coverage"]["error"] for p in points]
        numbers = sorted({p["coverage"]["number"] for p in points})
        size = f"N = {', '.join(map(str, numbers))} toys per point, {len(points)} points"
        rows["S2"].append(("", label, f"{_span(covered)} % (+- {max(errors):.2f}); {size}", name))
        null = [p["g_toys_over_asimov"]["value"] for p in points if "g_toys_over_asimov" in p]
        if null and key == "coverage":
            one = [x for values in null for x in (values[0], values[2])]
            rows["S3"].append(
                (
                    "",
                    "the same, joint model, nuisances known",
                    f"median {_span([v[1] for v in null], '.3f')}; +-1 sigma {_span(one, '.3f')}; "
                    f"N = {numbers[-1]} toys, {len(null)} masses",
                    name,
                )
            )
    if "inject" in found:
        simulated = [p["simulated"] for p in found["inject"]["points"]]
        means = [abs(x["pull_mean"]["value"]) for x in simulated]
        widths = [x["pull_width"]["value"] for x in simulated]
        covered = [100 * x["coverage"]["value"] for x in simulated]
        rows["S12"].append(
            (
                "",
                "the same by injection, joint model; a_95 >= a_true in 95 +- 1 %",
                f"mean within {max(means):.3f}, width {_span(widths, '.3f')}; {_span(covered)} %; "
                f"N = {simulated[0]['number']} each, {len(simulated)} strengths",
                name,
            )
        )
    if "ppc" in found:
        p = [row["p"] for row in found["ppc"]["probes"] if row["judged"]]
        rows["S14"].append(
            (
                "S14",
                "posterior predictive p in [0.01, 0.99]",
                f"{_span(p)} for {len(p)} spectra (the recast has one point, not judged); "
                f"N = {found['ppc']['replicas']} replicas",
                name,
            )
        )
    return rows


def _cases() -> tuple[int, int]:
    """Numbers of public functions that the standing tests differentiate, and of their edges."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from tests.cases import all_cases

    cases = all_cases()
    return sum(c.check_fd for c in cases), sum(len(c.edges) for c in cases)


def reliability_table(folder: Path) -> str:
    """Rows S1 to S14 in Markdown.

    Parameters
    ----------
    folder : Path
        Stored results of the benchmarks.

    Returns
    -------
    str
        The table.
    """
    counts, joint, (cases, edges) = _counts_rows(folder), _joint_rows(folder), _cases()
    tests: dict[str, list[Row]] = {
        "S4": [
            (
                "S4",
                "release: band ratios 1e-3, joint 1.5 %, Z = 0.30 and 0, PTE 0.60-0.61",
                "all agree (N = 57 ratios per band, 19 masses, 2 targets, 1 PTE), table above",
                "`diffaxion reproduce joint`",
            )
        ],
        "S6": [("S6", "gates on every run, otherwise no limit", "N = every run", "`summary.json`")],
        "S7": [
            (
                "S7",
                "Monte Carlo error of the 95 % quantile <= 2 %, or a warning",
                "N = every run, printed with each limit",
                "`summary.json`",
            )
        ],
        "S8": [
            (
                "S8",
                "derivatives of public functions against central differences",
                f"N = {cases} functions, first order; second order where the docstring declares it",
                "`tests/standing/test_gradients.py`",
            )
        ],
        "S9": [
            (
                "S9",
                "no non-finite value or gradient",
                f"N = {edges} edges (g = 0, n_e = 0, ends of tables) of the same functions; "
                "1e5 random points: " + _NONE,
                "`tests/standing/test_jax.py`",
            )
        ],
        "S13": [
            (
                "S13",
                "resume identical to the bit after kill -9 at a random time",
                "N = 20 kills, measured each time the slow tests run",
                "`tests/inference/test_checkpoint.py`, `tests/cli/test_joint.py`",
            )
        ],
    }
    lines = ["| " + " | ".join(_HEADS) + " |", "|" + "---|" * len(_HEADS)]
    for k in range(1, 15):
        for part in (counts, joint, tests):
            lines += ["| " + " | ".join(row) + " |" for row in part.get(f"S{k}", [])]
    return "\n".join(lines)
