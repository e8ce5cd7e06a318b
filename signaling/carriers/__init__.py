"""What carries messages between clients and rooms, and what it looks up for them in the database."""
