"""Mixed users for Locust: platform, agents, kiosks, desks and boards of load_world.py, over gRPC.

    python benchmarks/load_world.py FOLDER --rate 40       # rules for the server
    usher serve --policy FOLDER/policy.toml --roster FOLDER/roster.toml --data FOLDER/data
    locust -f benchmarks/locustfile.py --headless --host 127.0.0.1:7460 \\
        --users 120 --spawn-rate 60 --run-time 30s --reset-stats --html report.html

A Locust user sends the next call when the last one is answered: a closed loop. When the server is
slow the users ask less, and the waiting that they would have met stands in no percentile. So this
is for journeys in a realistic mix; for limits and tails there is open_loop.py. Locust brings
gevent, which has to be told to gRPC before the first channel.
"""

import json
import time
from argparse import ArgumentParser
from pathlib import Path
from random import Random
from typing import Any

import gevent
import grpc
import grpc.experimental.gevent
import load_world as world
from gevent.event import Event
from gevent.pool import Group
from gevent.queue import Empty, Queue
from load_branch_steps import BranchSteps, Post
from load_steps import OPTIONS, RACES, Step, reason_of
from load_world import draw_s
from locust import User, events, task
from locust.env import Environment
from locust.exception import StopUser

from usher.v1 import leg_pb2 as legs
from usher.v1 import ticket_pb2 as tickets

grpc.experimental.gevent.init_gevent()
# Under gevent every call and every open stream holds a native thread of this pool while it waits;
# left at its ten threads, a dozen streams make all other calls wait for seconds.
gevent.get_hub().threadpool.maxsize = 1_000

ARRIVAL_S = 1.0
"""Mean time between the contacts of one platform user, beside the time of its calls."""

chance = Random(1)
free_agents: "Queue[str]" = Queue()
free_clerks: "Queue[str]" = Queue()
began: dict[str, float] = {}


class Refusal(Exception):
    """A call that was refused for no good reason; the message is the server's reason."""


class GrpcUser(User):
    """A user with a connection of its own."""

    abstract = True
    serial = 0

    def on_start(self) -> None:
        """Connects."""
        GrpcUser.serial += 1
        self.channel = grpc.insecure_channel(self.host, options=OPTIONS)
        self.steps = BranchSteps(self.channel, f"l{int(time.time()) % 1_000_000}-{GrpcUser.serial}")

    def on_stop(self) -> None:
        """Hangs up."""
        self.channel.close()

    def take(self, step: Step) -> Any | None:
        """Takes the step, tells Locust how it went; returns the reply, or None if there is none."""
        start_s, reply, error = time.perf_counter(), None, None
        try:
            reply = step.begin()
        except grpc.RpcError as failed:
            reason = reason_of(failed)
            error = None if reason in RACES else Refusal(reason)
        self.environment.events.request.fire(
            request_type="gRPC",
            name=step.name,
            response_time=(time.perf_counter() - start_s) * 1000,
            response_length=reply.ByteSize() if reply is not None else 0,
            exception=error,
            context={},
        )
        return reply


class PlatformUser(GrpcUser):
    """A telephony or chat platform: contacts arrive, some are asked after, some hang up."""

    weight = 4

    def wait_time(self) -> float:
        """Returns an exponential pause."""
        return draw_s(chance, ARRIVAL_S)

    @task
    def contact_arrives(self) -> None:
        """A contact of one kind or the other."""
        kinds = (world.CALL, world.CHAT)
        (kind,) = chance.choices(kinds, [kind.share for kind in kinds])
        contact_id = self.steps.new_id()
        reply = self.take(self.steps.enqueue(kind, contact_id))
        if reply is None:
            return
        if chance.random() < world.READS:
            self.take(self.steps.get_contact(contact_id))
        if reply.placement.queue_position and chance.random() < world.IMPATIENT:
            gevent.sleep(world.REACTION_S)
            self.take(self.steps.abandon(contact_id))


