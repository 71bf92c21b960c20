"""Every error has one status, with exactly one ErrorInfo and the details that belong to it."""

from collections.abc import Iterator

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from structlog.testing import capture_logs

from usher.queue import errors
from usher.router.service import status, unavailable
from usher.router.service.status import code_of, status_of

CODE = grpc.StatusCode


def _leaves(kind: type[Exception]) -> Iterator[type[Exception]]:
    below = kind.__subclasses__()
    if not below:
        yield kind
    for one in below:
        yield from _leaves(one)


REFUSALS = sorted(_leaves(errors.Refused), key=lambda kind: kind.__name__)
NOT_SERVED = sorted(_leaves(unavailable.NotServed), key=lambda kind: kind.__name__)
NEVER_SENT = {unavailable.TooOld}  # answered by a reset


def _made(kind: type[Exception]) -> Exception:
    if issubclass(kind, errors.Invalid):
        return kind("some.field", "1..3", found=7)
    if issubclass(kind, errors.Refused):
        return kind("message", state="ended", count=3)
    return kind("request-7")


def _details(sent: status_pb2.Status) -> dict[str, int]:
    names = [detail.type_url.rpartition(".")[2] for detail in sent.details]
    return {name: names.count(name) for name in names}


def _info(sent: status_pb2.Status) -> error_details_pb2.ErrorInfo:
    info = error_details_pb2.ErrorInfo()
    assert sent.details[0].Unpack(info)
    return info


@pytest.mark.parametrize("kind", [*REFUSALS, *NOT_SERVED])
def test_every_reason_has_its_code_and_details(kind: type[Exception]) -> None:
    if kind in NEVER_SENT:
        assert code_of(_made(kind)) is None
        return
    error = _made(kind)
    sent = status_of(error, "m")
    code = code_of(error)
    assert code is not None and code.value[0] == sent.code
    details = _details(sent)
    assert 1 == details["ErrorInfo"] and {1} == set(details.values())
    assert (code is CODE.INVALID_ARGUMENT) == ("BadRequest" in details)
    assert (code is CODE.FAILED_PRECONDITION) == ("PreconditionFailure" in details)
    assert (code in (CODE.UNAVAILABLE, CODE.RESOURCE_EXHAUSTED)) == ("RetryInfo" in details)
    info = _info(sent)
    assert ("usher", error.reason) == (info.domain, info.reason)  # type: ignore[attr-defined]
    assert info.reason.isupper() and len(info.reason) <= 63


def test_the_tree_of_refusals_gives_the_codes_of_the_issue() -> None:
    expected = {
        errors.Invalid: CODE.INVALID_ARGUMENT,
        errors.NotFound: CODE.NOT_FOUND,
        errors.Exists: CODE.ALREADY_EXISTS,
        errors.WrongState: CODE.FAILED_PRECONDITION,
        errors.Exhausted: CODE.RESOURCE_EXHAUSTED,
    }
    assert expected == {kind: status.CODES[kind] for kind in expected}
    assert CODE.UNKNOWN not in status.CODES.values()


def test_values_of_the_message_stand_in_the_details() -> None:
    info = _info(status_of(errors.ContactEnded("it has ended", outcome="lost", count=3), "m"))
    assert {"outcome": "lost", "count": "3"} == dict(info.metadata)
    invalid = _info(status_of(errors.Invalid("contact.complexity", "0..10"), "m"))
    assert {"contact.complexity": "0..10"} == dict(invalid.metadata)
    reused = _info(status_of(unavailable.RequestIdReused("r1"), "m"))
    assert ("REQUEST_ID_REUSED", {"request_id": "r1"}) == (reused.reason, dict(reused.metadata))


def test_the_time_to_come_again_is_told() -> None:
    retry = error_details_pb2.RetryInfo()
    sent = status_of(unavailable.InboxFull("full", 250), "m")
    assert any(detail.Unpack(retry) for detail in sent.details)
    assert 250_000_000 == retry.retry_delay.nanos


def test_what_is_not_expected_is_internal_and_logged_once_without_its_message() -> None:
    error = ValueError("Zoe Meier")
    with capture_logs() as logs:
        sent = status_of(error, "usher.v1.RouterService/EnqueueContact")
    assert code_pb2.INTERNAL == sent.code and "Zoe" not in str(sent)
    incident = _info(sent).metadata["incident"]
    assert [("call_failed", incident, "ValueError")] == [
        (line["event"], line["incident"], line["error"]) for line in logs
    ]
    assert "Zoe" not in str(logs)


def test_a_long_message_is_cut_to_fit_into_the_metadata() -> None:
    error = errors.Invalid("f" * 100, "r" * 50_000, value="v" * 50_000)
    assert status_of(error, "m").ByteSize() < 8 * 1024
