"""Access to the embedded broker of another process of the same user, over a unix socket, with the whole contract.

`server.serve` opens the socket, `client.SocketBroker` connects to it, and `frames` defines the protocol.
"""
