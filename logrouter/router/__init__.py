"""The router: consumes messages, assembles windows, decides and commits them. Only this package acknowledges."""
