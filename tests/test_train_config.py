from __future__ import annotations

import pytest

from slipcast.errors import InputError
from slipcast.learning import TrainConfig


def test_the_defaults_are_the_recipe_of_liu():
    config = TrainConfig()
    assert (config.model, config.window_min, config.batch_size, config.epochs) == ("conv1d", 45, 20, 300)
    assert (config.learning_rate, config.hidden, config.dropout, config.negative_slope) == (
        5e-4,
        40,
        0.3,
        0.01,
    )


def test_settings_from_a_file(tmp_path):
    path = tmp_path / "train.toml"
    path.write_text('window_min = 30\ngauges = ["46404", "46419"]\nchannels = [10, 10, 20, 30]\n')
    config = TrainConfig.open(path)
    assert config == TrainConfig(window_min=30.0, gauges=("46404", "46419"), channels=(10, 10, 20, 30))
    assert config.with_settings(epochs=5).epochs == 5
    assert config.epochs == 300


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 3}, "unknown training setting 'epoch'; nearest: epochs"),
        ({"model": 3}, "model must be a valid string, got 3"),
        ({"window_min": 0}, "window_min must be greater than 0, got 0"),
        ({"window_min": 1441}, "window_min must be less than or equal to 1440, got 1441"),
        ({"window_min": float("nan")}, "window_min must be a finite number, got nan"),
        ({"gauges": ()}, r"gauges must name at least one gauge, got \(\)"),
        ({"gauges": ("46404", "46404")}, "gauges must name each gauge once, 46404 comes 2 times"),
        ({"gauges": "46404"}, "gauges must be a valid tuple, got '46404'"),
        ({"noise_sd_m": -0.1}, "noise_sd_m must be greater than or equal to 0, got -0.1"),
        ({"batch_size": 0}, "batch_size must be greater than or equal to 1, got 0"),
        ({"epochs": "3"}, "epochs must be a valid integer, got '3'"),
        ({"epochs": True}, "epochs must be a valid integer, got True"),
        ({"learning_rate": 0}, "learning_rate must be greater than 0, got 0"),
        ({"seed": -1}, "seed must be greater than or equal to 0, got -1"),
        ({"channels": (1, 0)}, "channels.1 must be greater than or equal to 1, got 0"),
        ({"hidden": 0}, "hidden must be greater than or equal to 1, got 0"),
        ({"dropout": 1}, "dropout must be less than 1, got 1"),
        ({"negative_slope": -1}, "negative_slope must be greater than or equal to 0, got -1"),
        ({"device": "gpu"}, "device must be 'auto', 'cpu' or 'cuda', got 'gpu'"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(InputError, match=f"^{message}"):
        TrainConfig(**settings)


def test_wrong_files(tmp_path):
    path = tmp_path / "train.toml"
    with pytest.raises(InputError, match=r"cannot read .*train\.toml: No such file"):
        TrainConfig.open(path)
    path.write_text("epochs 3")
    with pytest.raises(InputError, match=r"train\.toml is not valid TOML"):
        TrainConfig.open(path)
    for content in (b"\xff\xfe", b"epochs = " + b"9" * 5000, b"channels = " + b"[" * 5000):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"train\.toml is not valid TOML"):
            TrainConfig.open(path)
    path.write_text("epohcs = 3")
    with pytest.raises(InputError, match=r"train\.toml: unknown training setting 'epohcs'; nearest: epochs"):
        TrainConfig.open(path)
