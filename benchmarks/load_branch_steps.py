"""The calls of kiosks, desks and boards, as data, like those of load_steps.py."""

from typing import Any, NamedTuple

from load_steps import PLATFORM, Step, Steps

from usher.v1 import ticket_pb2 as tickets
from usher.v1 import walk_in_service_pb2 as walk_in
from usher.v1.walk_in_service_pb2_grpc import WalkInServiceStub


class Post(NamedTuple):
    """A desk and the clerk who sits there."""

    branch: str
    desk: str
    agent_id: str
    session: int

    @property
    def actor(self) -> str:
        """In whose name the desk speaks."""
        return f"agent/{self.agent_id}"

    def fields(self) -> dict[str, Any]:
        """What every request of a desk tells."""
        return {"branch": self.branch, "desk": self.desk, "session": self.session}


class BranchSteps(Steps):
    """All steps over one channel, those of branches as well."""

    def __init__(self, channel: Any, tag: str) -> None:
        super().__init__(channel, tag)
        self._walk_in = WalkInServiceStub(channel)

    def list_services(self, branch: str) -> Step:
        """A kiosk shows what there is."""
        request = walk_in.ListServicesRequest(branch=branch)
        return Step("ListServices", self._walk_in.ListServices, request, PLATFORM)

    def join_line(self, branch: str, service: str) -> Step:
        """A visitor draws a ticket."""
        join_id = self.new_id()
        request = walk_in.JoinLineRequest(
            request_id=join_id, join_id=join_id, branch=branch, service=service, party_size=1
        )
        return Step("JoinLine", self._walk_in.JoinLine, request, PLATFORM)

    def get_ticket(self, ticket_id: str) -> Step:
        """A visitor looks how the ticket stands."""
        request = walk_in.GetTicketRequest(ticket_id=ticket_id)
        return Step("GetTicket", self._walk_in.GetTicket, request, PLATFORM)

    def leave_line(self, ticket_id: str) -> Step:
        """A visitor gives the ticket up."""
        request = walk_in.LeaveLineRequest(request_id=self.new_id(), ticket_id=ticket_id)
        return Step("LeaveLine", self._walk_in.LeaveLine, request, PLATFORM)

    def watch_ticket(self, ticket_id: str) -> Step:
        """The stream of a visitor's phone."""
        request = walk_in.WatchTicketRequest(ticket_id=ticket_id)
        return Step("WatchTicket", self._walk_in.WatchTicket, request, PLATFORM)

    def watch_board(self, branch: str) -> Step:
        """The stream of a board."""
        request = walk_in.WatchBoardRequest(branch=branch)
        return Step("WatchBoard", self._walk_in.WatchBoard, request, PLATFORM)

    def watch_desk(self, post: Post) -> Step:
        """The stream of a desk."""
        request = walk_in.WatchDeskRequest(branch=post.branch, desk=post.desk)
        return Step("WatchDesk", self._walk_in.WatchDesk, request, post.actor)

    def open_desk(self, post: Post) -> Step:
        """A clerk sits down."""
        request = walk_in.OpenDeskRequest(
            request_id=self.new_id(), agent_id=post.agent_id, **post.fields()
        )
        return Step("OpenDesk", self._walk_in.OpenDesk, request, post.actor)

    def call_next(self, post: Post) -> Step:
        """The next ticket is called."""
        request = walk_in.CallNextRequest(request_id=self.new_id(), **post.fields())
        return Step("CallNext", self._walk_in.CallNext, request, post.actor)

    def recall(self, post: Post, ticket_id: str) -> Step:
        """The ticket is called once more."""
        return self._of_ticket("RecallTicket", post, ticket_id)

    def start_serving(self, post: Post, ticket_id: str) -> Step:
        """The visitor is at the desk."""
        return self._of_ticket("StartServing", post, ticket_id)

    def no_show(self, post: Post, ticket_id: str) -> Step:
        """The visitor did not come."""
        return self._of_ticket("MarkNoShow", post, ticket_id)

    def transfer(self, post: Post, ticket_id: str, service: str) -> Step:
        """The visitor goes on to another service."""
        return self._of_ticket("TransferTicket", post, ticket_id, service=service)

    def finish_serving(self, post: Post, ticket_id: str) -> Step:
        """The visit is over."""
        outcome = tickets.VISIT_OUTCOME_SERVED
        return self._of_ticket("FinishServing", post, ticket_id, outcome=outcome)

    def _of_ticket(self, name: str, post: Post, ticket_id: str, **more: Any) -> Step:
        request = getattr(walk_in, f"{name}Request")(
            request_id=self.new_id(), ticket_id=ticket_id, **post.fields(), **more
        )
        return Step(name, getattr(self._walk_in, name), request, post.actor)
