"""What is written while people talk: calls, events, bans, and the sweep of rooms."""
