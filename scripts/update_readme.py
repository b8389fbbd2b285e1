"""Fill the tables of README.md from stored results, between their markers.

    python scripts/update_readme.py [FOLDER ...]

Each folder is one written by ``diffaxion reproduce xray``, ``reproduce screening`` or ``reproduce
joint``, whose tables are filled in; the tables of speed and reliability are made from the newest
file of each benchmark in ``benchmarks/results``.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from maps_tables import maps_recovery, maps_speed
from reliability import reliability_table

ROOT = Path(__file__).resolve().parents[1]
_COMPILE = "value_gradient_compile_s"


def _between(text: str, marker: str, content: str) -> str:
    pattern = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"README.md has no marker {marker}")
    return pattern.sub(lambda m: m[1] + "\n" + content.strip() + "\n\n" + m[2], text)


def _newest(name: str) -> dict:
    files = sorted((ROOT / "benchmarks" / "results").glob(f"{name}-*.json"))
    if not files:
        raise SystemExit(f"no stored result of benchmarks/{name}.py")
    return json.loads(files[-1].read_text())


def speed_table() -> str:
    """Rows of the README's speed table."""
    conversion, pipeline = _newest("conversion"), _newest("xray_pipeline")
    lines = [
        "| 71 energies, one sight line | 1000 nodes | 4000 nodes |",
        "|---|---|---|",
    ]
    nodes = conversion["nodes"]
    for label, group, key in (
        ("Born integral, B and n_e given [ms]", "born_filon", "ms"),
        ("… value and gradient / forward", "ratios", "born_filon_gradient"),
        ("JF12 + YMW16 + Born [ms]", "galaxy_born", "ms"),
        ("… value and gradient in all parameters / forward", "ratios", "galaxy_born_gradient"),
        ("exact three-state chain [ms]", "exact", "ms"),
        ("… value and gradient / forward", "ratios", "exact_gradient"),
        ("gammaALPs transfer matrices, same B and n_e [ms]", "gammaalps_transfer", "ms"),
        ("… over the exact chain", "ratios", "gammaalps_over_exact"),
        ("NumPy Born integral, two matrix products [ms]", "numpy_born", "ms"),
    ):
        cells = [f"{nodes[n][group][key]:.3g}" for n in ("1000", "4000")]
        lines.append(f"| {label} | {cells[0]} | {cells[1]} |")
    lines += [
        "",
        "| X-ray pipeline | |",
        "|---|---|",
        f"| {pipeline['masses']}-mass limit curves with bands, two targets and joint, warm [s] | "
        f"{pipeline['limit_curve_warm_cpu_s']:.2g} |",
        f"| … first call, compilation included [s] | {pipeline['limit_curve_first_cpu_s']:.2g} |",
        "| gradient of ln L in all "
        f"{pipeline['pipeline_parameters']} numbers of the model: compile [s] | "
        f"{pipeline['pipeline_gradient_compile_cpu_s']:.2g} |",
        f"| … warm [ms] | {1e3 * pipeline['pipeline_gradient_warm_s']:.2g} |",
        f"| peak memory [MB] | {pipeline['peak_memory_MB']:.0f} |",
        "",
        *_screening_speed(_newest("screening")),
        "",
        *maps_speed(_newest("sky_ilc"), _newest("sky_pseudo_cl")),
    ]
    return "\n".join(lines)


