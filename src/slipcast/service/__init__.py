"""The watch floor: a service that keeps the answer of every event current, and the page that shows it.

Needs the extra ``serve``; started by ``slipcast serve``. See ``docs/watch-floor.md`` and ``docs/security.md``.
"""
