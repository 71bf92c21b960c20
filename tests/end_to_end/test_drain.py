"""Stopping: not serving first, what was begun is finished, watches end with a token."""

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.end_to_end.served import Refusal, policy, roster, served

from usher.queue.journal.contract import JournalLocked
from usher.router.client import Unavailable, Work, connect, new_contact
from usher.router.service import agent_service, router_service, server_service
from usher.router.service.files import write_policy, write_roster
from usher.v1 import agent_service_pb2 as agents_pb
from usher.v1 import router_service_pb2 as pb

pytestmark = pytest.mark.asyncio

CODE = grpc.StatusCode
SERVICES = ("", router_service.NAME, agent_service.NAME, server_service.NAME)
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
START_S = 20.0


async def test_every_service_has_its_health_and_leaves_service_first() -> None:
    async with served() as usher:
        health: Any = health_pb2_grpc.HealthStub(usher.channel)
        before = [await _health(health, name) for name in SERVICES]
        watch = health.Watch(health_pb2.HealthCheckRequest())
        first = await watch.read()
        stopping = asyncio.create_task(usher.server.drain())
        last = await watch.read()
        await stopping
    assert [SERVING] * len(SERVICES) == before
    assert [SERVING, NOT_SERVING] == [first.status, last.status]


async def test_what_was_admitted_is_finished_and_the_rest_told_to_come_again(
    tmp_path: Path,
) -> None:
    async with served(data_dir=tmp_path) as usher:
        requests = [_enqueue(n) for n in range(400)]
        calls = [asyncio.create_task(_code(usher.router.EnqueueContact(one))) for one in requests]
        await asyncio.sleep(0.02)
        await usher.server.drain()
        codes = await asyncio.gather(*calls)
    assert set(codes) <= {CODE.OK, CODE.UNAVAILABLE}
    async with served(data_dir=tmp_path) as usher, usher.client() as client:
        kept = {contact.contact_id async for contact in client.contacts()}
        answered = {f"c{n}" for n, code in enumerate(codes) if code is CODE.OK}
        assert answered <= kept
        again = [await _code(usher.router.EnqueueContact(one)) for one in requests]
        everything = [contact.contact_id async for contact in client.contacts()]
    assert {CODE.OK: 400} == Counter(again)
    assert sorted(f"c{n}" for n in range(400)) == sorted(everything)


async def test_a_drained_server_says_when_to_come_again() -> None:
    async with served() as usher:
        usher.server._pools.drain()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await usher.router.EnqueueContact(_enqueue(1))
    refusal = Refusal(caught.value)
    assert (CODE.UNAVAILABLE, "DRAINING") == (refusal.code, refusal.reason)
    assert refusal.retry_s > 0


async def test_watches_end_with_a_token_that_the_next_server_knows(tmp_path: Path) -> None:
    async with served(data_dir=tmp_path) as usher, usher.client() as client:
        stream = usher.agents.WatchOffers(agents_pb.WatchOffersRequest())
        await stream.read()
        placed = await client.enqueue("main", "chat", contact_id="c1")
        await client.sign_in("anna")
        token, messages = "", []
        drained = asyncio.create_task(usher.server.drain())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            while True:
                messages.append(await stream.read())
                token = messages[-1].head.token
        await drained
    refusal = Refusal(caught.value)
    assert (CODE.UNAVAILABLE, "DRAINING") == (refusal.code, refusal.reason)
    assert token and messages[-1].head.position > placed.position
    async with served(data_dir=tmp_path) as usher:
        stream = usher.agents.WatchOffers(agents_pb.WatchOffersRequest(token=token))
        first = await stream.read()
        stream.cancel()
    assert not first.head.reset
    assert messages[-1].head.position + 1 == first.head.first_position
    assert ["c1"] == [one.leg.contact_id for one in first.legs]  # its lease was moved on


