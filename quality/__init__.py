"""Measurement of streams: sequence, loss, jitter, round trips, delivery. Pure; knows nothing of the rest of Parley."""
