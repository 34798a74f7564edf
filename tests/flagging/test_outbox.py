"""Merging is a union: any rows, in any order, any number of times, give the same ledger."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagging.home import Home
from flagging.ledger import Ledger
from flagging.outbox import KINDS, Rows
from tests.conftest import TEST_KEY
from tests.flagging.test_sync import state
from tests.made import PLAIN, FakeAnswer, add_attempts, add_fooling, bent, close

ACTIONS = ("fool", "miss", "leave", "vote", "retract", "hide", "show", "withdraw", "promote", "refuse")


def play(ledger: Ledger, actions: list[tuple[str, int]], who: str) -> None:
    """Whatever people and a maintainer do, by name and a number that chooses whom or what it is done to."""
    for action, number in actions:
        annotator = ledger.annotator(f"{who} {number % 3}")
        drawings = list(ledger.attempts())
        drawing = drawings[number % len(drawings)] if drawings else None
        if action == "fool":
            add_fooling(ledger, 1, f"{who} {number % 3}")
        elif action == "miss":
            add_attempts(ledger, 1, label=3, prediction=3, annotator=f"{who} {number % 3}")
        elif action == "leave":
            ledger.record_try(f"try-{who}-{number}-{random.getrandbits(64)}", annotator, ledger.served().number)
        elif action == "withdraw" and number % 4 == 0:
            ledger.withdraw(annotator)
        elif action in ("promote", "refuse"):
            close(ledger, "promoted" if action == "promote" else "refused", f"{number:016x}")
        elif drawing and action == "vote" and drawing.model_wrong and drawing.annotator != annotator:
            ledger.record_vote(drawing.attempt_id, number % 10, ledger.annotator(f"reader {who} {number}"))
        elif drawing and action == "retract":
            ledger.retract(drawing.attempt_id, drawing.annotator)
        elif drawing and action in ("hide", "show"):
            ledger.hide(drawing.attempt_id, action == "hide")


def published(ledger: Ledger) -> list[tuple[str, Rows]]:
    """All rows, one by one, as they would come back from the Hub."""
    ledger.outbox().use("ann/drawings")
    batch = ledger.outbox().take(10_000, KINDS)
    return [(kind, {kind: [row]}) for kind, rows in batch.rows.items() for row in rows]


def opened(folder) -> Ledger:
    ledger = Home(folder, TEST_KEY).open_ledger(create=True)
    ledger.use_quorum(2)
    return ledger


acts = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 99)), max_size=25)


@settings(max_examples=40, deadline=None)
@given(acts, st.randoms(use_true_random=False))
def test_rows_that_come_in_any_order_any_number_of_times_give_the_same_ledger(tmp_path_factory, actions, order):
    folder = tmp_path_factory.mktemp("union")
    original = opened(folder / "original")
    original.start("0123456789abcdef")
    play(original, actions, "ann")
    rows = published(original)
    merged = opened(folder / "merged")
    twice = rows + rows
    order.shuffle(twice)
    for _, row in twice:
        merged.outbox().merge(row)
    assert state(merged) == state(original)
    assert merged.outbox().take(100, KINDS).places == []
    counted = state(merged)
    merged.recount()
    assert state(merged) == counted
    merged.close()
    original.close()


@settings(max_examples=40, deadline=None)
@given(acts, acts, st.randoms(use_true_random=False))
def test_what_two_spaces_collected_is_one_ledger_whoever_is_read_first(tmp_path_factory, ours, theirs, order):
    folder = tmp_path_factory.mktemp("two")
    first = opened(folder / "first")
    first.start("0123456789abcdef")
    first.outbox().use("ann/drawings")
    play(first, ours, "ann")
    second = opened(folder / "second")
    for _, row in published(first):
        second.outbox().merge(row)
    second.outbox().use("ann/drawings")
    # The one closes rounds, the other collects: votes, marks and withdrawals on the same drawings in both.
    play(second, [(action, number) for action, number in theirs if action not in ("promote", "refuse")], "bea")
    play(first, theirs[::-1], "cy")
    events = published(first) + [event for event in published(second) if event[0] not in ("rounds", "promotions")]
    ledgers = []
    for name in ("one", "other"):
        ledger = opened(folder / name)
        order.shuffle(events)
        for _, row in events:
            ledger.outbox().merge(row)
        ledgers.append(ledger)
    assert state(ledgers[0]) == state(ledgers[1])
    for ledger in (first, second, *ledgers):
        ledger.close()


def test_a_ledger_that_is_only_here_keeps_no_list_of_what_is_unpublished(ledger):
    add_fooling(ledger, 3)
    assert ledger.outbox().waiting().rows == 0


def test_turning_publishing_on_later_publishes_what_was_there_before(ledger):
    add_fooling(ledger, 3)
    ledger.outbox().use("ann/drawings")
    assert ledger.outbox().waiting().rows == 7  # three tries, three attempts, promotion 0
    ledger.outbox().published(ledger.outbox().take(100, KINDS), [])
    ledger.outbox().use("ann/drawings")
    assert ledger.outbox().waiting().rows == 0


def test_another_repository_gets_everything(ledger):
    add_fooling(ledger, 1)
    ledger.outbox().use("ann/drawings")
    ledger.outbox().published(ledger.outbox().take(100, KINDS), ["raw/tries/one.parquet"])
    ledger.outbox().use("bea/drawings")
    assert ledger.outbox().waiting().rows == 3
    assert ledger.outbox().known_shards() == set()


def test_what_was_withdrawn_before_it_was_published_never_is(ledger):
    ledger.outbox().use("ann/drawings")
    add_fooling(ledger, 2)
    ledger.withdraw(ledger.annotator("ann"))
    rows = ledger.outbox().take(100, KINDS).rows
    assert set(rows) == {"promotions"}  # nobody else knows the drawings: not even their ids are told
    assert ledger.outbox().to_purge() == set()


def test_what_was_sent_without_an_answer_is_taken_for_published(ledger):
    ledger.outbox().use("ann/drawings")
    (drawing,) = add_fooling(ledger, 1)
    ledger.outbox().take(100, KINDS)
    ledger.withdraw(drawing.annotator)
    assert drawing.attempt_id in ledger.outbox().to_purge()
    assert len(ledger.outbox().take(100, KINDS).rows["withdrawals"]) == 2  # attempt and try


def test_decisions_and_withdrawals_never_wait_for_a_later_batch(ledger):
    ledger.outbox().use("ann/drawings")
    add_fooling(ledger, 5)
    close(ledger)
    batch = ledger.outbox().take(2, KINDS)
    assert [row["number"] for row in batch.rows["rounds"]] == [1]
    assert [row["number"] for row in batch.rows["promotions"]] == [0, 1]
    assert sum(map(len, batch.rows.values())) <= 5


def test_hiding_and_showing_hold_in_their_order_though_the_clock_went_back(home):
    from datetime import UTC, datetime, timedelta

    times = iter([datetime(2026, 1, 1, 12, tzinfo=UTC) - timedelta(hours=n) for n in range(20)])
    ledger = Ledger(home.ledger_path, TEST_KEY, lambda: next(times))
    ledger.start("0123456789abcdef")
    (drawing,) = add_fooling(ledger, 1)
    ledger.hide(drawing.attempt_id)
    ledger.hide(drawing.attempt_id, hidden=False)
    assert len(list(ledger.attempts())) == 1
    ledger.close()


def test_an_attempt_of_a_second_space_with_the_same_try_is_kept_too(ledger):
    ledger.outbox().use("ann/drawings")
    answer = FakeAnswer(3, 0, "0123456789abcdef", bent(PLAIN[1], random.Random(1)))
    here = ledger.record_attempt(answer, 1, ledger.annotator("ann"), "the-same-try")
    rows = ledger.outbox().take(100, KINDS).rows
    other = rows["attempts"][0] | {"attempt_id": "from another Space", "round": 2}
    ledger.outbox().merge({"attempts": [other]})
    assert {a.attempt_id for a in ledger.attempts()} == {here.attempt_id, "from another Space"}
    assert ledger.totals().tries == 2  # a try of both rounds
    ledger.recount()
    assert ledger.totals().tries == 2


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_row_has_a_key_and_a_time(ledger, kind):
    names = [name for name, _ in ledger.outbox().columns(kind)]
    assert "closed_at" in names if kind == "rounds" else "created_at" in names
    assert "seq" not in names
