"""Prometheus metrics of the service."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """Counters of one service, in a registry of their own."""

    def __init__(self):
        registry = self.registry = CollectorRegistry()
        self.requests = Counter(
            "slipcast_requests",
            "Requests answered, by method and class of status.",
            ("method", "status"),
            registry=registry,
        )
        self.request_seconds = Histogram(
            "slipcast_request_seconds",
            "Time to the first byte of an answer, s.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.events = Counter("slipcast_events", "Events created.", registry=registry)
        self.samples = Counter("slipcast_samples", "Samples received, by kind.", ("kind",), registry=registry)
        self.results = Counter("slipcast_results", "Results computed.", registry=registry)
        self.failures = Counter("slipcast_failures", "Answers that failed by a fault.", registry=registry)
        self.commit_seconds = Histogram(
            "slipcast_commit_seconds", "Commit of a batch, s.", buckets=_SECONDS, registry=registry
        )
        self.answer_seconds = Histogram(
            "slipcast_answer_seconds", "Inversion and forecast, s.", buckets=_SECONDS, registry=registry
        )
        self.latency_seconds = Histogram(
            "slipcast_latency_seconds", "From a batch to its result, s.", buckets=_SECONDS, registry=registry
        )
        self.streams = Gauge("slipcast_streams", "Streams that are open.", registry=registry)
        self.polls = Counter(
            "slipcast_polls", "Files asked for by the poller, by outcome.", ("outcome",), registry=registry
        )

    def text(self) -> bytes:
        """Write all of it as Prometheus reads it."""
        return generate_latest(self.registry)
