"""Carriers of messages between clients and rooms, and their look-ups in the database."""
