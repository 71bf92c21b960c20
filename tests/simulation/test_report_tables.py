"""Tables of results: what they hold, how numbers are written, what a reader is warned of."""

import io
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest
from msgspec.structs import replace
from rich.console import Console

from usher.queue.measures import ServiceLevel
from usher.queue.rules import (
    Capacity,
    ChannelCapacity,
    ChannelRules,
    Order,
    Policy,
    QueueRules,
)
from usher.queue.values import Channel, QueueName
from usher.simulation.distributions import Exponential, Gamma
from usher.simulation.experiment import Case, Plan, Result, experiment
from usher.simulation.figures import ALL, FIGURES, Unit, difference_of, figure_named, interval_of
from usher.simulation.report.summary import COURSES, day_parts, difference, paired
from usher.simulation.report.tables import (
    comparison_rows,
    comparison_table,
    day_rows,
    day_table,
    figure_rows,
    figures_table,
    show,
)
from usher.simulation.report.wording import (
    basis_text,
    column_texts,
    difference_text,
    estimate_text,
    findings,
    mark_text,
    value_text,
)
from usher.simulation.samples import Sums
from usher.simulation.scenario import (
    ContactType,
    Curve,
    Day,
    Group,
    Poisson,
    Scenario,
    Shift,
    Steady,
    Target,
)
from usher.simulation.statistics import Interval

REPLICATIONS = 6
POLICY = Policy(
    version="plain",
    queues=tuple(QueueRules(name=QueueName(name), order=Order.FCFS) for name in ("buy", "ask")),
    channels={Channel.CHAT: ChannelRules(automatic_accept=True)},
    ended_kept_ms=1000,
)
CAPACITY = Capacity(units=1, channels={Channel.CHAT: ChannelCapacity()})


def day(agents: int) -> Scenario:
    """Returns three hours of a small centre: two types of contacts, shifts that overlap."""

    def kind(name: str, counts: tuple[float, ...]) -> ContactType:
        return ContactType(
            queue=QueueName(name),
            channel=Channel.CHAT,
            arrivals=Curve(counts=counts, starts_min=540, every_min=60, day_factor=Gamma(1, 0.2)),
            patience=Exponential(120),
            handling=Exponential(240),
        )

    shifts = (
        Shift(agents=agents, from_min=540, until_min=720),
        Shift(agents=1, from_min=600, until_min=660),
    )
    return Scenario(
        name="morning",
        types={"buy": kind("buy", (20.0, 30.0, 10.0)), "ask": kind("ask", (10.0, 15.0, 0.0))},
        groups={"front": Group(capacity=CAPACITY, shifts=shifts, cost_per_hour=25.0)},
        horizon=Day(opens_min=540, closes_min=720),
    )


@cache
def results() -> tuple[Result, ...]:
    """Returns two cases of one experiment, the second with one agent more."""
    cases = (Case("today", day(3), POLICY), Case("one more", day(4), POLICY))
    with ThreadPoolExecutor(1) as executor:
        return experiment(cases, Plan(replications=REPLICATIONS), executor)


@cache
def long_run() -> Result:
    """Returns one long run in ten batches."""
    kind = ContactType(
        queue=QueueName("buy"),
        channel=Channel.CHAT,
        arrivals=Poisson(per_hour=30),
        handling=Exponential(100),
    )
    scenario = Scenario(
        name="long",
        types={"buy": kind},
        groups={"all": Group(capacity=CAPACITY, agents=2)},
        horizon=Steady(warm_up=100, batch=100, batches=10),
    )
    with ThreadPoolExecutor(1) as executor:
        return experiment((Case("long", scenario, POLICY),), Plan(replications=1), executor)[0]


def shown(*told: Result) -> str:
    text = io.StringIO()
    show(told, Console(file=text, width=200))
    return text.getvalue()


