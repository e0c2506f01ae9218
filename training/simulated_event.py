"""Write the simulated earthquake that the package carries: its records at the DARTs of Cascadia, with noise.

    python training/simulated_event.py bank.nc --out src/slipcast/data/cascadia_simulation.nc

The first rupture of its seed within 0.05 of Mw 8.9 that slips most off Washington or Oregon; no sampler has learnt from
it. The bank is that of `slipcast bank build cascadia --out bank.nc`.
"""

import argparse
from pathlib import Path

import numpy as np

from slipcast.greens.bank import GreensBank
from slipcast.physics.unit_sources import unit_source
from slipcast.records import Records, simulated_records
from slipcast.scenarios.scenario_set import ScenarioSet

COUNT, SEED, MAGNITUDE, WINDOW_MIN, NOISE_SD_M = 60, 2026, 8.9, 120, 0.0015
COLUMNS = range(57, 63)  # of unit sources
GAUGES = ("46404", "46407", "46419", "46411")


def main() -> None:
    """Draw, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bank", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    bank = GreensBank.open(given.bank).with_window(GAUGES, WINDOW_MIN)
    scenarios = ScenarioSet.build(bank, count=COUNT, seed=SEED)
    magnitudes = scenarios.dataset["magnitude"].to_numpy()
    most = [scenarios.sources[place] for place in scenarios.load_weights().to_numpy().argmax(axis=1)]
    amid = np.array([int(name[-2:]) in COLUMNS for name in most])
    number = int(np.argmax(amid & (np.abs(magnitudes - MAGNITUDE) < 0.05)))
    fault = unit_source(most[number])
    lon, lat, _ = fault.point(0.0, fault.width_m / 2)
    records = simulated_records(scenarios, number, GAUGES, window_min=WINDOW_MIN, noise_sd_m=NOISE_SD_M)
    magnitude = round(float(magnitudes[number]), 2)
    more = {"simulation": 1, "magnitude": magnitude, "epicentre": [round(float(lon), 3), round(float(lat), 3)]}
    title = {"title": f"Simulated Mw {magnitude:.1f}, Cascadia"}
    Records(records.dataset.assign_attrs(more | title)).save(given.out)
    print(f"{given.out}: scenario {number}, Mw {magnitude}, largest slip on {fault.name}")


if __name__ == "__main__":
    main()
