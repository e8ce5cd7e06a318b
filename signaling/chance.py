"""The only source of chance that signaling draws from, as a function that tests replace."""

import secrets

from signaling.ids import RandomBytes

SYSTEM_CHANCE: RandomBytes = secrets.token_bytes
"""The machine's."""
