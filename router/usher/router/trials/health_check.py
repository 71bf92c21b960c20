"""`usher health`: asks a server whether it serves, for a container's or a supervisor's check.

Started every few seconds, so it imports no more than gRPC. It must not know the typed client.
"""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import grpc
from grpc_health.v1 import health_pb2

EXIT_SERVING: Final = 0
EXIT_NOT_SERVING: Final = 1
EXIT_NO_ANSWER: Final = 3  # 2 is what argparse says to a wrong command line
LISTEN: Final = "USHER_LISTEN"
ADDRESS: Final = "127.0.0.1:7460"
EVERY_INTERFACE: Final = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
METHOD: Final = "/grpc.health.v1.Health/Check"
OPTIONS: Final = (("grpc.enable_retries", 0), ("grpc.enable_http_proxy", 0))


def health(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Asks once and tells the answer; returns the exit code: serving 0, not 1, no answer 3."""
    given = _parser().parse_args(arguments)
    address = given.address or default_address(environment)
    code, said = ask(address, given.service, given.timeout)
    out = sys.stdout if code == EXIT_SERVING else sys.stderr
    out.write(f"{address}: {said}\n")
    return code


def ask(address: str, service: str, timeout_s: float) -> tuple[int, str]:
    """Returns the exit code for what the server answers, and the answer in words."""
    request = health_pb2.HealthCheckRequest(service=service)
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        check = channel.unary_unary(
            METHOD,
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            reply = check(request, timeout=timeout_s)
        except grpc.RpcError as error:
            return _failed(error, service, timeout_s)
    if reply.status == health_pb2.HealthCheckResponse.SERVING:
        return EXIT_SERVING, "serving"
    name = health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status)
    return EXIT_NOT_SERVING, f"not serving ({name})"


def default_address(environment: Mapping[str, str]) -> str:
    """Returns where a server started with this environment is reached from its own machine."""
    host, colon, port = environment.get(LISTEN, ADDRESS).rpartition(":")
    return EVERY_INTERFACE.get(host, host) + colon + port


def _failed(error: grpc.RpcError, service: str, timeout_s: float) -> tuple[int, str]:
    match error.code():
        case grpc.StatusCode.UNAVAILABLE:
            return EXIT_NO_ANSWER, f"no answer: {error.details()}"
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return EXIT_NO_ANSWER, f"no answer within {timeout_s:g} s"
        case grpc.StatusCode.NOT_FOUND:
            return EXIT_NOT_SERVING, f"no service {service} there"
        case other:
            return EXIT_NOT_SERVING, f"not a server of ours: {other.name}: {error.details()}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="usher health",
        description="Ask a server whether it serves. Exit code: 0 it does, 1 not, 3 no answer.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("address", nargs="?", help=f"host:port or unix:path; else {LISTEN}, else {ADDRESS}.")
    add("--service", default="", metavar="NAME", help="One service, such as usher.v1.AgentService.")
    add("--timeout", type=_seconds, default=2.0, metavar="SECONDS", help="Default 2.")
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"more than 0 seconds, not {text}")
    return seconds
