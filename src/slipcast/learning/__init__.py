"""Learning: networks that find slip, their recipe, and the checkpoints that carry both.

One module a step, imported where it is used, since all but ``config`` import torch: ``networks``
(architectures), ``config`` (:class:`TrainConfig`), ``train`` (:func:`~slipcast.learning.train.train`) and
``checkpoint`` (:class:`~slipcast.learning.checkpoint.Checkpoint`).
"""

from slipcast.learning.config import TrainConfig

__all__ = ["TrainConfig"]
