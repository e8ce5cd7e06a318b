"""The REST API: one module of handlers for each resource, and one of what goes in and out of it."""
