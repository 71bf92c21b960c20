"""How the threads of a server share the processors and the interpreter.

    loop          executes, answers           all the processor it gets
    gRPC's poller  wakes for every event,      SCHED_BATCH: it does not push the loop aside
                   tells the loop of it
    journal's writer  waits for the interpreter    gets it within HANDED_OVER_S
                   before and after each sync

gRPC's poller has a few microseconds of work for each of the five or so events of a call. The
kernel lets a thread that wakes push another one aside, here the loop, which makes most of the
events itself: measured, 5.6 times in a call. As SCHED_BATCH (sched(7)) it waits until the loop
sleeps or another processor is free, and then tells of many events at once. It must not know what
the threads do.
"""

import os
import sys
import threading
from typing import Final

HANDED_OVER_S: Final = 0.001
"""So long may the loop keep the interpreter while the writer waits for it; Python's own: 5 ms."""

_POLLER: Final = "_poll"
"""A part of its name: Python's threads are named after what they run."""


def share() -> None:
    """Sets the above for this process; gRPC has begun. What the system refuses stays as it was."""
    sys.setswitchinterval(HANDED_OVER_S)
    if sys.platform != "linux":
        return
    for thread in threading.enumerate():
        if _POLLER in thread.name and thread.native_id is not None:
            try:
                os.sched_setscheduler(thread.native_id, os.SCHED_BATCH, os.sched_param(0))
            except OSError:  # a container that allows no such call
                return