class AgentUser(GrpcUser):
    """An agent at a desktop: waits for offers on a stream, accepts, talks, completes."""

    weight = 14
    free = free_agents

    def on_start(self) -> None:
        """Signs in as an agent of the roster who is still free."""
        super().on_start()
        try:
            self.agent_id = self.free.get_nowait()
        except Empty:
            raise StopUser from None
        self.work = Group()
        self.session = self.steps.sign_in(self.agent_id).begin().session
        self.chats = 0

    def on_stop(self) -> None:
        """Leaves everything as it is, as at the end of any test."""
        self.work.kill()
        super().on_stop()

    @task
    def read(self) -> None:
        """Reads the stream for as long as there is one."""
        offered: set[str] = set()
        for message in self.steps.watch_offers(self.agent_id, self.session).begin(None):
            for watched in message.legs:
                leg = watched.leg
                if leg.state == legs.LEG_STATE_OFFERED and leg.leg_id not in offered:
                    offered.add(leg.leg_id)
                    self.work.spawn(self.serve, leg)

    def serve(self, leg: Any) -> None:
        """One contact, from the offer to the end."""
        gevent.sleep(draw_s(chance, world.REACTION_S))
        if self.take(self.steps.accept(self.agent_id, self.session, leg.leg_id)) is None:
            return
        kind = world.CALL if leg.channel == world.CALL.channel else world.CHAT
        self.chats += kind is world.CHAT
        if kind is world.CALL:
            gevent.sleep(draw_s(chance, world.DIAL_S))
            if self.take(self.steps.connect(leg.contact_id)) is None:
                return
        gevent.sleep(draw_s(chance, kind.talk_s))
        self.chats -= kind is world.CHAT
        done = self.take(self.steps.complete(leg.contact_id, self.agent_id))
        if done is not None and kind.wrap_up_s:
            gevent.sleep(draw_s(chance, kind.wrap_up_s))
            self.take(self.steps.finish_wrap_up(self.agent_id, self.session, leg.leg_id))


class DeskUser(AgentUser):
    """A clerk at a desk: calls who waits, and takes a chat while nobody does."""

    weight = 4
    free = free_clerks

    def on_start(self) -> None:
        """Signs in and sits down at the desk."""
        super().on_start()
        self.post = Post(*world.post_of(self.agent_id), self.agent_id, self.session)
        self.steps.open_desk(self.post).begin()
        self.waiting: set[str] = set()
        self.looking = Event()
        self.work.spawn(self.follow)
        self.work.spawn(self.call)

    def follow(self) -> None:
        """Reads the desk's stream: who waits."""
        for message in self.steps.watch_desk(self.post).begin(None):
            self.waiting.update(one.ticket.ticket_id for one in message.waiting)
            self.waiting.difference_update(one.ticket_id for one in message.tickets)
            self.waiting.difference_update(message.gone_ticket_ids)
            self.looking.set()

    def call(self) -> None:
        """Calls one after the other."""
        while True:
            self.looking.wait()
            self.looking.clear()
            while self.waiting:
                gevent.sleep(draw_s(chance, world.REACTION_S))
                if not self.waiting or self.chats:
                    continue
                reply = self.take(self.steps.call_next(self.post))
                if reply is None or not reply.ticket.ticket_id:
                    break
                self.visit(reply.ticket)

    def visit(self, ticket: Any) -> None:
        """One visitor, from the call to the end."""
        gevent.sleep(draw_s(chance, world.WALK_S))
        if chance.random() < world.RECALLED:
            self.take(self.steps.recall(self.post, ticket.ticket_id))
            gevent.sleep(draw_s(chance, world.WALK_S))
        if chance.random() < world.NO_SHOWS:
            self.take(self.steps.no_show(self.post, ticket.ticket_id))
            return
        if self.take(self.steps.start_serving(self.post, ticket.ticket_id)) is None:
            return
        gevent.sleep(draw_s(chance, world.VISIT.talk_s))
        if chance.random() < world.TRANSFERRED:
            (other,) = set(world.SERVICES) - {ticket.service}
            self.take(self.steps.transfer(self.post, ticket.ticket_id, other))
        else:
            self.take(self.steps.finish_serving(self.post, ticket.ticket_id))


