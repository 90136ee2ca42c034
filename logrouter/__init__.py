"""logrouter's central services (router, archive, audit), and the code that they share with the shippers."""

__version__ = "0.1.0"
