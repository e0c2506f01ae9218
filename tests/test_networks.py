from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy.testing as npt
import pytest
import torch
from torch import nn

from slipcast.errors import InputError
from slipcast.learning.networks import Conv1d, Layer, build_network, check_network, conv_channels, layer_table


def liu(network: Conv1d, activation: nn.Module) -> nn.Sequential:
    """Write the network with torch's own layers, as Liu's text does, on the same parameters."""
    blocks: list[nn.Module] = []
    for convolution in network.convolutions:
        blocks += [convolution, activation, nn.MaxPool1d(kernel_size=2, stride=2)]
    return nn.Sequential(*blocks, nn.Flatten(), network.linear_1, network.dropout, network.linear_2, nn.ReLU())


def test_table_1_of_liu_for_45_minutes():
    assert layer_table(Conv1d(3, 31, 45)) == [
        Layer("Conv1D-1", 3, 20, 45, 22),
        Layer("Conv1D-2", 20, 20, 22, 11),
        Layer("Conv1D-3", 20, 40, 11, 5),
        Layer("Conv1D-4", 40, 40, 5, 2),
        Layer("Conv1D-5", 40, 80, 2, 1),
        Layer("Squeeze", 80, 1, 1, 80),
        Layer("Linear-1", 1, 1, 80, 40),
        Layer("Linear-2", 1, 1, 40, 31),
    ]


def test_four_blocks_for_30_minutes():
    rows = layer_table(Conv1d(3, 31, 30))
    assert [(row.in_channels, row.out_channels) for row in rows[:4]] == [
        (3, 20),
        (20, 20),
        (20, 40),
        (40, 60),
    ]
    assert [(row.in_signal, row.out_signal) for row in rows[:4]] == [(30, 15), (15, 7), (7, 3), (3, 1)]
    assert [(row.in_signal, row.out_signal) for row in rows[4:]] == [(1, 60), (60, 40), (40, 31)]


@pytest.mark.parametrize(("n_channels", "n_sources", "minutes"), [(3, 31, 45), (4, 31, 45), (3, 12, 30), (2, 7, 64)])
def test_number_of_parameters(n_channels, n_sources, minutes):
    widths = (n_channels, *conv_channels(minutes))
    expected = sum(3 * n_in * n_out + n_out for n_in, n_out in pairwise(widths))
    expected += 40 * widths[-1] + 40 + n_sources * 40 + n_sources
    network = Conv1d(n_channels, n_sources, minutes)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    if (n_channels, n_sources, minutes) == (3, 31, 45):
        assert expected == 22_891


@pytest.mark.parametrize(
    ("signal_length", "channels"),
    [
        (2, (20,)),
        (3, (20,)),
        (4, (20, 20)),
        (15, (20, 20, 40)),
        (16, (20, 20, 40, 60)),
        (31, (20, 20, 40, 60)),
        (32, (20, 20, 40, 40, 80)),
        (63, (20, 20, 40, 40, 80)),
        (64, (20, 20, 40, 40, 80, 80)),
        (128, (20, 20, 40, 40, 80, 80, 160)),
    ],
)
def test_channels_follow_from_the_window(signal_length, channels):
    assert conv_channels(signal_length) == channels


@pytest.mark.parametrize(
    ("minutes", "activation", "layer"),
    [
        *((minutes, {"negative_slope": 0.2}, nn.LeakyReLU(0.2)) for minutes in (2, 3, 5, 17, 30, 45, 64, 127, 240)),
        (45, {"activation": "elu"}, nn.ELU()),
        (45, {"activation": "gelu"}, nn.GELU()),
        (45, {"activation": "relu"}, nn.ReLU()),
        (45, {"activation": "silu"}, nn.SiLU()),
        (45, {"activation": "tanh"}, nn.Tanh()),
    ],
)
def test_equals_the_plain_layers(minutes, activation, layer):
    torch.manual_seed(minutes)
    network = Conv1d(3, 6, minutes, **activation).eval()
    records = torch.randn(7, 3, minutes)
    slip = torch.rand(7, 6)
    gradients = []
    for model in (network, liu(network, layer)):
        found = model(records)
        loss = nn.functional.mse_loss(found, slip)
        gradients.append((found, *torch.autograd.grad(loss, list(network.parameters()))))
    for ours, plain in zip(*gradients):
        # float32 sums of up to a few hundred terms in another order
        npt.assert_allclose(ours.detach(), plain.detach(), rtol=1e-4, atol=1e-6)


def test_slip_is_never_negative_and_dropout_acts_in_training_alone():
    torch.manual_seed(1)
    network, records = Conv1d(3, 31, 45), torch.randn(50, 3, 45)
    assert (network(records) >= 0).all()
    assert not torch.equal(network(records), network(records))
    network.eval()
    assert torch.equal(network(records), network(records))


