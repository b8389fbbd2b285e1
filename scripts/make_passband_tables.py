"""Condense the Planck passbands to Gauss rules, and tabulate what else one needs of the channels.

    python scripts/make_passband_tables.py [--shared ../shared] [--out diffaxion/data/tables]

``planck_passbands.ecsv``: 12 nodes and weights per channel, the Gauss rule of the trapezoid of the
transmission. ``planck_channels.ecsv``: beams, noise and resolution; the beams of the eight
channels to 545 GHz are those of ``survey_planck.ecsv``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from astropy.table import Table

from diffaxion.data.passband import read_passband
from diffaxion.data.registry import load_table
from diffaxion.numerics import condensed_rule, trapezoid_weights

CHANNELS = ("030", "044", "070", "100", "143", "217", "353", "545", "857")
NODES = 12
# White noise of simulated skies [uK arcmin]; 857 GHz: 0.72 kJy/sr deg at 2.27 MJy/sr/K.
WHITE = (195.0, 226.0, 199.0, 77.0, 33.0, 47.0, 154.0, 806.0, 19000.0)
FWHM_857 = 4.22


def instrument(channel: str) -> str:
    """Instrument of a channel."""
    return "LFI" if float(channel) < 100 else "HFI"


def passbands(folder: Path) -> Table:
    """Nodes and weights of all channels; the weights of one sum to 1."""
    rows = []
    for channel in CHANNELS:
        nu, transmission = read_passband(folder / f"{instrument(channel)}_BANDPASS_F{channel}.txt")
        x, w = condensed_rule(nu, np.asarray(trapezoid_weights(nu)) * transmission, NODES)
        rows += [(channel, a, b) for a, b in zip(x, w / w.sum(), strict=True)]
    table = Table(rows=rows, names=("channel", "nu_GHz", "weight"))
    table["nu_GHz"].unit = "GHz"
    table["weight"].description = "int t f dnu / int t dnu = sum of weight times f(nu_GHz)"
    table.meta = {
        "description": (
            f"Planck passbands as Gauss rules of {NODES} nodes for the measure t(nu) dnu, with t "
            "the band-averaged transmission as tabulated, exponent 0"
        ),
        "source": (
            "condensed from the public Planck reduced instrument model (ESA, Planck "
            "Collaboration; release not recorded) as tabulated with pyilc, "
            "github.com/jcolinhill/pyilc, cut to 0.2-2.2 (100 GHz: 12) times the nominal frequency"
        ),
        "licence": "numbers published by the Planck Collaboration; pyilc declares BSD",
        "nature": "derived",
    }
    return table


def channels() -> Table:
    """Beams, noise and resolution."""
    survey = load_table("survey_planck")
    if list(survey["freq_GHz"]) != [float(c) for c in CHANNELS[:-1]]:
        raise SystemExit("survey_planck.ecsv: other channels than expected")
    names = [instrument(c) for c in CHANNELS]
    table = Table(
        {
            "channel": list(CHANNELS),
            "instrument": names,
            "freq_GHz": [float(c) for c in CHANNELS],
            "fwhm_arcmin": [*survey["fwhm_arcmin"], FWHM_857],
            "white_uK_arcmin": list(WHITE),
            "nside": [1024 if n == "LFI" else 2048 for n in names],
        }
    )
    table["freq_GHz"].unit = "GHz"
    table["fwhm_arcmin"].unit = "arcmin"
    table["white_uK_arcmin"].unit = "uK arcmin"
    table[
        "white_uK_arcmin"
    ].description = (
        "of simulated skies: close to Planck 2018 for HFI, 10 to 40 per cent off for LFI"
    )
    table.meta = {
        "description": "Planck channels: Gaussian beams, white noise of simulations, resolution",
        "source": (
            "beams: McCarthy & Hill 2024, arXiv:2307.01043, Table I, as in Planck 2018 results I, "
            "arXiv:1807.06205, Table 4; resolution of the frequency maps: Planck 2018 results II "
            "and III, arXiv:1807.06206, arXiv:1807.06207 (from memory, verify)"
        ),
        "licence": "published facts",
        "nature": "published-fit",
    }
    return table


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--shared", type=Path, default=root.parent / "shared")
    parser.add_argument("--out", type=Path, default=root / "diffaxion" / "data" / "tables")
    arguments = parser.parse_args()
    folder = arguments.shared / "data" / "sky" / "passbands"
    tables = {"planck_passbands": passbands(folder), "planck_channels": channels()}
    for name, table in tables.items():
        table.write(arguments.out / f"{name}.ecsv", format="ascii.ecsv", overwrite=True)
        print(f"{name}.ecsv: {len(table)} rows")


if __name__ == "__main__":
    main()
