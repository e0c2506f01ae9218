"""ResponseCache of answers that are kept."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("fastapi", reason="the service needs slipcast[serve]")

from slipcast.service.api.cache import ResponseCache


def asked(bodies, *keys, size=10):
    made = []

    def writer(key):
        async def write():
            made.append(key)
            return bytes(size)

        return write

    async def ask():
        for key in keys:
            assert len(await bodies.get(key, writer(key))) == size

    asyncio.run(ask())
    return made


def test_a_body_is_written_once_while_it_is_kept():
    assert asked(ResponseCache(1000), "a", "b", "a", "a", "b") == ["a", "b"]


def test_the_one_asked_for_longest_ago_goes_first():
    bodies = ResponseCache(25)
    assert asked(bodies, "a", "b", "a", "c") == ["a", "b", "c"]
    assert asked(bodies, "a", "c", "b") == ["b"]


def test_a_body_larger_than_all_is_given_and_not_kept():
    bodies = ResponseCache(5)
    assert asked(bodies, "a", "a") == ["a", "a"]
    assert asked(bodies, "b", "b", size=5) == ["b"]


def test_a_body_that_is_too_large_leaves_the_others():
    bodies = ResponseCache(25)
    asked(bodies, "a", "b")
    assert asked(bodies, "c", size=26) == ["c"]
    assert asked(bodies, "a", "b") == []


def test_what_a_writer_raises_is_raised_and_nothing_is_kept():
    bodies = ResponseCache(100)

    async def fail():
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        asyncio.run(bodies.get("a", fail))
    assert asked(bodies, "a") == ["a"]


def test_two_who_ask_at_once_are_counted_once():
    bodies = ResponseCache(25)

    async def write():
        await asyncio.sleep(0)
        return bytes(10)

    async def both():
        await asyncio.gather(*(bodies.get("a", write) for _ in range(2)))

    asyncio.run(both())
    assert asked(bodies, "b", "a", "b") == ["b"]
