"""AgentService over real gRPC: sessions, offers, desks."""

import asyncio
from datetime import timedelta

import grpc
import pytest
from tests.end_to_end.served import policy, refused, roster, served
from tests.router import pool_kit as kit

from usher.queue.values import LegEnd, LegState, Presence
from usher.router.client import Desk, Usher, Work, WrongState, new_contact
from usher.v1 import agent_pb2
from usher.v1 import agent_service_pb2 as pb

pytestmark = pytest.mark.asyncio

CODE = grpc.StatusCode


async def test_a_session_fences_off_the_one_before() -> None:
    async with served() as usher, usher.client() as client:
        first = await client.sign_in("anna")
        placed = await client.enqueue("main", "chat", contact_id="c1")
        second = await client.sign_in("anna")
        request = pb.AcceptOfferRequest(
            request_id="a", agent_id="anna", leg_id="c1.1", session=first.number
        )
        refusal = await refused(usher.agents.AcceptOffer(request))
        accepted = await client.accept("anna", "c1.1", session=second.number)
    assert placed.offer is not None and ["c1.1"] == [leg.leg_id for leg in second.legs]
    assert second.number > first.number
    assert (CODE.FAILED_PRECONDITION, "SESSION_SUPERSEDED") == (refusal.code, refusal.reason)
    assert LegState.ACTIVE is accepted.state


async def test_a_repeated_sign_in_is_the_same_session() -> None:
    async with served() as usher:
        request = pb.SignInRequest(request_id="s", agent_id="anna")
        replies = [await usher.agents.SignIn(request) for _ in range(2)]
    assert replies[0] == replies[1]


async def test_a_desktop_that_gives_no_sign_of_life_is_lost() -> None:
    lease = timedelta(seconds=5)
    async with served(clock_rate=10) as usher, usher.client("agent/anna") as client:
        session = await client.sign_in("anna", lease=lease)
        for _ in range(40):  # a second: two leases
            await asyncio.sleep(0.025)
            await client.heartbeat("anna", session.number)
        assert not (await client.get_agent("anna")).lost
        await asyncio.sleep(1.0)  # two leases again, in silence
        assert (await client.get_agent("anna")).lost
        with pytest.raises(WrongState) as caught:
            await client.heartbeat("anna", session.number)
    assert "SESSION_SUPERSEDED" == caught.value.reason


async def test_an_open_watch_keeps_the_session_alive() -> None:
    async with served(clock_rate=10) as usher, usher.client("agent/anna") as client:
        session = await client.sign_in("anna", lease=timedelta(seconds=5))
        steps = client.watch_offers("anna", session=session.number)
        await anext(steps)
        until = asyncio.get_running_loop().time() + 1.2  # 12 s of the clock, two leases
        while asyncio.get_running_loop().time() < until:
            await anext(steps)
        assert not (await client.get_agent("anna")).lost
        await steps.aclose()  # type: ignore[attr-defined]


async def test_a_session_that_a_platform_opens_needs_no_sign_of_life() -> None:
    async with served(clock_rate=1_000) as usher, usher.client() as client:
        session = await client.sign_in("anna")
        await asyncio.sleep(0.1)  # 100 s of the clock
        agent = await client.get_agent("anna")
    assert (0.0, False) == (session.lease_s, agent.lost)


async def test_presence_is_set_with_a_reason_and_told() -> None:
    async with served() as usher, usher.client("agent/anna") as client:
        session = await client.sign_in("anna")
        request = pb.SetPresenceRequest(
            request_id="p",
            agent_id="anna",
            session=session.number,
            presence=agent_pb2.PRESENCE_NOT_READY,
        )
        refusal = await refused(usher.agents.SetPresence(request))
        presence = await client.set_presence(
            "anna", Presence.NOT_READY, reason="lunch", session=session.number
        )
        agent = await client.get_agent("anna")
        gone = await client.sign_out("anna", session=session.number)
    assert ["reason"] == list(refusal.fields)
    assert (Presence.NOT_READY, "lunch") == (presence, agent.reason)
    assert Presence.OFFLINE is gone


async def test_a_declined_offer_goes_to_the_next() -> None:
    async with served() as usher, usher.client() as client:
        for name in ("anna", "bert"):
            await client.sign_in(name)
        placed = await client.enqueue("main", "chat", contact_id="c1")
        assert placed.offer is not None
        first = placed.offer.agent_id
        await client.decline(first, placed.offer.leg_id, reason="busy")
        contact, _ = await client.get_contact("c1")
        owner = contact.legs[-1]
        other = pb.AcceptOfferRequest(request_id="o", agent_id=first, leg_id=owner.leg_id)
        actor = (("usher-actor", "platform/x"),)
        refusal = await refused(usher.agents.AcceptOffer(other, metadata=actor))
    assert {first, owner.agent_id} == {"anna", "bert"}
    assert (CODE.FAILED_PRECONDITION, "OFFER_OF_ANOTHER_AGENT") == (refusal.code, refusal.reason)


