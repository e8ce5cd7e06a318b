"""What the operator sees: settings, logs, metrics, the doctor, how the server starts."""
