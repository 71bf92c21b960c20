"""Sweeps: values replaced by place, grids of cases, and everything wrong told before a run."""

import pytest
from msgspec.structs import replace
from tests.simulation.test_report_tables import POLICY, day

from usher.queue.rules import ChannelRules, Order
from usher.queue.values import Channel
from usher.simulation.distributions import Exponential
from usher.simulation.experiment import Case
from usher.simulation.places import ValuesRefused, place_of, spot_of, with_value
from usher.simulation.scenario import Curve
from usher.simulation.sweeps import AS_IT_STANDS, CASES_MOST, Axis, axis_of, grid, labels

CASE = Case("today", day(3), POLICY)
AGENTS = "groups.front.shifts[0].agents"


def changed(place: str, value: object) -> Case:
    return with_value(CASE, spot_of(CASE, place_of(place)), value)


def standing(case: Case, place: str) -> object:
    return spot_of(case, place_of(place)).plain


def refusal(*texts: str) -> list[str]:
    with pytest.raises(ValuesRefused) as refused:
        grid(CASE, [axis_of(text) for text in texts])
    return str(refused.value).split("\n")


def names(*texts: str) -> list[str]:
    return [case.name for case in grid(CASE, [axis_of(text) for text in texts])]


@pytest.mark.parametrize(
    ("place", "value", "plain"),
    [
        (AGENTS, 5, 5),
        ("groups.front.shifts[1].from", "09:30", 570),
        ("groups.front.shifts[1].from_min", 570, 570),
        ("groups.front.absence", 0.1, 0.1),
        ("groups.front.capacity.channels.chat.most", 2, 2),
        ("types.buy.patience.average", 90, 90.0),
        ("types.buy.arrivals.counts[2]", 12, 12.0),
        ("horizon.finish", "30m", 1_800_000),
        ("policy.queues.buy.head_start", "1m30s", 90_000),
        ("policy.queues[0].head_start_ms", 90_000, 90_000),
        ("policy.queues.buy.order", "score", "score"),
        ("policy.queues.buy.most_waiting", 10, 10),
        ("policy.channels.chat.lost_grace", "never", None),
    ],
)
def test_a_value_is_replaced_at_its_place_and_nowhere_else(
    place: str, value: object, plain: object
) -> None:
    case = changed(place, value)
    assert plain == standing(case, place)
    before = standing(CASE, place)
    assert before != plain
    if before is not None:  # no file writes it
        key = spot_of(case, place_of(place)).key
        whole = (*place_of(place)[:-1], key)
        assert CASE == with_value(case, spot_of(case, whole), before)


def test_a_whole_table_is_replaced_by_one_of_another_kind() -> None:
    case = changed("types.buy.patience", {"kind": "exponential", "average": 60})
    assert Exponential(60) == case.scenario.types["buy"].patience
    case = changed("types.buy.arrivals", {"kind": "poisson", "per_hour": 20})
    assert {"kind": "poisson", "per_hour": 20.0} == standing(case, "types.buy.arrivals")


