"""Command line of diffaxion.

Exit status: 0 done, 1 failed, 2 bad input, 130 or 143 on SIGINT or SIGTERM.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

__all__ = ["main"]


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    del category, filename, lineno, file, line
    print(f"warning: {message}", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the program name; default those of the process.

    Returns
    -------
    int
        Exit status (no unit, shape ()).

    References
    ----------
    None: an entry point.
    """
    import signal

    from ..errors import DiffaxionError, DiffaxionWarning
    from .app import build_app

    def terminate(signum: int, frame: object) -> None:
        print("interrupted", file=sys.stderr)
        raise SystemExit(128 + signum)

    if argv is None:
        signal.signal(signal.SIGTERM, terminate)
        signal.signal(signal.SIGINT, terminate)
    with warnings.catch_warnings():
        warnings.simplefilter("always", DiffaxionWarning)
        warnings.showwarning = _show_warning
        try:
            build_app()(args=None if argv is None else list(argv), prog_name="diffaxion")
        except DiffaxionError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
        except SystemExit as stop:
            # Commands end so, also on usage errors, which have been printed then.
            return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


def entry() -> None:
    """Console script: exit with the status of :func:`main`."""
    raise SystemExit(main())
