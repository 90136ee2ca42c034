"""What each process is made of, without its command line: a shipper, a router, or both in one."""
