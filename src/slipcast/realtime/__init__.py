"""Slip and forecast of an event: from its records as they are, in real time, and in a replay of it."""
