"""Identities, tokens and permissions."""