@pytest.mark.parametrize(
    "change",
    [
        {"channels": (20, 20, 40, 40, 60)},
        {"hidden": 30},
        {"dropout": 0.1},
        {"negative_slope": 0.3},
        {"activation": "tanh"},
    ],
)
def test_every_option_changes_the_output(change):
    outputs = []
    no_change: dict = {}
    for options in (no_change, change):
        torch.manual_seed(1)
        network = Conv1d(3, 31, 45, **options)
        outputs.append(network(torch.linspace(-1, 1, 135).reshape(1, 3, 45)))
    assert not torch.equal(*outputs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"signal_length": 1}, "signal_length must be a whole number >= 2, got 1"),
        ({"n_channels": 0}, "n_channels must be a whole number >= 1, got 0"),
        ({"n_sources": 2.0}, "n_sources must be a whole number >= 1, got 2.0"),
        ({"hidden": True}, "hidden must be a whole number >= 1, got True"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"dropout": float("nan")}, r"dropout must be in \[0, 1\), got nan"),
        ({"negative_slope": -0.1}, "negative_slope must be finite and >= 0, got -0.1"),
        ({"negative_slope": "0.1"}, "negative_slope must be finite and >= 0, got '0.1'"),
        ({"channels": (20, 20)}, "channels must have 5 numbers for 45 samples, got 2"),
        ({"channels": (20, 20, 0, 1, 1)}, "channels must be a whole number >= 1, got 0"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        Conv1d(**{"n_channels": 3, "n_sources": 31, "signal_length": 45} | arguments)


def test_another_window_is_refused():
    # 60 samples would pool to one as well, and give numbers
    with pytest.raises(InputError, match=r"records must have shape \(n, 3, 45\), got \(1, 3, 60\)"):
        Conv1d(3, 31, 45)(torch.zeros(1, 3, 60))


def test_networks_by_name():
    arguments = {"n_channels": 3, "n_sources": 31, "signal_length": 45}
    assert isinstance(build_network("conv1d", **arguments, hidden=10), Conv1d)
    with pytest.raises(InputError, match="unknown model 'conv2d'; nearest: conv1d"):
        build_network("conv2d", **arguments)
    with pytest.raises(InputError, match="unknown argument 'dropuot' of model conv1d; nearest: dropout"):
        build_network("conv1d", **arguments, dropuot=0.1)
    with pytest.raises(InputError, match="model conv1d needs the argument signal_length"):
        build_network("conv1d", n_channels=3, n_sources=31)


def test_shapes():
    for minutes in (2, 30, 45, 100):
        assert Conv1d(4, 9, minutes)(torch.zeros(5, 4, minutes)).shape == (5, 9)
    assert Conv1d(1, 2, 45)(torch.zeros(0, 1, 45)).shape == (0, 2)


def test_torch_is_not_imported_with_the_package():
    modules = "slipcast.learning, slipcast.learning.config, slipcast.learning.inverters, slipcast.inversion"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_derivative_goes_on_to_the_records():
    records = torch.randn(2, 3, 13, dtype=torch.float64, requires_grad=True)
    network = Conv1d(3, 4, 13, hidden=5).double().eval()
    torch.nn.init.constant_(network.linear_2.bias, 3.0)  # away from the kink of the last ReLU
    assert torch.autograd.gradcheck(network, (records,), eps=1e-7, atol=1e-5)


def test_golden_output_of_the_architecture():
    """Weights and records by formula, so that no generator counts; values of slipcast 0.1.0, in m."""
    network = Conv1d(3, 31, 45).eval()
    with torch.no_grad():
        for number, parameter in enumerate(network.parameters()):
            index = torch.arange(parameter.numel(), dtype=torch.float64)
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 4
            values = torch.sin(1.7 * index + number) / fan_in**0.5
            parameter.copy_(values.float().reshape(parameter.shape))
        records = torch.sin(0.37 * torch.arange(135, dtype=torch.float64)).float().reshape(1, 3, 45)
        slip = network(records)[0]
    # float32 sums of up to 240 terms in whatever order a platform takes
    npt.assert_allclose(slip[:8], [0.911474, 1.673990, 0.080896, 0, 0, 0.086121, 0.591986, 0.967118], atol=2e-5)
    npt.assert_allclose(slip[-4:], [0, 0.090234, 1.006375, 1.084215], atol=2e-5)
    npt.assert_allclose(slip.sum(), 14.206606, rtol=2e-5)


@pytest.mark.parametrize("training", [True, False])
def test_a_check_leaves_the_mode_of_a_network(training):
    network = Conv1d(3, 31, 45).train(training)
    check_network(network, "conv1d", n_channels=3, n_sources=31, signal_length=45)
    assert network.training is training
