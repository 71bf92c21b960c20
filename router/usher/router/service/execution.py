"""One batch through the pool: callers' commands by arrival, then what is due, then the match.

    entries -> execute, apply -> ExpireDeadlines ... -> MatchContacts -> answers -> stage

The order makes an accept that has arrived beat its own deadline, and lets the answer to an enqueue
know the outcome of the match. No asyncio here: a turn is one piece of plain work. It must not know
the journal or who waits for an outcome."""

import secrets

from usher.queue.codec import Record
from usher.queue.commands import (
    AnyCommand,
    EnqueueContact,
    EnqueueContacts,
    ExpireDeadlines,
    JoinLine,
    MatchContacts,
)
from usher.queue.errors import Refused
from usher.queue.events import AnyEvent
from usher.queue.journal.contract import RememberedRequest
from usher.queue.rules import Policy
from usher.queue.values import SYSTEM, ContactId, QueueName
from usher.router.pool import Pool
from usher.router.service.ended import last_states
from usher.router.service.inbox import Entry
from usher.router.service.publishing import Publishing
from usher.router.service.stage import Stage
from usher.router.service.telemetry import Counters, logger, told
from usher.router.service.unavailable import CommandFailed

EXPIRY_PASSES_MAX = 64  # in one batch; what is left is due again at once

Events = tuple[AnyEvent, ...]


class Execution:
    """The pool with the private fields of its contacts; `turn` is the only way in.

    `expiry_stuck`: a due deadline could not be worked off (a bug): the host tries again later.
    """

    def __init__(self, pool: Pool, private: dict[ContactId, bytes], counters: Counters) -> None:
        self.pool = pool
        self.private = private
        self.expiry_stuck = False
        self._counters = counters
        self._publishing = Publishing(pool)
        self._policy: Policy | None = None
        self._limited: frozenset[QueueName] = frozenset()
        self._told: set[str] = set()

    def turn(self, entries: list[Entry], at_ms: int, stage: Stage) -> None:
        """Executes the entries as one batch at `at_ms` into the stage.

        What `apply` raises comes through: the pool is then no longer to be trusted.
        """
        executed: list[tuple[Entry, Events]] = []
        for entry in entries:
            events = self._execute(entry, at_ms, stage)
            if events is not None:
                executed.append((entry, events))
        self._expire(at_ms, stage)
        self._match(at_ms, stage)
        for entry, events in executed:
            self._answer(entry, events, at_ms, stage)

    def close(self, stage: Stage) -> None:
        """Makes the stage ready to be published: the last state of all that it touched."""
        changes = self.pool.take_changes()
        for contact_id in changes.retired:
            if contact_id not in self.pool.ledger.contacts:
                self.private.pop(contact_id, None)
        if stage.records:
            stage.published = self._publishing.published(changes, stage.first + 1)

    def _execute(self, entry: Entry, at_ms: int, stage: Stage) -> Events | None:
        submission = entry.submission
        command = submission.command
        stage.contacts += entry.contacts
        limited = self._meets_limit(command)
        if limited:
            self._match(at_ms, stage)
        self._counters.commands[type(command).__name__] += 1
        try:
            events = self.pool.execute(command, at_ms)
        except Refused as refusal:
            self._counters.refusals[refusal.reason] += 1
            stage.failed.append((entry, refusal.with_traceback(None)))
            return None
        except Exception as error:
            stage.failed.append((entry, self._failed(command, error)))
            return None
        if events or submission.request_id:  # an id to remember needs a position
            self._record(command, events, at_ms, stage, submission.request_id)
        entry.position = self.pool.position
        if submission.private and (events or not isinstance(command, JoinLine)):
            for fields in submission.private:
                self._keep_private(ContactId(fields.contact_id), fields.content)
            stage.private.extend(submission.private)
        if limited:
            self._match(at_ms, stage)
        return events

    def _expire(self, at_ms: int, stage: Stage) -> None:
        self.expiry_stuck = False
        for _ in range(EXPIRY_PASSES_MAX):
            due_ms = self.pool.next_deadline()
            if due_ms is None or due_ms > at_ms:
                return
            if not self._own(ExpireDeadlines(SYSTEM), at_ms, stage):
                self._tell_stuck(due_ms)
                return

    def _tell_stuck(self, due_ms: int) -> None:
        self.expiry_stuck = True
        if "expiry_stuck" not in self._told:
            self._told.add("expiry_stuck")
            logger().error("expiry_stuck", at_ms=due_ms)

    def _match(self, at_ms: int, stage: Stage) -> None:
        if self.pool.needs_match:
            self._own(MatchContacts(SYSTEM), at_ms, stage)

    def _own(self, command: AnyCommand, at_ms: int, stage: Stage) -> bool:
        """Executes a command of the server itself; returns whether it had an effect."""
        try:
            events = self.pool.execute(command, at_ms)
        except Exception as error:
            self._failed(command, error)
            return False
        if events:
            self._record(command, events, at_ms, stage, "")
        return bool(events)

    def _record(
        self, command: AnyCommand, events: Events, at_ms: int, stage: Stage, request_id: str
    ) -> None:
        if isinstance(command, ExpireDeadlines):
            stage.ended += last_states(self.pool.ledger, events)
        self.pool.apply(events, at_ms)
        stage.records.append(Record(self.pool.position, at_ms, command, events, request_id))

    def _answer(self, entry: Entry, events: Events, at_ms: int, stage: Stage) -> None:
        submission = entry.submission
        try:
            entry.answer = submission.answer(self.pool, events)
        except Exception as error:
            stage.failed.append((entry, self._failed(submission.command, error)))
            return
        stage.succeeded.append(entry)
        if submission.request_id:
            stage.requests.append(
                RememberedRequest(
                    submission.request_id, submission.digest, entry.position, at_ms, entry.answer
                )
            )

    def _keep_private(self, contact_id: ContactId, content: bytes | None) -> None:
        if content is None:
            self.private.pop(contact_id, None)
        else:
            self.private[contact_id] = content

    def _meets_limit(self, command: AnyCommand) -> bool:
        """Returns whether it enqueues into a queue with a limit of most waiting."""
        policy = self.pool.ledger.policy
        if policy is not self._policy:
            self._policy = policy
            queues = policy.queues if policy is not None else ()
            self._limited = frozenset(q.name for q in queues if q.most_waiting is not None)
        if not self._limited:
            return False
        if isinstance(command, EnqueueContact):
            return command.contact.facts.queue in self._limited
        if isinstance(command, EnqueueContacts):
            return any(contact.facts.queue in self._limited for contact in command.contacts)
        return False

    def _failed(self, command: AnyCommand, error: Exception) -> CommandFailed:
        """Logs a bug, with its places in the code the first time only."""
        incident = secrets.token_hex(4)
        name = type(command).__name__
        keys = told(error)
        self._counters.refusals[CommandFailed.reason] += 1
        place = f"{name} {keys['error']} {keys['trace']}"
        if place not in self._told:
            self._told.add(place)
            logger().error("command_failed", command=name, incident=incident, **keys)
        else:
            logger().error("command_failed", command=name, incident=incident)
        return CommandFailed(incident)
