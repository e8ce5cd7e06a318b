"""Who is in which room, and what follows from each message."""