async def test_an_agent_works_in_ten_lines() -> None:
    async with served(agents=roster("anna")) as usher, usher.client() as client:
        contacts = [
            new_contact("main", "chat", contact_id=f"c{n}", attributes={"name": f"n{n}"})
            for n in range(5)
        ]
        await client.enqueue_all(contacts)
        done = []
        async with client.agent("anna") as desk:
            async for work in desk.offers():
                if await work.accept():
                    done.append((work.contact.contact_id, work.contact.attributes["name"]))
                    await work.complete(disposition="solved", resolved=True)
                if len(done) == 5:
                    break
        agent = await client.get_agent("anna")
    assert [(f"c{n}", f"n{n}") for n in range(5)] == done
    assert Presence.OFFLINE is agent.presence


async def test_wrap_up_is_finished_by_the_desk_or_left_to_it() -> None:
    rules = policy(channels={"chat": kit.channel(wrap_up_ms=60_000)})
    async with served(rules, roster("anna")) as usher, usher.client() as client:
        await client.enqueue("main", "chat", contact_id="c1")
        async with client.agent("anna") as desk:
            works = desk.offers()
            work = await anext(works)
            assert await work.accept()
            await work.complete(wrap_up=True)
            wrapping, _ = await client.get_contact("c1")
            await work.finish_wrap_up()
            done, _ = await client.get_contact("c1")
    assert (LegState.WRAPPING, LegState.DONE) == (wrapping.legs[0].state, done.legs[0].state)


async def test_a_desk_learns_that_an_offer_is_gone() -> None:
    async with served(agents=roster("anna")) as usher, usher.client() as client:
        await client.enqueue("main", "chat", contact_id="c1")
        async with client.agent("anna") as desk:
            work = await anext(desk.offers())
            await client.abandon("c1")
            assert not await work.accept()
            await _until_done(client, desk, work)
    assert LegEnd.WITHDRAWN is work.leg.end


async def _until_done(client: Usher, desk: Desk, work: Work) -> None:
    while work.state is not LegState.DONE:
        await client.get_agent(desk.agent_id)


async def test_a_second_desk_takes_over_and_the_first_is_told() -> None:
    async with served(agents=roster("anna")) as usher, usher.client() as client:
        await client.enqueue("main", "chat", contact_id="c1")
        async with client.agent("anna") as first:
            works = first.offers()
            assert await (await anext(works)).accept()
            async with client.agent("anna") as second:
                taken = await anext(second.offers())
                with pytest.raises(WrongState) as caught:
                    await anext(works)
                await taken.complete()
    assert ("c1", LegState.ACTIVE) == (taken.contact.contact_id, LegState.ACTIVE)
    assert "SESSION_SUPERSEDED" == caught.value.reason


async def test_agents_are_listed_by_id_page_by_page() -> None:
    names = [f"agent-{n:02d}" for n in range(25)]
    async with served(agents=roster(*names)) as usher, usher.client() as client:
        await client.sign_in("agent-07")
        first = await usher.agents.ListAgents(pb.ListAgentsRequest(page_size=10))
        listed = [agent.agent_id async for agent in client.agents()]
        ready = await usher.agents.ListAgents(
            pb.ListAgentsRequest(presences=[agent_pb2.PRESENCE_READY])
        )
        no_agent = await refused(usher.agents.GetAgent(pb.GetAgentRequest(agent_id="nobody")))
    assert names[:10] == [agent.agent_id for agent in first.agents] and first.next_page_token
    assert names == listed
    assert ["agent-07"] == [agent.agent_id for agent in ready.agents]
    assert (CODE.NOT_FOUND, "AGENT_NOT_FOUND") == (no_agent.code, no_agent.reason)


async def test_the_server_tells_its_versions_rules_and_journal() -> None:
    async with served(clock_rate=60) as usher, usher.client() as client:
        about = await client.server()
    assert (60, "p1", "r1") == (about.clock_rate, about.policy_version, about.roster_version)
    assert about.numpy_version and about.policy_digest and about.roster_digest
    assert about.journal_incarnation and about.durability.startswith("memory")
    assert 2 == about.counters["agents_offline"] and about.position >= 3
