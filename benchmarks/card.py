"""Card of a packaged model: what it was trained with, its scores, and its limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.accuracy.page import over_sets
from benchmarks.markdown import made_by_words, table
from slipcast.io.atomic import read_json
from slipcast.physics.ruptures import RuptureSettings

__all__ = ["card_page"]

_ROWS = (
    ("slip MSE (m²)", "weight_mse_m2"),
    ("the same, share of the linear estimator's", "weight_mse_m2_of_linear"),
    ("the same, share of Liu's network's", "weight_mse_m2_of_network"),
    ("mean absolute error of Mw", "magnitude_error_absolute"),
    ("explained variance of maximum amplitude", "max_amplitude_explained_variance"),
    ("coverage of 90 % intervals of slip", "slip_coverage_90"),
    ("coverage of 90 % intervals of maximum amplitude", "max_amplitude_coverage_90"),
)

_HISTORY = {
    "cascadia": " The first 11,000 of them are of records of an earlier bank, whose coast reflects all of a wave; the "
    "others of 400,000 ruptures by the bank named above, by which the linear estimate and the scatter of waves are "
    "measured too."
}


def card_page(folder: Path, headline: Mapping[str, Any]) -> str:
    """Render the card.

    Parameters
    ----------
    folder : path
        Of the model.
    headline : mapping
        ``headline.json`` of :func:`benchmarks.accuracy.run_accuracy`.

    Returns
    -------
    page : str
        Markdown.
    """
    about = read_json(folder / "model.json")
    size_mb = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    return "\n\n".join(_card(folder.name, about, headline, size_mb)) + "\n"


def _card(name: str, about: Mapping[str, Any], headline: Mapping[str, Any], size_mb: float) -> Iterator[str]:
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
        f"arc-minute near, 6 far, packaged ETOPO1). Pressure at the DARTs, with white noise of "
        f"{1e3 * about['noise_sd_m']:g} mm and a drift as of a predicted tide on all records; "
        f"{training['augmented_share']:.0%} of them augmented by errors of travel time and height "
        f"and coloured noise, {training['null_share']:.0%} without an earthquake. {steps:,} steps of "
        f"{training['batch_size']} scenarios.{_HISTORY.get(name, '')}"
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
    config, windows = headline["about"]["config"], headline["windows"]
    yield (
        f"Means of {config['test_sets']} test sets of {config['count']:,} ruptures that were not used in training, in "
        f"brackets the least and the most of the sets; DARTs {', '.join(headline['about']['gauges'])}. Made by "
        f"`python -m benchmarks.accuracy`, {made_by_words(headline['made_by'])}; all scores are in [the "
        "benchmark](../benchmarks/accuracy.md)."
    )
    yield table(
        ["", *(f"{window} min" for window in windows)],
        [[label, *(over_sets(found["sampler"].get(key)) for found in windows.values())] for label, key in _ROWS],
    )
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
        "- **Heights at one place of the coast.** Forecast points are offshore; those at the coast are by Green's law, "
        "with a wide scatter ([limits](../limits.md)).\n"
        "- **Other oceans.** It was trained with one solver over one bathymetry; on others its errors grow, by the "
        "factors in the benchmark.\n"
        "- **Records before waves arrive.** Before a wave could have reached a DART, records without one exclude "
        "little, and the posterior is close to the prior of its training ruptures."
    )