def test_a_policy_and_a_scenario_are_new_values_and_the_old_ones_stay() -> None:
    case = changed("policy.queues.ask.order", "score")
    assert [Order.FCFS, Order.SCORE] == [queue.order for queue in case.policy.queues]
    assert [Order.FCFS, Order.FCFS] == [queue.order for queue in CASE.policy.queues]
    assert case.scenario is CASE.scenario


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("group.front.absence", 'found "group", expected one of'),
        (
            "groups.frnt.absence",
            'groups: found "frnt", expected one of: front; did you mean "front"',
        ),
        ("groups.front.absense", 'did you mean "absence"?'),
        ("groups.front.shifts[2].agents", "found [2], expected an entry by its number, [0] to [1]"),
        ("groups.front.shifts.early", "found early, expected an entry by its number, [0] to [1]"),
        ("groups.front.skills.chess", 'groups.front.skills: found "chess", expected one of: none'),
        ("policy.queues.by.level", 'did you mean "buy"?'),
        ("types.buy.retrial.share", "types.buy.retrial: found nothing, expected something with"),
        ("types.buy.tier.high", "types.buy.tier: found 0, expected something with high in it"),
        ("groups.front..absence", 'found "groups.front..absence", expected a place such as'),
        ("", 'found "", expected a place such as'),
        ("capacities.desk.units", "expected a capacity in its group, groups.NAME.capacity"),
    ],
)
def test_a_place_that_is_not_there_is_told_with_what_is_near(place: str, said: str) -> None:
    with pytest.raises(ValuesRefused) as refused:
        spot_of(CASE, place_of(place))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (AGENTS, -1, f"{AGENTS}: found -1, expected a whole number from 0 to 10000"),
        (AGENTS, 2.5, f"{AGENTS}: found 2.5, expected a whole number"),
        (AGENTS, "many", f'{AGENTS}: found "many", expected a whole number'),
        ("groups.front.absence", 1.2, "groups.front.absence: found 1.2, expected a finite number"),
        ("types.buy.patience.average", 0, "types.buy.patience.average: found 0"),
        ("types.buy.arrivals.counts[2]", -3, "types.buy.arrivals.counts[2]: found -3"),
        ("policy.queues.buy.head_start", 30, 'whole milliseconds go with the key "head_start_ms"'),
        ("policy.queues.buy.order", "fast", 'found "fast", expected "score" or "fcfs"'),
        ("types.buy.patience", {"kind": "exponental"}, 'did you mean "exponential"?'),
        ("groups.front.capacity.channels.chat", {"price": 1, "mst": 2}, 'did you mean "most"?'),
    ],
)
def test_a_value_that_does_not_fit_its_field_is_told_as_of_a_file(
    place: str, value: object, said: str
) -> None:
    with pytest.raises(ValuesRefused) as refused:
        changed(place, value)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("8..12", (8, 9, 10, 11, 12)),
        ("8..12..2", (8, 10, 12)),
        ("8..11..2", (8, 10)),
        ("0.8..1.1..0.1", (0.8, 0.9, 1.0, 1.1)),
        ("-1..1", (-1, 0, 1)),
        ("100, 120,140", (100, 120, 140)),
        ("1..3,10", (1, 2, 3, 10)),
        ("10s,1m30s", ("10s", "1m30s")),
        ("08:00,08:30", ("08:00", "08:30")),
        ("score,fcfs", ("score", "fcfs")),
        ("true,false", (True, False)),
        ('"a, b","c"', ("a, b", "c")),
        ("[1,2],[3]", ([1, 2], [3])),
        ('{kind="deterministic",value=3}', ({"kind": "deterministic", "value": 3},)),
    ],
)
def test_values_are_written_in_short(text: str, values: tuple[object, ...]) -> None:
    assert Axis(place=("a", 0, "b"), values=values) == axis_of(f"a[0].b={text}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("agents", 'found "agents", expected PLACE=VALUES'),
        ("=3", 'found "=3", expected PLACE=VALUES'),
        ("a=", "expected a value on each side of a comma"),
        ("a=1,,2", "expected a value on each side of a comma"),
        ("a=5..3", "found 5..3, expected first..last..step that goes up"),
        ("a=1..3..0", "found 1..3..0, expected first..last..step that goes up"),
        ("a=0..1000000", "found 1000001 values, expected at most 200"),
        ("a={kind=}", "expected values as in TOML"),
    ],
)
def test_a_text_that_names_no_values_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValuesRefused) as refused:
        axis_of(text)
    assert said in str(refused.value)


def test_a_grid_goes_through_all_combinations_the_last_place_fastest() -> None:
    cases = grid(CASE, [axis_of(f"{AGENTS}=2,4"), axis_of("types.buy.patience.average=60,90")])
    expected = ["agents=2, average=60", "agents=2, average=90"]
    expected += ["agents=4, average=60", "agents=4, average=90"]
    assert [AS_IT_STANDS, *expected] == [case.name for case in cases]
    assert {AGENTS: 4, "types.buy.patience.average": 60.0} == cases[3].varied
    assert [3, 2, 2, 4, 4] == [standing(case, AGENTS) for case in cases]
    assert replace(CASE, name=AS_IT_STANDS, varied=cases[0].varied) == cases[0]


def test_a_combination_that_changes_nothing_is_the_case_as_it_stands() -> None:
    assert [AS_IT_STANDS, "agents=2", "agents=4"] == names(f"{AGENTS}=2..4")
    first = grid(CASE, [axis_of(f"{AGENTS}=2..4")])[0]
    assert {AGENTS: 3} == first.varied


