"""The wire protocol: messages, states, sessions. Pure."""
