"""Whole inputs of every reader, and how they are damaged."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from pydantic import BaseModel, ValidationError

import slipcast as sc
from benchmarks.provenance import ROOT
from slipcast.errors import InputError, SlipcastWarning
from slipcast.forecasting.forecast import Forecast
from slipcast.greens.bank import GreensBank
from slipcast.inversion.estimate import SlipEstimate
from slipcast.learning.checkpoint import STATE_FILE, Checkpoint
from slipcast.learning.config import TrainConfig
from slipcast.learning.posterior.config import SamplerConfig
from slipcast.learning.posterior.posterior import NeuralPosterior
from slipcast.learning.state import Stopped, find_begun
from slipcast.learning.train import train
from slipcast.learning.tuning.space import open_search
from slipcast.physics.bathymetry import Bathymetry
from slipcast.realtime.replay import Replay
from slipcast.records import Records
from slipcast.records.dart import read_dart
from slipcast.records.stations import Deployments
from slipcast.regions.region import Region
from slipcast.scenarios.scenario_set import ScenarioSet
from slipcast.service.api.schemas import EventIn, SamplesIn

__all__ = ["KINDS", "Kind", "damaged", "digest", "make_inputs"]

_MODEL = Path(str(ROOT / "src" / "slipcast" / "models" / "cascadia"))


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes
    ----------
    words, group : str
        What it is, and its format.
    file : str
        The whole input among the inputs.
    read : callable
        From a path to what is read of it.
    is_text : bool
        Whether lines and digits are damaged, too.
    sealed : bool
        Whether it says by a digest what it should hold, so that other numbers can be known.
    folder : bool
        Whether it is a folder, of which a file is damaged.
    part : str
        Pattern of the files of the folder that are damaged.
    """

    words: str
    group: str
    file: str
    read: Callable[[Path], Any]
    is_text: bool = False
    sealed: bool = False
    folder: bool = False
    part: str = "*"


def _dataset(opened: Any) -> Any:
    """Return the dataset of something labelled."""
    return opened.dataset.load()


def _bank(path: Path) -> Any:
    bank = GreensBank.open(path)
    return bank.dataset, bank.region, bank.subfaults


def _scenarios(path: Path) -> Any:
    opened = ScenarioSet.open(path)
    return opened.region, opened.dataset.load()


def _state(path: Path) -> Any:
    begun = find_begun(path)
    return (begun.config, begun.scenarios, begun.tensors, begun.history) if isinstance(begun, Stopped) else begun


def _body(schema: type[BaseModel]) -> Callable[[Path], Any]:
    """Make a reader of the body of a request, as the service reads it."""

    def read(path: Path) -> Any:
        try:
            return schema.model_validate(json.loads(path.read_bytes()))
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError, ValidationError) as error:
            raise InputError(str(error).replace("\n", " ")) from error  # as the service, which answers 400 or 422

    return read


def _checkpoint(path: Path) -> Any:
    found = Checkpoint.open(path)
    return [getattr(found, each.name) for each in fields(found) if each.name != "network"], found.id


def _posterior(path: Path) -> Any:
    found = NeuralPosterior.open(path)
    about = [getattr(found, name) for name in ("gauges", "sources", "window_min", "region", "bank", "training")]
    return *about, found.gauge_depth_m, found.drift_m, found.id


def _sealed(words: str, group: str, file: str, read: Callable[[Path], Any], part: str) -> Kind:
    """Return a kind that is a folder with a seal."""
    return Kind(words, group, file, read, is_text=group == "JSON", sealed=True, folder=True, part=part)


_netcdf = {
    "records": ("records", lambda path: _dataset(Records.open(path))),
    "slip": ("slip", lambda path: _dataset(SlipEstimate.open(path))),
    "forecast": ("forecast", lambda path: _dataset(Forecast.open(path))),
    "replay": ("replay", lambda path: _dataset(Replay.open(path))),
    "bank": ("bank", _bank),
}