def test_a_factor_multiplies_a_number_or_all_numbers_of_a_list() -> None:
    cases = grid(CASE, [axis_of("types.buy.arrivals.counts=x0.9..1.1..0.1")])
    assert [AS_IT_STANDS, "counts=x0.9", "counts=x1.1"] == [case.name for case in cases]
    counts = [
        arrivals.counts
        for case in cases
        if isinstance(arrivals := case.scenario.types["buy"].arrivals, Curve)
    ]
    assert [(20.0, 30.0, 10.0), (18.0, 27.0, 9.0), (22.0, 33.0, 11.0)] == counts
    assert [{"types.buy.arrivals.counts (factor)": one} for one in (1.0, 0.9, 1.1)] == [
        case.varied for case in cases
    ]
    assert 6 == standing(grid(CASE, [axis_of(f"{AGENTS}=x2")])[1], AGENTS)
    assert "found 4.5, expected a whole number" in refusal(f"{AGENTS}=x1.5")[0]
    assert "to multiply by 2, expected numbers" in refusal("policy.queues.buy.order=x2")[0]


def test_durations_and_times_are_told_as_files_write_them() -> None:
    told = names("policy.queues.buy.head_start=30s,90s", "groups.front.shifts[0].from=08:30,09:00")
    assert "head_start=30s, from=08:30" == told[1]
    assert "head_start=1m30s, from=09:00" == told[-1]


def test_a_name_is_as_long_as_it_takes_to_tell_places_apart() -> None:
    assert ("shifts[0].agents", "shifts[1].agents") == labels(
        [AGENTS, "groups.front.shifts[1].agents"]
    )
    assert ("patience.average", "handling.average", "absence") == labels(
        ["types.buy.patience.average", "types.buy.handling.average", "groups.front.absence"]
    )


def test_everything_wrong_with_a_sweep_is_told_at_once() -> None:
    told = refusal(f"{AGENTS}=2,-1,-2", "groups.frint.absence=0.1,0.2", "types.buy.tier=1,11")
    assert 4 == len(told)
    assert [f"{AGENTS}: found -1", f"{AGENTS}: found -2"] == [
        one.partition(",")[0] for one in told[:2]
    ]
    assert 'did you mean "front"' in told[2]
    assert told[3].startswith("types.buy.tier: found 11")


def test_a_place_and_a_value_come_once() -> None:
    assert ["groups.front.shifts[0].agents: found 2 again, expected each value once"] == refusal(
        f"{AGENTS}=2,4,2"
    )
    assert "as well, expected each place once" in refusal(f"{AGENTS}=2", f"{AGENTS}=4")[0]
    both = refusal(
        "types.buy.patience.average=60", 'types.buy.patience={kind="deterministic",value=9}'
    )
    assert "as well, expected each place once" in both[0]


def test_a_sweep_of_too_many_cases_is_refused() -> None:
    told = refusal(f"{AGENTS}=1..20", "types.buy.tier=0..10")
    assert [f"found 220 cases (20 x 11), expected at most {CASES_MOST}"] == told


def test_names_that_change_no_run_are_refused() -> None:
    told = refusal("policy=other.toml", "title=One,Two")
    assert ["policy", "title"] == [line.partition(":")[0] for line in told]
    assert all("which changes no run" in line for line in told)


def test_nothing_to_vary_is_refused() -> None:
    with pytest.raises(ValuesRefused, match="found nothing to vary"):
        grid(CASE, [])


def test_a_combination_that_makes_no_sound_scenario_is_refused_with_its_name() -> None:
    told = refusal("groups.front.shifts[0].from=09:00,12:00,12:30")
    assert 1 == len(told)
    assert told[0].startswith("groups.front.shifts[0]: with from=12:00: found")
    told = refusal("policy.queues.buy.requirements=[{skill='x',least=3,wanted=2}]")
    assert told[0].startswith("policy.queues.buy")


def test_what_stands_beside_a_value_keeps_that_it_has_none() -> None:
    never = changed("policy.channels.chat.lost_grace", "never")
    for case, place, value in (
        (never, "policy.channels.chat.wrap_up", "10s"),
        (never, "policy.channels.chat", {"lost_grace": "never", "missed_offers_max": 5}),
        (never, "policy.channels", {"chat": {"lost_grace": "never"}, "voice": {}}),
    ):
        told = with_value(case, spot_of(case, place_of(place)), value)
        assert standing(told, "policy.channels.chat.lost_grace") is None
    both = replace(POLICY, channels={**never.policy.channels, Channel.VOICE: ChannelRules()})
    case = replace(CASE, policy=both)
    told = with_value(case, spot_of(case, ("policy", "channels", "voice")), {"wrap_up": "10s"})
    assert standing(told, "policy.channels.chat.lost_grace") is None
    assert 10_000 == standing(told, "policy.channels.voice.wrap_up")
