"""The parts of each process, without its command line: a shipper, a router, or both in one."""