KINDS = {
    "dart-text": Kind("DART record of NDBC", "text", "21418.txt", read_dart, is_text=True),
    "ascii-grid": Kind("ESRI ASCII grid", "text", "floor.asc", Bathymetry.open, is_text=True),
    "dart-csv": Kind("DART record", "CSV", "21418.csv", lambda path: read_dart(path, station="21418"), is_text=True),
    "deployments": Kind("deployments", "CSV", "deployments.csv", Deployments.open, is_text=True),
    "event-body": Kind("event sent to the service", "JSON", "event.json", _body(EventIn), is_text=True),
    "samples-body": Kind("samples sent to the service", "JSON", "samples.json", _body(SamplesIn), is_text=True),
    "posterior-json": _sealed("model.json of a posterior", "JSON", "cascadia", _posterior, "model.json"),
    "checkpoint-json": _sealed("model.json of a checkpoint", "JSON", "checkpoint", _checkpoint, "model.json"),
    "region": Kind("region", "TOML", "region.toml", Region.open, is_text=True),
    "train-config": Kind("settings of a training", "TOML", "train.toml", TrainConfig.open, is_text=True),
    "search": Kind("search space", "TOML", "search.toml", open_search, is_text=True),
    "sampler-config": Kind("settings of a posterior", "TOML", "sampler.toml", SamplerConfig.open, is_text=True),
    **{
        f"netcdf-{name}": Kind(words, "netCDF", f"{name}.nc", read, sealed=True)
        for name, (words, read) in _netcdf.items()
    },
    **{
        f"foreign-{name}": Kind(f"{words} of another program", "netCDF without a seal", f"foreign-{name}.nc", read)
        for name, (words, read) in _netcdf.items()
        if name in ("records", "slip", "bank")
    },
    "bathymetry": Kind("sea floor", "netCDF without a seal", "floor.nc", Bathymetry.open),
    "scenarios": _sealed("scenario set", "Zarr", "set.zarr", _scenarios, "*"),
    "posterior": _sealed("weights of a posterior", "safetensors", "cascadia", _posterior, "model.safetensors"),
    "checkpoint": _sealed("weights of a checkpoint", "safetensors", "checkpoint", _checkpoint, "model.safetensors"),
    "state": _sealed("training that was stopped", "safetensors", "stopped", _state, STATE_FILE),
}
"""By name."""


def make_inputs(folder: Path) -> None:
    """Make the whole input of every kind, unless they are there."""
    if (folder / "done").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    _make_texts(folder)
    _make_netcdf(folder)
    _make_models(folder)
    (folder / "done").touch()


def _make_texts(folder: Path) -> None:
    """Write texts."""
    minutes = np.arange(180)
    heights = 5660.0 + 0.2 * np.sin(minutes / 20.0)
    begin = np.datetime64("2011-03-11T05:00:00")
    times = [str(begin + np.timedelta64(60 * int(minute), "s")) for minute in minutes]
    ndbc = ["#YY  MM DD hh mm ss T   HEIGHT", "#yr  mo dy hr mn  s -        m"]
    ndbc += [f"{re.sub('[-T:]', ' ', time)} 2 {height:.3f}" for time, height in zip(times, heights)]
    (folder / "21418.txt").write_text("\n".join(ndbc) + "\n")
    rows = [f"{time}Z,{height:.3f},60" for time, height in zip(times, heights)]
    (folder / "21418.csv").write_text("\n".join(["time,height_m,interval_s", *rows]) + "\n")
    packaged = (ROOT / "src" / "slipcast" / "data" / "dart_deployments.csv").read_text(encoding="utf-8")
    (folder / "deployments.csv").write_text("\n".join(packaged.splitlines()[:60]) + "\n")
    depth = np.linspace(-5000, 200, 30 * 20).reshape(20, 30)
    header = ["ncols 30", "nrows 20", "xllcenter 224.0", "yllcenter 40.0", "cellsize 0.1", "NODATA_value -99999"]
    (folder / "floor.asc").write_text("\n".join(header + [" ".join(f"{x:.1f}" for x in row) for row in depth]) + "\n")
    lon, lat = 224.0 + 0.1 * np.arange(30), 40.0 + 0.1 * np.arange(20)
    axes = {"lon": ("lon", lon, {"units": "degrees_east"}), "lat": ("lat", lat, {"units": "degrees_north"})}
    floor = xr.Dataset({"elevation": (("lat", "lon"), depth.astype(np.float32), {"units": "m"})}, coords=axes)
    floor.to_netcdf(folder / "floor.nc", engine="netcdf4")
    event = {
        "region": "cascadia", "origin_time": "2026-01-26T21:00:00Z", "longitude": -125.0, "latitude": 45.0,
        "magnitude": 8.9, "name": "exercise", "simulation": True,
    }  # fmt: skip
    (folder / "event.json").write_text(json.dumps(event, indent=1))
    samples = [{"gauge": "46404", "seconds": 60.0 * k, "sea_level_m": round(0.01 * k, 3)} for k in range(40)]
    (folder / "samples.json").write_text(json.dumps({"samples": samples}, indent=1))
    shutil.copyfile(ROOT / "src" / "slipcast" / "regions" / "cascadia.toml", folder / "region.toml")
    (folder / "train.toml").write_text(TrainConfig().toml())
    search = "[search]\nlearning_rate = {low = 1e-4, high = 1e-2, log = true}\nbatch_size = [32, 64, 128]\n"
    (folder / "search.toml").write_text("epochs = 10\nwindow_min = 45\n\n" + search)
    (folder / "sampler.toml").write_text('gauges = ["46404", "46407"]\nwindows_min = [5, 10, 20]\n')


