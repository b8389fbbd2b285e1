"""Signals that let a long run finish its block: the first asks, the second ends the process."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from ..errors import RunInterrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Whether a signal has asked the run to stop.

    Attributes
    ----------
    signum : int or None
        The signal that asked, None if none did.
    """

    def __init__(self) -> None:
        self.signum: int | None = None

    def check(self, where: str) -> None:
        """Stop if a signal has asked for it.

        Parameters
        ----------
        where : str
            What has been kept so far, for the message.

        Raises
        ------
        RunInterrupted
            With exit code 128 + signal: 130 for SIGINT, 143 for SIGTERM.
        """
        if self.signum is not None:
            name = signal.Signals(self.signum).name
            raise RunInterrupted(f"stopped by {name}: {where}", 128 + self.signum)


@contextlib.contextmanager
def graceful_interrupts() -> Iterator[Interrupts]:
    """Inside, SIGINT and SIGTERM are remembered; a second one ends the process at once.

    Compiled programs do not return to Python before they end, and until then no Python handler
    runs. A thread therefore watches the system's own notice of each signal, and ends the process
    on the second with status 128 + signal. Outside the main thread, where Python cannot install
    handlers, nothing changes.

    Returns
    -------
    context manager of Interrupts
        Its ``check`` raises where the run may stop. The former handlers return at the end.

    References
    ----------
    Python, ``signal.set_wakeup_fd``; the exit codes are those of POSIX shells.
    """
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return

    def remember(signum: int, frame: FrameType | None) -> None:
        interrupts.signum = interrupts.signum or signum

    read, write = os.pipe()
    os.set_blocking(write, False)

    def watch() -> None:
        seen = 0
        while number := os.read(read, 1):
            if number[0] not in _SIGNALS:
                continue
            seen += 1
            if seen == 1:
                print("stopping after this block; again to stop at once", file=sys.stderr)
            else:
                sys.stderr.flush()
                os._exit(128 + number[0])

    thread = threading.Thread(target=watch, daemon=True)
    old_handlers = {s: signal.signal(s, remember) for s in _SIGNALS}
    old_fd = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    thread.start()
    try:
        yield interrupts
    finally:
        signal.set_wakeup_fd(old_fd)
        for number, handler in old_handlers.items():
            signal.signal(number, handler)
        os.close(write)  # ends the thread
        thread.join()
        os.close(read)
