"""The dot-product test of linear maps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from slipcast.errors import InputError

__all__ = ["dot_test"]


def dot_test(
    forward: Callable[[np.ndarray], np.ndarray],
    adjoint: Callable[[np.ndarray], np.ndarray],
    domain_shape: int | tuple[int, ...],
    data_shape: int | tuple[int, ...],
    rng: np.random.Generator,
    rtol: float = 1e-10,
) -> float:
    r"""Verify that one linear map is the adjoint (the transpose, for real numbers) of another.

    Parameters
    ----------
    forward : callable
        From an array of ``domain_shape`` to one of ``data_shape``.
    adjoint : callable
        From an array of ``data_shape`` to one of ``domain_shape``.
    domain_shape, data_shape : int or tuple of int
        Shapes of model and data; both hold at least one number.
    rng : numpy.random.Generator
        Source of the two random vectors, standard normal, float64.
    rtol : float, optional
        Largest relative difference allowed, > 0; about 1e-10 for maps in double precision, 1e-4 in single.

    Returns
    -------
    difference : float
        Relative difference of the two inner products, at most ``rtol``.

    Raises
    ------
    InputError
        If the inner products differ, a map returns another shape, or ``rtol`` is not positive.

    Notes
    -----
    For random :math:`x` and :math:`y`,

    .. math:: \frac{|\langle A x, y\rangle - \langle x, A^* y\rangle|}
              {\max(|\langle A x, y\rangle|, |\langle x, A^* y\rangle|)} \le \mathrm{rtol}.

    Claerbout (1992), Earth Soundings Analysis, chapter 5; the same test as ``pylops.utils.dottest`` (Ravasi and
    Vasconcelos 2020, SoftwareX 11, 100361). A map that is not linear, or has an offset, fails it too. It says that the
    two maps belong together, not that either is the right one; a non-finite number fails it.

    Examples
    --------
    >>> difference = lambda x: x[1:] - x[:-1]
    >>> back = lambda y: np.concatenate([[0.0], y]) - np.concatenate([y, [0.0]])
    >>> dot_test(difference, back, 5, 4, np.random.default_rng(1)) < 1e-10
    True
    """
    if not rtol > 0:
        raise InputError(f"rtol must be > 0, got {rtol}")
    model, data = rng.standard_normal(domain_shape), rng.standard_normal(data_shape)
    made, back = np.asarray(forward(model)), np.asarray(adjoint(data))
    for name, found, expected in (("forward", made, data), ("adjoint", back, model)):
        if found.shape != expected.shape:
            raise InputError(f"{name} must return shape {expected.shape}, got {found.shape}")
    of_data, of_model = float(np.vdot(made, data)), float(np.vdot(model, back))
    largest = max(abs(of_data), abs(of_model))
    difference = abs(of_data - of_model) / largest if largest > 0 else abs(of_data - of_model)
    if not difference <= rtol:
        raise InputError(
            f"adjoint must be the transpose of forward to a relative difference of {rtol:g}, got {difference:.2g}"
        )
    return difference
