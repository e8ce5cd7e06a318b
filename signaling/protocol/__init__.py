"""What is said on the wire: messages, states, sessions. Pure."""
