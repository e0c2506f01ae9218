"""Model card of a shipped neural posterior, from its own header and the benchmark of its accuracy.

Usage: python training/card.py src/slipcast/models/cascadia runs/accuracy/accuracy.json --out docs/models/cascadia.md
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from slipcast.physics.ruptures import RuptureSettings

ROWS = (
    ("slip MSE (m²)", "weight_mse_m2", "sampler"),
    ("the same, linear estimator", "weight_mse_m2", "linear"),
    ("mean absolute error of Mw", "magnitude_error_absolute", "sampler"),
    ("explained variance of maximum amplitude", "max_amplitude_explained_variance", "sampler"),
    ("coverage of 90 % intervals of slip", "slip_coverage_90", "sampler"),
    ("coverage of 90 % intervals of maximum amplitude", "max_amplitude_coverage_90", "sampler"),
)


def card(name: str, about: dict, results: dict, size_mb: float) -> Iterator[str]:
    """Give the blocks of the card."""
    training, ruptures = about["training"], RuptureSettings()
    low, high = ruptures.magnitude
    count = training["n_scenarios"] + training.get("n_more", 0)
    steps = training["steps"] + training.get("more_steps", 0)
    yield f"# Model card: `{name}`"
    yield (
        f"A neural posterior ([how it works](../inversion.md#the-neural-posterior)): from records of any of the "
        f"DARTs {', '.join(about['gauges'])} over any window of 5 to {about['window_min']:g} minutes to "
        f"posterior samples of slip on {len(about['sources'])} unit sources and of the waves at "
        f"{len(about['wave_gauges'])} gauges. {size_mb:.1f} MB, in the package: "
        f"`slipcast invert records.nc --model {name}`, then `slipcast forecast slip.nc --model {name}`."
    )
    yield "## Training data"
    yield (
        f"{count:,} kinematic ruptures of region `{about['region']}`: Mw uniform in {low:g} to "
        f"{high:g}, Hurst exponents {' and '.join(f'{value:g}' for value in ruptures.hurst)}, rupture speed "
        f"{ruptures.speed_km_s[0]:g} to {ruptures.speed_km_s[1]:g} km/s, rise time {ruptures.rise_time_s[0]:g} to "
        f"{ruptures.rise_time_s[1]:g} s; waves by bank `{about['bank']}`, `slipcast bank build {about['region']}` (1 "
        f"arc-minute near, 6 far, packaged ETOPO1). White noise of {1e3 * about['noise_sd_m']:g} mm on all records; "
        f"{training['augmented_share']:.0%} of them augmented by errors of travel time and height, coloured noise "
        f"and drift, {training['null_share']:.0%} without an earthquake. {steps:,} steps of "
        f"{training['batch_size']} scenarios."
    )
    yield "Made by"
    yield (
        f"```sh\nslipcast bank build {about['region']} --out bank.nc\n"
        f"python training/sampler.py training/{name}.toml --bank bank.nc --out src/slipcast/models/{name}\n"
        f"python training/golden.py bank.nc --model {name} --out tests/data/{name}_golden.npz\n```"
    )
    versions = ", ".join(f"{key} {value}" for key, value in about["versions"].items())
    yield f"with {versions}."
    yield "## Scores"
    yield (
        f"On {results['about']['config']['count']:,} ruptures that were not used in training, DARTs "
        f"{', '.join(results['about']['gauges'])}; all of them in [the benchmark](../benchmarks/accuracy.md)."
    )
    windows = list(results["windows"])
    header = ["", *(f"{window} min" for window in windows)]
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    for label, key, method in ROWS:
        cells = [f"{results['windows'][window][method][key]['value']:.3g}" for window in windows]
        lines.append("| " + " | ".join([label, *cells]) + " |")
    yield "\n".join(lines)
    yield (
        "Noise-only records, other rupture models, magnitudes, sea floors and noise: in [the "
        "benchmark](../benchmarks/accuracy.md) and [limits](../limits.md)."
    )
    yield "## What it must not be used for"
    yield (
        "- **Warnings.** It is research software that no warning centre has accepted.\n"
        f"- **Other earthquakes**: other zones, outer-rise or strike-slip events, landslides, magnitudes far from "
        f"{low:g} to {high:g}. It assumes that an earthquake on the plate interface of its region has "
        "happened.\n"
        "- **Raw records.** Tide and the shaking of the earthquake itself must be removed first.\n"
        "- **Heights at the coast.** Near forecast points are offshore indices ([limits](../limits.md)).\n"
        "- **Other oceans.** It was trained with one solver over one bathymetry; on others its errors grow, by the "
        "factors in the benchmark.\n"
        "- **Records before waves arrive.** Before a wave could have reached a DART, records without one exclude "
        "little, and the posterior is close to the prior of its training ruptures."
    )


def main() -> None:
    """Write the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    about = json.loads((given.model / "model.json").read_text(encoding="utf-8"))
    results = json.loads(given.results.read_text(encoding="utf-8"))
    size_mb = sum(path.stat().st_size for path in given.model.iterdir()) / 1e6
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text("\n\n".join(card(given.model.name, about, results, size_mb)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
