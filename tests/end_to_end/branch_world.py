"""Ten branches with their staff, as files, and what their visitors want: the world of branch tests.

Every desk has a clerk who also takes calls and chats while there is room. The branches stand in the
time zone where it is noon now, so that no test runs over the end of a service day.
"""

import time
from datetime import UTC, datetime

BRANCHES = 10
DESKS_EACH = 5
KIOSKS_EACH = 20
BOARDS_EACH = 10
PHONE_AGENTS = 10
UNITS = 4
CALL_PRICE = 4
CHATS_MOST = 3
SERVICES = ("cash", "account", "advice")
USUAL_S = {"cash": 120, "account": 360, "advice": 900}
ACTOR = (("usher-actor", "platform/branch-load"),)


def branch_name(number: int) -> str:
    """Returns the name of a branch, 0 to BRANCHES - 1."""
    return f"branch-{number}"


def clerk(branch: str, desk: int) -> str:
    """Returns the id of the clerk who sits at a desk, 1 to DESKS_EACH."""
    return f"{branch}-clerk-{desk}"


def policy(grace_s: int = 90) -> str:
    """Returns the policy file: three services at ten branches, calls and chats beside them."""
    lines = [
        'version = "branches"',
        "contacts_max = 1000000",
        'ended_kept = "1d"',
        'channels.voice = { wrap_up = "5s" }',
        '[queues.counter]\nchannels = ["walk_in"]\norder = "fcfs"',
        '[queues.experts]\nchannels = ["walk_in"]\norder = "fcfs"',
        'requirements = [{ skill = "advice" }]',
        '[queues.phone]\nchannels = ["voice", "chat"]\nlevel = 1\noffer_timeout = "20s"',
        'decline_pause = "10s"',
    ]
    for service in SERVICES:
        queue = "experts" if service == "advice" else "counter"
        lines.append(f'[[services]]\nname = "{service}"\nqueue = "{queue}"')
        lines.append(f'usual = "{USUAL_S[service]}s"')
    for number in range(BRANCHES):
        lines.append(f'[[branches]]\nname = "{branch_name(number)}"\ntime_zone = "{noon_zone()}"')
        lines.append(f'grace = "{grace_s}s"\nhours = {{ mon-sun = "00:00-24:00" }}')
        lines.append('[[branches.lines]]\nname = "counter"\nprefix = "C"')
        lines.append('services = ["cash", "account"]')
        lines.append('[[branches.lines]]\nname = "experts"\nprefix = "E"\nservices = ["advice"]')
    return "\n".join(lines) + "\n"


def roster() -> str:
    """Returns the roster file: clerks at desks, two of five with advice, and phone agents."""
    lines = ['version = "branches"', f"[capacities.clerk]\nunits = {UNITS}"]
    lines.append(f"channels.walk_in = {{ price = {UNITS}, most = 1 }}")
    lines.append(f"channels.voice = {{ price = {CALL_PRICE}, most = 1 }}")
    lines.append(f"channels.chat = {{ price = 1, most = {CHATS_MOST} }}")
    for number in range(BRANCHES):
        for desk in range(1, DESKS_EACH + 1):
            lines.append(f'[agents.{clerk(branch_name(number), desk)}]\ncapacity = "clerk"')
            if desk <= 2:
                lines.append("skills = { advice = 5 }")
    for number in range(PHONE_AGENTS):
        lines.append(f'[agents.phone-{number}]\ncapacity = "clerk"')
    for number in range(BRANCHES):
        for desk in range(1, DESKS_EACH + 1):
            lines.append(f'[[desks]]\nbranch = "{branch_name(number)}"\nname = "{desk}"')
            if desk == DESKS_EACH:
                lines.append('services = ["cash"]')
    return "\n".join(lines) + "\n"


def noon_zone() -> str:
    """Returns a fixed zone in which it is now between 12 and 13 o'clock."""
    east = 12 - datetime.fromtimestamp(time.time(), UTC).hour
    return f"Etc/GMT{-east:+d}"  # the sign of these names is that of POSIX: east is minus
