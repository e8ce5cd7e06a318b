"""Settings: their types, their sources, and the generated reference."""