def _screening_speed(result: dict) -> list[str]:
    """Rows of the table of screening spectra."""
    grids = [result["full"], result["inference"]]
    sizes = [" × ".join(map(str, g["grid"])) for g in grids]
    lines = [f"| Screening spectra (z × M × l) | {sizes[0]} | {sizes[1]} |", "|---|---|---|"]

    def row(label: str, *keys: str, form: str = ".2g") -> None:
        cells = []
        for node in grids:
            for key in keys:
                node = node[key]
            cells.append(format(node, form))
        lines.append(f"| {label} | {' | '.join(cells)} |")

    n = grids[0]["free"]
    row("C_l at one axion mass, abundance and galaxies at hand [ms]", "free", "mass", "forward_ms")
    row(
        f"… value and gradient in {n['hod']['parameters']} numbers of axion, gas, field and "
        "occupation / forward",
        *("free", "hod", "ratio"),
    )
    row(
        f"everything anew, {n['cosmology']['parameters']} numbers with cosmology [ms]",
        *("free", "cosmology", "forward_ms"),
    )
    row("… value and gradient / forward", "free", "cosmology", "ratio")
    masses = grids[0]["curve"]["masses"]
    row(f"{masses} axion masses [ms]", "curve", "ms", form=".0f")
    row("compile: what does not depend on the axion [s]", "prepare", "compile_s")
    row("compile: spectrum [s]", "free", "mass", "forward_compile_s")
    row("compile: value and gradient without cosmology [s]", "free", "hod", _COMPILE)
    row("compile: value and gradient with cosmology [s]", "free", "cosmology", _COMPILE)
    if "numpy" in result:
        peer = result["numpy"]
        plain, search = (
            peer[key]
            for key in ("numpy_over_diffaxion", "numpy_with_bracketed_roots_over_diffaxion")
        )
        cells = peer["bracketed_cells_timed"]
        lines += [
            f"| vectorised NumPy over ours, `parity`, one mass | {plain:.2g} | |",
            f"| … with a bracketing search per root (scaled from {cells} cells) | {search:.2g} | |",
        ]
    few, many = result["memory"]
    lines.append(
        f"| peak memory for {few['masses']}, {many['masses']} masses [MB] | "
        f"{few['peak_MB']:.0f}, {many['peak_MB']:.0f} | |"
    )
    return lines


def _markdown(columns: list[str], rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return [*lines, *("| " + " | ".join(str(c) for c in row) + " |" for row in rows), ""]


def screening_tables(result: dict) -> str:
    """Short form of ``reproduction.json`` of the screening reproduction."""
    summary = result["summaries"]
    steps = summary["Steps from parity to default"]
    lines = ["**From `parity` to `default`: change of C_l [%] at l = 300 / 1000 / 2000**", ""]
    at = [steps[0]["columns"].index(f"l = {l} [%]") for l in (300, 1000, 2000)]
    chosen = [steps[k] for k in (0, 1, 3, 5, 7)]
    masses = [t["caption"].split(";")[0].removeprefix("m_a = ") for t in chosen]
    body = [
        [row[0], *(" / ".join(t["rows"][k][j] for j in at) for t in chosen)]
        for k, row in enumerate(steps[0]["rows"])
    ]
    body.append(["limit, all after the first", *(f"× {t['rows'][-1][-1]}" for t in chosen)])
    lines += _markdown(["step", *masses], body)
    lines += ["**Robustness: expected limit of a variant over that of `default`**", ""]
    table = summary["Robustness of the limit"][0]
    lines += _markdown(table["columns"], table["rows"])
    lines += ["**Expected (toy noise) and published limits**", ""]
    table = summary["Expected and published limits"][0]
    lines += _markdown(table["columns"], table["rows"])
    compared = [r for rows in result["tables"].values() for r in rows if r["agrees"] is not None]
    agreeing = sum(r["agrees"] for r in compared)
    lines += [f"{agreeing} of {len(compared)} compared numbers agree. {result['reading']}", ""]
    lines += ["What does not agree, and remarks:", "", *(f"- {t}" for t in result["remarks"])]
    return "\n".join(lines)


def main() -> None:
    readme = ROOT / "README.md"
    text = readme.read_text()
    for folder in map(Path, sys.argv[1:]):
        result = json.loads((folder / "reproduction.json").read_text())
        if "summaries" in result:
            text = _between(text, "reproduction-screening", screening_tables(result))
            continue
        tables = (folder / "reproduction.md").read_text().replace("### ", "**").strip()
        tables = re.sub(r"^(\*\*.*)$", r"\1**", tables, flags=re.MULTILINE)
        joint = any("together" in name for name in result["tables"])
        text = _between(text, "reproduction-joint" if joint else "reproduction", tables)
    text = _between(text, "reliability", reliability_table(ROOT / "benchmarks" / "results"))
    text = _between(text, "speed", speed_table())
    text = _between(text, "maps-recovery", maps_recovery(_newest("sky_recovery")))
    readme.write_text(text)


if __name__ == "__main__":
    main()
