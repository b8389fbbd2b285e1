"""What an instrument sees, and the root tree of all physics."""

from .world import World

__all__ = ["World"]
