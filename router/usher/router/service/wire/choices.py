"""The closed lists of the core and their numbers in messages, both ways.

Lists that callers choose from leave out what only Usher may say.
"""

from typing import Final

from usher.queue.tickets import Place, TicketState, VisitOutcome
from usher.queue.values import (
    ContactState,
    Found,
    LegEnd,
    LegRole,
    LegState,
    Origin,
    Outcome,
    Presence,
)
from usher.v1 import agent_pb2, contact_pb2, leg_pb2, ticket_pb2, walk_in_service_pb2

ORIGINS: Final = {
    contact_pb2.ORIGIN_UNSPECIFIED: Origin.INBOUND,
    contact_pb2.ORIGIN_INBOUND: Origin.INBOUND,
    contact_pb2.ORIGIN_CALLBACK: Origin.CALLBACK,
    contact_pb2.ORIGIN_TRANSFER: Origin.TRANSFER,
    contact_pb2.ORIGIN_BOT: Origin.BOT,
    contact_pb2.ORIGIN_OUTBOUND: Origin.OUTBOUND,
}
STARTING_STATES: Final = {
    leg_pb2.LEG_STATE_UNSPECIFIED: LegState.ACTIVE,
    leg_pb2.LEG_STATE_ACTIVE: LegState.ACTIVE,
    leg_pb2.LEG_STATE_JOINING: LegState.JOINING,
}
SIGN_IN_PRESENCES: Final = {
    agent_pb2.PRESENCE_UNSPECIFIED: Presence.READY,
    agent_pb2.PRESENCE_READY: Presence.READY,
    agent_pb2.PRESENCE_NOT_READY: Presence.NOT_READY,
}
SET_PRESENCES: Final = {
    agent_pb2.PRESENCE_READY: Presence.READY,
    agent_pb2.PRESENCE_NOT_READY: Presence.NOT_READY,
    agent_pb2.PRESENCE_DRAINING: Presence.DRAINING,
}
PRESENCES: Final = {
    agent_pb2.PRESENCE_OFFLINE: Presence.OFFLINE,
    agent_pb2.PRESENCE_READY: Presence.READY,
    agent_pb2.PRESENCE_NOT_READY: Presence.NOT_READY,
    agent_pb2.PRESENCE_DRAINING: Presence.DRAINING,
}
CONTACT_STATES: Final = {
    contact_pb2.CONTACT_STATE_SCHEDULED: ContactState.SCHEDULED,
    contact_pb2.CONTACT_STATE_WAITING: ContactState.WAITING,
    contact_pb2.CONTACT_STATE_ENGAGED: ContactState.ENGAGED,
    contact_pb2.CONTACT_STATE_ASLEEP: ContactState.ASLEEP,
    contact_pb2.CONTACT_STATE_PARKED: ContactState.PARKED,
    contact_pb2.CONTACT_STATE_ENDED: ContactState.ENDED,
}
CLERKS_OUTCOMES: Final = {
    ticket_pb2.VISIT_OUTCOME_UNSPECIFIED: VisitOutcome.SERVED,
    ticket_pb2.VISIT_OUTCOME_SERVED: VisitOutcome.SERVED,
    ticket_pb2.VISIT_OUTCOME_UNRESOLVED: VisitOutcome.UNRESOLVED,
    ticket_pb2.VISIT_OUTCOME_REFERRED: VisitOutcome.REFERRED,
}
RETURN_PLACES: Final = {
    walk_in_service_pb2.RETURN_PLACE_UNSPECIFIED: Place.FIRST,
    walk_in_service_pb2.RETURN_PLACE_FIRST: Place.FIRST,
    walk_in_service_pb2.RETURN_PLACE_LAST: Place.LAST,
}

