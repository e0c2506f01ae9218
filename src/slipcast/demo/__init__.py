"""The demonstration: the whole way on Cascadia, then on the real record of Chile 2010."""

from slipcast.demo.run import run_demo

__all__ = ["run_demo"]
