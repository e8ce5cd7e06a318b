"""Participants in rooms, and the effect of each message."""
