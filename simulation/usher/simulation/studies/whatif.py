"""`usher whatif`: read a recorded day, replay it under two policies, tell what differs.

Both sides are replays with the same people and the same chance; what was recorded stands beside
them, so that one sees how well a replay meets the day. It must not know how a run or a report is
made.
"""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console

from usher.queue.journal.contract import JournalError
from usher.queue.rules import Policy
from usher.router.findings import Finding, errors_of, place_text
from usher.router.policy import check_roster
from usher.router.service.durations import DURATION_FORM, parse_duration
from usher.router.service.files import FileFinding, FileRefused, read_policy
from usher.router.trials.call_log import CallLogError, days, default_day, read_day
from usher.router.trials.journal_reading import reading
from usher.simulation.experiment import Case, Plan, Result, bounds_ms
from usher.simulation.recorded_day import draws
from usher.simulation.report import whatif
from usher.simulation.report.frames import FramesMissing
from usher.simulation.report.page import ReportsMissing, page
from usher.simulation.samples import sample
from usher.simulation.scenario import Target
from usher.simulation.scenario_findings import unknown
from usher.simulation.scenario_routing import RoutingReason, check_routing
from usher.simulation.streams import Streams
from usher.simulation.studies.fared import Fared, fared_worst, looked_into, met
from usher.simulation.studies.journal_days import date_of, journal_day
from usher.simulation.studies.journal_replay import journal_replay
from usher.simulation.studies.log_replay import log_replay
from usher.simulation.studies.outputs import Files, check_files, write
from usher.simulation.studies.recording import record_day
from usher.simulation.studies.replay import Replay
from usher.simulation.studies.running import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_STOPPED,
    StudyRefused,
    exit_code,
    pool_of,
    run_told,
)
from usher.simulation.world import World

SQLITE_MAGIC = b"SQLite format 3\x00"


class Source(Struct, frozen=True, kw_only=True):
    """The recorded day that is meant; `day`, `within` empty = not said."""

    place: str
    day: str
    zone: str
    archive: Path | None
    """Of the journal's archive files; None = beside it."""
    within: str
    after_call: str


class Asked(Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    source: Source
    policy: Path
    against: Path | None
    worst: int
    replications: int
    seed: int
    confidence: float
    every_min: int
    processes: int | None
    files: Files


class Compared(Struct, frozen=True, eq=False):
    """What came of a what-if."""

    replay: Replay
    recorded: Result
    first: Result
    second: Result
    worst: tuple[Fared, ...]


def whatif_day(asked: Asked, console: Console) -> int:
    """Replays a day under two policies; returns the exit code."""
    return exit_code(lambda: _study(asked, console), console)


def _study(asked: Asked, console: Console) -> int:
    check_files(asked.files)
    other = read_policy(asked.policy)
    replay = replay_of(asked.source, asked.every_min)
    if asked.against is not None:
        replay = _against(replay, read_policy(asked.against), str(asked.against))
    check_policy_fits(replay, other, str(asked.policy))
    found = _run(replay, other, asked, console)
    if found is None:
        console.print("stopped before any run was finished")
        return EXIT_STOPPED
    told, notes = whatif.Told(found.recorded, found.first, found.second), _notes(found)
    whatif.show(told, found.worst, notes, console)
    try:
        _write(found, told, notes, asked)
    except (OSError, ReportsMissing, FramesMissing) as error:
        console.print(str(error), markup=False)
        return EXIT_FAILED
    return EXIT_STOPPED if found.first.stopped or found.second.stopped else EXIT_OK


def replay_of(source: Source, every_min: int) -> Replay:
    """Returns the day of a journal or of a call log; raises StudyRefused."""
    target = _target(source.within)
    try:
        if _is_log(source.place):
            return _log_replay(source, target, every_min)
        with reading(source.place, source.archive) as journal:
            day = journal_day(journal, source.day, source.zone)
            recording = record_day(journal.records(), day.from_ms, day.until_ms)
        return journal_replay(recording, day, target, every_min)
    except (JournalError, CallLogError, OSError) as error:
        raise StudyRefused(str(error)) from error


def _is_log(place: str) -> bool:
    """Returns whether this is a file, but no SQLite file: then it can only be a call log."""
    path = Path(place)
    if "://" in place or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(SQLITE_MAGIC)) != SQLITE_MAGIC


def _log_replay(source: Source, target: Target | None, every_min: int) -> Replay:
    path = Path(source.place)
    day = date_of(source.day) if source.day else default_day(days(path))
    after_call_ms = _ms("--after-call", source.after_call)
    return log_replay(read_day(path, day), after_call_ms, target, every_min)


def _against(replay: Replay, policy: Policy, file: str) -> Replay:
    """Returns the replay with another first policy than the day's own."""
    check_policy_fits(replay, policy, file)
    return replace(replay, policy=policy, day=replace(replay.day, policies=()))


