"""A running embedded broker from another process of the same user: the whole contract over a unix socket.

`serve` lets others in, SocketBroker is what they use; frames.py is what they say to each other.
"""
