"""The archive: records end in compressed files, each exactly once. naming -> filing -> segment, led by archive.py."""
