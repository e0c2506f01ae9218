"""Train a sampler of slip (slipcast.learning.posterior.posterior) for a region.

    python training/sampler.py training/cascadia.toml --bank bank.nc --out runs/cascadia

The bank is that of `slipcast bank build cascadia --out bank.nc`, at the region's own spacing.
"""

import argparse
import time
from pathlib import Path

from slipcast.greens.bank import GreensBank
from slipcast.learning.posterior.train import SamplerConfig, train_posterior


def main() -> None:
    """Train, with a line of progress every half minute."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--bank", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    begin, said = time.monotonic(), 0.0

    def progress(done: int, total: int, note: str) -> None:
        nonlocal said
        if done == total or time.monotonic() - said > 30:
            said = time.monotonic()
            print(f"{done:,} of {total:,} {note}, {said - begin:.0f} s", flush=True)

    sampler = train_posterior(
        GreensBank.open(given.bank),
        SamplerConfig.open(given.config),
        given.out,
        workers=given.workers,
        progress=progress,
    )
    print(f"{given.out}: sampler {sampler.id}")


if __name__ == "__main__":
    main()
