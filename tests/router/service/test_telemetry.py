import io
import json

import structlog

from usher.router.service.telemetry import Counters, allow_listed, configure_logging, told


def test_only_listed_keys_get_out() -> None:
    event = {"event": "snapshot_written", "position": 7, "name": "Ada", "attributes": {"a": "b"}}
    kept = allow_listed(None, "info", event)
    assert {"event": "snapshot_written", "position": 7, "dropped": "attributes,name"} == kept


def test_values_are_plain_and_short() -> None:
    kept = allow_listed(None, "info", {"event": "x", "reason": ["y" * 1000]})
    assert 200 == len(kept["reason"])


def test_of_an_exception_the_message_stays_inside() -> None:
    try:
        raise ValueError("Ada Lovelace")
    except ValueError as error:
        keys = told(error)
    assert "ValueError" == keys["error"]
    assert "Lovelace" not in json.dumps(keys)
    assert "test_telemetry.py" in json.dumps(keys["trace"])


def test_a_line_of_json_per_event() -> None:
    out = io.StringIO()
    before = structlog.get_config()
    try:
        configure_logging("json", "info", out)
        log = structlog.get_logger()
        log.info("served", listen="127.0.0.1:1", customer="Ada")
        log.debug("unseen")
    finally:
        structlog.configure(**before)
    line = json.loads(out.getvalue())
    assert ("served", "127.0.0.1:1", "customer") == (line["event"], line["listen"], line["dropped"])


def test_figures_tell_the_times_of_the_syncs() -> None:
    counters = Counters()
    assert 0.0 == counters.figures().append_p99_ms
    for ms in range(100):
        counters.synced(2, ms / 1000)
    figures = counters.figures()
    assert (100, 200, 2) == (figures.batches, figures.records, figures.batch_records_max)
    assert (50.0, 99.0) == (figures.append_p50_ms, figures.append_p99_ms)
