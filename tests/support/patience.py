"""How long tests wait for what must come. Only what hangs takes longer: a slow machine is no fault.

A test whose subject is a time limit gives a clock (`tests/support/clock.py`), or counts what happens in the meantime:
packets, attempts, looks.
"""

PATIENCE = 120.0
"""Seconds."""
