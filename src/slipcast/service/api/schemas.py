"""Schemas of requests and responses, with the range of every number and the length of every text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, FailFast, Field, field_validator, model_validator

__all__ = [
    "Accepted",
    "Event",
    "EventIn",
    "EventList",
    "GaugeForecast",
    "GaugePlace",
    "GaugeRecord",
    "Health",
    "Problem",
    "RecordList",
    "RegionAbout",
    "Result",
    "ResultList",
    "ResultSummary",
    "SampleIn",
    "SamplesIn",
    "Series",
    "SourcePlace",
    "SourceSlip",
    "Worst",
]

FIRST_S, LAST_S = -7 * 86400.0, 2 * 86400.0
"""Samples from a week before the origin to two days after it are kept."""

Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Gauge = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]


_HEIGHTS = ("sea_level_m", "water_column_m")
_FEW = 20


class _In(BaseModel):
    """What a client sends: no key that is not known."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _first_unknown_key(cls, content: Any) -> Any:
        """Leave one unknown key, which is refused; each of many would be, which takes seconds."""
        if not isinstance(content, dict) or len(content) <= _FEW:
            return content
        known = cls.model_fields.keys()
        unknown = next((key for key in content if key not in known), None)
        return {key: content[key] for key in (*known, unknown) if key in content}


def _one_of(*keys: str) -> dict[str, Any]:
    """Describe that one of some keys is there."""
    return {"oneOf": [{"required": [key]} for key in keys]}


class EventIn(_In):
    """An earthquake."""

    region: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
    origin_time: AwareDatetime
    longitude: Annotated[Finite, Field(ge=-360, le=360)]
    latitude: Annotated[Finite, Field(ge=-90, le=90)]
    magnitude: Annotated[Finite, Field(ge=0, le=10)] | None = None
    name: Annotated[str, Field(max_length=80)] = ""
    simulation: Annotated[bool, Field(strict=True)] = False

    @field_validator("origin_time", mode="before")
    @classmethod
    def _text(cls, value):
        if not isinstance(value, str):
            raise ValueError("must be a time such as 2011-03-11T05:46:24Z")
        return value

    @field_validator("origin_time")
    @classmethod
    def _in_range(cls, value: datetime) -> datetime:
        if not 1900 <= value.year <= 2100:
            raise ValueError("must be between 1900 and 2100")
        return value.astimezone(UTC)

    @field_validator("name")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("must be printable text on one line")
        return value.strip()


class SampleIn(_In):
    """A sample of a gauge: its time, by clock or since the origin, and its height, without the tide or with it."""

    model_config = ConfigDict(json_schema_extra={"allOf": [_one_of("time", "seconds"), _one_of(*_HEIGHTS)]})

    gauge: Gauge
    time: AwareDatetime | None = None
    seconds: Annotated[Finite, Field(ge=FIRST_S, le=LAST_S)] | None = None
    sea_level_m: Annotated[Finite, Field(ge=-50, le=50)] | None = None
    water_column_m: Annotated[Finite, Field(gt=0, le=12000)] | None = None

    @field_validator("time", mode="before")
    @classmethod
    def _text(cls, value):
        if value is not None and not isinstance(value, str):
            raise ValueError("must be a time such as 2011-03-11T05:46:24Z")
        return value

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.time is None) == (self.seconds is None):
            raise ValueError("a sample needs either time or seconds")
        if (self.sea_level_m is None) == (self.water_column_m is None):
            raise ValueError("a sample needs either sea_level_m or water_column_m")
        return self


class SamplesIn(_In):
    """A batch of samples, in any order."""

    samples: Annotated[list[SampleIn], Field(min_length=1, max_length=5000), FailFast()]
    received: AwareDatetime | None = None

    @field_validator("received", mode="before")
    @classmethod
    def _text(cls, value):
        if value is not None and not isinstance(value, str):
            raise ValueError("must be a time such as 2011-03-11T05:46:24Z")
        return value

    @field_validator("received")
    @classmethod
    def _in_range(cls, value: datetime | None) -> datetime | None:
        if value is not None and not 1970 <= value.year <= 2100:
            raise ValueError("must be between 1970 and 2100")
        return value


class Problem(BaseModel):
    """Problem with a request, in one line."""

    detail: str


class Accepted(BaseModel):
    """Receipt of a batch that is committed."""

    new: int
    same: int
    corrected: int
    result: int | None


class Worst(BaseModel):
    """The highest forecast."""

    gauge: str
    max_amplitude_m: float


class ResultSummary(BaseModel):
    """A result in short."""

    number: int
    minute: float
    created: str
    window_min: float
    gauges_used: list[str]
    flags: list[str]
    magnitude: float | None
    magnitude_low: float | None
    magnitude_high: float | None
    below_range: bool
    explained: dict[str, float | None] = {}
    put_aside: dict[str, float] = {}
    worst: Worst | None
    latency_ms: float


class SourceSlip(BaseModel):
    """Slip on a unit source."""

    source: str
    slip_m: float
    sd_m: float | None
    low_m: float | None
    high_m: float | None


class GaugeForecast(BaseModel):
    """The highest sea level to come at a gauge, and when.

    ``beyond_m`` is the highest that any earthquake of the model makes there, where the forecast is beyond it: such a
    height is not to be relied on.
    """

    gauge: str
    kind: Literal["dart", "forecast"]
    max_amplitude_m: float
    low_m: float | None
    high_m: float | None
    q25_m: float | None
    q75_m: float | None
    arrival_s: float | None
    max_time_s: float | None
    beyond_m: float | None = None
    alert: Literal["none", "information", "advisory", "warning"]


class Result(ResultSummary):
    """A result."""

    model: str
    bank: str
    method: str
    region: str
    slip: list[SourceSlip]
    forecast: list[GaugeForecast]


class ResultList(BaseModel):
    """All results of an event, oldest first."""

    results: list[ResultSummary]


class Event(BaseModel):
    """An event and its latest result in short."""

    id: str
    region: str
    name: str
    origin_time: str
    longitude: float
    latitude: float
    magnitude: float | None
    simulation: bool
    created: str
    n_samples: int
    n_results: int
    latest: ResultSummary | None


class EventList(BaseModel):
    """Events, newest first."""

    events: list[Event]
    total: int


class GaugeRecord(BaseModel):
    """Samples of a gauge without the tide, and since when a wave has been seen in them."""

    gauge: str
    state: Literal["no data", "no wave detected", "wave detected"]
    wave_since_s: float | None
    last_s: float | None
    seconds: list[float]
    sea_level_m: list[float]


class RecordList(BaseModel):
    """Records of all DARTs of the region."""

    gauges: list[GaugeRecord]


class Series(BaseModel):
    """Forecast of sea level at a gauge, every minute; the ends are of a 90 % interval."""

    gauge: str
    seconds: list[float]
    sea_level_m: list[float]
    low_m: list[float] | None
    high_m: list[float] | None


class GaugePlace(BaseModel):
    """Where a gauge is."""

    name: str
    kind: Literal["dart", "forecast"]
    lon: float
    lat: float


class SourcePlace(BaseModel):
    """Where a unit source is."""

    name: str
    polygon: list[tuple[float, float]]


class RegionAbout(BaseModel):
    """A region that is served."""

    name: str
    title: str
    model: str
    bank: str
    method: str
    window_min: tuple[float, float]
    bounds: tuple[float, float, float, float]
    gauges: list[GaugePlace]
    sources: list[SourcePlace]


class Health(BaseModel):
    """Health of the service."""

    status: Literal["ok"]
    version: str
    database: Literal["ok"]
    regions: list[str]