def assert_tells(interval: Interval | None, unit: Unit, cell: str) -> None:
    """Checks a cell against a figure, apart from what its digits leave out."""
    assert interval is not None and interval.half_width is not None
    scale = 100 if unit is Unit.SHARE else 1
    texts = cell.removesuffix(" *").split(" ± ")
    for value, text in zip((interval.mean, interval.half_width), texts, strict=True):
        digits = len(text.partition(".")[2])
        told = float(text.replace(",", ""))
        assert pytest.approx(value * scale, abs=0.51 * 10.0**-digits) == told


def test_every_figure_stands_under_all_and_under_its_type() -> None:
    first = results()[0]
    rows = figure_rows(first)
    assert len(FIGURES) == len(rows)
    for figure, (_, _, *cells) in zip(FIGURES, rows, strict=True):
        for name, cell in zip((ALL, "buy", "ask"), cells, strict=True):
            if name == ALL or not figure.of_staff:
                assert_tells(interval_of(figure, first.samples, name), figure.unit, cell)


def test_figures_of_agents_stand_under_all_only() -> None:
    of_staff = {figure.title for figure in FIGURES if figure.of_staff}
    cells = {row[0]: row[3:] for row in figure_rows(results()[0])}
    assert of_staff == {title for title, types in cells.items() if set(types) == {"-"}}


def test_the_line_of_the_service_level_tells_its_name_and_threshold() -> None:
    target = Target(level=ServiceLevel.OF_ANSWERED, threshold_ms=7_500)
    case = Case("today", replace(day(3), target=target), POLICY)
    titles = [row[0] for row in figure_rows(replace(results()[0], case=case))]
    assert "service level of_answered, within 7.5 s" in titles


@pytest.mark.parametrize(
    ("expected", "interval", "unit"),
    [
        ("84.2 ± 1.2", (0.842, 0.830, 0.854), Unit.SHARE),
        ("84.20 ± 0.12", (0.842, 0.8408, 0.8432), Unit.SHARE),
        ("21 ± 12", (21.4, 9.4, 33.4), Unit.SECONDS),
        ("1,235 ± 150", (1234.6, 1084.6, 1384.6), Unit.COUNT),
        ("0.0030 ± 0.0010", (0.003, 0.002, 0.004), Unit.SECONDS),
        ("7.50 ± 0", (7.5, 7.5, 7.5), Unit.MONEY),
        ("36.0 ± 0", (36.0, 36.0 - 1e-12, 36.0 + 1e-12), Unit.HOURS),
        ("84.2", (0.842, None, None), Unit.SHARE),
    ],
)
def test_a_mean_is_written_with_two_digits_of_its_half_width(
    expected: str, interval: tuple[float, float | None, float | None], unit: Unit
) -> None:
    assert expected == estimate_text(Interval(*interval, 0.95, 10), unit)


def test_a_difference_has_a_sign_and_a_mark_if_its_interval_leaves_out_zero() -> None:
    assert "+1.0 ± 2.0" == difference_text(Interval(1.0, -1.0, 3.0, 0.95, 9), Unit.SECONDS)
    assert "+3.0 ± 2.0 *" == difference_text(Interval(3.0, 1.0, 5.0, 0.95, 9), Unit.SECONDS)
    assert "-3.0 ± 2.0 *" == difference_text(Interval(-3.0, -5.0, -1.0, 0.95, 9), Unit.SECONDS)
    assert "+2.0 ± 2.0" == difference_text(Interval(2.0, 0.0, 4.0, 0.95, 9), Unit.SECONDS)
    assert "0 ± 0" == difference_text(Interval(0.0, 0.0, 0.0, 0.95, 9), Unit.SECONDS)
    assert "+3" == difference_text(Interval(3.0, None, None, 0.95, 1), Unit.SECONDS)
    assert "-" == difference_text(None, Unit.SECONDS)


