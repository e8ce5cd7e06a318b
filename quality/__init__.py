"""What a stream is like: sequence, loss, jitter, round trips, levels. Pure; knows nothing of the rest of Parley."""
