"""Write what tests hold a shipped sampler to: ten records, and what it makes of them.

python training/golden.py bank.nc --model cascadia --out tests/data/cascadia_golden.npz
"""

import argparse
from pathlib import Path

import numpy as np

from slipcast.greens.bank import GreensBank
from slipcast.learning.inverters import open_posterior
from slipcast.scenarios.scenario_set import ScenarioSet

COUNT, SEED, DRAWS = 10, 60_000, 100
WINDOWS_MIN = (5, 10, 15, 20, 30, 45, 45, 60, 90, 120)
POINTS = ("westport", "hilo1")


def main() -> None:
    """Draw ten scenarios, see each through its own window (the seventh without a gauge), and invert them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bank", type=Path)
    parser.add_argument("--model", default="cascadia")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    sampler = open_posterior(given.model)
    bank = GreensBank.open(given.bank).with_window(sampler.gauges, sampler.window_min)
    scenarios = ScenarioSet.build(bank, count=COUNT, seed=SEED)
    noisy = scenarios.load_records(sampler.gauges, sampler.window_min, noise_sd_m=sampler.noise_sd_m).to_numpy()
    seen = noisy.copy()
    for row, window_min in enumerate(WINDOWS_MIN):
        seen[row, :, window_min:] = np.nan
    seen[6, 1] = np.nan
    amplitudes = sampler.draw(seen, DRAWS, np.random.default_rng(0))
    highest = [sampler.sea_level(amplitudes, point).max(axis=-1).mean(axis=-1) for point in POINTS]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        given.out,
        records=noisy,
        seen=seen,
        slip=sampler.slip(amplitudes).mean(axis=1),
        max_amplitude=np.stack(highest, axis=1),
        true_slip=scenarios.load_weights().to_numpy(),
        points=np.array(POINTS),
    )
    print(f"{given.out}: {COUNT} records, sampler {sampler.id}")


if __name__ == "__main__":
    main()