def test_a_number_without_bounds_has_the_digits_of_its_size() -> None:
    texts = [value_text(value, Unit.SECONDS) for value in (0.0, 3.14159, 31.4159, 314.159, -0.001)]
    assert ["0", "3.14", "31.4", "314", "0.00"] == texts
    assert ("3.0", "31.4", "-") == column_texts((3.0, 31.4159, None), Unit.SECONDS)
    assert ("3", "31") == column_texts((3.0, 31.0), Unit.COUNT)


def test_an_interval_of_the_day_adds_up_over_replications() -> None:
    first = results()[0]
    parts = day_parts(first)
    assert [540, 570, 600, 630, 660, 690] == [part.from_min for part in parts]
    assert 720 == parts[-1].until_min
    for place, part in enumerate(parts):
        column = [one.intervals[place] for one in first.samples]
        contacts = [one.all.contacts for one in column]
        level = sum(one.all.level_met for one in column) / sum(one.all.level_of for one in column)
        told = {name: spread.mean for name, spread in part.figures.items() if spread}
        assert pytest.approx(sum(contacts) / REPLICATIONS) == told["contacts"]
        assert pytest.approx(level) == told["service_level"]
        assert pytest.approx(4 if 600 <= part.from_min < 660 else 3, abs=0.5) == told["on_duty"]
        spread = part.figures["contacts"]
        assert spread is not None and spread.low is not None and spread.high is not None
        assert min(contacts) <= spread.low <= spread.mean <= spread.high <= max(contacts)


def test_nobody_in_an_interval_is_no_data_and_not_a_wait_of_zero() -> None:
    first = results()[0]
    nobody = Sums(**dict.fromkeys(Sums.__struct_fields__, 0))
    quiet = [
        replace(one, intervals=(replace(one.intervals[0], all=nobody),)) for one in first.samples
    ]
    (part,) = day_parts(replace(first, samples=tuple(quiet)))
    none = {name for name, spread in part.figures.items() if spread is None}
    assert {"service_level", "mean_wait", "wait_p50", "wait_p90", "abandoned"} == none
    assert 4 + 1 == len([cell for cell in day_rows((part,))[0] if cell != "-"])


def test_a_share_by_interval_is_of_all_contacts_and_not_a_mean_of_shares() -> None:
    first = results()[0]
    few, many = (one.intervals[0] for one in first.samples[:2])
    few = replace(few, all=replace(few.all, level_met=0.0, level_of=1.0))
    many = replace(many, all=replace(many.all, level_met=9.0, level_of=9.0))
    pair = [
        replace(one, intervals=(part,))
        for one, part in zip(first.samples[:2], (few, many), strict=True)
    ]
    (part,) = day_parts(replace(first, samples=tuple(pair)))
    spread = part.figures["service_level"]
    assert spread is not None
    assert pytest.approx((0.9, 0.05, 0.95)) == (spread.mean, spread.low, spread.high)


def test_a_case_is_compared_by_paired_differences() -> None:
    first, second = results()
    rows = comparison_rows(results())
    assert len(FIGURES) == len(rows)
    for figure, (_, unit, cell) in zip(FIGURES, rows, strict=True):
        expected = difference_of(figure, first.samples, second.samples)
        assert_tells(expected, figure.unit, cell)
        assert ("points" if figure.unit is Unit.SHARE else figure.unit.value) == unit
    cells = {row[0]: row[2] for row in rows}
    assert "0 ± 0" == cells["contacts"], "both cases meet the same people"
    assert cells["agent hours"].endswith(" *")


def test_a_type_is_compared_without_figures_of_agents() -> None:
    titles = [row[0] for row in comparison_rows(results(), "buy")]
    assert [figure.of_staff for figure in FIGURES].count(False) == len(titles)
    assert "agent hours" not in titles
    assert 1 == len([row for row in comparison_rows(results(), "buy") if row[0] == "mean wait"])


