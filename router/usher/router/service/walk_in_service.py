"""WalkInService: what kiosks, desks and boards ask, by the name of the method.

Whoever serves no branch needs none of it, and a restart has no time for it: the methods themselves
are imported with the first call.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any

from usher.queue.values import Actor
from usher.router.service.access import DEFAULT_PLATFORM
from usher.router.service.rpc import Method, Unary, Watch, Write
from usher.router.service.served import Call
from usher.v1 import walk_in_service_pb2 as pb

NAME = "usher.v1.WalkInService"

_UNARY = "usher.router.service.walk_in_methods"
_TICKET = "usher.router.service.walk_in_watch"
_BOARD = "usher.router.service.walk_in_watch_board"
_DESK = "usher.router.service.walk_in_watch_desk"
IMPORTED_LATER = (_UNARY, _TICKET, _BOARD, _DESK)


async def _run(method: str, request: object, call: Call) -> bytes:
    answer: bytes = await getattr(import_module(_UNARY), method)(request, call)
    return answer


async def _watch(module: str, method: str, *given: object) -> None:
    await getattr(import_module(module), method)(*given)


def _platform(_request: object) -> Actor:
    return DEFAULT_PLATFORM


def _method(name: str) -> Callable[[Any, Call], Awaitable[bytes]]:
    return partial(_run, name)


def _stream(module: str, name: str) -> Callable[[Any, Call, Write], Awaitable[None]]:
    return partial(_watch, module, name)


METHODS: Mapping[str, Method] = {
    "ListServices": Unary(pb.ListServicesRequest, _method("list_services"), _platform),
    "JoinLine": Unary(pb.JoinLineRequest, _method("join_line"), _platform),
    "GetTicket": Unary(pb.GetTicketRequest, _method("get_ticket"), _platform),
    "LeaveLine": Unary(pb.LeaveLineRequest, _method("leave_line"), _platform),
    "OpenDesk": Unary(pb.OpenDeskRequest, _method("open_desk"), _platform),
    "CloseDesk": Unary(pb.CloseDeskRequest, _method("close_desk"), _platform),
    "CallNext": Unary(pb.CallNextRequest, _method("call_next"), _platform),
    "CallTicket": Unary(pb.CallTicketRequest, _method("call_ticket"), _platform),
    "RecallTicket": Unary(pb.RecallTicketRequest, _method("recall_ticket"), _platform),
    "StartServing": Unary(pb.StartServingRequest, _method("start_serving"), _platform),
    "MarkNoShow": Unary(pb.MarkNoShowRequest, _method("mark_no_show"), _platform),
    "ReturnTicket": Unary(pb.ReturnTicketRequest, _method("return_ticket"), _platform),
    "TransferTicket": Unary(pb.TransferTicketRequest, _method("transfer_ticket"), _platform),
    "FinishServing": Unary(pb.FinishServingRequest, _method("finish_serving"), _platform),
    "ServeWithoutTicket": Unary(
        pb.ServeWithoutTicketRequest, _method("serve_without_ticket"), _platform
    ),
    "WatchTicket": Watch(pb.WatchTicketRequest, _stream(_TICKET, "watch_ticket"), _platform),
    "WatchBoard": Watch(pb.WatchBoardRequest, _stream(_BOARD, "watch_board"), _platform),
    "WatchDesk": Watch(pb.WatchDeskRequest, _stream(_DESK, "watch_desk"), _platform),
}
