"""Import of files of NOAA's Center for Tsunami Research, as Liu (2021) used them."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from slipcast.errors import InputError, unknown_name
from slipcast.greens.bank import GreensBank
from slipcast.io.identity import fingerprint
from slipcast.parallel.progress import Progress, shown_progress
from slipcast.physics.moment import moment_magnitude, seismic_moment
from slipcast.physics.unit_sources import catalogue, unit_source
from slipcast.regions.region import Region
from slipcast.scenarios.scenario_set import SPLITS, ScenarioSet, split_codes

__all__ = ["NctrImport", "import_nctr"]

_FILES = {
    "inversion": re.compile(r"fq(?P<run>\d{6})_autoinv_slip\.mat", re.I),
    "dart": re.compile(r"fq(?P<run>\d{6})_(?P<gauge>\d{5})\.mat", re.I),
    "point": re.compile(r"(?P<gauge>[A-Za-z0-9-]+)_fq(?P<run>\d{6})\.mat", re.I),
    "eta": re.compile(r"eta_(?P<gauge>[A-Za-z0-9_-]+)\.csv", re.I),
    "t": re.compile(r"t_(?P<gauge>[A-Za-z0-9_-]+)\.csv", re.I),
}
_SECONDS = {"dart": 1.0, "point": 3600.0}
_GAP_S = 150.0
_ROUNDING_S = 6.0  # times written with few digits; a series that ends this much early still has its last minute
_WHOLE = 0.9  # of the median length of the series at a gauge
_SUBFAULT_KM = 100.0  # larger than a unit source, which so is one subfault


# what scipy lets through where a file is cut or foreign
_UNREADABLE = (OSError, ValueError, TypeError, LookupError, EOFError, OverflowError, zlib.error, MatReadError)


class _Faulty(Exception):
    """Why a series cannot be used."""


@dataclass(frozen=True)
class NctrImport:
    """Result of an import.

    Attributes
    ----------
    scenarios : ScenarioSet
        Records at every gauge; weights are NOAA's inversions (``target`` is ``"least_squares"``); coordinate ``run``.
    bank : GreensBank
        Responses to the unit sources, one subfault each.
    n_runs : int
        Runs found, used or not.
    runs_left_out : dict of int to str
        Run number, and why.
    gauges_left_out : dict of str to str
        Gauge, and why.
    """

    scenarios: ScenarioSet
    bank: GreensBank
    n_runs: int
    runs_left_out: dict[int, str]
    gauges_left_out: dict[str, str]


@dataclass
class _Folder:
    """The files of a folder by what they hold."""

    inversions: dict[int, Path] = field(default_factory=dict)
    records: dict[str, dict[int, tuple[Path, float]]] = field(default_factory=dict)
    eta: dict[str, Path] = field(default_factory=dict)
    t: dict[str, Path] = field(default_factory=dict)

    @classmethod
    def search(cls, folder: Path) -> _Folder:
        """Find files in a folder and below it; refuse a second one of the same run and gauge."""
        if not folder.is_dir():
            raise InputError(f"no folder {folder}")
        found = cls()
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            for kind, pattern in _FILES.items():
                if match := pattern.fullmatch(path.name):
                    found._add(kind, path, **match.groupdict())
                    break
        return found

    def _add(self, kind: str, path: Path, *, run: str | None = None, gauge: str | None = None) -> None:
        name = _gauge_name(gauge) if gauge else ""
        if kind == "inversion":
            _add_once(self.inversions, int(run or 0), path)
        elif kind in _SECONDS:
            _add_once(self.records.setdefault(name, {}), int(run or 0), (path, _SECONDS[kind]))
        else:
            _add_once(self.eta if kind == "eta" else self.t, name, path)

    @property
    def runs(self) -> list[int]:
        """Numbers of all runs that have a file, rising."""
        return sorted({*self.inversions, *(run for series in self.records.values() for run in series)})


def import_nctr(
    folder: str | os.PathLike,
    *,
    region: Region | str | os.PathLike = "cascadia",
    seed: int = 1,
    progress: Progress | bool | None = None,
) -> NctrImport:
    """Read the files of a folder, and of those in it.

    Parameters
    ----------
    folder : path
        With ``fqRRRRRR_GGGGG.mat`` (records at DARTs: ``t`` s, ``h`` cm), ``NAME_fqRRRRRR.mat`` (at forecast points:
        ``t`` hours, ``h`` cm), ``fqRRRRRR_autoinv_slip.mat`` (NOAA's inversions: ``faults``, ``slip`` m), and
        ``eta_GAUGE.csv``, ``t_GAUGE.csv`` (responses to 1 m of slip: m and minutes, a column a unit source).
    region : Region, str or path, optional
        Where the gauges are; it must have their names.
    seed : int, optional
        Of the division into training, validation and test.
    progress : callable or bool, optional
        Called with runs read, their total and an empty note; ``True`` shows a bar on the error stream.

    Returns
    -------
    imported : NctrImport
        Every minute from the origin. Runs without inversion, with a series that is shorter than nine tenths of the
        median at its gauge, has gaps or lacks altogether, and gauges without responses, are listed and left out.

    Raises
    ------
    InputError
        If a file cannot be read, lacks a variable, has times that do not fit its heights or do not rise, or names an
        unknown unit source; if no gauge or no run remains, or units do not fit each other.

    Notes
    -----
    The first sample, time zero, is NaN in the originals and 0 m here. Unit sources without slip in an inversion have
    0 m. A response that begins late is 0 m before. Gauges have the positions of the region.
    """
    folder = Path(folder)
    if not isinstance(region, Region):
        region = Region.open(region)
    if seed < 0:
        raise InputError(f"seed must be >= 0, got {seed}")
    found = _Folder.search(folder)
    if not found.runs:
        raise InputError(f"{folder} holds no file such as fq000000_46404.mat or fq000000_autoinv_slip.mat")
    gauges, gauges_left_out = _choose_gauges(found, region)
    if not gauges:
        gauge, why = next(iter(gauges_left_out.items()), ("any", "it has no records"))
        raise InputError(f"no gauge of {folder} can be used; gauge {gauge}: {why}")
    responses = {gauge: _read_responses(found.eta[gauge], found.t[gauge]) for gauge in gauges}
    sources = _common_sources(responses, region)
    region = _of_sea_level(_restricted(region, gauges, sources))
    gauges = region.gauge_names()
    left_out: dict[int, str] = {}
    series: dict[int, list[np.ndarray]] = {}
    slips: dict[int, np.ndarray] = {}
    with shown_progress(progress, "Runs") as report:
        for number, run in enumerate(found.runs, start=1):
            try:
                slips[run] = _run_slip(found, run, sources)
                series[run] = [_run_series(found, gauge, run) for gauge in gauges]
            except _Faulty as reason:
                left_out[run] = str(reason)
            report(number, len(found.runs), "")
    left_out |= _short_ones(series, gauges)
    runs = [run for run in series if run not in left_out]
    if not runs:
        run, why = next(iter(left_out.items()))
        raise InputError(f"no run of {folder} can be used; run {run}: {why}")
    lengths = [min(len(responses[gauge]), *(len(series[run][i]) for run in runs)) for i, gauge in enumerate(gauges)]
    bank = GreensBank.from_series(
        region,
        {gauge: responses[gauge][:n].loc[:, sources].to_numpy(np.float32) for gauge, n in zip(gauges, lengths)},
        attributes={"grids": "as imported", "source": "NCTR unit source responses"},
    )
    bank.check()
    records = np.full((len(runs), len(gauges), max(lengths)), np.nan, np.float32)
    for row, run in enumerate(runs):
        for column, length in enumerate(lengths):
            records[row, column, :length] = series[run][column][:length]
    weights = np.stack([slips[run] for run in runs])
    _check_scale(bank, records, weights)
    dataset = _assemble(bank, runs, records, weights, seed)
    return NctrImport(ScenarioSet(dataset), bank, len(found.runs), dict(sorted(left_out.items())), gauges_left_out)


def _of_sea_level(region: Region) -> Region:
    """Return the region with gauges that sense sea level, which NOAA's propagation database holds, at DARTs too."""
    return region.model_copy(
        update={"gauges": tuple(gauge.model_copy(update={"senses": "sea_level"}) for gauge in region.gauges)}
    )


def _choose_gauges(found: _Folder, region: Region) -> tuple[list[str], dict[str, str]]:
    """Split the gauges that have records into those that can be used, and the others with the reason."""
    most = max((len(series) for series in found.records.values()), default=0)
    usable, left_out = [], {}
    for gauge, series in sorted(found.records.items()):
        if gauge not in region.gauge_names():
            left_out[gauge] = str(unknown_name("gauge", gauge, region.gauge_names(), where=f"in region {region.name}"))
        elif missing := next((f"{what}_{gauge}.csv" for what in ("eta", "t") if gauge not in getattr(found, what)), ""):
            left_out[gauge] = f"there is no {missing} with its responses to unit sources"
        elif 2 * len(series) < most:
            left_out[gauge] = f"it has records of {len(series)} runs only, others have {most}"
        else:
            usable.append(gauge)
    return usable, left_out


def _restricted(region: Region, gauges: Sequence[str], sources: Sequence[str]) -> Region:
    """Return the region with some gauges and sources, and unit sources as subfaults."""
    return region.with_gauges(list(gauges)).model_copy(update={"sources": tuple(sources), "subfault_km": _SUBFAULT_KM})


def _common_sources(responses: Mapping[str, pd.DataFrame], region: Region) -> list[str]:
    """Return the sources that all gauges must have responses to, in the region's order, then the catalogue's."""
    first, *others = responses
    have = set(responses[first].columns)
    for gauge in others:
        if different := sorted(have ^ set(responses[gauge].columns)):
            lacks = gauge if different[0] in have else first
            raise InputError(f"eta_{lacks}.csv lacks unit source {different[0]}, which other gauges have")
    return [name for name in region.sources if name in have] + [
        name for name in catalogue() if name in have and name not in region.sources
    ]


def _read_responses(eta_path: Path, t_path: Path) -> pd.DataFrame:
    """Read responses at a gauge, m per m, a column per source by standard name, a row a minute from zero."""
    eta, minutes = _read_table(eta_path), _read_table(t_path)
    columns = {_checked_source(name, eta_path): name for name in eta.columns}
    if len(columns) < eta.shape[1]:
        raise InputError(f"{eta_path} has a unit source twice")
    if len(minutes) != len(eta):
        raise InputError(f"{t_path} has {len(minutes)} rows, {eta_path.name} {len(eta)}")
    times = {_checked_source(name, t_path): name for name in minutes.columns} if minutes.shape[1] > 1 else {}
    if times and (missing := [name for name in columns if name not in times]):
        raise InputError(f"{t_path} lacks unit source {missing[0]}")
    on_minutes = {}
    for source, column in columns.items():
        at = minutes[times[source]] if times else minutes.iloc[:, 0]
        what = f"{eta_path}: the response to {source}"
        try:
            on_minutes[source] = _on_whole_minutes(60 * at.to_numpy(float), eta[column].to_numpy(float), late=True)
        except _Faulty as reason:
            raise InputError(f"{what} {reason}") from reason
    shortest = min(len(values) for values in on_minutes.values())
    return pd.DataFrame({source: values[:shortest] for source, values in on_minutes.items()})


def _read_table(path: Path) -> pd.DataFrame:
    """Read a table of numbers with a header of names."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a table: {str(error).splitlines()[0]}") from error
    if not len(table) or not all(kind.kind in "fiu" for kind in table.dtypes):
        raise InputError(f"{path} must hold numbers under a header of unit sources")
    return table.rename(columns=lambda name: str(name).strip())


def _checked_source(name: str, path: Path) -> str:
    """Return the standard name of a unit source; name the file where it is unknown."""
    try:
        return unit_source(name).name
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _run_slip(found: _Folder, run: int, sources: Sequence[str]) -> np.ndarray:
    """Read the inversion of a run, m, in the order of the sources."""
    if run not in found.inversions:
        raise _Faulty("it has no inversion")
    path = found.inversions[run]
    variables = _read_mat(path, ("faults", "slip"))
    names, slip = _strings(variables["faults"]), np.asarray(variables["slip"], dtype=float).ravel()
    if len(names) != slip.size:
        raise InputError(f"{path}: faults has {len(names)} names, slip {slip.size} values")
    if (bad := ~(np.isfinite(slip) & (slip >= 0))).any():
        raise InputError(f"{path}: slip must be finite and >= 0 m, got {slip[bad][0]} on {names[int(bad.argmax())]}")
    weights = np.zeros(len(sources), np.float32)
    place = {name: number for number, name in enumerate(sources)}
    for fault, value in zip(names, slip, strict=True):
        name = _checked_source(fault, path)
        if name in place:
            weights[place[name]] += value
        elif value != 0:
            raise _Faulty(f"its inversion has {value:g} m on {name}, to which there are no responses")
    return weights


def _run_series(found: _Folder, gauge: str, run: int) -> np.ndarray:
    """Read a record, m, at whole minutes from zero."""
    if run not in found.records[gauge]:
        raise _Faulty(f"it has no record at {gauge}")
    path, seconds = found.records[gauge][run]
    variables = _read_mat(path, ("t", "h"))
    t, h = (np.asarray(variables[name], dtype=float).ravel() for name in ("t", "h"))
    if t.size != h.size:
        raise InputError(f"{path}: t has {t.size} samples, h {h.size}")
    if t.size < 2 or not (np.diff(t) > 0).all():
        raise InputError(f"{path}: t must rise, from its first sample to its last")
    if not np.isfinite(h[0]):
        t, h = t[1:], h[1:]  # time zero
    try:
        return _on_whole_minutes(seconds * t, h / 100)
    except _Faulty as reason:
        raise _Faulty(f"its record at {gauge} {reason}") from reason


def _on_whole_minutes(t_s: np.ndarray, height_m: np.ndarray, *, late: bool = False) -> np.ndarray:
    """Interpolate a series to 0, 60, 120, ... s, float32, with 0 m at time zero; nothing may be missing inside."""
    keep = np.isfinite(t_s) & (np.isfinite(height_m) if late else True)
    t_s, height_m = t_s[keep], height_m[keep]
    if not t_s.size:
        raise _Faulty("is empty")
    if not np.isfinite(height_m).all():
        raise _Faulty(f"has no number at {t_s[~np.isfinite(height_m)][0] / 60:g} min")
    if not (np.diff(t_s) > 0).all():
        raise _Faulty("has times that do not rise")
    if t_s[0] > _GAP_S and not late:
        raise _Faulty(f"begins at {t_s[0] / 60:g} min only")
    steps = np.diff(t_s)
    if (gap := steps > _GAP_S).any():
        raise _Faulty(f"has a gap of {steps[gap][0] / 60:g} min after {t_s[:-1][gap][0] / 60:g} min")
    minutes = np.arange(int((t_s[-1] + _ROUNDING_S) // 60) + 1) * 60.0
    if t_s[0] > 0:
        before = t_s[0] - min(t_s[0], 60.0)  # the last moment that is surely at rest
        t_s, height_m = np.concatenate([[before], t_s]), np.concatenate([[0.0], height_m])
    return np.interp(minutes, t_s, height_m, left=0.0).astype(np.float32)


def _short_ones(series: Mapping[int, Sequence[np.ndarray]], gauges: Sequence[str]) -> dict[int, str]:
    """Find runs with a series that is much shorter than the others at its gauge."""
    short: dict[int, str] = {}
    for column, gauge in enumerate(gauges):
        lengths = {run: len(of_run[column]) - 1 for run, of_run in series.items()}
        usual = float(np.median(list(lengths.values()))) if lengths else 0.0
        for run, minutes in lengths.items():
            if minutes < _WHOLE * usual:
                short.setdefault(run, f"its record at {gauge} ends after {minutes} min, others after {usual:g} min")
    return short


def _check_scale(bank: GreensBank, records: np.ndarray, weights: np.ndarray) -> None:
    """Refuse responses in another unit: the inversions must explain the records at least roughly."""
    modelled = np.einsum("gts,ns->ngt", bank.source_response().to_numpy(), weights)
    sizes = [np.sqrt(np.nanmean(np.square(waves), axis=(1, 2))) for waves in (records, modelled)]
    happened = (sizes[0] > 0) & (sizes[1] > 0)
    ratio = float(np.median(sizes[1][happened] / sizes[0][happened])) if happened.any() else 1.0
    if not 0.1 < ratio < 10:
        raise InputError(
            f"slip times unit responses is {ratio:.3g} times the records; "
            "are heights in eta_*.csv in m, in *.mat in cm?"
        )


def _assemble(bank: GreensBank, runs: Sequence[int], records: np.ndarray, weights: np.ndarray, seed: int) -> xr.Dataset:
    """Put records and inversions into one labelled dataset."""
    areas = np.array([unit_source(name).area_m2 for name in bank.sources])
    coords: dict[str, Any] = {
        str(name): bank.dataset[name].variable for name in bank.dataset.coords if bank.dataset[name].dims == ("gauge",)
    }
    codes = {"flag_values": [0, 1, 2], "flag_meanings": " ".join(SPLITS)}
    return xr.Dataset(
        {
            "records": (("scenario", "gauge", "time"), records, {"units": "m"}),
            "weights": (("scenario", "source"), weights, {"units": "m"}),
            "magnitude": ("scenario", moment_magnitude(seismic_moment(weights, areas))),
            "split": ("scenario", split_codes(len(runs), seed), codes),
            "source_response": bank.source_response().astype(np.float32).variable,
        },
        coords=coords
        | {"time": bank.dataset["time"].variable, "source": bank.sources, "run": ("scenario", np.array(runs))},
        attrs={
            "region": bank.region.name,
            "region_json": bank.region.json_text(),
            "bank": bank.id,
            "seed": seed,
            "target": "least_squares",
            "id": fingerprint(bank.id, records, weights, np.array(runs), seed),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )


def _read_mat(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Read variables of a MATLAB file."""
    try:
        variables = loadmat(path, variable_names=list(names))
    except NotImplementedError as error:
        raise InputError(f"{path} is a MATLAB file of version 7.3; save it with -v7") from error
    except _UNREADABLE as error:
        raise InputError(f"{path} cannot be read as a MATLAB file") from error
    if missing := [name for name in names if name not in variables]:
        raise InputError(f"{path} lacks the variable {missing[0]}")
    return variables


def _strings(values: Any) -> list[str]:
    """Return the texts of a cell array, or of the rows of a character array."""
    texts = []
    for value in np.asarray(values).ravel():
        while isinstance(value, np.ndarray) and value.size == 1:
            value = value.ravel()[0]
        texts.append(str(value).strip())
    return texts


def _gauge_name(text: str) -> str:
    """Return the name of a gauge as regions have it: ``dart51407`` is 51407, capitals are small."""
    return re.sub(r"^dart(?=\d{5}$)", "", text.lower())


def _add_once(files: dict, key: Any, value: Any) -> None:
    """Add a file, unless there is one of the same kind, gauge and run."""
    if key in files:
        first, second = (item[0] if isinstance(item, tuple) else item for item in (files[key], value))
        raise InputError(f"two files for the same: {first} and {second}")
    files[key] = value
