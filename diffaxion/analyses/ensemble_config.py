"""Settings of the ensembles of stars that stand for a cluster."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class EnsembleSection(BaseModel):
    """Where the stars of the signal ``ensemble`` come from, and how they are chosen.

    Attributes
    ----------
    tracks, index : str or None
        Folder of stellar-evolution runs, and the table that describes them; None: the built-in
        nodes of one 85 Msun track, at all ages.
    structure : str
        ``eddington``, or ``profiles``: saved profiles correct the Eddington model.
    weight : str
        ``time`` or ``step``.
    track_weight : str
        ``population``: tracks weigh as many stars as are born near them; ``equal``: the tracks
        were drawn from the population.
    rules, thresholds : str and dict
        Rules of the spectral classes, ``paper`` or ``geneva``, and thresholds that differ.
    ages : str
        ``cluster``: the window of the target; ``all``.
    log_t_c_max : float or None
        Steps with log10 T_c [K] above it are left out; None keeps and flags them.
    draws, seed : int
        Number of draws of the stars, and their seed.
    modes : int
        Largest number of modes of the spectrum's uncertainty.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    tracks: str | None = None
    index: str | None = None
    structure: Literal["eddington", "profiles"] = "eddington"
    weight: Literal["time", "step"] = "time"
    track_weight: Literal["population", "equal"] = "population"
    rules: Literal["paper", "geneva"] = "paper"
    thresholds: dict[str, float] = {}
    ages: Literal["cluster", "all"] = "cluster"
    log_t_c_max: float | None = Field(default=None, gt=6.0, lt=11.0)
    draws: int = Field(default=500, ge=2)
    seed: int = Field(default=1, ge=0)
    modes: int = Field(default=3, ge=0, le=14)
