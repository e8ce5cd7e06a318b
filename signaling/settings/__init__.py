"""Settings: their types, their sources, and the reference made from them."""
