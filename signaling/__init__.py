"""How people get in: HTTP, WebSocket, tokens, rooms; the composition root."""
