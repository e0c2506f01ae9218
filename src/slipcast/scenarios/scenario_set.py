"""Scenario sets: ruptures with their records and the true slip on unit sources."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from numbers import Integral
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
import xarray as xr

from slipcast.errors import InputError, check_kind
from slipcast.greens.bank import GreensBank
from slipcast.io.identity import fingerprint, package_version
from slipcast.io.labels import align, positions_of, window_samples
from slipcast.io.summary import Summarised, Summary, shortened
from slipcast.io.zarr import read_zarr, write_zarr
from slipcast.parallel.progress import Progress, shown_progress
from slipcast.physics.ruptures import Rupture, RuptureGenerator, RuptureSettings
from slipcast.regions.region import Region
from slipcast.scenarios.kinematics import KinematicResponse

__all__ = [
    "BATCH",
    "SPLITS",
    "ScenarioSet",
    "assemble",
    "check_count",
    "draw_ruptures",
    "per_scenario",
    "scenario_set_id",
    "split_codes",
]

BATCH = 128
"""Scenarios whose records are computed at once."""

SPLITS = ("train", "validation", "test")
"""Parts of a set, in the order of their codes 0, 1, 2."""

_FRACTIONS = (0.70, 0.15)
# raised when the scenarios of a seed become others, so that a set that was begun is not continued with those
_NUMBERS = 2


@dataclass(frozen=True, repr=False)
class ScenarioSet(Summarised):
    """Ruptures, their records at every gauge without noise, and the true slip of every unit source.

    Attributes
    ----------
    dataset : xarray.Dataset
        ``slip(scenario, subfault)`` m, ``onset(scenario, subfault)`` s, ``records(scenario, gauge, time)`` m,
        ``weights(scenario, source)`` m, ``magnitude(scenario)``, ``split(scenario)`` 0, 1 or 2, the settings drawn
        (``rise_time``, ``length``, ``width``, ``hurst``), and ``source_response(gauge, time, source)`` m/m.
    """

    dataset: xr.Dataset

    @classmethod
    def build(
        cls,
        bank: GreensBank,
        *,
        count: int,
        seed: int,
        settings: RuptureSettings | None = None,
        progress: Progress | bool | None = None,
        save_to: str | os.PathLike | None = None,
        workers: int | None = 1,
        scheduler: str | None = None,
    ) -> ScenarioSet:
        """Draw ruptures and compute their records.

        Parameters
        ----------
        bank : GreensBank
            Of a region on the plate interface.
        count : int
            Number of scenarios, >= 1.
        seed : int
            Scenario k depends on the seed and k alone, the split on the seed and the count.
        settings : RuptureSettings, optional
            How ruptures are drawn.
        progress : callable or bool, optional
            Called with scenarios done, their total and an empty note; ``True`` shows a bar on the error stream.
        save_to : path, optional
            Write the set there as it is drawn, in bounded memory, with what is done kept in a folder beside it, from
            which the same call resumes (:func:`slipcast.scenarios.writing.write_scenarios`). By default it is built
            in memory.
        workers : int, optional
            With ``save_to``: processes; None is one per core. With more than one, a script needs
            ``if __name__ == "__main__":``.
        scheduler : str, optional
            With ``save_to``: address of a Dask scheduler on whose workers scenarios are drawn.

        Returns
        -------
        scenarios : ScenarioSet
            With ``save_to``, opened: its large arrays are read when used.

        Raises
        ------
        InputError
            If an argument is of a wrong kind or out of range, ``workers`` or ``scheduler`` is given without
            ``save_to``, the set cannot be written, another process writes it, or no scheduler answers.
        """
        check_kind(bank, GreensBank, "bank", "a GreensBank")
        check_kind(settings, (RuptureSettings, NoneType), "settings", "RuptureSettings")
        check_kind(save_to, (str, os.PathLike, NoneType), "save_to", "a path")
        check_kind(workers, (Integral, NoneType), "workers", "a whole number")
        check_kind(scheduler, (str, NoneType), "scheduler", "an address such as tcp://host:8786")
        check_count(count, seed)
        count, seed = int(count), int(seed)  # those of numpy have other fingerprints
        if save_to is not None:
            from slipcast.scenarios.writing import write_scenarios

            how: dict[str, Any] = {"workers": workers, "scheduler": scheduler}
            with shown_progress(progress, "Scenarios") as report:
                return write_scenarios(bank, save_to, count=count, seed=seed, settings=settings, **how, progress=report)
        for name, value, default in (("workers", workers, 1), ("scheduler", scheduler, None)):
            if value != default:
                raise InputError(f"{name} needs save_to, got {value!r} without it")
        settings = settings or RuptureSettings()
        response, generator = KinematicResponse.of(bank), RuptureGenerator(bank.subfaults, settings)
        ruptures: list[Rupture] = []
        records = np.empty((count, len(bank.gauges), len(bank.time_s)), np.float32)
        with shown_progress(progress, "Scenarios") as report:
            for start in range(0, count, BATCH):
                stop = min(start + BATCH, count)
                batch, records[start:stop] = draw_ruptures(response, generator, seed, range(start, stop))
                ruptures += batch
                report(stop, count, "")
        return cls(assemble(bank, ruptures, records, seed, settings))

    @classmethod
    def open(cls, path: str | os.PathLike) -> ScenarioSet:
        """Open a set; its large arrays are read when used. InputError if it is missing, incomplete or no set."""
        needed = ("records", "weights", "split", "source_response")
        dataset = read_zarr(path, "scenarios", variables=needed, attributes=("id", "region_json", "seed"))
        if "gauge_senses" not in dataset.coords:
            raise InputError(
                f"{path} is a scenario set of sea level at all gauges, made by an older slipcast, which no DART "
                "measures; build it again (slipcast scenarios build)"
            )
        return cls(dataset)

    def save(self, path: str | os.PathLike) -> None:
        """Write the set as Zarr, whole or not at all."""
        write_zarr(self.dataset, Path(path), "scenarios")

    def _summary(self) -> Summary:
        magnitude, split = self.dataset["magnitude"].to_numpy(), self.dataset["split"].to_numpy()
        facts = [
            ("scenarios", ", ".join(f"{np.sum(split == code)} {name}" for code, name in enumerate(SPLITS))),
            ("magnitude", f"Mw {magnitude.min():.2f} to {magnitude.max():.2f}" if magnitude.size else "none"),
            ("unit sources", str(len(self.sources))),
            ("gauges", shortened(self.gauges)),
            ("seed", str(self.dataset.attrs.get("seed", "unknown"))),
            ("id", self.id),
        ]
        return Summary(f"ScenarioSet: {self.region.name}, {len(self)} scenarios", facts)

    def __len__(self) -> int:
        return self.dataset.sizes["scenario"]

    @property
    def id(self) -> str:
        """Fingerprint of bank, settings, seed and count."""
        return str(self.dataset.attrs["id"])

    @property
    def target(self) -> str:
        """What the weights are: ``"area_mean"``, the true slip of ruptures, or ``"least_squares"``, an inversion."""
        return str(self.dataset.attrs.get("target", "area_mean"))

    @cached_property
    def region(self) -> Region:
        """The region of the bank."""
        return Region.from_json(self.dataset.attrs["region_json"])

    @property
    def gauges(self) -> list[str]:
        """Names of the gauges, in order."""
        return [str(name) for name in self.dataset["gauge"].to_numpy()]

    @property
    def senses(self) -> dict[str, Any]:
        """What each gauge senses, by name (:class:`slipcast.regions.region.Gauge`)."""
        return dict(zip(self.gauges, map(str, self.dataset["gauge_senses"].to_numpy()), strict=True))

    @property
    def gauge_depth_m(self) -> dict[str, float]:
        """Depth of the sea at each gauge, m, by name."""
        return dict(zip(self.gauges, self.dataset["gauge_depth"].to_numpy().tolist(), strict=True))

    @property
    def sources(self) -> list[str]:
        """Names of the unit sources, in order."""
        return [str(name) for name in self.dataset["source"].to_numpy()]

    @property
    def time_s(self) -> np.ndarray:
        """Seconds since the earthquake, shape (n_times,), from zero."""
        return self.dataset["time"].to_numpy()

    def with_split(self, fractions: Sequence[float], seed: int) -> ScenarioSet:
        """Return the same scenarios divided in another way.

        Parameters
        ----------
        fractions : sequence of three floats
            Of training, validation and test; they sum to one.
        seed : int
            What the division is drawn from.

        Returns
        -------
        scenarios : ScenarioSet

        Raises
        ------
        InputError
            If the fractions do not share out the whole set.
        """
        if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
            raise InputError(f"fractions must be three numbers >= 0 that sum to 1, got {tuple(fractions)}")
        codes = split_codes(len(self), seed, fractions)
        return ScenarioSet(self.dataset.assign(split=self.dataset["split"].copy(data=codes)))

    def gauge_names(self, kind: str | None = None) -> list[str]:
        """Return the names of the gauges of one kind (``"dart"``, ``"forecast"``) or of all, in order."""
        kinds = [str(value) for value in self.dataset["gauge_kind"].to_numpy()]
        return [name for name, of_kind in zip(self.gauges, kinds, strict=True) if kind in (None, of_kind)]

    def indices(self, split: str) -> np.ndarray:
        """Return the numbers of the scenarios of a part, rising.

        Raises
        ------
        InputError
            If the part is not train, validation or test.
        """
        if split not in SPLITS:
            raise InputError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
        return np.flatnonzero(self.dataset["split"].to_numpy() == SPLITS.index(split))

    def load_records(
        self,
        gauges: Sequence[str],
        window_min: float,
        indices: Sequence[int] | np.ndarray | None = None,
        *,
        noise_sd_m: float = 0.0,
    ) -> xr.DataArray:
        """Load records of a window, with noise.

        Parameters
        ----------
        gauges : sequence of str
            By name, in the order wanted.
        window_min : float
            Samples from the first minute after the origin to this one.
        indices : sequence of int, optional
            Scenarios; by default all.
        noise_sd_m : float, optional
            Standard deviation of white noise, m. The noise of a sample depends on the set's seed, the scenario, the
            gauge and the time alone, so every caller sees the same.

        Returns
        -------
        records : xarray.DataArray, dims (scenario, gauge, time)
            m, float32.

        Raises
        ------
        InputError
            If a gauge or a scenario is unknown, the window too long, or the noise negative.
        """
        if not noise_sd_m >= 0:
            raise InputError(f"noise_sd_m must be >= 0 m, got {noise_sd_m}")
        name = str(self.dataset.attrs.get("region", ""))
        positions = positions_of(gauges, self.gauges, dim="gauge", where=f"in scenario set {name}")
        hours = self.dataset["gauge_hours"].to_numpy()[positions]
        samples = window_samples(
            self.time_s, window_min, available_s=3600 * float(hours.min()), where=f"scenario set {name}"
        )
        indices = self._checked(indices)
        records = self.dataset["records"].isel(gauge=positions, time=np.flatnonzero(samples), scenario=indices).load()
        records = records.assign_coords(scenario=indices).drop_attrs().assign_attrs(units="m")
        if noise_sd_m:
            records = records + np.float32(noise_sd_m) * self._noise(gauges, indices, records.sizes["time"])
        return records

    def _checked(self, indices: Sequence[int] | np.ndarray | None) -> np.ndarray:
        """Return numbers of scenarios, all of them by default; refuse those that the set does not have."""
        if indices is None:
            return np.arange(len(self))
        indices = np.asarray(indices, dtype=int)
        if (bad := (indices < 0) | (indices >= len(self))).any():
            raise InputError(f"indices must be in [0, {len(self)}), got {indices[bad][0]}")
        return indices

    def _noise(self, gauges: Sequence[str], indices: np.ndarray, count: int) -> np.ndarray:
        """Draw standard normal noise, the same for a sample however much is asked for."""
        noise = np.empty((len(indices), len(gauges), count), np.float32)
        for row, index in enumerate(indices):
            for column, gauge in enumerate(gauges):
                rng = np.random.default_rng([self._seed, int(index), zlib.crc32(gauge.encode())])
                noise[row, column] = rng.standard_normal(count)
        return noise

    @property
    def _seed(self) -> int:
        return int(self.dataset.attrs["seed"])

    def load_weights(self, indices: Sequence[int] | np.ndarray | None = None) -> xr.DataArray:
        """Load the true slip of every unit source, m, dims (scenario, source), of some scenarios or of all."""
        indices = self._checked(indices)
        return self.dataset["weights"].isel(scenario=indices).load().assign_coords(scenario=indices)

    def source_response(
        self,
        gauges: Iterable[str] | None = None,
        *,
        sources: Iterable[str] | None = None,
        window_min: float | None = None,
    ) -> xr.DataArray:
        """Return what gauges sense per metre of slip on each unit source, as a bank does."""
        response = self.dataset["source_response"].load()
        positions = positions_of(gauges, self.gauges, dim="gauge", where="in scenario set")
        response = response.isel(gauge=positions)
        if sources is not None:
            response = response.isel(source=positions_of(sources, self.sources, dim="source", where="in scenario set"))
        if window_min is not None:
            hours = float(self.dataset["gauge_hours"].to_numpy()[positions].min())
            samples = window_samples(self.time_s, window_min, available_s=3600 * hours, where="scenario set")
            response = response.isel(time=samples)
        return response.astype(np.float64)

    def check_bank(self, bank: GreensBank) -> None:
        """Refuse a bank whose unit sources are not those of this set; InputError names the difference."""
        align(bank.source_response(gauges=[]), "source", self.sources, what=f"bank {bank.region.name}")


def check_count(count: int, seed: int) -> None:
    """Refuse a number of scenarios or a seed that cannot be."""
    check_kind(count, Integral, "count", "a whole number")
    check_kind(seed, Integral, "seed", "a whole number")
    if count < 1:
        raise InputError(f"count must be >= 1, got {count}")
    if seed < 0:
        raise InputError(f"seed must be >= 0, got {seed}")


def draw_ruptures(
    response: KinematicResponse, generator: RuptureGenerator, seed: int, numbers: range
) -> tuple[list[Rupture], np.ndarray]:
    """Draw some scenarios of a set, by their numbers, and compute their records, m, shape (n, n_gauges, n_times)."""
    ruptures = [generator.draw(np.random.default_rng([seed, k])) for k in numbers]
    slip, onset = (np.stack([getattr(r, name) for r in ruptures]) for name in ("slip_m", "onset_s"))
    return ruptures, response.records(slip, onset, np.array([r.rise_time_s for r in ruptures]))


def scenario_set_id(bank: GreensBank, seed: int, count: int, settings: RuptureSettings) -> str:
    """Return the identity of the set that these arguments make."""
    return fingerprint(bank.id, seed, count, asdict(settings), package_version(), _NUMBERS)


def split_codes(count: int, seed: int, fractions: Sequence[float] = _FRACTIONS) -> np.ndarray:
    """Divide scenarios at random into parts for training, validation and test (codes 0, 1, 2).

    Parameters
    ----------
    count, seed : int
        Number of scenarios, and what the division is drawn from.
    fractions : sequence of float, optional
        Of training and validation, >= 0; the test part is the rest (a third number is not looked at).

    Returns
    -------
    codes : array of int8, shape (count,)

    Examples
    --------
    >>> np.bincount(split_codes(1300, seed=1)).tolist()
    [910, 195, 195]
    """
    n_train, n_validation = (round(fraction * count) for fraction in fractions[:2])
    codes = np.full(count, 2, np.int8)
    order = np.random.default_rng([seed, zlib.crc32(b"split")]).permutation(count)
    codes[order[:n_train]] = 0
    codes[order[n_train : n_train + n_validation]] = 1
    return codes


def per_scenario(bank: GreensBank, ruptures: list[Rupture], records: np.ndarray) -> dict[str, xr.Variable]:
    """Label the variables of scenarios."""
    slip, onset = (np.stack([getattr(r, name) for r in ruptures]) for name in ("slip_m", "onset_s"))
    metres, seconds, km = ({"units": unit} for unit in ("m", "s", "km"))

    def each(name: str, attrs: dict[str, str] | None = None) -> xr.Variable:
        return xr.Variable("scenario", np.array([getattr(rupture, name) for rupture in ruptures]), attrs)

    weights = (slip @ bank.subfaults.averaging_matrix().T).astype(np.float32)
    return {
        "slip": xr.Variable(("scenario", "subfault"), slip.astype(np.float32), metres),
        "onset": xr.Variable(("scenario", "subfault"), onset.astype(np.float32), seconds),
        "records": xr.Variable(("scenario", "gauge", "time"), records, metres),
        "weights": xr.Variable(("scenario", "source"), weights, metres),
        "magnitude": each("magnitude"),
        "rise_time": each("rise_time_s", seconds),
        "length": each("length_km", km),
        "width": each("width_km", km),
        "hurst": each("hurst"),
    }


def assemble(
    bank: GreensBank, ruptures: list[Rupture], records: np.ndarray, seed: int, settings: RuptureSettings
) -> xr.Dataset:
    """Assemble ruptures and records into one labelled dataset."""
    gauge_coords = {
        name: bank.dataset[name].variable for name in bank.dataset.coords if bank.dataset[name].dims == ("gauge",)
    }
    codes = {"flag_values": [0, 1, 2], "flag_meanings": " ".join(SPLITS)}
    dataset = xr.Dataset(
        per_scenario(bank, ruptures, records)
        | {
            "split": xr.Variable("scenario", split_codes(len(ruptures), seed), codes),
            "source_response": bank.source_response().astype(np.float32).variable,
        },
        coords=gauge_coords | {"time": bank.dataset["time"].variable, "source": bank.sources},
        attrs={
            "region": bank.region.name,
            "region_json": bank.region.json_text(),
            "bank": bank.id,
            "seed": seed,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        | {f"rupture_{key}": _plain(value) for key, value in asdict(settings).items()},
    )
    return dataset.assign_attrs(id=scenario_set_id(bank, seed, len(ruptures), settings))


def _plain(value):
    """Turn a setting into what an attribute can hold."""
    return list(value) if isinstance(value, tuple) else int(value) if isinstance(value, bool) else value
