"""What the server records during calls: calls, events, bans; and the sweeper of rooms."""
