"""The mixture of rupture families on earthquakes whose truth is known: those of another generator, and no ruptures.

    python -m benchmarks.events.simulated --banks runs/event-banks --count 40

Banks are those that :mod:`benchmarks.events` keeps. Ruptures are drawn by :mod:`slipcast.physics.ruptures`, which take
their time, and seen by the three DARTs that their waves reach first, with white noise of 2 mm, up to the end of the
first wave at the third; first magnitudes are off as :class:`~slipcast.inversion.first_magnitude.FirstMagnitude` says.
Two kinds are no ruptures of an interface near the epicentre: waves turned upside down, as of a normal fault, and an
epicentre 1,000 km along the coast from the rupture. Two ruptures at once, anywhere on the fault, are something between.
Results go to docs/benchmarks/event_simulations.json, some ten minutes on one core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import kstest

from benchmarks.events.scores import holds, pit
from benchmarks.markdown import Rows
from benchmarks.provenance import ROOT, source_files, tables, write_compact
from slipcast.errors import InputError
from slipcast.forecasting.forecast import wave_draws
from slipcast.greens.bank import GreensBank
from slipcast.inversion import RuptureMixture
from slipcast.inversion.estimate import magnitude_of_slip
from slipcast.inversion.first_magnitude import FirstMagnitude
from slipcast.physics.ruptures import RuptureGenerator
from slipcast.realtime.event_slip import UNLIKE, invert
from slipcast.records import Records
from slipcast.scenarios.kinematics import KinematicResponse

KINDS = ("rupture", "two at once", "upside down", "epicentre elsewhere")
BANKS = ("tohoku2011", "chile2010", "illapel2015")
MAGNITUDES = (7.8, 9.0)
NOISE_M, USED, SEEN_M = 0.002, 3, 0.01
COMMAND = "python -m benchmarks.events.simulated --banks runs/event-banks"


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the tables depend."""
    return source_files("benchmarks/events/simulated.py", root=root)


class Simulator:
    """Draw earthquakes of a bank and what its DARTs record of them."""

    def __init__(self, bank: GreensBank, rng: np.random.Generator):
        self.bank, self.rng = bank, rng
        self.generator, self.waves = RuptureGenerator(bank.subfaults), KinematicResponse.of(bank)
        self.shares = bank.subfaults.averaging_matrix()
        self.places = np.array([bank.subfaults.lon_deg, bank.subfaults.lat_deg]).T

    def draw(self, kind: str) -> tuple[Records, float, np.ndarray]:
        """Return records without noise, Mw, and the waves, shape (n_gauges, n_times), of an earthquake of a kind."""
        rupture = self.generator.draw(self.rng, magnitude=float(self.rng.uniform(*MAGNITUDES)))
        level = self._level(rupture)
        first = int(np.flatnonzero(rupture.slip_m)[np.argmin(rupture.onset_s[rupture.slip_m > 0])])
        lon, lat = self.places[first]
        if kind == "upside down":
            level = -level
        if kind == "epicentre elsewhere":
            lat += 9.0 if self.rng.random() < 0.5 else -9.0
        if kind == "two at once":
            level = level + self._level(self.generator.draw(self.rng, magnitude=rupture.magnitude))
        about = self.bank.dataset
        records = Records.from_arrays(
            self.bank.time_s[1:],
            level[:, 1:],
            gauges=self.bank.gauges,
            lon_deg=about["gauge_lon"].to_numpy(),
            lat_deg=about["gauge_lat"].to_numpy(),
        ).with_event(epicentre=(float(lon), float(lat)))
        mw = float(magnitude_of_slip(self.shares @ rupture.slip_m, self.bank.sources))
        return records, mw, level

    def _level(self, rupture) -> np.ndarray:
        return self.waves.records(rupture.slip_m[np.newaxis], rupture.onset_s[np.newaxis], [rupture.rise_time_s])[0]