async def test_a_desk_lives_through_a_restart(tmp_path: Path) -> None:
    async with served(data_dir=tmp_path, agents=roster("anna")) as usher:
        address = usher.address
        client = connect(address)
        await client.enqueue("main", "chat", contact_id="c1")
        desk = client.agent("anna")
        await desk.__aenter__()
        works = desk.offers()
        assert await (await anext(works)).accept()
    async with served(data_dir=tmp_path, agents=roster("anna"), listen=address):
        await client.complete("c1")
        await client.enqueue("main", "chat", contact_id="c2")
        work: Work = await anext(works)
        assert ("c2", True) == (work.contact.contact_id, await work.accept())
        await work.complete()
        await desk.__aexit__(None, None, None)
        await client.__aexit__(None, None, None)


async def test_a_server_that_is_gone_is_unavailable_after_the_clients_patience() -> None:
    async with served() as usher:
        client = usher.client()
    with pytest.raises(Unavailable):
        await client.get_contact("c1")
    await client.__aexit__(None, None, None)


async def test_a_journal_has_one_server(tmp_path: Path) -> None:
    async with served(data_dir=tmp_path):
        with pytest.raises(JournalLocked):
            async with served(data_dir=tmp_path):
                pass


async def test_two_servers_do_not_share_a_port() -> None:
    async with served() as usher:
        with pytest.raises(OSError, match="cannot listen"):
            async with served(listen=usher.address):
                pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_the_process(tmp_path: Path, number: signal.Signals) -> None:
    process, address = await _started(tmp_path)
    async with connect(address) as client:
        placed = await client.enqueue("main", "chat", contact_id="c1", attributes={"n": "Zoe"})
        steps = client.watch_contacts()
        assert ["c1"] == [contact.contact_id for contact in (await anext(steps)).contacts]
    process.send_signal(number)
    out, err = await asyncio.to_thread(process.communicate, timeout=START_S)
    assert 0 == process.returncode
    assert 1 == placed.queue_position
    assert '"stopped"' in err and "Traceback" not in err and "Zoe" not in out + err
    again, address = await _started(tmp_path)
    async with connect(address) as client:
        kept, _ = await client.get_contact("c1")
    again.kill()
    await asyncio.to_thread(again.communicate)
    assert {"n": "Zoe"} == kept.attributes


async def test_wrong_files_are_told_and_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text('version = "p"\n[queues.a]\nnonsense = 1\n')
    (tmp_path / "roster.toml").write_text('version = "r"\n')
    process = _process(tmp_path)
    out, err = await asyncio.to_thread(process.communicate, timeout=START_S)
    assert 2 == process.returncode
    assert "nonsense" in err and "policy.toml" in err and "Traceback" not in err
    assert "" == out and not (tmp_path / "data").exists()


def _enqueue(n: int) -> pb.EnqueueContactRequest:
    contact = new_contact("main", "chat", contact_id=f"c{n}")
    return pb.EnqueueContactRequest(request_id=f"r{n}", contact=contact)


async def _health(health: Any, name: str) -> int:
    reply = await health.Check(health_pb2.HealthCheckRequest(service=name))
    return int(reply.status)


async def _code(call: Any) -> grpc.StatusCode:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return CODE.OK


def _process(folder: Path) -> subprocess.Popen[str]:
    flags = {
        "--policy": folder / "policy.toml",
        "--roster": folder / "roster.toml",
        "--data": folder / "data",
        "--listen": "127.0.0.1:0",
        "--log-format": "json",
    }
    options = [str(part) for pair in flags.items() for part in pair]
    return subprocess.Popen(
        [sys.executable, "-m", "usher.router.cli", "serve", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def _started(folder: Path) -> tuple[subprocess.Popen[str], str]:
    rules, agents = policy(), roster("anna")
    (folder / "policy.toml").write_text(write_policy(rules))
    (folder / "roster.toml").write_text(write_roster(agents))
    process = _process(folder)
    assert process.stdout is not None
    line = await asyncio.to_thread(process.stdout.readline)
    assert line.startswith("usher serves on "), process.communicate()
    return process, line.split()[-1]
