"""What is asked of a branch, each to the module that decides it."""

from typing import TYPE_CHECKING, assert_never

from usher.queue import commands as c
from usher.queue.events import AnyEvent
from usher.queue.ledger import Ledger
from usher.router import desk_visits, desks, walk_ins

if TYPE_CHECKING:
    from usher.router.matching import Matcher


def decide_walk_in(
    ledger: Ledger, matcher: "Matcher", command: c.WalkInCommand, at_ms: int
) -> tuple[AnyEvent, ...]:
    """Returns what the command leads to; raises Refused. Writes nothing."""
    match command:
        case c.JoinLine():
            return walk_ins.join_line(ledger, matcher, command, at_ms)
        case c.LeaveLine():
            return walk_ins.leave_line(ledger, command, at_ms)
        case c.CallNext():
            return desks.call_next(ledger, matcher, command, at_ms)
        case c.CallTicket():
            return desks.call_ticket(ledger, matcher, command, at_ms)
        case c.RecallTicket():
            return desks.recall_ticket(ledger, command, at_ms)
        case c.OpenDesk():
            return desks.open_desk(ledger, command, at_ms)
        case c.CloseDesk():
            return desks.close_desk(ledger, command, at_ms)
        case _:
            return _decide_visit(ledger, matcher, command, at_ms)


def _decide_visit(
    ledger: Ledger,
    matcher: "Matcher",
    command: c.StartServing
    | c.MarkNoShow
    | c.ReturnTicket
    | c.TransferTicket
    | c.FinishServing
    | c.ServeWithoutTicket,
    at_ms: int,
) -> tuple[AnyEvent, ...]:
    match command:
        case c.StartServing():
            return desk_visits.start_serving(ledger, command, at_ms)
        case c.MarkNoShow():
            return desk_visits.mark_no_show(ledger, command, at_ms)
        case c.ReturnTicket():
            return desk_visits.return_ticket(ledger, matcher, command, at_ms)
        case c.TransferTicket():
            return desk_visits.transfer_ticket(ledger, command, at_ms)
        case c.FinishServing():
            return desk_visits.finish_serving(ledger, command, at_ms)
        case c.ServeWithoutTicket():
            return desk_visits.serve_without_ticket(ledger, command, at_ms)
        case _:
            assert_never(command)
