"""Delivery of events to other services: signed, in the order of each room, at least once."""
