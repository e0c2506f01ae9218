"""The database of the service: what is unanswered, and that a commit lasts."""

from __future__ import annotations

import pytest

from slipcast.service.storage.store import NewSample, Store, StoredResult

NOW = "2026-01-26T21:00:00Z"


@pytest.fixture
def store(tmp_path):
    opened = Store(f"sqlite:///{tmp_path}/watch.sqlite")
    yield opened
    opened.close()


def add_event(store: Store, name: str):
    return store.add_event(
        {
            "id": name * 16,
            "region": "cascadia",
            "name": "",
            "origin_time": NOW,
            "longitude": -124.8,
            "latitude": 46.0,
            "magnitude": None,
            "simulation": True,
            "created": NOW,
        }
    )


def sample(minute: int, height_m: float = 0.1, gauge: str = "46404") -> NewSample:
    return NewSample((gauge, "sea_level", 60_000 * minute), height_m)


def test_every_commit_is_synced_to_the_disk(store):
    with store._engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("synchronous", "journal_mode")
        }
        assert found == {"synchronous": 2, "journal_mode": "wal"}
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000


def test_an_event_is_unanswered_until_a_result_knows_its_last_sample(store):
    event, silent = add_event(store, "a"), add_event(store, "b")
    assert store.unanswered() == []
    upto = store.add_samples(event.row, [sample(1)], NOW)
    assert [each.id for each in store.unanswered()] == [event.id]
    store.add_result(event.row, StoredResult(1, upto, "d", {}, {}), b"")
    assert store.unanswered() == []
    later = store.add_samples(event.row, [sample(2)], NOW)
    assert [each.id for each in store.unanswered()] == [event.id]
    store.add_result(event.row, StoredResult(2, later, "d", {}, {}), b"")
    assert store.unanswered() == []
    assert store.result(silent.row) is None


def test_rows_and_corrections_are_counted(store):
    event, other = add_event(store, "a"), add_event(store, "b")
    first = store.add_samples(event.row, [sample(1), sample(2)], NOW)
    store.add_samples(other.row, [sample(9, 0.9)], NOW)
    last = store.add_samples(event.row, [sample(1, 0.3)], NOW)
    assert last > first
    key = ("46404", "sea_level", 60_000)
    heights, upto, count = store.samples(event.row)
    assert (heights[key], len(heights), upto, count) == (0.3, 2, last, 3)
    heights, upto, count = store.samples(event.row, first)
    assert (heights[key], len(heights), upto, count) == (0.1, 2, first, 2)
    assert store.samples(add_event(store, "c").row) == ({}, 0, 0)
    assert store.brief(event.row) == (2, None)


def test_results_are_found_by_number_and_the_last_without(store):
    event, other = add_event(store, "a"), add_event(store, "b")
    for number in (1, 2, 3):
        result = StoredResult(number, number, f"d{number}", {"n": number}, {"x": [number]})
        store.add_result(event.row, result, b"s%d" % number)
    store.add_result(other.row, StoredResult(1, 9, "o", {"n": 9}, {}), b"o")
    assert store.result(event.row) == StoredResult(3, 3, "d3", {"n": 3}, {"x": [3]})
    assert store.result(event.row, 2) == StoredResult(2, 2, "d2", {"n": 2}, {"x": [2]})
    assert store.result(event.row, 4) is None
    assert store.summaries(event.row, after=1) == ['{"n": 2}', '{"n": 3}']
    assert (store.series(event.row, 2), store.series(event.row, 4)) == (b"s2", None)
    assert store.brief(event.row)[1].number == 3


def test_events_come_newest_first_by_pages(store):
    names = [add_event(store, name).id for name in "abc"]
    found, total = store.events(2, 0)
    assert ([each.id for each in found], total) == (names[:0:-1], 3)
    found, total = store.events(2, 2)
    assert ([each.id for each in found], total) == (names[:1], 3)
    assert store.event(names[1]).id == names[1]
    assert store.event("none") is None


def test_only_the_events_named_are_deleted(store):
    event, other = add_event(store, "a"), add_event(store, "b")
    for each in (event, other):
        upto = store.add_samples(each.row, [sample(1)], NOW)
        store.add_result(each.row, StoredResult(1, upto, "d", {}, {}), b"x")
    store.forget([event.id])
    assert (store.event(event.id), store.samples(event.row)[2], store.result(event.row)) == (None, 0, None)
    assert (store.samples(other.row)[2], store.result(other.row).number) == (1, 1)
    assert [each.id for each in store.events(9, 0)[0]] == [other.id]
