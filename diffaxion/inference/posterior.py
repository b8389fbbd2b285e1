"""Draws of a posterior, with the verdict on them and the limits they give."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import ConvergenceError, DiffaxionWarning, unknown_name
from .diagnostics import Convergence, Gates, Quantile, quantile_with_error


@dataclass(frozen=True)
class Posterior:
    """Draws with everything needed to judge them.

    Attributes
    ----------
    draws : dict of str to array, shape (chains, draws, ...)
        Sampled and deterministic sites, in their own units.
    diverging, saturated : bool array, shape (chains, draws)
        Draws that diverged, or whose trajectory hit the maximum tree depth.
    energy, accept_prob : array, shape (chains, draws)
        Hamiltonian and acceptance probability.
    num_steps : int array, shape (chains, draws)
        Leapfrog steps.
    convergence : Convergence
        R-hat and effective sizes by site, and the verdict of the gates.
    settings : dict
        Settings and seed of the run.
    adaptation : dict of str to array
        ``step_size``, shape (chains,), and ``inverse_mass_matrix``, shape (n, n) or (n,), in
        unconstrained space with the sites in the order of their names.
    gates : Gates
        The thresholds applied.
    """

    draws: dict[str, np.ndarray]
    diverging: np.ndarray
    saturated: np.ndarray
    energy: np.ndarray
    accept_prob: np.ndarray
    num_steps: np.ndarray
    convergence: Convergence
    settings: dict[str, Any] = field(default_factory=dict)
    adaptation: dict[str, np.ndarray] = field(default_factory=dict)
    gates: Gates = field(default_factory=Gates)

    @property
    def converged(self) -> bool:
        """Whether the run passed all gates."""
        return self.convergence.converged

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence for each gate that failed."""
        return self.convergence.reasons

    def flat(self, name: str) -> np.ndarray:
        """Draws of a site with chains joined.

        Parameters
        ----------
        name : str
            Site.

        Returns
        -------
        array, shape (chains * draws, ...)
            Its draws.

        Raises
        ------
        ConfigurationError
            If there is no such site.
        """
        if name not in self.draws:
            raise unknown_name("site", name, self.draws)
        x = self.draws[name]
        return x.reshape(-1, *x.shape[2:])

    def quantile(self, name: str, level: float = 0.95) -> Quantile:
        """Quantile of a scalar site with its Monte Carlo error.

        Parameters
        ----------
        name : str
            Site.
        level : float
            Probability.

        Returns
        -------
        Quantile
            Value, error and effective sample size.

        Raises
        ------
        ConfigurationError
            If there is no such site.
        """
        self.flat(name)
        return quantile_with_error(self.draws[name], level)

    def limit(self, name: str, level: float = 0.95, *, allow_unconverged: bool = False) -> Quantile:
        """Credible upper limit of a scalar site; refused when the gates failed.

        A Monte Carlo error beyond 2 % of the limit (or the gate set) is warned of.

        Parameters
        ----------
        name : str
            Site.
        level : float
            Credibility.
        allow_unconverged : bool
            Return it all the same.

        Returns
        -------
        Quantile
            Value, error and effective sample size.

        Raises
        ------
        ConvergenceError
            If the run did not pass the gates.
        ConfigurationError
            If there is no such site.
        """
        if not self.converged and not allow_unconverged:
            raise ConvergenceError("no limit from this run: " + "; ".join(self.reasons))
        found = self.quantile(name, level)
        if not found.error <= self.gates.quantile_error * abs(found.value):
            warnings.warn(
                f"the Monte Carlo error of the {100 * level:g} % quantile of {name!r} is "
                f"{found.error:.2g} on {found.value:.4g}, more than "
                f"{100 * self.gates.quantile_error:g} %: draw more",
                DiffaxionWarning,
                stacklevel=2,
            )
        return found
