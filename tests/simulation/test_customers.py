"""Counts of one type of contact, and their integrals over time."""

from random import Random

from usher.queue.values import Channel, QueueName
from usher.simulation.customers import Kind
from usher.simulation.distributions import Exponential
from usher.simulation.scenario import ContactType, Poisson
from usher.simulation.streams import Streams


def test_integrals_are_the_numbers_at_every_moment_added_up() -> None:
    rules = ContactType(
        queue=QueueName("q"),
        channel=Channel.CHAT,
        arrivals=Poisson(per_hour=1),
        handling=Exponential(1),
    )
    kind, random, at_ms = Kind("one", 0, rules, Streams(1)), Random(3), 0
    for _ in range(5):
        waiting_ms = inside_ms = 0
        for _ in range(40):
            passed_ms = random.randint(0, 900)
            waiting_ms += kind.waiting * passed_ms
            inside_ms += kind.inside * passed_ms
            at_ms += passed_ms
            kind.count(at_ms, random.randint(-2, 3), random.randint(-2, 3))
        assert (waiting_ms, inside_ms) == kind.take_integrals_ms(at_ms)
    assert (0, 0) == kind.take_integrals_ms(at_ms)