def check_policy_fits(replay: Replay, policy: Policy, file: str) -> None:
    """Raises FileRefused with all that keeps the day from being routed by a policy."""
    findings = check_routing(replay.scenario, policy)
    findings += _passed_on(replay, policy)
    for _, roster in replay.day.rosters:  # the pool would refuse it
        findings += check_roster(roster, policy)
    errors = dict.fromkeys(errors_of(findings))
    if errors:
        raise FileRefused(
            FileFinding(file, 0, _place(one), one.reason, one.message, one.severity)
            for one in errors
        )


def _place(finding: Finding) -> str:
    text = place_text(finding.place)
    return text if finding.place[:1] == ("queues",) else f"the day's {text}"


def _passed_on(replay: Replay, policy: Policy) -> list[Finding]:
    """Returns the queues that contacts were passed on to and that the policy lacks."""
    known = [queue.name for queue in policy.queues if not queue.closed]
    named = {one.queue for contact in replay.day.contacts for one in contact.onward}
    place, expected = ("passed on",), "an open queue of the policy"
    return [
        unknown(place, RoutingReason.UNKNOWN_QUEUE, name, expected, known)
        for name in sorted(named.difference(known))
    ]


def cases_of(replay: Replay, other: Policy) -> tuple[Case, Case]:
    """Returns the day under its own policies, and under another one all day long."""
    names = [replay.policy.version, other.version]
    if names[0] == names[1]:
        names[1] += " 2"
    alone = replace(replay.day, policies=())
    return (
        Case(names[0], replay.scenario, replay.policy, recorded=replay.day),
        Case(names[1], replay.scenario, other, recorded=alone),
    )


def recorded_result(replay: Replay, every_min: int, confidence: float) -> Result:
    """Returns what was recorded as a result of its own: one sample, so no intervals."""
    case = Case("recorded", replay.scenario, replay.policy, recorded=replay.day)
    scenario = replay.scenario
    workers = World(scenario, replay.policy, Streams(0), recorded=replay.day).workers
    found = sample(replay.recorded, scenario, workers, bounds_ms(scenario, every_min))
    return Result(case=case, samples=(found,), numbers=(0,), confidence=confidence)


def _run(replay: Replay, other: Policy, asked: Asked, console: Console) -> Compared | None:
    plan = _plan(asked)
    first, second = run_told(cases_of(replay, other), plan, asked.processes, console)
    if not first.samples or not second.samples:
        return None
    worst = fared_worst(first, second, asked.worst)
    if worst and not (first.stopped or second.stopped):
        worst = _looked_into(worst, first, second, asked, console)
    recorded = recorded_result(replay, asked.every_min, asked.confidence)
    return Compared(replay, recorded, first, second, tuple(worst))


def _looked_into(
    worst: list[Fared], first: Result, second: Result, asked: Asked, console: Console
) -> list[Fared]:
    try:
        with pool_of(asked.processes) as executor:
            return looked_into(worst, first, second, asked.seed, executor)
    except KeyboardInterrupt:
        console.print("stopped: the worst are told without their reasons")
        return worst


def _plan(asked: Asked) -> Plan:
    try:
        return Plan(
            replications=asked.replications,
            seed=asked.seed,
            confidence=asked.confidence,
            interval_min=asked.every_min,
            keep_contacts=True,
        )
    except ValueError as error:
        raise StudyRefused(str(error)) from error


def _target(within: str) -> Target | None:
    return Target(threshold_ms=_ms("--within", within)) if within else None


def _ms(option: str, text: str) -> int:
    found_ms = parse_duration(text)
    if found_ms is None:
        raise StudyRefused(f'found {option} "{text}", expected {DURATION_FORM}')
    return found_ms


def _notes(found: Compared) -> list[str]:
    replay = found.replay
    patience, talks = draws(replay.day)
    notes = [
        f"Replayed: {len(replay.day.contacts)} contacts of {replay.title}; under "
        f"{found.first.case.name} {met(found.first) * 100:.1f}% of them wait as recorded (1 s off "
        "at most)."
    ]
    notes.append("Agents sign in, pause and leave as they did on the day.")
    notes += [f"Left out: {count} {reason}." for reason, count in replay.left_out.items()]
    if patience or talks:
        notes.append(
            f"Drawn: what patience {patience} answered contacts had left, and the talks of "
            f"{talks} that were never answered."
        )
    return [*notes, *replay.notes]


def _write(found: Compared, told: whatif.Told, notes: Sequence[str], asked: Asked) -> None:
    def told_page() -> str:
        title = f"{found.replay.title}: {found.first.case.name} and {found.second.case.name}"
        return page(both, title, notes, whatif.sections(told, found.worst))

    both = (found.first, found.second)
    more = told.values() | whatif.as_values(found.worst, found.replay.left_out, notes)
    write(both, asked.files, told_page, apart=(found.recorded,), more=more)
