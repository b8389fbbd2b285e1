"""diffaxion: differentiable inference of axions from astrophysical data."""

from . import runtime as runtime

runtime.configure_precision()

__version__ = "0.1.0"
