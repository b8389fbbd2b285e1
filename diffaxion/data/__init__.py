"""Readers to plain validated arrays, and the bundled tables; no physics."""

from .mesa import (
    MesaHistory,
    MesaProfile,
    read_history,
    read_profile,
)
from .mesa_format import (
    read_profiles_index,
)

__all__ = [
    "MesaHistory",
    "MesaProfile",
    "read_history",
    "read_profile",
    "read_profiles_index",
]