def test_after_a_stop_only_replications_that_both_have_are_compared() -> None:
    first, second = results()
    first = replace(first, samples=first.samples[1:], numbers=first.numbers[1:])
    second = replace(second, samples=second.samples[:4], numbers=second.numbers[:4])
    wait = figure_named("mean_wait")
    expected = difference_of(wait, results()[0].samples[1:4], results()[1].samples[1:4])
    assert expected == difference(wait, first, second)
    assert ["one more is compared with today over the 3 samples that both have."] == list(
        findings((first, second))
    )


def test_a_day_and_a_long_run_have_no_differences() -> None:
    pair = (results()[0], long_run())
    assert ((), ()) == paired(*pair)
    assert {"-"} == {row[2] for row in comparison_rows(pair)}
    assert "long and today have no replication in common, so no differences." in findings(pair)


def test_a_long_run_has_batches_and_no_intervals_of_the_day() -> None:
    assert "10 batches, 95% confidence intervals" == basis_text(long_run())
    assert () == day_parts(long_run())
    assert 0 == day_table(long_run()).row_count
    assert "by interval" not in shown(long_run())


def test_it_says_how_many_replications_and_how_sure() -> None:
    assert "6 replications, 95% confidence intervals" in shown(results()[0])
    one = replace(results()[0], samples=results()[0].samples[:1], numbers=(0,))
    assert "1 replication, no intervals" == basis_text(one)
    assert "about one in 20 by chance" in mark_text(results()[0])


def test_complete_results_need_no_warning() -> None:
    assert () == findings(results())


def test_a_reader_is_told_what_the_figures_do_not_hold() -> None:
    first, second = results()
    still = replace(first.samples[0].all, contacts=first.samples[0].all.contacts + 6)
    samples = (replace(first.samples[0], all=still), *first.samples[1:])
    target = replace(second.case.scenario, target=Target(threshold_ms=60_000))
    told = {
        "Stopped early": (replace(first, stopped=True),),
        "wanted widths of the intervals were not reached": (replace(first, reached=False),),
        "no replication was finished": (replace(first, samples=(), numbers=()), second),
        "one replication tells nothing": (replace(first, samples=samples[1:2], numbers=(1,)),),
        "today: on average 1 of a day's contacts still waited": (replace(first, samples=samples),),
        "the two do not compare": (
            first,
            replace(second, case=replace(second.case, scenario=target)),
        ),
    }
    for words, wrong in told.items():
        assert words in " ".join(findings(wrong))


def test_batches_that_are_like_their_neighbours_are_told() -> None:
    run = long_run()
    waits = [1000.0 * place for place in range(len(run.samples))]
    samples = tuple(
        replace(one, all=replace(one.all, wait_ms=wait * one.all.offered))
        for one, wait in zip(run.samples, waits, strict=True)
    )
    assert "longer batches are needed" in " ".join(findings((replace(run, samples=samples),)))


def test_nothing_finished_is_shown_as_nothing() -> None:
    nothing = replace(results()[0], samples=(), numbers=(), stopped=True)
    assert {"-"} == {cell for row in figure_rows(nothing) for cell in row[2:]}
    assert {"-"} == {row[2] for row in comparison_rows((nothing, results()[1]))}
    assert "Stopped early" in shown(nothing, results()[1])


def test_names_are_shown_as_they_are() -> None:
    case = replace(results()[0].case, name="[bold]night[/bold] :smile:")
    told = shown(replace(results()[0], case=case), results()[1])
    assert 3 == told.count("[bold]night[/bold] :smile:"), "figures, day, difference from it"
    told = shown(results()[0], replace(results()[1], case=case))
    assert 3 == told.count("[bold]night[/bold] :smile:"), "figures, day, its difference"


def test_the_tables_hold_the_rows() -> None:
    assert len(FIGURES) == figures_table(results()[0]).row_count
    assert 6 == day_table(results()[0]).row_count
    assert 1 + len(COURSES) == len(day_table(results()[0]).columns)
    assert len(FIGURES) == comparison_table(results()).row_count


def test_no_results_are_refused() -> None:
    with pytest.raises(ValueError, match="found no results, expected at least one"):
        show((), Console(file=io.StringIO()))
