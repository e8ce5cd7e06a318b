"""Media: ICE, DTLS, RTP, slots, selection. Knows nothing of HTTP, databases or Redis."""
