"""Demonstration of all steps on simulated Cascadia events and on the real record of Chile 2010."""

from slipcast.demo.run import run_demo

__all__ = ["run_demo"]