def _small_bank() -> GreensBank:
    """Build a bank of nine unit sources and three gauges on one coarse grid."""
    region = Region.open("cascadia").with_gauges(["46404", "46407", "westport"])
    sources = [f"acsz{row}{column}" for row in "abz" for column in (57, 58, 59)]
    grid = {"lon": (224.0, 240.0), "lat": (38.0, 54.0), "spacing_arcmin": 6.0, "hours": 2.0}
    small = region.model_dump() | {"sources": sources, "subfault_km": 50.0, "grids": {"near": grid}}
    return GreensBank.build(Region.model_validate(small), workers=1)


def _make_netcdf(folder: Path) -> None:
    """Write netCDF files and a scenario set."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlipcastWarning)
        bank = _small_bank()
    records = sc.packaged_records("cascadia-simulation")
    slip = sc.invert(records, "cascadia", window_min=20)
    inputs: dict[str, Any] = {
        "bank": bank,
        "records": records,
        "slip": slip,
        "forecast": sc.forecast(slip, "cascadia", gauges=["46404", "newport"]),
        "replay": sc.replay(records, "cascadia", minutes=[10, 20]),
    }
    for name, content in inputs.items():
        content.save(folder / f"{name}.nc")
        with xr.open_dataset(folder / f"{name}.nc", decode_times=False) as dataset:
            dataset.load().to_netcdf(folder / f"foreign-{name}.nc", engine="netcdf4")
    ScenarioSet.build(bank, count=40, seed=1).save(folder / "set.zarr")


def _make_models(folder: Path) -> None:
    """Train a small network to its end, and stop another; copy the packaged posterior."""
    scenarios = ScenarioSet.open(folder / "set.zarr")
    few: dict[str, Any] = {"epochs": 2, "window_min": 30, "channels": (4, 8, 8, 8), "hidden": 16}
    train(scenarios, folder / "checkpoint", **few)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    try:
        train(scenarios, folder / "stopped", **few, progress=stop)
    except KeyboardInterrupt:
        shutil.rmtree(folder / "cascadia", ignore_errors=True)
    shutil.copytree(_MODEL, folder / "cascadia")


def digest(found: Any) -> str:
    """Hash all names, kinds and numbers of what was read."""
    hashed = hashlib.sha256()
    _add(hashed, found)
    return hashed.hexdigest()


def _add(hashed: Any, found: Any) -> None:
    """Add something to a hash."""
    if isinstance(found, torch.Tensor):
        found = found.detach().numpy()
    if isinstance(found, xr.Dataset):
        variables = {
            str(name): (found[name].dims, found[name].attrs, found[name].to_numpy()) for name in found.variables
        }
        found = [found.attrs, variables]
    if isinstance(found, np.ndarray) and found.dtype.kind in "fiubM":
        values = np.where(np.isnan(found), np.nan, found) if found.dtype.kind == "f" else found
        hashed.update(f"{values.dtype}{values.shape}".encode() + np.ascontiguousarray(values).tobytes())
    elif isinstance(found, np.ndarray):
        _add(hashed, [found.shape, [str(value) for value in found.ravel()]])
    elif isinstance(found, BaseModel):
        _add(hashed, found.model_dump())
    elif is_dataclass(found) and not isinstance(found, type):
        _add(hashed, {each.name: getattr(found, each.name) for each in fields(found)})
    elif isinstance(found, Mapping):
        for key in sorted(found, key=str):
            hashed.update(f"{key}:".encode("utf-8", "replace"))
            _add(hashed, found[key])
    elif isinstance(found, list | tuple):
        hashed.update(f"[{len(found)}".encode())
        for each in found:
            _add(hashed, each)
    else:
        hashed.update(f"{found!r};".encode("utf-8", "replace"))


def damaged(kind: Kind, contents: Mapping[Path, bytes], name: str, number: int) -> tuple[Path, bytes]:
    """Return which file is damaged, and what it then holds; another content than before."""
    rng = random.Random(f"{name} {number}")
    ways = [*_BYTES, *(_LINES * 2 if kind.is_text else [])]
    while True:
        part = rng.choice(sorted(contents))
        content = contents[part]
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            content = rng.choice(ways)(rng, content)
        if content != contents[part]:
            return part, content


def _flip(rng: random.Random, content: bytes) -> bytes:
    """Flip bits of a byte."""
    if not content:
        return b"?"
    place = rng.randrange(len(content))
    bits = 1 << rng.randrange(8) if rng.random() < 0.7 else rng.randrange(1, 256)
    return content[:place] + bytes([content[place] ^ bits]) + content[place + 1 :]


def _cut(rng: random.Random, content: bytes) -> bytes:
    """Cut the end off."""
    most = len(content) if rng.random() < 0.5 else min(len(content), 100)
    return content[: len(content) - rng.randrange(most + 1)]


def _span(rng: random.Random, content: bytes) -> tuple[int, int]:
    """Choose a piece."""
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.choice((1, 8, 64, 512, 4096)))


def _zero(rng: random.Random, content: bytes) -> bytes:
    """Write zeros, or something at random, over a piece."""
    start, end = _span(rng, content)
    new = bytes(end - start) if rng.random() < 0.6 else rng.randbytes(end - start)
    return content[:start] + new + content[end:]


def _swap(rng: random.Random, content: bytes) -> bytes:
    """Exchange two pieces of a size."""
    size = rng.choice((1, 8, 64, 512, 4096))
    one, other = sorted((rng.randrange(len(content) + 1), rng.randrange(len(content) + 1)))
    size = min(size, other - one, len(content) - other)
    first, second = content[one : one + size], content[other : other + size]
    return content[:one] + second + content[one + size : other] + first + content[other + size :]


def _shift(rng: random.Random, content: bytes) -> bytes:
    """Lose a piece, or have it twice."""
    start, end = _span(rng, content)
    return content[:start] + content[end:] if rng.random() < 0.5 else content[:end] + content[start:]


def _line(rng: random.Random, content: bytes) -> bytes:
    """Have a line twice, lose it, or move it."""
    lines = content.split(b"\n")
    place, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    line = lines[place] if rng.random() < 0.5 else lines.pop(place)
    if rng.random() < 0.7:
        lines.insert(other, line)
    return b"\n".join(lines)


def _digit(rng: random.Random, content: bytes) -> bytes:
    """Change a digit."""
    places = [match.start() for match in re.finditer(rb"\d", content)]
    if not places:
        return content
    place = rng.choice(places)
    return content[:place] + str(rng.randrange(10)).encode() + content[place + 1 :]


def _number(rng: random.Random, content: bytes) -> bytes:
    """Put something else in place of a number or a word."""
    words = list(re.finditer(rb"[-+.\w]+", content))
    if not words:
        return content
    found = rng.choice(words)
    return content[: found.start()] + rng.choice(_ODD) + content[found.end() :]


_BYTES = [_flip, _flip, _flip, _cut, _zero, _swap, _shift]
_LINES = [_line, _digit, _number]
_ODD = [
    b"", b"nan", b"NaN", b"-inf", b"Infinity", b"1e999", b"-1", b"0", b"1e308", b"9" * 400, b"0x10", b"1_0", b"true",
    b"null", b"[]", b"{}", b'""', b'"', b"'", b"\xff\xfe", b"\xc3\xa9", b"\0", b"1e-320", b"[" * 3000, b"{\"a\":" * 300,
    "\u2028".encode(), "\u0663".encode(), b"2011-02-30T00:00:00Z", b"00:00", b"-" * 70, b"a" * 5000,
]  # fmt: skip