ORIGIN_NUMBERS: Final = {
    origin: number for number, origin in ORIGINS.items() if number != contact_pb2.ORIGIN_UNSPECIFIED
}
STATE_NUMBERS: Final = {state: number for number, state in CONTACT_STATES.items()}
PRESENCE_NUMBERS: Final = {presence: number for number, presence in PRESENCES.items()}
OUTCOME_NUMBERS: Final = {
    Outcome.NONE: contact_pb2.OUTCOME_UNSPECIFIED,
    Outcome.COMPLETED: contact_pb2.OUTCOME_COMPLETED,
    Outcome.ABANDONED: contact_pb2.OUTCOME_ABANDONED,
    Outcome.CANCELLED: contact_pb2.OUTCOME_CANCELLED,
    Outcome.EXPIRED: contact_pb2.OUTCOME_EXPIRED,
    Outcome.NO_SHOW: contact_pb2.OUTCOME_NO_SHOW,
    Outcome.LOST: contact_pb2.OUTCOME_LOST,
    Outcome.MOVED: contact_pb2.OUTCOME_MOVED,
    Outcome.FAILED: contact_pb2.OUTCOME_FAILED,
}
ROLE_NUMBERS: Final = {
    LegRole.OWNER: leg_pb2.LEG_ROLE_OWNER,
    LegRole.CONSULT: leg_pb2.LEG_ROLE_CONSULT,
    LegRole.PARTICIPANT: leg_pb2.LEG_ROLE_PARTICIPANT,
}
LEG_STATE_NUMBERS: Final = {
    LegState.OFFERED: leg_pb2.LEG_STATE_OFFERED,
    LegState.JOINING: leg_pb2.LEG_STATE_JOINING,
    LegState.ACTIVE: leg_pb2.LEG_STATE_ACTIVE,
    LegState.HELD: leg_pb2.LEG_STATE_HELD,
    LegState.WRAPPING: leg_pb2.LEG_STATE_WRAPPING,
    LegState.DONE: leg_pb2.LEG_STATE_DONE,
}
LEG_END_NUMBERS: Final = {
    LegEnd.NONE: leg_pb2.LEG_END_UNSPECIFIED,
    LegEnd.COMPLETED: leg_pb2.LEG_END_COMPLETED,
    LegEnd.DECLINED: leg_pb2.LEG_END_DECLINED,
    LegEnd.EXPIRED: leg_pb2.LEG_END_EXPIRED,
    LegEnd.WITHDRAWN: leg_pb2.LEG_END_WITHDRAWN,
    LegEnd.MOVED: leg_pb2.LEG_END_MOVED,
    LegEnd.FAILED: leg_pb2.LEG_END_FAILED,
    LegEnd.REQUEUED: leg_pb2.LEG_END_REQUEUED,
    LegEnd.LOST: leg_pb2.LEG_END_LOST,
}
FOUND_NUMBERS: Final = {
    None: leg_pb2.FOUND_UNSPECIFIED,
    Found.ROW: leg_pb2.FOUND_ROW,
    Found.COLUMN: leg_pb2.FOUND_COLUMN,
    Found.JOINT: leg_pb2.FOUND_JOINT,
    Found.GREEDY: leg_pb2.FOUND_GREEDY,
    Found.FCFS: leg_pb2.FOUND_FCFS,
    Found.PICKED: leg_pb2.FOUND_PICKED,
}
TICKET_STATE_NUMBERS: Final = {
    TicketState.WAITING: ticket_pb2.TICKET_STATE_WAITING,
    TicketState.CALLED: ticket_pb2.TICKET_STATE_CALLED,
    TicketState.SERVING: ticket_pb2.TICKET_STATE_SERVING,
    TicketState.ENDED: ticket_pb2.TICKET_STATE_ENDED,
}
VISIT_OUTCOME_NUMBERS: Final = {
    VisitOutcome.NONE: ticket_pb2.VISIT_OUTCOME_UNSPECIFIED,
    VisitOutcome.SERVED: ticket_pb2.VISIT_OUTCOME_SERVED,
    VisitOutcome.UNRESOLVED: ticket_pb2.VISIT_OUTCOME_UNRESOLVED,
    VisitOutcome.REFERRED: ticket_pb2.VISIT_OUTCOME_REFERRED,
    VisitOutcome.NO_SHOW: ticket_pb2.VISIT_OUTCOME_NO_SHOW,
    VisitOutcome.LEFT: ticket_pb2.VISIT_OUTCOME_LEFT,
    VisitOutcome.REMOVED: ticket_pb2.VISIT_OUTCOME_REMOVED,
    VisitOutcome.CLOSED: ticket_pb2.VISIT_OUTCOME_CLOSED,
    VisitOutcome.LOST: ticket_pb2.VISIT_OUTCOME_LOST,
}
RETURN_PLACE_NUMBERS: Final = {
    Place.FIRST: walk_in_service_pb2.RETURN_PLACE_FIRST,
    Place.LAST: walk_in_service_pb2.RETURN_PLACE_LAST,
}

OUTCOMES: Final = {number: outcome for outcome, number in OUTCOME_NUMBERS.items()}
LEG_STATES: Final = {number: state for state, number in LEG_STATE_NUMBERS.items()}
LEG_ENDS: Final = {number: end for end, number in LEG_END_NUMBERS.items()}
TICKET_STATES: Final = {number: state for state, number in TICKET_STATE_NUMBERS.items()}
VISIT_OUTCOMES: Final = {number: outcome for outcome, number in VISIT_OUTCOME_NUMBERS.items()}
