"""Everything that handles HTTP requests: routes, probes, errors, headers."""
