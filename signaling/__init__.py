"""Access and control: HTTP, WebSocket, tokens, rooms; the composition root."""
