"""Likelihoods: densities of data given a signal, without knowledge of couplings."""

from .gaussian import GaussianBlocks, GaussianPoints, validate_points

__all__ = ["GaussianBlocks", "GaussianPoints", "validate_points"]
