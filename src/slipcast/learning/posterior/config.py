"""Settings of the training of a neural posterior."""

from __future__ import annotations

import os
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from slipcast.errors import InputError, invalid_setting
from slipcast.learning.config import read_settings

__all__ = ["SamplerConfig"]

_Count = Annotated[int, Field(strict=True, ge=1)]
_Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
_Amount = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
_Share = Annotated[float, Field(strict=True, ge=0, le=1)]


class SamplerConfig(BaseModel):
    """Settings of the training of a neural posterior.

    Attributes
    ----------
    gauges : tuple of str or None
        DARTs that it may be given. None: all of the bank's region.
    usual_gauges : tuple of str or None
        Those that there are as a rule: a share of the records is of all of them, half of the others of these with one
        missing or of all gauges, and the rest of any. None: the first three, or all if there are fewer.
    usual_share : float
        Share of the records of all the usual gauges, in [0, 1].
    windows_min : tuple of int
        Windows that it is trained on, minutes after the origin; the last is the longest it takes.
    window_weights : tuple of float or None
        How often each window is seen, in any unit. None: all alike.
    noise_sd_m : float
        Standard deviation of white noise, m.
    drift_m : tuple of float
        Standard deviations of a drift an hour after the origin, m, as of a tide that is predicted: of its parts that
        grow with time, with its square, and so on.
    n_scenarios : int
        Scenarios drawn; each is seen again and again, with other noise, other gauges and another window.
    n_more : int
        Scenarios besides, drawn from the next seed.
    n_calibration : int
        Scenarios by which the scatter of waves is measured in the end.
    n_modes, n_latent : int
        Amplitudes of slip, and of records, that the network works with.
    width, depth, draw_width, n_random : int
        Of :class:`~slipcast.learning.posterior.generator.SlipGenerator`.
    layers_see_mask : bool
        Whether the observation mask of a record scales and shifts the layers of the network.
    steps, batch_size, masks_per_step, draws : int
        Steps, scenarios in each, observation masks (gauges and window) that these are divided among, and draws for each
        scenario (at least two).
    learning_rate, weight_decay : float
        Of AdamW; the rate rises at first and falls to nothing (one cycle).
    more_steps, more_rate : int, float
        Steps of a second cycle, none by default, and its greatest rate.
    gap_share : float
        Share of the masks in which further samples are missing, in [0, 1].
    augmented_share : float
        Share of the records that no scenario makes, in [0, 1]: waves that come early or late, too high or too low,
        and coloured noise (:class:`slipcast.learning.posterior.augmentation.Augmentation`).
    null_share : float
        Share of the records that are of no earthquake, in [0, 1].
    slip_score, mode_score, wave_score, centre_score : float
        Weights of further scores beside the energy score of all amplitudes: of slip on unit sources and of the
        amplitudes one by one, of the maximum of the waves at a few gauges at each step, and of the error of what draws
        scatter about.
    size_power : float
        Power of the size of an event, as the records show it, by which its scores count.
    bfloat16 : bool
        Multiply matrices with numbers of three digits: twice as fast on processors that can.
    seed : int
        Of everything that is drawn.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gauges: tuple[str, ...] | None = None
    usual_gauges: tuple[str, ...] | None = None
    usual_share: _Share = 1 / 3
    windows_min: tuple[_Count, ...] = (5, 7, 10, 13, 16, 20, 25, 30, 37, 45, 52, 60, 75, 90, 120)
    window_weights: tuple[_Amount, ...] | None = None
    noise_sd_m: _Positive = 0.0015
    drift_m: tuple[_Amount, ...] = (0.0053, 0.0023)
    n_scenarios: _Count = 400_000
    n_more: Annotated[int, Field(strict=True, ge=0)] = 0
    n_calibration: _Count = 3000
    n_modes: _Count = 256
    n_latent: _Count = 96
    width: _Count = 640
    depth: _Count = 3
    draw_width: _Count = 256
    n_random: _Count = 128
    layers_see_mask: bool = True
    steps: _Count = 40_000
    batch_size: _Count = 384
    masks_per_step: _Count = 6
    draws: Annotated[int, Field(strict=True, ge=2)] = 4
    learning_rate: _Positive = 2e-3
    weight_decay: _Amount = 1e-3
    more_steps: Annotated[int, Field(strict=True, ge=0)] = 0
    more_rate: _Positive = 1e-3
    gap_share: _Share = 0.2
    augmented_share: _Share = 0.5
    null_share: _Share = 0.02
    slip_score: _Amount = 10.0
    mode_score: _Amount = 10.0
    wave_score: _Amount = 3.0
    centre_score: _Amount = 1.0
    size_power: _Amount = 0.75
    bfloat16: bool = False
    seed: Annotated[int, Field(strict=True, ge=0)] = 1

    def __init__(self, **settings: Any):
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise invalid_setting(error, "setting", SamplerConfig.model_fields) from error

    @model_validator(mode="after")
    def _lists_fit(self) -> SamplerConfig:
        """Refuse windows that do not rise, and gauges that are none or twice there."""
        if not self.windows_min or list(self.windows_min) != sorted(set(self.windows_min)):
            raise ValueError(f"windows_min must rise, got {self.windows_min}")
        weights = self.window_weights
        if weights is not None and (len(weights) != len(self.windows_min) or not sum(weights) > 0):
            raise ValueError(f"window_weights must be one for each of windows_min, not all 0, got {weights}")
        for name in ("gauges", "usual_gauges"):
            gauges = getattr(self, name)
            if gauges is not None and (not gauges or len({*gauges}) < len(gauges)):
                raise ValueError(f"{name} must be different gauges, at least one, got {gauges}")
        return self

    @classmethod
    def open(cls, path: str | os.PathLike) -> SamplerConfig:
        """Read settings from TOML; InputError names the file and what is wrong."""
        try:
            return cls(**read_settings(path))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
