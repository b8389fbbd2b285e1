"""The tree of commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from . import (
    calibrate,
    forecast,
    info,
    joint,
    limit,
    limit_joint,
    limit_screening,
    maps,
    maps_robustness,
    merge,
    plot,
    predict_conversion,
    predict_luminosity,
    predict_screening,
    reproduce,
    xray,
)


def build_app() -> Callable[..., Any]:
    """All commands, ready to be called.

    Returns
    -------
    callable
        Called with a list of arguments; ends by ``SystemExit`` (no unit).

    References
    ----------
    None: an entry point.
    """
    app = typer.Typer(
        name="diffaxion",
        help="Differentiable inference of axions from astrophysical data.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    predict = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(predict, name="predict", help="One forward quantity.")
    predict_luminosity.register(predict)
    predict_conversion.register(predict)
    predict_screening.register(predict)
    limits = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(limits, name="limit", help="Limit curves with expected bands.")
    limit.register(limits)
    limit_screening.register(limits)
    limit_joint.register(limits)
    again = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(again, name="reproduce", help="The papers' numbers and figures.")
    reproduce.register(again)
    images = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(images, name="xray", help="Images of NuSTAR: simulate, fit, flux points.")
    xray.register(images)
    sky = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(sky, name="maps", help="From frequency maps of the sky to bandpowers.")
    maps.register(sky)
    maps_robustness.register(sky)
    checks = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(checks, name="calibrate", help="Calibration by simulated data.")
    calibrate.register(checks)
    joint.register(app)
    merge.register(app)
    forecast.register(app)
    info.register(app)
    plot.register(app)
    return typer.main.get_command(app)
