"""Telling others what happened: signed, in the order of each room, at least once."""