class KioskUser(GrpcUser):
    """A kiosk: visitors draw tickets, and some follow theirs on the phone."""

    weight = 1

    def on_start(self) -> None:
        """Stands in one branch."""
        super().on_start()
        self.branch = chance.choice(world.BRANCHES)
        self.phones = Group()

    def on_stop(self) -> None:
        """The phones go as well."""
        self.phones.kill()
        super().on_stop()

    def wait_time(self) -> float:
        """Returns an exponential pause."""
        return draw_s(chance, ARRIVAL_S)

    @task
    def visitor_comes(self) -> None:
        """Looks at the services, draws a ticket."""
        if chance.random() < world.READS:
            self.take(self.steps.list_services(self.branch))
        reply = self.take(self.steps.join_line(self.branch, chance.choice(world.SERVICES)))
        if reply is None:
            return
        if chance.random() < world.WATCHED:
            self.phones.spawn(self.follow, reply.ticket.ticket_id)
        elif chance.random() < world.READS:
            self.take(self.steps.get_ticket(reply.ticket.ticket_id))

    def follow(self, ticket_id: str) -> None:
        """Watches the ticket until it is called; some have gone by then."""
        stream = self.steps.watch_ticket(ticket_id).begin(None)
        for message in stream:
            if message.ticket.state > tickets.TICKET_STATE_WAITING:
                break
            if chance.random() < world.IMPATIENT / 10:
                self.take(self.steps.leave_line(ticket_id))
                break
        stream.cancel()


class BoardUser(GrpcUser):
    """A board: reads its stream."""

    weight = 2

    @task
    def read(self) -> None:
        """Reads for as long as there is something."""
        for _ in self.steps.watch_board(chance.choice(world.BRANCHES)).begin(None):
            pass


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """One option of our own."""
    parser.add_argument("--figures", default="", help="Write the figures here as JSON.")


@events.test_start.add_listener
def find_agents(environment: Environment, **_: Any) -> None:
    """Notes the agents and clerks of the roster, the kinds in turn."""
    for agent_id in sorted(_agents_of(environment.host), key=lambda one: one.rpartition("-")[2]):
        kind = agent_id.partition("-")[0]
        (free_clerks if kind == world.VISIT.name else free_agents).put(agent_id)
    if not free_clerks.qsize():
        raise SystemExit("the server's roster is not that of load_world.py")


@events.init.add_listener
def prepare(environment: Environment, **_: Any) -> None:
    """Has the beginning of what is measured noted: all users are there (`--reset-stats`)."""

    def begin(user_count: int, **_: Any) -> None:
        began["cpu_us"] = _counters(environment.host)["cpu_us"]
        began["time_s"] = time.perf_counter()

    environment.events.spawning_complete.add_listener(begin)


@events.test_stopping.add_listener
def tell(environment: Environment, **_: Any) -> None:
    """Writes the figures, where that is asked for, before the users go."""
    if not (file := environment.parsed_options.figures):
        return
    total = environment.stats.total
    seconds = time.perf_counter() - began["time_s"]
    counters = _counters(environment.host)
    told = {
        "units": total.num_requests - total.num_failures,
        "per_s": (total.num_requests - total.num_failures) / seconds,
        "server_cpu_s": (counters["cpu_us"] - began["cpu_us"]) / 1e6,
        "sync_p99_ms": counters["sync_p99_us"] / 1000,
        "errors": total.num_failures,
        "errors_by_reason": {
            f"{error.name} {error.error}": error.occurrences
            for error in environment.stats.errors.values()
        },
        **{
            f"p{name}_ms": total.get_response_time_percentile(share) or 0.0
            for name, share in (("50", 0.50), ("99", 0.99), ("999", 0.999))
        },
    }
    Path(file).write_text(json.dumps(told))


def _counters(target: str) -> dict[str, int]:
    with grpc.insecure_channel(target, options=OPTIONS) as channel:
        return dict(BranchSteps(channel, "figures").get_server().begin().counters)


def _agents_of(target: str) -> list[str]:
    found: list[str] = []
    with grpc.insecure_channel(target, options=OPTIONS) as channel:
        steps, token = BranchSteps(channel, "list"), ""
        while True:
            page = steps.list_agents(token).begin()
            found += [agent.agent_id for agent in page.agents]
            if not (token := page.next_page_token):
                return found