def window_of(level_m: np.ndarray, time_s: np.ndarray) -> tuple[list[int], float] | None:
    """Return the gauges that a wave reaches first, and a quarter of an hour after that; None where no other is left."""
    high = np.nan_to_num(np.abs(level_m))
    seen = [gauge for gauge in range(len(high)) if high[gauge].max() > SEEN_M]
    crests = {gauge: int(np.argmax(high[gauge] > 0.5 * high[gauge].max())) for gauge in seen}
    order = sorted(seen, key=lambda gauge: crests[gauge])
    if len(order) <= USED:
        return None
    return order[:USED], float(min(time_s[crests[order[USED - 1]]] / 60 + 15, time_s[-1] / 60))


def score(simulator: Simulator, kind: str, rng: np.random.Generator) -> dict | None:
    """Invert an earthquake and hold the result against its truth; None where too few DARTs see it."""
    try:
        records, mw, level = simulator.draw(kind)
    except InputError:
        return None
    bank = simulator.bank
    if (found := window_of(level, bank.time_s)) is None:
        return None
    used, window_min = found
    noisy = records.sea_level + NOISE_M * rng.standard_normal(records.sea_level.shape)
    records = Records(records.dataset.assign(sea_level=noisy.astype(float)))
    reported = float(np.clip(2 * mw - FirstMagnitude(mw).quantiles(rng.uniform()), 7.0, 9.4))
    gauges = [bank.gauges[gauge] for gauge in used]
    inverter = RuptureMixture(bank, window_min, gauges=tuple(gauges))
    try:
        slip = invert(records, inverter, magnitude=reported, put_aside=False)
    except InputError as error:
        print(f"{kind}: {error}")
        return None
    low, high = slip.magnitude_interval()
    heights = []
    for gauge, name in enumerate(bank.gauges):
        if gauge not in used and np.isfinite(level[gauge]).any() and np.nanmax(level[gauge]) > SEEN_M:
            draws = wave_draws(slip, bank, name)[1].max(axis=1)
            true = float(np.nanmax(level[gauge]))
            heights.append((holds(draws, true, 0.5), holds(draws, true, 0.9), pit(draws, true)))
    held = bool(low <= mw <= high)
    return {
        "held": held,
        "error": slip.magnitude - mw,
        "unlike": UNLIKE in slip.note,
        "heights": heights,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table of simulated earthquakes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banks", type=Path, required=True)
    parser.add_argument("--count", type=int, default=40, help="of each kind")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / "event_simulations.json")
    given = parser.parse_args(argv)
    rng, begin = np.random.default_rng(7), time.monotonic()
    simulators = [Simulator(GreensBank.open(given.banks / f"{name}.nc"), rng) for name in BANKS]
    header = ["earthquakes", "number", "Mw in its 90 %", "its rms error", "maxima in 50 %", "in 90 %", "PIT, p"]
    rows = Rows(*header, "said to be unlike ruptures")
    for kind in KINDS:
        scores: list[dict] = []
        while len(scores) < given.count:
            found = score(simulators[len(scores) % len(simulators)], kind, rng)
            scores += [found] if found is not None else []
        heights = [height for of in scores for height in of["heights"]]
        in_50, in_90, places = (np.array(column, dtype=float) for column in zip(*heights))
        rms = np.sqrt(np.mean([of["error"] ** 2 for of in scores]))
        rows.add(
            kind,
            str(len(scores)),
            f"{np.mean([of['held'] for of in scores]):.2f}",
            f"{rms:.2f}",
            f"{in_50.mean():.2f}",
            f"{in_90.mean():.2f}",
            f"{kstest(places, 'uniform').pvalue:.3f}",
            f"{np.mean([of['unlike'] for of in scores]):.2f}",
        )
    print(f"\n{time.monotonic() - begin:.0f} s")
    write_compact(given.out, tables({"simulated": rows.results()}, COMMAND, code()))


if __name__ == "__main__":
    main()
