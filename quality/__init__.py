"""Measurement of streams: sequence, loss, jitter, round trips, levels. Pure; knows nothing of the rest of Parley."""
