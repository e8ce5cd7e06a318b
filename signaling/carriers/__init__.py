"""The carriers of messages between clients and the conversation, and their look-ups in the database."""
