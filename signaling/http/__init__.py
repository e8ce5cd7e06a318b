"""Everything that comes in over HTTP: routes, probes, errors, headers, and the WebSocket."""
