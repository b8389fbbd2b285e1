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

    import click

    from ..errors import DiffaxionError, DiffaxionWarning
    from .app import build_app

    def terminate(signum, frame):
        raise SystemExit(128 + signum)

    if argv is None:
        signal.signal(signal.SIGTERM, terminate)
    with warnings.catch_warnings():
        warnings.simplefilter("always", DiffaxionWarning)
        warnings.showwarning = _show_warning
        try:
            result = build_app()(args=None if argv is None else list(argv), standalone_mode=False)
            return result if isinstance(result, int) else 0
        except DiffaxionError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
        except click.exceptions.Abort:
            return 130
        except click.ClickException as error:
            error.show()
            return 2
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130


def entry() -> None:
    """Console script: exit with the status of :func:`main`."""
    raise SystemExit(main())
